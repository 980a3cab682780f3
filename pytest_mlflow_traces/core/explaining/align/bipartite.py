"""Which span may take which slot of a group: as many as possible, or as cheaply as possible.

Both by augmenting paths, one span after the other: as many as possible after Kuhn (1955) and Berge (1957), where
whoever sits keeps some seat and a slot that is filled stays filled; as cheaply as possible along the path that saves
the most, as in the Hungarian method. Iterative; O(spans x pairs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.patterns.nodes import OneOf, Pattern, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.align.aligner import Aligner
    from pytest_mlflow_traces.core.explaining.align.graph import Slot


_CHAINED = 200  # spans that are looked at to find a slot for one more


class Candidates:
    """The slots of a group that a span matches, looked for only where its name does not rule them out."""

    def __init__(self, slots: Sequence[Slot], aligner: Aligner) -> None:
        self._slots = slots
        self._aligner = aligner
        self._hashes = aligner.costs.hashes
        self._printed: dict[int, list[int]] = {}
        self._named: dict[str, list[int]] = {}
        self._any: list[int] = []
        for number, slot in enumerate(slots):
            names = {each.name if isinstance(each, SpanPattern) else None for each in alternatives(slot.unit)}
            kind = self._hashes.hash_of(slot.unit)
            if kind is not None:
                self._printed.setdefault(kind, []).append(number)
            elif all(isinstance(name, str) for name in names):
                for name in names:
                    self._named.setdefault(str(name), []).append(number)
            else:
                self._any.append(number)
        self._known: dict[int, list[int]] = {}

    def of(self, span: int) -> list[int]:
        """Return the numbers of the slots whose pattern matches the span at `span`."""
        known = self._known.get(span)
        if known is None:
            matches = self._aligner.matcher.matches
            candidates = [*self._named.get(self._aligner.table.names[span], ()), *self._any]
            known = [n for n in candidates if matches(self._slots[n].unit, span)]
            # those that say most come first, so that what says little is left for what fits nothing else
            known = [*self._printed.get(self._hashes.prints[span], ()), *sorted(known, key=self._says_little)]
            self._known[span] = known
        return known

    def _says_little(self, number: int) -> bool:
        return any(
            isinstance(each, SpanPattern) and each.children is None for each in alternatives(self._slots[number].unit)
        )


class BipartiteMatching:
    """Which span has which slot; others are placed by moving those that have one."""

    def __init__(self, takers: Candidates, count: int) -> None:
        self.takers = takers
        self.seat: dict[int, int] = {}  # by span
        self.sitting: list[set[int]] = [set() for _ in range(count)]  # by slot

    def seated(self, span: int, room: Sequence[float]) -> bool:
        """Find a seat for `span` where no slot holds more than its `room`; everyone who sits keeps some seat."""
        came_from: dict[int, int] = {}  # slot: the span that would take a seat in it
        queue = [span]
        for each in queue:
            for slot in self.takers.of(each):
                if slot in came_from or self.seat.get(each) == slot:
                    continue
                came_from[slot] = each
                if len(self.sitting[slot]) < room[slot]:
                    self._shift(span, slot, came_from)
                    return True
                queue.extend(self.sitting[slot])
        return False

    def _shift(self, span: int, slot: int, came_from: dict[int, int]) -> None:
        while True:
            mover = came_from[slot]
            left = self.seat.get(mover)
            if left is not None:
                self.sitting[left].discard(mover)
            self.seat[mover] = slot
            self.sitting[slot].add(mover)
            if mover == span or left is None:
                return
            slot = left


class CheapestAssignment:
    """The slots that spans take so that the most is saved: cheapest augmenting paths, span by span."""

    def __init__(self, saved: dict[tuple[int, int], float], room: dict[int, float]) -> None:
        self._saved = saved
        self._room = room
        self._held: dict[int, set[int]] = {number: set() for number in room}
        self._wanted: dict[int, list[int]] = {}
        self.taken: dict[int, int] = {}
        for span, number in saved:
            self._wanted.setdefault(span, []).append(number)
        for span in self._wanted:
            self._settle(span)

    def _settle(self, new: int) -> None:
        """Find the chain of spans, each of which pushes the next out of its slot, that saves the most."""
        gains = {new: 0.0}  # by span: what is saved when it is the one to look for a slot
        pushed_by: dict[int, tuple[int, int]] = {}  # by span: who would push it out, and of which slot
        best, last = 0.0, None
        todo = [new]
        for span in todo:
            if len(todo) > _CHAINED:
                break
            for number in self._wanted[span]:
                if self.taken.get(span) == number:
                    continue
                gain = gains[span] + self._saved[span, number]
                if len(self._held[number]) < self._room[number]:
                    if gain > best:
                        best, last = gain, (span, number)
                    continue
                for other in self._held[number]:
                    left = gain - self._saved[other, number]
                    if other not in self._chain(span, pushed_by) and left > gains.get(other, float("-inf")):
                        gains[other], pushed_by[other] = left, (span, number)
                        todo.append(other)
        if last is not None:
            self._shift(last, pushed_by)

    def _chain(self, span: int, pushed_by: dict[int, tuple[int, int]]) -> list[int]:
        chain = [span]
        while chain[-1] in pushed_by:
            chain.append(pushed_by[chain[-1]][0])
        return chain

    def _shift(self, last: tuple[int, int], pushed_by: dict[int, tuple[int, int]]) -> None:
        steps = [last]
        while steps[-1][0] in pushed_by:
            steps.append(pushed_by[steps[-1][0]])
        for span, _ in steps:
            if span in self.taken:
                self._held[self.taken[span]].discard(span)
        for span, number in steps:
            self.taken[span] = number
            self._held[number].add(span)


def alternatives(unit: Pattern) -> tuple[Pattern, ...]:
    """Return the patterns of one span, one of which `unit` stands for."""
    return unit.alternatives if isinstance(unit, OneOf) else (unit,)
