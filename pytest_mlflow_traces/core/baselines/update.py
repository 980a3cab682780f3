"""Change the text of a pattern so that it is what a trace is, where it is not, and nowhere else.

From the root down, the lines below a line are fitted to the children of its span (`fitting`, `seating`). A line whose
span has another name, type or status now says that; a line without a span goes; a span without a line gets one: the
line that was lost elsewhere, where that comes near (so what moved, or is wrapped now, keeps what somebody made of it),
or a new one. Spans that overlap others, and are new among them, stand with them below `any order`.

What is not a record of a trace but was demanded by hand (`has:`, `lacks:`, `within`, `error`, values, `parallel`) is
never changed: where it does not hold, there is a `DemandError`. The result is matched before it is returned, and it is
asked whether a line got lost though its span is there (`verify`).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.align import Fitter, is_unit
from pytest_mlflow_traces.core.baselines.assign import seated
from pytest_mlflow_traces.core.baselines.concurrent import grouped
from pytest_mlflow_traces.core.baselines.gaps import demanding, may_be_absent, reclaimed
from pytest_mlflow_traces.core.baselines.line_tree import Entry, alternatives, members, outline_text, read_outline
from pytest_mlflow_traces.core.baselines.lost_lines import Salvage
from pytest_mlflow_traces.core.baselines.verify import RECORDED, DemandError, Survival, by_hand, is_by_hand
from pytest_mlflow_traces.core.matching.matcher import Matcher
from pytest_mlflow_traces.core.notation.lines import quantifier, span_line
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, Repeat, SpanPattern
from pytest_mlflow_traces.core.patterns.recorded import recorded, strict
from pytest_mlflow_traces.core.spans.overlaps import overlap

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pytest_mlflow_traces.core.spans.table import SpanTable

__all__ = ["DemandError", "rewritten"]


def rewritten(text: str, table: SpanTable, unordered: Container[int] = ()) -> str:
    """Return the text of a pattern that the trace is, as near to `text` as can be; `text` itself, where that holds.

    Args:
        text: The text of a pattern, as somebody may have changed it.
        table: The spans of the trace.
        unordered: The positions of spans whose new children are written in any order.

    Raises:
        NotationError: where `text` is not a pattern.
        DemandError: where something does not hold that is not for a record to change.
    """
    top, after = read_outline(text)
    roots = table.roots()
    if isinstance(top.pattern, Pattern) and Matcher(table).accepts((top.pattern,), roots):
        return text
    rewriting = _Rewriting(table, unordered)
    first = rewriting.run(top, roots)
    found = outline_text(first, after)
    if Matcher(table).accepts((notation.parse(found),), roots):
        rewriting.check(first, found)
        return found
    # what is too tangled to be mended is written anew; the comments above it stay
    return "\n".join([*top.before, notation.format(recorded(table, unordered)), *after])


class _Rewriting:
    """The update of one outline, pair by pair."""

    def __init__(self, table: SpanTable, unordered: Container[int]) -> None:
        self._table = table
        self._unordered = unordered
        self._matcher = Matcher(table)
        self._fitter = Fitter(table, self._matcher)
        self._salvage = Salvage(self._matcher)
        self._survival = Survival(table, self._matcher, self._fitter)
        self._here: tuple[Entry, Sequence[int]] = Entry(""), ()  # the list that is being fitted, and to what
        self._todo: list[tuple[Entry, int]] = []  # lines and the spans whose children theirs are to be
        self._new: list[Entry] = []

    def run(self, top: Entry, roots: Sequence[int]) -> Entry:
        """Return the entry of the first line when all is done."""
        home = Entry("", below=[top])
        self._place(home, [top], roots, everything=True)
        while self._todo or self._new:
            while self._todo:
                entry, i = self._todo.pop()
                demands = [each for each in entry.below if each.is_demand]
                others = [each for each in entry.below if not each.is_demand]
                self._place(entry, others, self._table.children(i), everything=i in self._unordered)
                entry.below[:0] = demands
            # the lines of those that are lost are known only when every list there is has been fitted
            waiting, self._new = self._new, []
            for entry in waiting:
                self._write(entry)
        self._salvage.settle(home)
        tops = home.below
        tops[0].before = [*tops[0].before, *home.after]
        if len(tops) == 1:
            return tops[0]
        return Entry("any order", below=[each for each in tops if not each.is_gap])

    def check(self, top: Entry, found: str) -> None:
        """Raise a `DemandError` where the new text asks no more for a span that is there."""
        self._survival.check(top, found, self._salvage)

    def _place(self, home: Entry, entries: Sequence[Entry], spans: Sequence[int], *, everything: bool) -> None:
        """Let the lines below `home` be those for `spans`."""
        steps = reclaimed(self._table, self._matcher, self._fitter, self._fitter.fit(entries, spans))
        made: list[tuple[Entry, tuple[int, ...]]] = []
        self._here = home, spans
        for entry, stood in steps:
            if entry is None:
                made.append((self._added(stood[0]), stood))
            elif stood or may_be_absent(entry):
                self._fit(entry, stood)
                made.append((entry, stood))
            else:
                made.append((self._lost(entry), ()))
        home.below = grouped(self._table, made, spans, everything=everything)

    def _added(self, i: int) -> Entry:
        entry = Entry("", span=i)
        self._new.append(entry)
        return entry

    def _lost(self, entry: Entry) -> Entry:
        for each in demanding(entry):
            self._survival.doubt(each, *self._here)
        return self._salvage.lose(entry)

    def _fit(self, entry: Entry, spans: Sequence[int]) -> None:
        """Let a line stand for these spans."""
        if is_unit(entry):
            low, high = entry.limits
            if not spans:
                return
            if self._fitter.cost(entry, spans[0]) > 0:
                self._mend(entry, spans[0])
            if not low <= len(spans) <= (len(spans) if high is None else high):
                entry.requantify(min(low, len(spans)), None if high is None else max(high, len(spans)))
        elif isinstance(entry.pattern, AnyOrder) and not self._matcher.accepts((entry.pattern,), spans):
            self._seat(entry, entry.pattern, spans)

    def _seat(self, entry: Entry, group: AnyOrder, spans: Sequence[int]) -> None:
        homes = [(home, each) for home, each in members(entry) if not each.is_gap]
        seats, others = seated(self._fitter, [each for _, each in homes], spans)
        if group.overlapping:
            self._check_parallel(entry, [i for seat in seats for i in seat])
        for (home, each), seat in zip(homes, seats, strict=True):
            if seat or may_be_absent(each):
                self._fit(each, seat)
            else:
                home[home.index(each)] = self._lost(each)
        if not group.gap:
            entry.below += map(self._added, others)

    def _check_parallel(self, entry: Entry, spans: Sequence[int]) -> None:
        starts, ends = self._table.starts, self._table.ends
        for one, two in combinations(spans[:100], 2):
            if not overlap(starts[one], ends[one], starts[two], ends[two]):
                raise DemandError(entry, "`parallel`", f"{self._table.path(one)} and {self._table.path(two)}")

    def _mend(self, entry: Entry, i: int) -> None:
        """Let a line of one span stand for the span at `i`, which it does not match."""
        choices = alternatives(entry)
        if len(choices) == 1 and choices[0] is entry:
            self._mend_span(entry, i)
            return
        nearest = min(choices, key=lambda each: self._fitter.cost(each, i))
        if self._fitter.cost(nearest, i) < 1.5:
            self._mend_span(nearest, i)
        else:
            entry.below.append(self._added(i))

    def _mend_span(self, entry: Entry, i: int) -> None:
        pattern = entry.unit
        if not isinstance(pattern, SpanPattern):
            raise AssertionError("unreachable: only a line of one span is mended")
        failed = self._matcher.local_failures(pattern, i)
        demand = by_hand(self._matcher, pattern, i)
        if demand is not None:
            raise DemandError(entry, demand, self._table.path(i))
        if "name" in failed:
            self._survival.doubt(entry, *self._here)
        if failed:
            now = strict(self._table, i, pattern.children)
            said = replace(pattern, **{field: getattr(now, field) for field in failed})
            low, high = entry.limits
            entry.pattern = said if low == high == 1 else Repeat(said, low, high)
            entry.rewrite(span_line(said, "" if low == high == 1 else quantifier(low, high)))
        if pattern.children is not None and not self._matcher.accepts(pattern.children, self._table.children(i)):
            self._todo.append((entry, i))

    def _write(self, entry: Entry) -> None:
        """Let a new line say what its span is: as a line that was lost does, or as a trace is recorded."""
        i = entry.span
        old = self._salvage.take(self._table.names[i], i, lambda each: self._is_mendable(each, i))
        if old is not None:
            entry.become(old)
            if self._fitter.cost(old, i) > 0:
                self._mend_span(entry, i)
            if not _allows_one(entry):
                entry.requantify(min(entry.limits[0], 1), entry.limits[1])
            return
        entry.text = span_line(strict(self._table, i, ()), "")
        entry.pattern = strict(self._table, i, ())
        if self._table.children(i):
            self._todo.append((entry, i))

    def _is_mendable(self, entry: Entry, i: int) -> bool:
        """Return whether a lost line may be changed for the span at `i`, which has its name: only where alike."""
        pattern = entry.unit
        return (
            isinstance(pattern, SpanPattern)
            and RECORDED.issuperset(self._matcher.local_failures(pattern, i))
            and (is_by_hand(pattern) or self._fitter.are_alike_below(entry, i))
        )


def _allows_one(entry: Entry) -> bool:
    low, high = entry.limits
    return low <= 1 and (high is None or high >= 1)
