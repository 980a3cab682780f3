"""Long chains, one child to each span and one to each pattern, aligned as two lists instead of level by level.

A chain of 100,000 spans with one edit at its bottom differs on every level, and priced one in the other, the levels
cannot see past the first few edits. As lists, what differs is where the levels do not agree by themselves: Eugene
Myers, "An O(ND) Difference Algorithm" (1986), with the end left open, as what is below the shorter of the two may be
missing or unexpected as a whole. O((levels) x differences); beyond `_STEPS`, chains are aligned level by level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.align.costs import WRAPPER, lost
from pytest_mlflow_traces.core.explaining.align.edits import Different, Missing, Unexpected
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.align.context import Context
    from pytest_mlflow_traces.core.explaining.align.edits import Edit

_DEEP = 24  # levels
_STEPS = 4_000_000  # comparisons and points of all searches for one trace
_FURTHEST = 400  # differences


class Chains:
    """The alignment of long chains of one trace with those of one pattern."""

    def __init__(self, context: Context) -> None:
        self._table, self._matcher, self._costs = context.table, context.matcher, context.costs
        self._bottoms: list[int] = []
        self._chains: dict[int, tuple[list[SpanPattern], int]] = {}
        self._steps = 0

    def is_deep(self, pattern: SpanPattern, i: int) -> bool:
        """Return whether both go down without a fork for many levels."""
        if self._table.stops[i] - i < _DEEP or self._steps > _STEPS or _only(pattern) is None:
            return False
        if not self._bottoms:
            stops = self._table.stops
            self._bottoms = list(range(len(stops)))
            for k in range(len(stops) - 2, -1, -1):
                if stops[k + 1] == stops[k]:
                    self._bottoms[k] = self._bottoms[k + 1]
        if self._bottoms[i] - i < _DEEP:
            return False
        chain, level = self._chain(pattern)
        return len(chain) - level > _DEEP

    def aligned(
        self, pattern: SpanPattern, i: int, limit: float
    ) -> tuple[float, list[Edit], tuple[SpanPattern, int]] | None:
        """Align what is below `pattern` and `i`, which stand for each other: down to the last levels that agree.

        Return what it costs, the edits, and those last two, whose children are still to be aligned; nothing where it
        costs more than `limit` or goes too far.
        """
        chain, level = self._chain(pattern)
        patterns, spans = chain[level + 1 :], range(i + 1, self._bottoms[i] + 1)
        agreeing = self._agreeing(patterns, spans, limit)
        if agreeing is None:
            return None
        cost, edits = 0.0, []
        j = k = 0
        last = pattern, i
        for item, place in agreeing:
            if j < item or k < place:
                price, between = self._between(patterns[j:item], spans[k:place], last[1], spans[place])
                cost += price
                edits += between
            last, j, k = (patterns[item], spans[place]), item + 1, place + 1
        return (cost, edits, last) if cost < limit else None

    def _chain(self, pattern: SpanPattern) -> tuple[list[SpanPattern], int]:
        """Return the descent that `pattern` is in, and how far down in it."""
        if id(pattern) not in self._chains:
            chain = [pattern]
            while (only := _only(chain[-1])) is not None and id(only) not in self._chains:
                chain.append(only)
            if only is not None:
                chain += self._chains[id(only)][0][self._chains[id(only)][1] :]
            for level, each in enumerate(chain):
                self._chains.setdefault(id(each), (chain, level))
        return self._chains[id(pattern)]

    def _agreeing(
        self, patterns: Sequence[SpanPattern], spans: Sequence[int], limit: float
    ) -> list[tuple[int, int]] | None:
        """Return the levels that agree: (pattern, span), in order, on a path with the fewest levels left out."""
        n, m = len(patterns), len(spans)
        ahead = {0: -1}  # by diagonal: the furthest pattern reached
        history: list[dict[int, int]] = []
        best, end = float("inf"), None
        for count in range(min(_FURTHEST, int(min(limit, 1e6) / WRAPPER) + 1) + 1):
            if count * WRAPPER >= best:
                break
            history.append(ahead)
            reached: dict[int, int] = {}
            for diagonal in range(-count, count + 1):
                _, x = _step(ahead, diagonal)
                y = x - diagonal
                if x < 0 or y < 0 or x > n or y > m:
                    continue
                start = x
                while x < n and y < m and self._agree(patterns[x], spans[y]):
                    x, y = x + 1, y + 1
                reached[diagonal] = x
                self._steps += x - start + 1
                if x == n or y == m:
                    rest = n - x + m - y
                    cost = count * WRAPPER + (lost(rest) if rest else 0.0)
                    if cost < best:
                        best, end = cost, (count, diagonal, x)
            ahead = reached
            if self._steps > _STEPS:
                break
        return None if end is None else _path(history, *end)

    def _agree(self, pattern: SpanPattern, i: int) -> bool:
        if isinstance(pattern.name, str) and pattern.name != self._table.names[i]:
            return False
        return self._costs.own(pattern, i) == 0.0

    def _between(
        self, patterns: Sequence[SpanPattern], spans: Sequence[int], above: int, below: int
    ) -> tuple[float, list[Edit]]:
        """Align levels none of which agree, straight down."""
        both = list(zip(patterns, spans, strict=False))
        edits: list[Edit] = [Different(*pair, tuple(self._matcher.local_failures(*pair))) for pair in both]
        edits += [Unexpected(span, wrapper=True) for span in spans[len(both) :]]
        parent = max(above, self._table.parents[below])
        edits += [Missing(each, parent, below, lifted=True) for each in patterns[len(both) :]]
        return sum(self._costs.own(*pair) for pair in both) + WRAPPER * abs(len(patterns) - len(spans)), edits


def _only(pattern: SpanPattern) -> SpanPattern | None:
    """Return the one pattern that says what the one child is."""
    if pattern.children is None or len(pattern.children) != 1:
        return None
    only = pattern.children[0]
    return only if isinstance(only, SpanPattern) else None


def _path(history: list[dict[int, int]], count: int, diagonal: int, x: int) -> list[tuple[int, int]]:
    """Follow the search back from its end; return the pairs that agree."""
    pairs: list[tuple[int, int]] = []
    while count >= 0:
        before, start = _step(history[count], diagonal)
        pairs.extend((k, k - diagonal) for k in range(x - 1, start - 1, -1))
        diagonal, x, count = before, history[count].get(before, 0), count - 1
    return pairs[::-1]


def _step(ahead: dict[int, int], diagonal: int) -> tuple[int, int]:
    """Return the diagonal from which one gets furthest on `diagonal` by one difference, and where one is then."""
    ways = ((ahead.get(diagonal, -9) + 1, diagonal), (ahead.get(diagonal + 1, -9), diagonal + 1))
    furthest, before = max(*ways, (ahead.get(diagonal - 1, -9) + 1, diagonal - 1), key=lambda way: way[0])
    return before, furthest
