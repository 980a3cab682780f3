"""Spans given to slots within their capacities: a maximum matching of a bipartite graph.

One breadth-first search for an augmenting path (Kuhn 1955; Hopcroft and Karp 1973) for each span that comes in or goes,
so that at all times as many of the spans that are in as can be have a slot. Who has one keeps some slot, and a slot
that is filled stays filled. O(spans x edges).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.matching.bitsets import lowest, members

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Edges: TypeAlias = "Callable[[int], int]"  # from a span to the set of the slots that it may have


class BipartiteMatching:
    """Which span has which slot; of several that are free, the one with the lowest number."""

    def __init__(self, capacities: Sequence[int], edges: Edges) -> None:
        self.slot_of: dict[int, int] = {}  # by span
        self.held: list[set[int]] = [set() for _ in capacities]  # by slot
        self._edges = edges
        self._capacities: Sequence[int] = [0] * len(capacities)
        self._spare = [0] * len(capacities)
        self._open = 0  # the slots with room
        self._left_over: dict[int, None] = {}
        self.widen(capacities)

    def __len__(self) -> int:
        return len(self.slot_of)

    def widen(self, capacities: Sequence[int]) -> None:
        """Let the slots have these capacities, none of which is less than it was."""
        for slot, (now, before) in enumerate(zip(capacities, self._capacities, strict=True)):
            self._spare[slot] += now - before
            self._open |= (self._spare[slot] > 0) << slot
        self._capacities = capacities

    def insert(self, k: int) -> bool:
        """Let the span at `k` in; return whether it has a slot now."""
        if k in self.slot_of:  # turned away before, and placed when another went
            return True
        if not self._edges(k):
            return False
        self._left_over[k] = None
        return self._augment((k,))

    def drop(self, k: int) -> None:
        """Take the span at `k` out; another may take its place."""
        self._left_over.pop(k, None)
        slot = self.slot_of.pop(k, None)
        if slot is not None:
            self.held[slot].discard(k)
            self._spare[slot] += 1
            self._open |= 1 << slot
            self._augment(tuple(self._left_over))

    def _augment(self, sources: tuple[int, ...]) -> bool:
        """Give one more span a slot, others moving from slot to slot as they must, where that is possible."""
        came_from: dict[int, int] = {}
        unseen = -1
        queue = list(sources)
        for k in queue:  # which grows
            slots = self._edges(k) & unseen
            if not slots:
                continue
            unseen &= ~slots
            if slots & self._open:
                slot = lowest(slots & self._open)
                came_from[slot] = k
                self._hand_on(slot, came_from)
                return True
            for slot in members(slots):
                came_from[slot] = k
                queue.extend(self.held[slot])
        return False

    def _hand_on(self, slot: int, came_from: dict[int, int]) -> None:
        """Move one span along the path that ends in `slot`, which has room."""
        self._spare[slot] -= 1
        if not self._spare[slot]:
            self._open &= ~(1 << slot)
        while True:
            k = came_from[slot]
            self.held[slot].add(k)
            previous = self.slot_of.get(k)
            self.slot_of[k] = slot
            if previous is None:
                del self._left_over[k]
                return
            self.held[previous].discard(k)
            slot = previous
