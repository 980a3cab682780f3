"""How a list of items shares out the siblings that it stands for, and which way each item went.

The search is the one of regular expressions by partial derivatives (Valentin Antimirov, 1996) with interleave (James
Clark, 2002): what is left of the list of items is a *rest*, and a span leads from a rest to others. Here each move also
says what it chose. Of several witnesses the one counts in which gaps take the fewest spans, and among those the one
that takes what stands first: an `optional` that may be there is there, although a gap beside it could hold it.

A rest is the number of a cell, a frame and the rest behind it, so that equal rests are one. Whether a span is like a
pattern is for the matcher to say, which looks below it; the list of its children is a search of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import combinations
from types import EllipsisType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_mlflow_traces.core.matching.content_model import models_of, shortest
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, OneOf, Pattern, Repeat, SpanPattern
from pytest_mlflow_traces.core.spans.overlaps import overlap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Item
    from pytest_mlflow_traces.core.spans.table import SpanTable

ABSENT, PRESENT, LEAST, ABOVE = "absent", "present", "at its least", "above its least"
_OVER = "over"  # of a group: it takes no more
_STEPS = 20_000
_EACH = 40  # more for each span
_NESTED = 40  # groups in groups

# which way a pattern went: the number of an alternative, or two items of a group in the order in which they came
Way: TypeAlias = "tuple[Pattern, str | int | tuple[int, int]]"
Rest: TypeAlias = int
_NOTHING: Rest = 0


class TooIntricateError(Exception):
    """The error for a list that takes too long to share out among the items of its pattern."""


@dataclass(frozen=True, slots=True, eq=False)
class _Loop:
    """A repeat that has been taken `count` times, the last time from `start` on."""

    node: Repeat
    count: int
    start: int


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """A group, what is left of each item, and was at first, and the spans that are to overlap."""

    node: AnyOrder
    whole: tuple[Rest, ...]
    left: tuple[Rest, ...]
    spans: tuple[int, ...] = ()


_Frame: TypeAlias = "Item | _Loop | _Group"


class _Trail(NamedTuple):
    """What was chosen up to here, the latest first."""

    before: _Trail | None
    said: Way | tuple[SpanPattern, int]


class _Move(NamedTuple):
    """What one span leads to."""

    rest: Rest
    trail: _Trail | None
    in_gap: bool


@dataclass(slots=True, eq=False)
class _Point:
    """A rest in front of a span, and where that leads: looked for one by one, since mostly the first will do."""

    rest: Rest
    place: int
    trail: _Trail | None
    moves: Iterator[_Move] | None = None


class Search:
    """One list of items, and the siblings that it stands for."""

    def __init__(self, table: SpanTable, matcher: Matcher, spans: Sequence[int]) -> None:
        self._table, self._matches, self._spans = table, matcher.matches, spans
        self._cells: list[tuple[_Frame, Rest]] = [(..., _NOTHING)]
        self._numbers: dict[object, Rest] = {}
        self._empty: dict[int, bool] = {}
        self._left = _STEPS

    def run(self, items: Sequence[Item]) -> list[Way | tuple[SpanPattern, int]] | None:
        """Return what the witness chose, and which patterns it gave which spans; `None` where there is none.

        Raises:
            TooIntricateError: where it takes too long.
        """
        self._left += _EACH * len(self._spans)
        first = _Point(self._rest(items, _NOTHING), 0, None)
        waiting: list[tuple[int, int, int, _Point]] = [(0, 0, 0, first)]  # by cost, then whatever is furthest ahead
        seen: set[tuple[Rest, int]] = set()
        made = 0
        while waiting:
            cost, ahead, _, point = waiting[0]
            if point.moves is None:
                if (point.rest, point.place) in seen:
                    heappop(waiting)
                    continue
                seen.add((point.rest, point.place))
                if point.place == len(self._spans):
                    if self._may_end(point.rest):
                        return _said(self._ended(point.rest, point.trail))
                    heappop(waiting)
                    continue
                point.moves = self._moves(point.rest, point.place, point.trail)
            move = next(point.moves, None)
            if move is None:
                heappop(waiting)
                continue
            made += 1
            heappush(waiting, (cost + move.in_gap, ahead - 1, made, _Point(move.rest, point.place + 1, move.trail)))
        return None

    def _rest(self, items: Iterable[_Frame], behind: Rest) -> Rest:
        for item in reversed(tuple(items)):
            behind = self._cell(item, behind)
        return behind

    def _cell(self, frame: _Frame, behind: Rest) -> Rest:
        if isinstance(frame, _Loop):
            key: object = ("loop", id(frame.node), frame.count, frame.start, behind)
        elif isinstance(frame, _Group):
            key = ("group", id(frame.node), frame.left, frame.spans, behind)
        else:
            key = id(frame), behind
        number = self._numbers.setdefault(key, len(self._cells))
        if number == len(self._cells):
            self._cells.append((frame, behind))
        return number

    def _moves(self, rest: Rest, place: int, trail: _Trail | None, depth: int = 0) -> Iterator[_Move]:
        """Yield where the span at `place` leads, what stands first in the pattern first."""
        if depth > _NESTED:
            raise TooIntricateError
        waiting = [(rest, trail)]
        seen = set()
        while waiting:
            rest, trail = waiting.pop()
            if rest == _NOTHING or rest in seen:
                continue
            seen.add(rest)
            self._left -= 1
            if self._left < 0:
                raise TooIntricateError
            frame, behind = self._cells[rest]
            if isinstance(frame, SpanPattern):
                span = self._spans[place]
                if self._may_be(frame, span) and self._matches(frame, span):
                    yield _Move(behind, _Trail(trail, (frame, span)), in_gap=False)
            elif isinstance(frame, EllipsisType):
                yield _Move(rest, trail, in_gap=True)
                waiting.append((behind, trail))
            elif isinstance(frame, _Group):
                yield from self._shared(rest, place, trail, depth)
                if all(map(self._may_end, frame.left)):
                    waiting.append((behind, self._grouped(frame, trail)))
            else:
                waiting += reversed(list(self._choices(frame, behind, place, trail)))

    def _choices(
        self, frame: Pattern | _Loop, behind: Rest, place: int, trail: _Trail | None
    ) -> Iterator[tuple[Rest, _Trail | None]]:
        """Yield what may be looked for in the place of a frame that takes no span itself."""
        if isinstance(frame, OneOf):
            for number, each in enumerate(frame.alternatives):
                if isinstance(each, SpanPattern) and not self._may_be(each, self._spans[place]):
                    continue
                yield self._cell(each, behind), _Trail(trail, (frame, number))
        elif isinstance(frame, AnyOrder):
            whole = tuple(self._cell(each, _NOTHING) for each in frame.items)
            yield self._cell(_Group(frame, whole, whole), behind), trail
        elif isinstance(frame, Repeat):
            yield self._cell(_Loop(frame, 0, -1), behind), trail
        elif isinstance(frame, _Loop) and frame.start != place:  # else the last round took nothing
            node = frame.node
            if node.max is None or frame.count < node.max:
                again = self._cell(_Loop(node, frame.count + 1, place), behind)
                yield self._cell(node.item, again), trail
            if frame.count >= node.min or self._may_be_nothing(node.item):
                yield behind, _Trail(trail, (node, _way_of(node, frame.count)))

    def _shared(self, rest: Rest, place: int, trail: _Trail | None, depth: int) -> Iterator[_Move]:
        """Yield where a span leads that goes to one of the items of a group."""
        group, behind = self._cells[rest]
        if not isinstance(group, _Group):
            raise TypeError("unreachable: only groups are shared")
        fresh: list[Pattern] = []
        for number, (item, left) in enumerate(zip(group.node.items, group.left, strict=True)):
            coming = trail
            if left == group.whole[number]:
                if item in fresh:  # of items alike, the first comes first
                    continue
                fresh.append(item)
                coming = _Trail(trail, (group.node, number))
            for move in self._moves(left, place, coming, depth + 1):
                spans = group.spans
                if group.node.overlapping and not move.in_gap:
                    if not all(self._overlap(each, self._spans[place]) for each in spans):
                        continue
                    spans = (*spans, self._spans[place])
                lefts = (*group.left[:number], move.rest, *group.left[number + 1 :])
                now = replace(group, left=lefts, spans=spans)
                yield _Move(self._cell(now, behind), move.trail, move.in_gap)
        if group.node.gap:
            yield _Move(rest, trail, in_gap=True)

    def _may_be(self, pattern: SpanPattern, span: int) -> bool:
        return not isinstance(pattern.name, str) or pattern.name == self._table.names[span]

    def _overlap(self, one: int, two: int) -> bool:
        starts, ends = self._table.starts, self._table.ends
        return overlap(starts[one], ends[one], starts[two], ends[two])

    def _may_end(self, rest: Rest) -> bool:
        while rest != _NOTHING:
            frame, rest = self._cells[rest]
            if isinstance(frame, _Loop):
                if frame.count < frame.node.min and not self._may_be_nothing(frame.node.item):
                    return False
            elif isinstance(frame, _Group):
                if not all(map(self._may_end, frame.left)):
                    return False
            elif isinstance(frame, Pattern) and not self._may_be_nothing(frame):
                return False
        return True

    def _ended(self, rest: Rest, trail: _Trail | None) -> _Trail | None:
        """Add what it chooses to take no more spans."""
        while rest != _NOTHING:
            frame, rest = self._cells[rest]
            if isinstance(frame, _Loop):
                trail = _Trail(trail, (frame.node, _way_of(frame.node, frame.count)))
            elif isinstance(frame, Repeat):
                trail = _Trail(trail, (frame, _way_of(frame, 0)))
            elif isinstance(frame, _Group):
                trail = self._grouped(frame, trail)
            elif isinstance(frame, OneOf):
                number = next(n for n, each in enumerate(frame.alternatives) if self._may_be_nothing(each))
                trail = _Trail(trail, (frame, number))
                rest = self._cell(frame.alternatives[number], rest)
            elif isinstance(frame, AnyOrder):
                rest = self._rest(frame.items, rest)
        return trail

    def _may_be_nothing(self, pattern: Pattern) -> bool:
        if id(pattern) not in self._empty:
            self._empty[id(pattern)] = not shortest(models_of((pattern,)))
        return self._empty[id(pattern)]

    def _grouped(self, group: _Group, trail: _Trail | None) -> _Trail | None:
        for left in group.left:
            trail = self._ended(left, trail)
        return _Trail(trail, (group.node, _OVER))


def _way_of(node: Repeat, count: int) -> str:
    if (node.min, node.max) == (0, 1):
        return PRESENT if count else ABSENT
    return ABOVE if count > node.min else LEAST


def _said(trail: _Trail | None) -> list[Way | tuple[SpanPattern, int]]:
    """Return what was chosen; of the items of each group, in the order in which they came, every pair."""
    chosen = []
    while trail is not None:
        chosen.append(trail.said)
        trail = trail.before
    found: list[Way | tuple[SpanPattern, int]] = []
    came: dict[int, list[int]] = {}
    for node, way in reversed(chosen):
        if not isinstance(node, AnyOrder):
            found.append((node, way))
        elif isinstance(way, int):
            came.setdefault(id(node), []).append(node.items.index(node.items[way]))  # of items alike, the first
        else:
            found += ((node, pair) for pair in combinations(dict.fromkeys(came.pop(id(node), ())), 2))
    return found
