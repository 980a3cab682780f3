"""Change the text of a pattern so that it is what a trace is, where it is not, and nowhere else.

From the root down, the lines below a line are aligned with the children of its span, as an explanation aligns them. A
line whose span has another name, type or status now says that; a line without a span goes; a span without a line gets
one: the line that was lost elsewhere, where that comes near (so what moved, or is wrapped now, keeps what somebody made
of it), or a new one. Spans that overlap others, and are new among them, stand with them below `any order`.

What is not a record of a trace but was demanded by hand (`has:`, `lacks:`, `within`, `error`, values, `parallel`) is
never changed: where it does not hold, there is a `DemandError`. The result is matched before it is returned, and it is
asked whether a line got lost though its span is there (`verify`).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.line_tree import (
    Entry,
    alternatives,
    by_hand,
    demanding,
    may_be_absent,
    members,
    outline_text,
    read_outline,
)
from pytest_mlflow_traces.core.baselines.lost_lines import LostLines
from pytest_mlflow_traces.core.baselines.pairs import Pairs
from pytest_mlflow_traces.core.baselines.verify import DemandError, Survival
from pytest_mlflow_traces.core.explaining.align.costs import named
from pytest_mlflow_traces.core.matching.matcher import Matcher
from pytest_mlflow_traces.core.notation.lines import span_line
from pytest_mlflow_traces.core.notation.parser import parse_lines
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, Repeat, SpanPattern
from pytest_mlflow_traces.core.patterns.recorded import overlapping, recorded, renewable
from pytest_mlflow_traces.core.spans.overlaps import overlap

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pytest_mlflow_traces.core.spans.table import SpanTable

__all__ = ["DemandError", "rewritten"]

Made = tuple[Entry, tuple[int, ...]]  # a line, and the spans it stands for


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
    matcher = Matcher(table)
    if not isinstance(top.pattern, Pattern) or matcher.accepts((top.pattern,), table.roots()):
        return text
    update = _Update(table, matcher, top.pattern, unordered)
    first = update.run(top)
    found = outline_text(first, after)
    lines = parse_lines(found)
    if lines[0].pattern is not None and Matcher(table).accepts((lines[0].pattern,), table.roots()):
        update.survival.check(first, lines, update.lost)
        return found
    # what is too tangled to be mended is written anew; the comments above it stay
    return "\n".join([*top.before, notation.format(recorded(table, unordered)), *after])


class _Update:
    """The update of one tree of lines, list by list."""

    def __init__(self, table: SpanTable, matcher: Matcher, pattern: Pattern, unordered: Container[int]) -> None:
        self._table = table
        self._unordered = unordered
        self._matcher = matcher
        self._pairs = Pairs(table, matcher, pattern)
        self.lost = LostLines(table, matcher, self._pairs)
        self.survival = Survival(table, matcher)
        self._here: tuple[Entry, Sequence[int]] = Entry(""), ()  # the list that is being changed, and its spans
        self._todo: list[tuple[Entry, int]] = []  # lines and the spans whose children theirs are to be
        self._new: list[Entry] = []

    def run(self, top: Entry) -> Entry:
        """Return the entry of the first line when all is done."""
        home = Entry("", below=[top])
        self._todo.append((home, -1))
        while self._todo or self._new:
            while self._todo:
                self._place(*self._todo.pop())
            # the lines of those that are lost are known only when every list there is has been aligned
            waiting, self._new = self._new, []
            waiting = [each for each in waiting if not self._reuse(each, self.lost.exact(each.span))]
            for each in waiting:
                if not self._reuse(each, self.lost.like(each.span)):
                    self._record(each)
        self.lost.settle(home)
        tops = home.below
        tops[0].before = [*tops[0].before, *home.after]
        if len(tops) == 1:
            return tops[0]
        return Entry("any order", below=[each for each in tops if not each.is_gap])

    def _place(self, home: Entry, i: int) -> None:
        """Let the lines below `home` be those for the children of the span at `i`."""
        spans = self._table.children(i) if i >= 0 else self._table.roots()
        demands = [each for each in home.below if each.is_demand]
        lines = [each for each in home.below if not each.is_demand]
        self._here = home, spans
        made: list[Made] = []
        for line, stood in self._pairs.steps(lines, i, spans):
            if line is None:
                made.append((self._added(stood[0]), stood))
            elif stood or (may_be_absent(line) and not self._pairs.is_moving(line, spans)):
                self._fit(line, stood)
                made.append((line, stood))
            else:
                made.append((self._lose(line), ()))
        everything = i < 0 or i in self._unordered
        home.below = [*demands, *_grouped(self._table, made, spans, everything=everything)]

    def _added(self, i: int) -> Entry:
        entry = Entry("", span=i)
        self._new.append(entry)
        return entry

    def _lose(self, line: Entry) -> Entry:
        for each in demanding(line):
            self.survival.doubt(each, *self._here)
        return self.lost.lose(line)

    def _fit(self, line: Entry, spans: Sequence[int]) -> None:
        """Let a line stand for these spans."""
        if not spans:
            return
        if line.patterns:
            low, high = line.limits
            self._mend(line, spans[0])
            if not low <= len(spans) <= (len(spans) if high is None else high):
                line.requantify(min(low, len(spans)), None if high is None else max(high, len(spans)))
        elif isinstance(line.pattern, AnyOrder) and not self._matcher.accepts((line.pattern,), spans):
            self._fit_group(line, line.pattern, spans)

    def _fit_group(self, group: Entry, pattern: AnyOrder, spans: Sequence[int]) -> None:
        homes = [(home, each) for home, each in members(group) if not each.is_gap]
        seats, others = self._pairs.seats([each for _, each in homes], spans)
        if pattern.overlapping:
            self._check_parallel(group, [i for seat in seats for i in seat])
        for (home, each), seat in zip(homes, seats, strict=True):
            if seat or may_be_absent(each):
                self._fit(each, seat)
            else:
                home[home.index(each)] = self._lose(each)
        if not pattern.gap:
            group.below += map(self._added, others)

    def _check_parallel(self, group: Entry, spans: Sequence[int]) -> None:
        starts, ends = self._table.starts, self._table.ends
        for one, two in combinations(spans[:100], 2):
            if not overlap(starts[one], ends[one], starts[two], ends[two]):
                raise DemandError(group, "`parallel`", f"{self._table.path(one)} and {self._table.path(two)}")

    def _mend(self, line: Entry, i: int) -> None:
        """Let a line of one span, or one of its alternatives, or another one, say what the span at `i` is."""
        if line.unit is None or self._matcher.matches(line.unit, i):
            return
        which = self._pairs.nearest(line.unit, i)
        nearest = next(each for each in alternatives(line) if each.unit is which)
        if nearest is line or named(which, self._table.names[i]):
            self._mend_span(nearest, which, i)
        else:
            line.below.append(self._added(i))

    def _mend_span(self, line: Entry, pattern: SpanPattern, i: int) -> None:
        failed = self._matcher.local_failures(pattern, i)
        demand = by_hand(self._matcher, pattern, i)
        if demand is not None:
            raise DemandError(line, demand, self._table.path(i))
        if "name" in failed:
            self.survival.doubt(line, *self._here)
        if failed:
            now = renewable(self._table, i, pattern.children)
            said = replace(pattern, **{field: getattr(now, field) for field in failed})
            line.pattern = said if line.limits == (1, 1) else Repeat(said, *line.limits)
            line.requantify(*line.limits)
        if pattern.children is not None and not self._matcher.accepts(pattern.children, self._table.children(i)):
            self._todo.append((line, i))

    def _reuse(self, entry: Entry, lost: Entry | None) -> bool:
        """Let a new line be one that was lost, where there is one."""
        if lost is None:
            return False
        entry.become(lost)
        self._mend(entry, entry.span)
        low, high = entry.limits
        if low > 1 or high == 0:
            entry.requantify(min(low, 1), None if high is None else max(high, 1))
        return True

    def _record(self, entry: Entry) -> None:
        """Let a new line say what is recorded of its span."""
        entry.pattern = renewable(self._table, entry.span, ())
        entry.text = span_line(entry.pattern, "")
        if self._table.children(entry.span):
            self._todo.append((entry, entry.span))


def _grouped(table: SpanTable, made: list[Made], spans: Sequence[int], *, everything: bool) -> list[Entry]:
    """Return the lines, those whose spans overlap (or `everything`) below `any order` where one of them is new."""
    runs = [list(spans)] if everything and spans else overlapping(table, spans)
    home = {i: number for number, (_, stood) in enumerate(made) for i in stood}
    lines: list[Entry] = []
    done = 0
    for run in runs:
        first, last = home[run[0]], home[run[-1]]
        part = made[first : last + 1]
        if first < done or last == first or not _may_merge(part, set(run)):
            continue
        lines += [entry for entry, _ in made[done:first]]
        lines.append(_merged([entry for entry, _ in part]))
        done = last + 1
    return [*lines, *(entry for entry, _ in made[done:])]


def _may_merge(part: Sequence[Made], run: set[int]) -> bool:
    """Return whether some line is new, and all can stand below `any order`."""
    return any(entry.span >= 0 for entry, _ in part) and all(
        entry.is_gap
        or entry.lost is not None
        or ((entry.span >= 0 or bool(entry.patterns) or entry.is_plain_group) and run.issuperset(stood))
        for entry, stood in part
    )


def _merged(entries: Sequence[Entry]) -> Entry:
    """Return one group of all these lines, a group that is there already rather than a new one."""
    group = next((entry for entry in entries if entry.is_plain_group), None)
    below: list[Entry] = []
    gaps: list[Entry] = []
    for entry in entries:
        for each in entry.below if entry.is_plain_group else [entry]:
            (gaps if each.is_gap else below).append(each)
    if group is None:
        group = Entry("any order")
    group.below = below + gaps[:1]
    return group
