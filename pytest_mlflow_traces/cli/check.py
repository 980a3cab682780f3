"""Expectations put to stored traces, one trace at a time: nothing of a trace is kept but the counts it adds to.

What looks at all traces of a session together is asked at the end, so where there is such a rule, those with a session
are kept. Of each trace they hold, do not hold, do not apply, or cannot be judged: where spans are missing, absence
proves nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.judgements import Judge, not_judged, unjudged
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.core.verdicts import Verdict
    from pytest_mlflow_traces.files.traces import StoredTrace


class Check:
    """What a stream of traces comes to."""

    def __init__(self, expectations: Mapping[str, Any], allowed: int = 0) -> None:
        self._judges = {name: Judge(each) for name, each in expectations.items()}
        self._allowed = allowed  # traces that need not be judged
        self._applied: Counter[str] = Counter()
        self._rules: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self.traces = self.failed = self.unasked = self.not_judged = 0
        self._empty: list[str] = []
        self._together = [judge for judge in self._judges.values() if judge.together is not None]
        self._sessions: dict[str, list[tuple[StoredTrace, bool]]] = {}  # with whether it has failed by itself

    def check(self, stored: StoredTrace) -> list[Verdict]:
        """Return what the expectations have to say against the next trace."""
        said = self._judge(stored.trace)
        if self._together and stored.trace.session_id is not None:
            self._sessions.setdefault(str(stored.trace.session_id), []).append((stored, bool(said)))
        return said

    def sessions(self) -> Iterator[tuple[StoredTrace, list[Verdict]]]:
        """Yield what the expectations have to say against all traces of a session together, with the first of them."""
        for kept in self._sessions.values():
            traces = [stored.trace for stored, _ in kept if unjudged(stored.trace) is None]
            said = [verdict for judge in self._together for verdict in judge.verdicts_together(traces)]
            if said:
                self.failed += not any(failed for _, failed in kept)
                self._rules.update(finding.rule for verdict in said for finding in verdict.findings)
                yield kept[0][0], said

    def _judge(self, trace: Trace) -> list[Verdict]:
        self.traces += 1
        reason = unjudged(trace)
        if reason is not None:
            self.not_judged += 1
            self._reasons[reason.partition(":")[0]] += 1
            return [not_judged(trace, reason)]
        said: list[Verdict] = []
        asked = False
        for name, judge in self._judges.items():
            if judge.applies(trace):
                said += judge.verdicts(trace)
                self._applied[name] += 1
                asked = True
        self.unasked += not asked
        if said:
            self.failed += 1
            self._rules.update(finding.rule for verdict in said for finding in verdict.findings)
        return said

    def miss(self, source: str) -> None:
        """Note a source without traces, as the file of a program that died before it wrote any."""
        self._empty.append(source)

    @property
    def holds(self) -> bool:
        """Whether all held; nothing passes on absence, of traces in a source or of some that a contract is for."""
        has_applied = all(self._applied[name] for name in self._judges)
        is_judged = self.not_judged <= self._allowed
        return bool(self.traces) and not self.failed and has_applied and is_judged and not self._empty

    def conclusion(self) -> list[str]:
        """Say what it came to, a line for each thing."""
        if not self.traces:
            return ["no traces: nothing was checked"]
        held = self.traces - self.failed - self.unasked - self.not_judged
        rest = f", {self.unasked:,} that nothing applies to" if self.unasked else ""
        rest += f", {self.not_judged:,} not judged" if self.not_judged else ""
        lines = [f"{counted(self.traces, 'trace')}: {held:,} hold, {self.failed:,} do not{rest}"]
        if self._rules:
            lines.append("  " + ", ".join(f"{rule} {count:,}" for rule, count in self._rules.most_common()))
        lines += [f"  not judged: {reason} {count:,}" for reason, count in self._reasons.most_common()]
        for name in self._judges:
            count = self._applied[name]
            if count < self.traces - self.not_judged or not count:
                lines.append(f"{visible(name)} applies to {f'{count:,} of them' if count else 'none of them'}")
        lines += [f"{source}: no traces: nothing was checked" for source in self._empty]
        return lines

    def data(self) -> dict[str, Any]:
        """Return the same as plain data."""
        return {
            "holds": self.holds,
            "traces": self.traces,
            "failed": self.failed,
            **({"unasked": self.unasked} if self.unasked else {}),
            **({"not_judged": self.not_judged} if self.not_judged else {}),
            "findings": dict(self._rules.most_common()),
            "applied": {name: self._applied[name] for name in self._judges},
            **({"empty": self._empty} if self._empty else {}),
        }
