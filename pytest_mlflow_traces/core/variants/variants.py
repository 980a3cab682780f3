"""The shapes of a stream of traces, with their counts: of a shape, the first trace is kept as text, and no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.judgements import unjudged
from pytest_mlflow_traces.core.patterns.recorded import recorded
from pytest_mlflow_traces.core.variants.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.core.trace import Trace


@dataclass(slots=True)
class Variant:
    """One shape: its hash, its tree as a baseline has it, where its first trace stands, and how many there are."""

    shape: str
    text: str
    where: str
    trace_id: str
    traces: int = 0
    before: int = 0  # among the traces to compare with
    uncovered: int = 0  # of the traces, those that no expectation covers


class Variants:
    """What shapes a stream of traces has, which of them are new, and which no expectation covers.

    Traces that are not whole have no shape that could be relied on: they are counted by themselves.
    """

    def __init__(self, covers: Callable[[Trace], bool] | None = None, *, is_compared: bool = False) -> None:
        self._covers = covers
        self._found: dict[str, Variant] = {}
        self.is_covering, self.is_compared = covers is not None, is_compared
        self.traces = self.before = self.not_judged = self.not_judged_before = 0

    def add_before(self, trace: Trace, where: str) -> None:
        """Take in a trace to compare with."""
        if unjudged(trace) is not None:
            self.not_judged_before += 1
            return
        self.before += 1
        self._variant(trace, where).before += 1

    def add(self, trace: Trace, where: str) -> None:
        """Take in the next trace."""
        self.traces += 1
        if unjudged(trace) is not None:
            self.not_judged += 1
            return
        found = self._variant(trace, where)
        if not found.traces:
            found.where, found.trace_id = where, trace.id
        found.traces += 1
        if self._covers is not None and not self._covers(trace):
            found.uncovered += 1

    def _variant(self, trace: Trace, where: str) -> Variant:
        shape = trace.shape
        found = self._found.get(shape)
        if found is None:
            text = notation.format(canonical(recorded(trace.table)))
            found = self._found[shape] = Variant(shape, text, where, trace.id)
        return found

    @property
    def found(self) -> list[Variant]:
        """The shapes of the traces, the commonest first."""
        return sorted((each for each in self._found.values() if each.traces), key=_rank)

    @property
    def gone(self) -> list[Variant]:
        """The shapes that only the traces to compare with have."""
        return sorted((each for each in self._found.values() if not each.traces), key=_rank)

    @property
    def new(self) -> list[Variant]:
        """The shapes that the traces to compare with do not have, where there is something to compare with."""
        return [each for each in self.found if self.is_compared and not each.before]

    @property
    def uncovered(self) -> list[Variant]:
        """The shapes with traces that no expectation covers."""
        return [each for each in self.found if each.uncovered]

    def holds(self, allowed: int = 0) -> bool:
        """Return whether nothing is new and all is covered, as far as that is asked; nothing passes on absence.

        Args:
            allowed: How many traces need not be judged.
        """
        if not self.found:
            return False
        if not (self.is_compared or self.is_covering):
            return True
        return not (self.new or self.uncovered) and self.not_judged <= allowed

    def data(self, allowed: int = 0) -> dict[str, Any]:
        """Return all of it as plain data."""
        compared = {"gone": [self._data(each) for each in self.gone]} if self.is_compared else {}
        return {
            "holds": self.holds(allowed),
            "traces": self.traces,
            **({"not_judged": self.not_judged} if self.not_judged else {}),
            "shapes": [self._data(each) for each in self.found],
            **compared,
        }

    def _data(self, each: Variant) -> dict[str, Any]:
        return {
            "shape": each.shape,
            "traces": each.traces,
            **({"before": each.before} if self.is_compared else {}),
            **({"uncovered": each.uncovered} if self.is_covering else {}),
            "where": each.where,
            "trace_id": each.trace_id,
            "tree": each.text,
        }


def _rank(variant: Variant) -> tuple[int, int, str]:
    return -variant.traces, -variant.before, variant.shape
