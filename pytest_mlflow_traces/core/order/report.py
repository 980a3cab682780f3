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
    line, name = Timeline([trace.table for trace in traces]), visible(traces[0].name)
    judge = Judge(rule, line)
    if not len(line):  # not even `never` holds of nothing
        return [Finding("order.absent", name, short(rule.pattern), "a trace without spans")]
    if rule.word == "each" and not judge.spans:
        if rule.optional:
            return []
        actual = "no such span" if len(traces) == 1 else f"no such span in {counted(len(traces), 'trace')}"
        return [Finding("order.absent", name, short(rule.pattern), actual, meant(rule.pattern, line) or None)]
    faults = [*judge.faults()]
    told = _Told(judge)
    found = [told.finding(fault) for fault in faults[:_LISTED]]
    if len(faults) > _LISTED:
        more = f"{len(faults) - _LISTED:,} more like this"
        found.append(Finding(found[-1].rule, short(rule.pattern), found[-1].expected, more))
    return found


class _Told:
    """The faults of one rule on one line of time in words."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self._rule, self._line = judge, judge.rule, judge.line
        self._picture, self._misses = Picture(judge.line), Misses(judge)

    def finding(self, fault: Fault) -> Finding:
        """Return the finding of a span that breaks the rule."""
        rule, p = self._rule, fault.span
        table, i = self._line.home(p)
        if fault.lacks_key:
            places = ", ".join(one.text for one, _ in rule.same if not one.read(table, i))
            expected, actual, concerned = f"a value at {places}", "none, so nothing is the same", [p]
            return Finding("order.key", table.path(i), expected, actual, self._hint(concerned))
        expected = self._expected(p)
        if rule.word == "never":
            actual, concerned = "one" if fault.witness is None else self._misses.forbidden(p, fault.witness), [p]
            concerned += [] if fault.witness is None else [fault.witness]
            return Finding("order.never", table.path(i), expected, actual, self._hint(concerned))
        miss = self._misses.nearest(p)
        return Finding(f"order.{rule.relation}", table.path(i), expected, miss.text, self._hint([p, *miss.concerned]))

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
