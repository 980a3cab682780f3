"""When spans overlap in time: two of them, a sliding window of them, and the largest sets of them.

Two spans overlap where each starts before the other ends. Touching ends do not overlap, and an unfinished span runs on.
A span of no length inside another does overlap it, so "the latest start is before the earliest end" would be wrong:
those two may belong to one span. Each span is therefore tested against the extremes of the *others*.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def overlap(start: int, end: int | None, other_start: int, other_end: int | None) -> bool:
    """Return whether two spans ran at some one moment; touching ends do not overlap, an unfinished span runs on."""
    return (other_end is None or start < other_end) and (end is None or other_start < end)


class OverlappingWindow:
    """Consecutive spans that overlap pairwise; both ends of the window move forward, in O(1) each on average."""

    __slots__ = ("_earliest_ends", "_ends", "_latest_starts", "_starts")

    def __init__(self, starts: Sequence[int], ends: Sequence[int | None]) -> None:
        self._starts, self._ends = starts, ends
        # positions whose start (end) is the latest (earliest) of all from there to the end of the window
        self._latest_starts: deque[int] = deque()
        self._earliest_ends: deque[int] = deque()

    def admits(self, k: int) -> bool:
        """Return whether the span at `k` overlaps every one in the window."""
        if not self._latest_starts:
            return True
        latest, earliest = self._starts[self._latest_starts[0]], self._ends[self._earliest_ends[0]]
        return overlap(self._starts[k], self._ends[k], latest, earliest)

    def push(self, k: int) -> None:
        """Let the span at `k` in, behind the others."""
        starts, ends = self._starts, self._ends
        while self._latest_starts and starts[self._latest_starts[-1]] <= starts[k]:
            self._latest_starts.pop()
        self._latest_starts.append(k)
        while self._earliest_ends and _not_before(ends[self._earliest_ends[-1]], ends[k]):
            self._earliest_ends.pop()
        self._earliest_ends.append(k)

    def drop(self, k: int) -> None:
        """Let the first span, at `k`, go."""
        for line in (self._latest_starts, self._earliest_ends):
            if line and line[0] == k:
                line.popleft()


def _not_before(end: int | None, other: int | None) -> bool:
    return end is None or (other is not None and end >= other)


def overlapping_sets(
    candidates: Iterable[int], starts: Sequence[int], ends: Sequence[int | None]
) -> Iterator[frozenset[int]]:
    """Yield sets of candidates that overlap pairwise, so that every such set lies in one of them: at most one per span.

    Spans of some length overlap pairwise only where all share a moment (Helly's theorem on the line), so the sets are
    what runs just after each start. Of spans that end no later than they start, a set holds at most one.
    """
    proper: list[int] = []
    instant: list[int] = []
    for k in candidates:
        end = ends[k]
        (proper if end is None or end > starts[k] else instant).append(k)
    for k in instant:
        end = ends[k]
        yield frozenset([k, *(i for i in proper if overlap(starts[i], ends[i], starts[k], end))])
    proper.sort(key=starts.__getitem__)
    running: set[int] = set()
    ending: list[tuple[int, int]] = []
    for k in proper:
        if ending and ending[0][0] <= starts[k]:
            yield frozenset(running)  # complete: whatever starts from here on does not meet all of them
            while ending and ending[0][0] <= starts[k]:
                running.discard(heappop(ending)[1])
        running.add(k)
        end = ends[k]
        if end is not None:
            heappush(ending, (end, k))
    if running:
        yield frozenset(running)
