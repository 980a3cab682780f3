"""`any_order` and `parallel` of runs: which windows of siblings hold all of them, by flows.

A row is a list of runs, each taking `low` to `high` spans from anywhere in a window of siblings. By the theorem of
Mendelsohn and Dulmage a window fits just when two assignments exist, each by itself: (a) every span of the window goes
to some run, none above its `high`; (b) every run gets its `low`. Both are matchings of a bipartite graph with
capacities, kept up to date by one breadth-first search for an augmenting path (Kuhn, Hopcroft and Karp) for each span
that enters the window or leaves it. A longer window makes (a) harder and (b) easier, so the windows that fit from one
start end in one interval, and its two ends move forward with the start: O(spans x edges) for all starts together.

With a gap, (a) is void and a longer window is never worse, so the least start alone counts.

A ring is a set of runs whose spans overlap pairwise, gap spans aside. Where all is one ring, the window overlaps
pairwise or not. Otherwise the ring's spans lie in one of the sets of `overlapping_sets`, at most one for each span, and
each is tried: one flow for each, or for each combination where there are several rings.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.bitsets import Intervals, between, lowest, members
from pytest_mlflow_traces.core.nodes import Pattern, SpanPattern
from pytest_mlflow_traces.core.operands import Operand
from pytest_mlflow_traces.core.overlaps import OverlappingWindow, overlapping_sets
from pytest_mlflow_traces.core.siblings import PatternTooComplexError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_mlflow_traces.core.siblings import Siblings, Units

Edges: TypeAlias = "Callable[[int], Sequence[int]]"
_MOST_FLOWS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """`low` to `high` spans (`None`: no limit), each matched by one of `units`."""

    units: Units
    low: int
    high: int | None

    @property
    def shortest(self) -> int:
        """The least number of spans."""
        return self.low

    @property
    def longest(self) -> int | None:
        """The greatest number of spans."""
        return self.high


@dataclass(frozen=True, eq=False)
class Row:
    """Runs in any order: `free` ones, and `rings` of runs whose spans overlap pairwise; `gap` lets others between."""

    free: tuple[Run, ...] = ()
    rings: tuple[tuple[Run, ...], ...] = ()
    gap: bool = False

    def runs(self) -> list[Run]:
        """Return all runs, those of rings included."""
        return [*self.free, *(run for ring in self.rings for run in ring)]

    @cached_property
    def plan(self) -> _Plan:
        """What is worked out of the row before it meets any spans."""
        return _Plan(self)


class _Plan:
    """A row with what cannot matter left out, equal runs merged, and its runs indexed by name."""

    def __init__(self, row: Row) -> None:
        self.gap = row.gap
        self.runs: list[Run] = []
        self.ring_of: list[int] = []  # -1: in none
        self.rings = 0
        free = list(row.free)
        for ring in row.rings:
            # with a gap only what must be there is assigned; and one span by itself overlaps whatever is asked of it
            needed = [run for run in ring if run.low] if row.gap else ring
            most = [run.low if row.gap else run.high for run in needed]
            if None in most or sum(high or 0 for high in most) > 1:
                self._add(needed, self.rings)
                self.rings += 1
            else:
                free += needed
        self._add([run for run in free if run.low] if row.gap else free, -1)
        self.need = sum(run.low for run in self.runs)
        self._named: dict[str, list[int]] = {}
        self._unnamed: list[int] = []
        for r, run in enumerate(self.runs):
            if run.units.unnamed:
                self._unnamed.append(r)
            else:
                for name in run.units.named:
                    self._named.setdefault(name, []).append(r)

    def _add(self, runs: Sequence[Run], ring: int) -> None:
        merged: dict[object, Run] = {}
        times = Counter(run.units.patterns for run in runs)
        for run in runs:
            patterns = run.units.patterns
            alike = times[patterns] > 1 and all(map(_is_literal, patterns))
            key = patterns if alike else tuple(map(id, patterns))
            same = merged.get(key)
            if same is not None:
                high = None if same.high is None or run.high is None else same.high + run.high
                run = Run(run.units, same.low + run.low, high)
            merged[key] = run
        self.runs += merged.values()
        self.ring_of += [ring] * len(merged)

    def edges(self, siblings: Siblings) -> Edges:
        """Return the function from a span to the runs that it can go to."""
        known: dict[int, list[int]] = {}

        def edges(k: int) -> list[int]:
            found = known.get(k)
            if found is None:
                candidates = [*self._named.get(siblings.name(k), ()), *self._unnamed]
                known[k] = found = [r for r in candidates if siblings.matches(self.runs[r].units, k)]
            return found

        return edges


def _is_literal(pattern: SpanPattern) -> bool:
    """Return whether an equal pattern matches the same: two matcher objects may differ and yet print alike."""
    stack: list[object] = [pattern]
    while stack:
        part = stack.pop()
        if isinstance(part, Operand):
            if not part.is_literal:
                return False
        elif isinstance(part, Pattern):
            stack += part.parts
            if isinstance(part, SpanPattern):
                stack += [part.inputs, part.outputs, *(value for _, value in part.attributes or ())]
    return True


def ends(row: Row, siblings: Siblings, starts: int) -> int:
    """Return the set of the ends of the windows that hold `row` and start in the set `starts`."""
    plan, count = row.plan, len(siblings)
    first = lowest(starts)
    if first + plan.need > count:
        return 0
    edges = plan.edges(siblings)
    alone = plan.rings == 1 and -1 not in plan.ring_of and not plan.gap
    if alone or not plan.rings:
        ways: Iterable[Edges] = [edges]
    else:
        ways = _ways(plan, siblings, first, edges)
    if plan.gap:
        end = count + 1
        for way in ways:
            end = _first_end(plan, way, first, end, count)
        return between(end, count)
    found = 0
    for way in ways:
        overlapping = OverlappingWindow(siblings.starts(), siblings.ends()) if alone else None
        found |= _window_ends(plan, way, members(starts), count, overlapping)
    return found


def _ways(plan: _Plan, siblings: Siblings, first: int, edges: Edges) -> Iterable[Edges]:
    """Yield the edges under each choice of where the spans of every ring lie."""
    starts, stops = siblings.starts(), siblings.ends()
    choices: list[list[frozenset[int]]] = []
    for ring in range(plan.rings):
        inside = {r for r, its in enumerate(plan.ring_of) if its == ring}
        need = sum(plan.runs[r].low for r in inside)
        candidates = [k for k in range(first, len(siblings)) if not inside.isdisjoint(edges(k))]
        sets = [each for each in overlapping_sets(candidates, starts, stops) if len(each) >= need]
        choices.append(sets if sets or need else [frozenset()])
    if prod(map(len, choices)) > _MOST_FLOWS:
        raise PatternTooComplexError(
            f"parallel(...) beside other patterns of one group over {len(siblings)} siblings: more than {_MOST_FLOWS} "
            "sets of spans could be the parallel ones; say more about its spans (their names), so that fewer can"
        )
    for chosen in product(*choices):
        yield _restricted(edges, plan.ring_of, chosen)


def _restricted(edges: Edges, ring_of: list[int], chosen: tuple[frozenset[int], ...]) -> Edges:
    known: dict[int, list[int]] = {}

    def restricted(k: int) -> list[int]:
        found = known.get(k)
        if found is None:
            known[k] = found = [r for r in edges(k) if ring_of[r] < 0 or k in chosen[ring_of[r]]]
        return found

    return restricted


def _first_end(plan: _Plan, edges: Edges, start: int, before: int, count: int) -> int:
    """Return the end of the shortest window from `start` in which every run has its least; `before` if none is."""
    needs = _Matching([run.low for run in plan.runs], edges)
    end = start
    while needs.size < plan.need and end < before - 1:
        needs.insert(end)
        end += 1
    for k in range(end, count):
        edges(k)  # asked now, though not needed yet, lest each span that disappoints costs a round of its own
    return end if needs.size == plan.need else before


def _window_ends(
    plan: _Plan, edges: Edges, starts: list[int], count: int, overlapping: OverlappingWindow | None
) -> int:
    """Return the ends of the windows in which every span has a run and every run its least number of spans."""
    caps = _Matching([count if run.high is None else run.high for run in plan.runs], edges)
    needs = _Matching([run.low for run in plan.runs], edges)
    found = Intervals()
    first = full = end = starts[0]  # the window is first..end; its runs have their least from first..full on
    for start in starts:
        while first < start:
            caps.drop(first)
            needs.drop(first)
            if overlapping is not None:
                overlapping.drop(first)
            first += 1
        full, end = max(full, start), max(end, start)
        while end < count and (overlapping is None or overlapping.admits(end)) and caps.insert(end):
            if overlapping is not None:
                overlapping.push(end)
            end += 1
        while needs.size < plan.need and full < end:
            needs.insert(full)
            full += 1
        if needs.size == plan.need:
            found.add(full, end)
    return found.bits()


class _Matching:
    """Give spans to runs within their capacities: always as many of the spans that are in as can be."""

    def __init__(self, capacities: list[int], edges: Edges) -> None:
        self.size = 0
        self._spare = capacities
        self._edges = edges
        self._held: list[set[int]] = [set() for _ in capacities]
        self._run_of: dict[int, int] = {}
        self._left_over: dict[int, None] = {}

    def insert(self, k: int) -> bool:
        """Let the span at `k` in; return whether one more span has a run."""
        if not self._edges(k):
            return False
        if k in self._run_of:  # turned away before, and placed when another went
            return True
        self._left_over[k] = None
        return self._augment((k,))

    def drop(self, k: int) -> None:
        """Take the span at `k` out; another may take its place."""
        self._left_over.pop(k, None)
        run = self._run_of.pop(k, None)
        if run is not None:
            self._held[run].discard(k)
            self._spare[run] += 1
            self.size -= 1
            self._augment(tuple(self._left_over))

    def _augment(self, sources: tuple[int, ...]) -> bool:
        came_from: dict[int, int] = {}
        queue = list(sources)
        for k in queue:  # which grows
            for run in self._edges(k):
                if run in came_from:
                    continue
                came_from[run] = k
                if self._spare[run]:
                    self._hand_on(run, came_from)
                    return True
                queue.extend(self._held[run])
        return False

    def _hand_on(self, run: int, came_from: dict[int, int]) -> None:
        """Move one span along the path that ends in `run`, which has room."""
        self._spare[run] -= 1
        self.size += 1
        while True:
            k = came_from[run]
            self._held[run].add(k)
            previous = self._run_of.get(k)
            self._run_of[k] = run
            if previous is None:
                del self._left_over[k]
                return
            self._held[previous].discard(k)
            run = previous
