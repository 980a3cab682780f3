"""The cheapest path through the content of a pattern and the spans of a trace.

A point of a path is a step of the content and a place in the trace. A place is just a pre-order position: going on at
`stops[k]` leaves a subtree out, going on at `k + 1` leaves out only the span and looks at its children in its stead,
and past the last of those the position is that of the next sibling again. Likewise a step can lead into the children of
a missing span. So spans wrapped around others, or gone from around them, are edges like any other, as in the general
tree edit distance (Kaizhong Zhang and Dennis Shasha, 1989), at no further cost.

What matches costs nothing and is followed without branching where the pattern leaves no choice, so a list takes
O((items + spans) x differences) steps, as in Eugene Myers, "An O(ND) Difference Algorithm" (1986). The matcher's
answers are the test of equality, so what is equal is never looked into.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_mlflow_traces.core.explaining.align.any_order import assigned, windows
from pytest_mlflow_traces.core.explaining.align.beam import FAR, Beam
from pytest_mlflow_traces.core.explaining.align.context import price
from pytest_mlflow_traces.core.explaining.align.costs import SLIGHTLY, WRAPPER
from pytest_mlflow_traces.core.explaining.align.edits import Aligned, Missing, Seated, Unexpected
from pytest_mlflow_traces.core.explaining.align.graph import ContentGraph, Kind, Step, entered
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_mlflow_traces.core.explaining.align.context import Context, Question
    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.explaining.align.graph import Point

_INSIDE = 16  # spans below another that are looked at before it is taken for a wrapper
_PRICED = 8  # points that a price counts for
_NAMESAKE = 1.0  # what is taken for a wrapper, or for lost from around others, has the name of something expected
_HIDDEN = 20.0  # what is said to be missing beside a gap is in the gap
_DROPPED = 7.0  # the same of a line that an update would drop: more than a new line
_OPENED = 4  # spans that are tried as wrappers around some of a group
_AT_ONCE = 8  # spans that one round of a repeated group takes where it may take any number
_LOOSE = 4.0  # a span in a gap below a missing span, which is not a gap of this list
_STRAY = 4  # unexpected spans in a group that another item follows


class _Price(NamedTuple):
    """An edge still to be priced: the span as the unit of the step, after a path of cost `base`."""

    unit: Pattern
    span: int
    base: float


class _Window(NamedTuple):
    """An edge still to be priced: the first `taken` of `spans` in the group of the step."""

    step: Step
    spans: list[int]
    taken: int
    base: float
    opened: tuple[Edit, ...]


class Search:
    """One search, for the children of one span."""

    def __init__(
        self,
        context: Context,
        parent: int,
        spans: Sequence[int],
        start: Point,
        goal: Point,
        content: ContentGraph,
    ) -> None:
        self._context = context
        self.spans = spans
        self._content = content
        self._names = content.names
        names, stops = context.table.names, context.table.stops
        self._there = {names[k] for k in spans}
        self._inside = self._there.union(*(names[k + 1 : min(stops[k], k + 1 + _INSIDE)] for k in spans))
        self._start = start
        self._has_gap = content.has_gap
        self._forward = Beam(spans, goal[0].rank - start[0].rank, has_gap=content.has_gap, hurried=context.is_hurried)
        self._costs = context.costs
        self._stops = context.table.stops
        self._parents = context.table.parents
        self._matches = context.matcher.matches
        self._parent = parent
        self._goal, self._stop, _ = goal
        self.ranks = start[0].rank, goal[0].rank
        self._heap: list[tuple[float, int, int, int, Point, Point | None, Edge]] = []
        self._came: dict[Point, tuple[Point | None, tuple[Edit, ...]]] = {}
        self._pushed = 0
        self._hidden: dict[int, bool] = {}
        self.cost = 0.0

    def run(self, limit: float) -> Generator[Question, float, bool]:
        """Search; return whether the goal was reached for less than `limit`."""
        self._push(0.0, self._start, None)
        while True:  # from the point that is furthest ahead, an edge always leads on, at the least by leaving out
            cost, _, _, run, point, before, edge = heappop(self._heap)
            if cost >= limit:
                return False
            if self._forward.is_left_behind(point):
                continue
            self._context.work += 1
            if isinstance(edge, _Price):
                self._forward.count += _PRICED
                found, which = yield from price(edge.unit, edge.span, limit - edge.base)
                found = self._against_a_gap(found, which, edge)
                self._push(edge.base + found, point, before, (Aligned(which, edge.span),))
            elif isinstance(edge, _Window):
                self._forward.count += _PRICED
                self._context.work += edge.taken
                found, edits = yield from self._assigned(edge, point)
                self._push(edge.base + found, point, before, (*edge.opened, *edits))
            elif point not in self._came:
                self._came[point] = before, edge
                if point[0] is self._goal and point[1] == self._stop:
                    self.cost = cost
                    return True
                self._forward.reached(point, run)
                self._expand(cost, point, run)

    def _against_a_gap(self, price: float, pattern: SpanPattern, edge: _Price) -> float:
        """Let a namesake stand for the pattern rather than vanish in a gap, where it has enough in common."""
        if not self._has_gap or self._costs.is_moved(edge.unit) or not self._costs.is_like(pattern, edge.span, price):
            return price
        return min(price, 0.9 * self._costs.missing(edge.unit, gap=True))

    def edits(self) -> list[Edit]:
        """Return what the path that was found consists of, besides what matches."""
        return [edit for _, _, edits in self.path() for edit in edits if not isinstance(edit, Seated)]

    def path(self) -> list[tuple[Point, Point, tuple[Edit, ...]]]:
        """Return the path that was found: from where to where, and what is different between."""
        found: list[tuple[Point, Point, tuple[Edit, ...]]] = []
        point: Point = (self._goal, self._stop, 0)
        while (came := self._came[point])[0] is not None:
            found.append((came[0], point, came[1]))
            point = came[0]
        return found[::-1]

    def _push(self, cost: float, point: Point, before: Point | None, edge: Edge = (), run: int = 0) -> None:
        if point not in self._came:
            # of paths that cost the same, first the one that is ahead
            self._pushed += 1
            heappush(self._heap, (cost, -point[1] - point[0].rank, self._pushed, run, point, before, edge))

    def _expand(self, cost: float, point: Point, run: int) -> None:
        step, k, count = point
        if step.kind is Kind.FORK:
            for each in step.then:
                self._push(cost, (each, k, 0), point)
            return
        if step.kind is Kind.GROUP:
            self._group(cost, point)
            return
        if step.kind is Kind.GAP:
            self._push(cost, (step.then[0], k, 0), point)
            if k < self._stop:
                self._push(
                    cost + (_LOOSE + 3 * self._costs.kept) * (step.holder is not None), (step, self._stops[k], 0), point
                )
                self._enter(cost, point)
            return
        if step is not self._goal and step.unit is not None:
            if self._take(cost, point, step.unit, run):
                return
            self._leave(cost, point, step.unit)
            if step.high is not None and count >= step.high:
                self._surplus(cost, point, step.unit, step.high)
                return
        if k < self._stop:
            cost_of_it = self._costs.unexpected(k)
            self._push(cost + cost_of_it, (step, self._stops[k], count), point, (Unexpected(k),))
            if step is not self._goal:
                self._enter(cost, point)

    def _surplus(self, cost: float, point: Point, unit: Pattern, most: int) -> None:
        """Leave out a span that is one more than the step takes."""
        step, k, count = point
        if k < self._stop and self._matches(unit, k):
            price = self._costs.unexpected(k) - SLIGHTLY  # before leaving it out for no reason
            surplus = Unexpected(k, kind=unit, most=most)
            self._push(cost + price, (step, self._stops[k], count), point, (surplus,))

    def _take(self, cost: float, point: Point, unit: Pattern, run: int) -> bool:
        """Let the next span stand for the step; return whether there is no sense in anything else."""
        step, k, count = point
        if k >= self._stop or (step.high is not None and count >= step.high):
            return False
        after = (step.then[0], self._stops[k], 0)
        if step.kind is Kind.MANY:
            after = (step, self._stops[k], count + 1 if step.high is not None else min(count + 1, step.low))
        if self._matches(unit, k):
            self._push(cost, after, point, run=run + 1)
            if not self._content.is_sure(unit):
                return False
            if step.kind is Kind.MANY:
                self._leave(cost, point, unit)
            return True
        least = min(self._costs.least(each, k) for each in step.units)
        # below a span that stands for nothing, only a namesake is worth a look
        if self._costs.evenly or least < WRAPPER or (step.holder is None and self._parents[k] == self._parent):
            self._push(cost + least, after, point, _Price(unit, k, cost))
        return False

    def _leave(self, cost: float, point: Point, unit: Pattern) -> None:
        """Go on without a span for the step, or with no more than it has taken."""
        step, k, count = point
        after = (step.then[0], k, 0)
        parent = self._parents[k] if k < self._stop else self._parent
        lacking = max(0, step.low - count) if step.kind is Kind.MANY else 1
        if lacking:
            lost = Missing(unit, parent, k, lacking, least=max(1, step.low), holder=step.holder)
            price = self._costs.missing(unit, lacking, gap=self._has_gap)
            self._push(
                cost + price + (_DROPPED if self._costs.kept else _HIDDEN) * self._hides(unit), after, point, (lost,)
            )
        else:
            self._push(cost, after, point)
        for each in step.units if count == 0 and step.low <= 1 else ():
            names = self._costs.hashes.names_below(each) if each.children else ()
            if names is None or not self._inside.isdisjoint(names):
                lifted = Missing(each, parent, k, lifted=True, holder=step.holder)
                price = self._costs.shell + _NAMESAKE * (each.name in self._there)
                self._push(cost + price, (entered(step, each), k, 0), point, (lifted,))

    def _hides(self, unit: Pattern) -> bool:
        """Return whether a gap of this list holds what would be dropped from it as missing."""
        if not self._has_gap or not isinstance(unit, SpanPattern):
            return False
        if id(unit) not in self._hidden:
            there = [k for k in self.spans if self._matches(unit, k)] if len(self.spans) <= FAR else []
            self._hidden[id(unit)] = len(there) >= max(1, sum(item == unit for item in self._content.items))
        return self._hidden[id(unit)]

    def _enter(self, cost: float, point: Point) -> None:
        """Take the next span for a wrapper, and look at its children in its stead."""
        step, k, count = point
        if self._may_wrap(k):
            price = self._costs.shell + _NAMESAKE * (
                self._names is not None and self._context.table.names[k] in self._names
            )
            self._push(cost + price, (step, k + 1, count), point, (Unexpected(k, wrapper=True),))

    def _may_wrap(self, k: int) -> bool:
        """Return whether something below the span at `k` has the name of an item, or else of one below it."""
        inside = self._context.table.names[k + 1 : min(self._stops[k], k + 1 + _INSIDE)]
        expected = self._content.expected if self._costs.evenly else self._names
        return bool(inside) and (expected is None or any(name in expected for name in inside))

    def _group(self, cost: float, point: Point) -> None:
        step, k, _ = point
        after = step.then[0]
        last = after is self._goal or after.kind is Kind.END
        spans = self._from(k, None if last else _most(step))
        ways: list[tuple[list[int], float, tuple[Edit, ...]]] = [(spans, cost, ())]
        for place, span in enumerate(spans[:FAR] if not step.gap else ()):
            if len(ways) > _OPENED:
                break
            if self._may_wrap(span) and not any(self._matches(slot.unit, span) for slot in step.slots):
                opened = [*spans[:place], *self._from(span + 1, None if last else _most(step))]
                ways.append((opened, cost + self._costs.shell, (Unexpected(span, wrapper=True),)))
        if step.again and step.gap and not last and not self._context.is_hurried:
            everything = self._from(k, None)  # as one round may be all that there is
            self._push(cost, (after, self._stop, 0), point, _Window(step, everything, len(everything), cost, ()))
        for taken, base, edits in ways:
            for count, least in windows(step.slots, taken, self._context, gap=step.gap, last=last):
                end = k if count == 0 else self._stops[taken[count - 1]]
                self._push(base + least, (after, end, 0), point, _Window(step, taken, count, base, edits))

    def _from(self, k: int, most: int | None) -> list[int]:
        spans: list[int] = []
        while k < self._stop and (most is None or len(spans) < most):
            spans.append(k)
            k = self._stops[k]
        return spans

    def _assigned(self, edge: _Window, point: Point) -> Generator[Question, float, tuple[float, list[Edit]]]:
        spans = edge.spans[: edge.taken]
        parent = self._parents[spans[0]] if spans else self._parent
        return (
            yield from assigned(
                edge.step.slots, spans, self._context, gap=edge.step.gap, parent=parent, before=point[1]
            )
        )


def _most(step: Step) -> int | None:
    """Return how many spans are worth a try for a group: as many as it takes, and some that do not belong."""
    limits = [slot.high for slot in step.slots if slot.high is not None]
    if len(limits) < len(step.slots) or step.gap:
        return _AT_ONCE if step.again else None
    return sum(limits) + _STRAY


Edge: TypeAlias = "tuple[Edit, ...] | _Price | _Window"
