"""Of spans that a span can reach, the one that reaches furthest, its relatives left out: for many at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mlflow_traces.core.order.timeline import Timeline

NOTHING = (-(1 << 62), -1)


class _Highest:
    """The highest item at or below a key, while items come in (a Fenwick tree); O(log n) each."""

    __slots__ = ("_keys", "_tree")

    def __init__(self, keys: Iterable[int]) -> None:
        self._keys = sorted(keys)
        self._tree = [NOTHING] * (len(self._keys) + 1)

    def put(self, key: int, item: tuple[int, int]) -> None:
        tree, at = self._tree, bisect_left(self._keys, key) + 1
        while at < len(tree):
            if tree[at] < item:
                tree[at] = item
            at += at & -at

    def at_most(self, key: int) -> tuple[int, int]:
        tree, at, highest = self._tree, bisect_right(self._keys, key), NOTHING
        while at:
            if tree[at] > highest:
                highest = tree[at]
            at &= at - 1
        return highest


def furthest(
    line: Timeline, spans: Sequence[tuple[int, int, int]], asked: Sequence[tuple[int, int]]
) -> dict[int, tuple[int, int]]:
    """Return, for each `(bound, p)` asked, the highest `(value, span)` of `(reach, value, span)` with `reach <= bound`.

    Spans that are above or below p do not count. One sweep, O((spans + asked) log spans).
    """
    if not spans:
        return {p: NOTHING for _, p in asked}
    stops, found = line.stops, {}
    ended = _Highest(stops[i] for _, _, i in spans)
    coming = _Highest(-i for _, _, i in spans)
    waiting = sorted(spans, reverse=True)
    for bound, p in sorted(asked):
        while waiting and waiting[-1][0] <= bound:
            _, value, i = waiting.pop()
            ended.put(stops[i], (value, i))
            coming.put(-i, (value, i))
        found[p] = max(ended.at_most(p), coming.at_most(-stops[p]))
    return found
