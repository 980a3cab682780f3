"""What breaks a rule of order, in words: findings that name the nearest miss, and show the spans concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.order.judging import Judge
from pytest_mlflow_traces.core.order.misses import Misses, meant
from pytest_mlflow_traces.core.order.picture import Picture
from pytest_mlflow_traces.core.order.timeline import Timeline
from pytest_mlflow_traces.core.patterns.nodes import short
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.order.judging import Fault
    from pytest_mlflow_traces.core.order.terms import Terms
    from pytest_mlflow_traces.core.trace import Trace

_LISTED = 100  # findings of one rule; the rest is counted


def findings_of(rule: Terms, traces: Sequence[Trace]) -> list[Finding]:
    """Return every span of some traces, looked at as one, that breaks a rule."""
    line = Timeline([trace.table for trace in traces])
    judge = Judge(rule, line)
    session = traces[0].session_id if rule.per == "session" else None
    name = visible(traces[0].name) if session is None else f"session {visible(str(session))!r}"
    if not len(line):  # not even `never` holds of nothing
        return [Finding("order.absent", name, short(rule.pattern), "a trace without spans")]
    if rule.word == "each" and not judge.spans:
        if rule.optional:
            return []
        actual = "no such span" if len(traces) == 1 else f"no such span in {counted(len(traces), 'trace')}"
        return [Finding("order.absent", name, short(rule.pattern), actual, meant(rule.pattern, line) or None)]
    faults = [*judge.faults()]
    told = _Told(judge, traces)
    found = [told.finding(fault) for fault in faults[:_LISTED]]
    if len(faults) > _LISTED:
        more = f"{len(faults) - _LISTED:,} more like this"
        found.append(Finding(found[-1].rule, short(rule.pattern), found[-1].expected, more))
    return found


class _Told:
    """The faults of one rule on one line of time in words."""

    def __init__(self, judge: Judge, traces: Sequence[Trace]) -> None:
        self._judge, self._rule, self._line, self._traces = judge, judge.rule, judge.line, traces
        self._picture, self._misses = Picture(judge.line), Misses(judge)

    def finding(self, fault: Fault) -> Finding:
        """Return the finding of a span that breaks the rule."""
        rule, p = self._rule, fault.span
        if fault.lacks_key:
            table, i = self._line.home(p)
            places = ", ".join(one.text for one, _ in rule.same if not one.read(table, i))
            expected, actual, concerned = f"a value at {places}", "none, so nothing is the same", [p]
            return Finding("order.key", self._where(p), expected, actual, self._hint(concerned))
        expected = self._expected(p)
        if rule.word == "never":
            actual, concerned = "one" if fault.witness is None else self._misses.forbidden(p, fault.witness), [p]
            concerned += [] if fault.witness is None else [fault.witness]
            return Finding("order.never", self._where(p), expected, actual, self._hint(concerned))
        miss = self._misses.nearest(p)
        return Finding(f"order.{rule.relation}", self._where(p), expected, miss.text, self._hint([p, *miss.concerned]))

    def _where(self, p: int) -> str:
        """Return the path of a span and, where a rule looks at more than one trace, which of them it is in."""
        table, i = self._line.home(p)
        if self._rule.per != "session":
            return table.path(i)
        number = self._line.trace_of(p)
        trace = self._traces[number]
        if trace.session_id is None:
            return f"{table.path(i)} of trace {visible(trace.id)}"
        return f"{table.path(i)} of trace [{number}] {visible(trace.id)} of session {visible(str(trace.session_id))!r}"

    def _hint(self, concerned: Sequence[int]) -> str | None:
        lines = self._picture.lines(concerned)
        return "\n".join(lines) if len(lines) > 1 else None

    def _expected(self, p: int) -> str:
        rule = self._rule
        if rule.other is None:
            return f"no {short(rule.pattern)}"
        also = f" of the same {self._misses.key_text(p)}" if rule.same else ""
        if rule.word == "never":
            also += f", unless {short(rule.between)} between" if rule.between is not None else ""
            return f"no {short(rule.pattern)} {rule.relation} {short(rule.other)}{also}"
        how = {"after": "to have ended before", "before": "to start after its end", "inside": "above it"}
        between = f", with no {short(rule.between)} between" if rule.between is not None else ""
        return f"{short(rule.other)}{also} {how[rule.relation or '']}{between}"
