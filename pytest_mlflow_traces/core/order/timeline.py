"""The spans of one trace, or of several as one, on one line of time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.matching import matcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable


class Timeline:
    """The columns of some tables, one behind the other: position `i` is a span of all of them.

    Spans stand in the order (start, position). Two are related if one is above the other. With `stops` that is one
    comparison on either side: they are not, where one's subtree ends before the other begins.
    """

    def __init__(self, tables: Sequence[SpanTable]) -> None:
        self.tables = tables
        self._firsts = [0]
        for table in tables:
            self._firsts.append(self._firsts[-1] + len(table))
        if len(tables) == 1:
            self.starts, self.ends = tables[0].starts, tables[0].ends
            self.stops, self.parents = tables[0].stops, tables[0].parents
            return
        shifted = [*zip(self._firsts, tables, strict=False)]
        self.starts = [start for table in tables for start in table.starts]
        self.ends = [end for table in tables for end in table.ends]
        self.stops = [first + stop for first, table in shifted for stop in table.stops]
        self.parents = [first + i if i >= 0 else -1 for first, table in shifted for i in table.parents]

    def __len__(self) -> int:
        return self._firsts[-1]

    def find(self, pattern: Pattern) -> list[int]:
        """Return the positions that match, in their order."""
        if len(self.tables) == 1:
            return matcher.find(self.tables[0], pattern)
        found = zip(self._firsts, self.tables, strict=False)
        return [first + i for first, table in found for i in matcher.find(table, pattern)]

    def home(self, i: int) -> tuple[SpanTable, int]:
        """Return the table of a span, and its position there."""
        number = bisect_right(self._firsts, i) - 1
        return self.tables[number], i - self._firsts[number]

    def trace_of(self, i: int) -> int:
        """Return the number of the trace of a span."""
        return bisect_right(self._firsts, i) - 1

    def related(self, i: int, k: int) -> bool:
        """Return whether one is above the other, or both are one."""
        return not (self.stops[i] <= k or self.stops[k] <= i)

    def stands_first(self, i: int, k: int) -> bool:
        """Return whether `i` stands before `k`."""
        return (self.starts[i], i) < (self.starts[k], k)

    def surely_before(self, i: int, k: int) -> bool:
        """Return whether `i` had ended when `k` started."""
        end = self.ends[i]
        return end is not None and not self.related(i, k) and (end, self.starts[i], i) < (self.starts[k],) * 2 + (k,)

    def possibly_before(self, i: int, k: int) -> bool:
        """Return whether `i` stands before `k` and is not related to it; they may overlap."""
        return not self.related(i, k) and self.stands_first(i, k)

    def ranked(self, spans: Iterable[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Return the rank of each span among these, and the lowest rank that its end lies before.

        So `i` has ended before an unrelated `k` where `over[i] <= rank[k]`: one number each, whatever ties.
        """
        starts, ends = self.starts, self.ends
        ordered = sorted(set(spans))
        ordered.sort(key=starts.__getitem__)  # a stable sort
        times = [starts[i] for i in ordered]
        rank = {i: number for number, i in enumerate(ordered)}
        over = {}
        for number, i in enumerate(ordered):
            end = ends[i]
            if end is None:
                over[i] = len(ordered)
            else:
                over[i] = min(max(number + 1, bisect_left(times, end)), bisect_right(times, end))
        return rank, over
