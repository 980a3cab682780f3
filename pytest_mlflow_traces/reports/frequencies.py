"""What became more frequent from one set of runs to another: as text, as Markdown, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.rates.more_frequent import changes, could_show
from pytest_mlflow_traces.core.runs.compare import NOT_COMPARABLE
from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.text.counts import capped, counted
from pytest_mlflow_traces.core.text.percentages import percentage
from pytest_mlflow_traces.reports.markdown import folded, inert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mlflow_traces.core.rates.more_frequent import Change, Runs

MORE, NOT_SHOWN = "more frequent", "not shown to be more frequent"
_LISTED = 20


class ComparedFrequencies:
    """Two sets of runs, and what can be said of the second beside the first."""

    def __init__(self, old: Runs, new: Runs, confidence: float) -> None:
        self._old, self._new, self._confidence = old, new, confidence
        self._reasons = list(self._unlike())
        self._changes = [] if self._reasons else changes(old, new, confidence)

    @property
    def verdict(self) -> str:
        """What it comes to: as the comparison of two runs, it says where there is no comparing."""
        if self._reasons:
            return NOT_COMPARABLE
        return MORE if any(each.is_shown for each in self._changes) else NOT_SHOWN

    def text(self) -> str:
        """Say what became more frequent, then what did not, and the verdict last."""
        lines: list[str] = []
        for is_shown, title in ((False, "not shown to be more frequent:"), (True, "more frequent:")):
            said = [self._line(each) for each in self._changes if each.is_shown is is_shown]
            lines += [title, *capped(said, _LISTED, "  ... {} more findings"), ""] if said else []
        return "\n".join([*lines, *self._reasons, self._conclusion()])

    def markdown(self) -> str:
        """Return the same for the summary of a CI job."""
        return "\n\n".join(
            [
                f"### MLflow traces: {self.verdict}",
                inert(self._conclusion()),
                folded("Findings", self.text().split("\n")),
            ]
        ) + "\n"  # fmt: skip

    def data(self) -> dict[str, Any]:
        """Return the same as plain data."""
        findings = [
            {
                "rule": each.finding.rule,
                "where": each.finding.where,
                **each.seen._asdict(),
                "p": each.chance,
                "corrected_p": each.p,
                "more_frequent": each.is_shown,
            }
            for each in self._changes
        ]
        return {
            "verdict": self.verdict,
            "confidence": self._confidence,
            "runs": {
                name: {"old": self._old.counts[name].total(), "new": self._new.counts[name].total()}
                for name in self._old.counts
            },
            "reasons": self._reasons,
            "findings": findings,
        }

    def _unlike(self) -> Iterator[str]:
        """Say why the two sides cannot be compared: what is not there is no proof of anything."""
        for name, side in (("old", self._old), ("new", self._new)):
            for why, count in side.not_judged.items():
                yield f"{counted(count, 'run')} of the {name} traces {escaped(why)}"
        for contract in self._old.counts:
            yield from self._unlike_for(contract)

    def _unlike_for(self, contract: str) -> Iterator[str]:
        old, new = self._old.counts[contract], self._new.counts[contract]
        for name, side, other in (("old", old, new), ("new", new, old)):
            if not side:
                yield f"{visible(contract)} applies to none of the {name} traces"
            elif other:
                yield from (f"only in the {name} traces: {escaped(test)}" for test in side if test not in other)
        if old and old.keys() == new.keys() and not could_show(self._old, self._new, contract, self._confidence):
            few = f"{old.total()} and {new.total()}"
            yield f"not enough runs: {few} would not even show what each new one has and no old one"

    def _line(self, change: Change) -> str:
        seen = change.seen
        chance = "too few to show anything" if change.p is None else f"p = {change.p:.2g} (alone {change.chance:.2g})"
        where = f"{change.finding.rule} at {visible(change.finding.where)}"
        return f"  {where}: {seen.old} of {seen.old_runs} before, {seen.new} of {seen.new_runs} now, {chance}"

    def _conclusion(self) -> str:
        if self._reasons:
            return NOT_COMPARABLE
        shown = sum(each.is_shown for each in self._changes)
        said = f"{shown} more frequent" if shown else "none shown to be more frequent"
        return f"{counted(len(self._changes), 'finding')}: {said}, with {percentage(self._confidence)} confidence"
