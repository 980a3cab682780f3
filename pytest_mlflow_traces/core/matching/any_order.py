"""`any_order` and `parallel` of runs: which windows of siblings hold all of them, by flows.

A row is a list of runs, each taking `low` to `high` spans from anywhere in a window of siblings. By the theorem of
Mendelsohn and Dulmage a window fits just when two assignments exist, each by itself: (a) every span of the window goes
to some run, none above its `high`; (b) every run gets its `low`. Both are a `BipartiteMatching`, kept up to date as
spans enter the window and leave it. A longer window makes (a) harder and (b) easier, so the windows that fit from one
start end in one interval, and its two ends move forward with the start: O(spans x edges) for all starts together.

With a gap, (a) is void and a longer window is never worse, so the least start alone counts.

A ring is a set of runs whose spans overlap pairwise, gap spans aside. Where all is one ring, the window overlaps
pairwise or not. Otherwise the ring's spans lie in one of the sets of `overlapping_sets`, at most one for each span, and
each is tried: one flow for each, or for each combination where there are several rings.

A group with choices or groups inside is several rows: `any_order(one_of(A, B), c)` is one of `any_order(A, c)` and
`any_order(B, c)`. What is no such list, or too long a one, is left to `interleave`: a repeated group inside a group,
mostly.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.matching.bipartite import BipartiteMatching
from pytest_mlflow_traces.core.matching.bitsets import Intervals, between, lowest, members
from pytest_mlflow_traces.core.matching.content_model import Choice, Group, Loop, Run, parts_of
from pytest_mlflow_traces.core.matching.siblings import PatternTooComplexError, Units
from pytest_mlflow_traces.core.patterns.folding import built
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern
from pytest_mlflow_traces.core.patterns.operands import Operand
from pytest_mlflow_traces.core.spans.overlaps import OverlappingWindow, overlapping_sets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.matching.bipartite import Edges
    from pytest_mlflow_traces.core.matching.content_model import Model
    from pytest_mlflow_traces.core.matching.siblings import Siblings

_MOST_STEPS = 400_000
_MOST_ROWS = 1_024
_MOST_RUNS = 30_000  # in all rows together


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Runs in any order: `free` ones, and `rings` of runs whose spans overlap pairwise; `gap` lets others between."""

    free: tuple[Run, ...] = ()
    rings: tuple[tuple[Run, ...], ...] = ()
    gap: bool = False

    @property
    def size(self) -> int:
        """The number of runs."""
        return len(self.free) + sum(map(len, self.rings))


def rows_of(group: Group) -> list[Row] | None:
    """Return the rows, any one of which is what `group` says; `None` where there is no such list."""
    root: Model = group
    return built(root, lambda model: [part for part in parts_of(model) if not isinstance(part, Run)], _rows)


def _rows(model: Model, made: list[list[Row] | None]) -> list[Row] | None:
    """Return the rows of `model`, given those of its parts that are not runs."""
    inner = [rows for rows in made if rows is not None]
    if len(inner) < len(made):
        return None
    runs = [part for part in parts_of(model) if isinstance(part, Run)]
    if isinstance(model, Group):
        return _shuffled(model, runs, inner)
    alternatives = [*(Row((run,)) for run in runs), *(row for rows in inner for row in rows)]
    if isinstance(model, Loop):
        if (model.low, model.high) != (0, 1):
            return None
        alternatives.append(Row())
    elif not isinstance(model, Choice):
        return [Row(gap=True)]
    return None if _too_many(len(alternatives), sum(row.size for row in alternatives)) else alternatives


def _shuffled(group: Group, runs: list[Run], inner: list[list[Row]]) -> list[Row] | None:
    """Return every way to choose one row of each item, as one row each."""
    rows = [Row(free=tuple(runs))]
    for more in inner:
        count = len(rows) * len(more)
        if _too_many(count, sum(row.size for row in rows) * len(more) + sum(row.size for row in more) * len(rows)):
            return None
        rows = [Row((*a.free, *b.free), (*a.rings, *b.rings), a.gap or b.gap) for a in rows for b in more]
    if group.overlapping:  # what a ring inside asks for, the ring outside asks for too
        rows = [Row((), ((*row.free, *(run for ring in row.rings for run in ring)),), row.gap) for row in rows]
    return [Row(row.free, row.rings, row.gap or group.gap) for row in rows]


def _too_many(rows: int, runs: int) -> bool:
    return rows > _MOST_ROWS or runs > _MOST_RUNS


class Assignment:
    """The decision of one row: what cannot matter left out, equal runs merged, the runs indexed by name."""

    def __init__(self, row: Row) -> None:
        self._gap = row.gap
        self._runs: list[Run] = []
        self._rings: list[int] = []  # each a set of runs
        free = list(row.free)
        for ring in row.rings:
            # with a gap only what must be there is assigned; and a span by itself has nothing to overlap
            needed = [run for run in ring if run.low] if row.gap else ring
            most = [run.low if row.gap else run.high for run in needed]
            if None in most or sum(high or 0 for high in most) > 1:
                self._rings.append(self._add(needed))
            else:
                free += needed
        self._free = self._add([run for run in free if run.low] if row.gap else free)
        self._need = sum(run.low for run in self._runs)
        self._units = Units(unit for run in self._runs for unit in run.units.patterns)
        self._runs_of: dict[int, int] = {}  # by the id of a one-span pattern: the set of the runs that it stands in
        for r, run in enumerate(self._runs):
            for unit in run.units.patterns:
                self._runs_of[id(unit)] = self._runs_of.get(id(unit), 0) | 1 << r

    def _add(self, runs: Sequence[Run]) -> int:
        merged: dict[object, Run] = {}
        times = Counter(run.units.patterns for run in runs)
        for run in runs:
            patterns = run.units.patterns
            alike = times[patterns] > 1 and all(map(_is_literal, patterns))
            key = patterns if alike else tuple(map(id, patterns))
            same = merged.get(key, Run(run.units, 0, 0))
            high = None if same.high is None or run.high is None else same.high + run.high
            merged[key] = Run(run.units, same.low + run.low, high)
        first = len(self._runs)
        self._runs += merged.values()
        return between(first, len(self._runs) - 1)

    def ends(self, siblings: Siblings, starts: int) -> int:
        """Return the set of the ends of the windows that hold the row and start in the set `starts`."""
        first, count = lowest(starts), len(siblings)
        if first + self._need > count:
            return 0
        edges = self._edges(siblings)
        if self._gap:
            return between(self._first_end(siblings, edges, first), count)
        if not self._rings:
            return self._window_ends(edges, members(starts), count, None)[0]
        if len(self._rings) == 1 and not self._free:
            window = OverlappingWindow(siblings.starts(), siblings.ends())
            return self._window_ends(edges, members(starts), count, window)[0]
        found = steps = 0
        for way in self._ways(siblings, first, edges):
            ends, end = self._window_ends(way, members(starts), count, None)
            found |= ends
            steps = _counted(steps + end - first, count)
        return found

    def _edges(self, siblings: Siblings) -> Edges:
        known: dict[int, int] = {}

        def edges(k: int) -> int:
            found = known.get(k)
            if found is None:
                found = 0
                for unit in siblings.which(self._units, k):
                    found |= self._runs_of[id(unit)]
                known[k] = found
            return found

        return edges

    def _ways(self, siblings: Siblings, first: int, edges: Edges) -> Iterator[Edges]:
        """Yield the edges under each choice of where the spans of every ring lie."""
        if not self._rings:
            yield edges
            return
        places = [self._places(siblings, first, edges, ring) for ring in self._rings]
        if len(places) == 1:
            for inside in places[0]:
                yield self._restricted(edges, (inside,))
            return
        choices = [list(sets) for sets in places]
        _counted(prod(map(len, choices)), len(siblings))
        for chosen in product(*choices):
            yield self._restricted(edges, chosen)

    def _places(self, siblings: Siblings, first: int, edges: Edges, ring: int) -> Iterator[frozenset[int]]:
        """Yield sets of spans that overlap pairwise, one of which holds all spans of `ring`, wherever they lie."""
        need = sum(self._runs[r].low for r in members(ring))
        candidates = [k for k in range(first, len(siblings)) if edges(k) & ring]
        if not candidates and not need:
            yield frozenset()
        for inside in overlapping_sets(candidates, siblings.starts(), siblings.ends()):
            if len(inside) >= need:
                yield inside

    def _restricted(self, edges: Edges, chosen: tuple[frozenset[int], ...]) -> Edges:
        def restricted(k: int) -> int:
            allowed = self._free
            for ring, inside in zip(self._rings, chosen, strict=True):
                if k in inside:
                    allowed |= ring
            return edges(k) & allowed

        return restricted

    def _first_end(self, siblings: Siblings, edges: Edges, start: int) -> int:
        """Return the end of the shortest window from `start` in which every run has its least; else one too many."""
        count = len(siblings)
        for k in range(start, count):
            edges(k)  # asked now, needed or not, lest each span that disappoints costs a round of its own
        best, steps = count + 1, 0
        for way in self._ways(siblings, start, edges):
            needs = BipartiteMatching([run.low for run in self._runs], way)
            end = start
            while len(needs) < self._need and end < best - 1:
                needs.insert(end)
                end += 1
            if len(needs) == self._need:
                best = end
            steps = _counted(steps + end - start, count)
        return best

    def _window_ends(
        self, edges: Edges, starts: list[int], count: int, overlapping: OverlappingWindow | None
    ) -> tuple[int, int]:
        """Return the ends of the windows where every span has a run and every run its least, and how far it looked."""
        if len(starts) == 1 and overlapping is None:
            clear = self._clear_ends(edges, starts[0], count)
            if clear is not None:
                return clear
        caps = BipartiteMatching([count if run.high is None else run.high for run in self._runs], edges)
        needs = BipartiteMatching([run.low for run in self._runs], edges)
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
            while len(needs) < self._need and full < end:
                needs.insert(full)
                full += 1
            if len(needs) == self._need:
                found.add(full, end)
        return found.bits(), end

    def _clear_ends(self, edges: Edges, start: int, count: int) -> tuple[int, int] | None:
        """Return the same for one start by counting; `None` where a span could go to several runs."""
        taken, missing, end, full = [0] * len(self._runs), self._need, start, -1 if self._need else start
        while end < count:
            runs = edges(end)
            if runs & (runs - 1):
                return None
            run = self._runs[r := runs.bit_length() - 1] if runs else None
            if run is None or taken[r] == run.high:
                break
            taken[r] += 1
            end += 1
            if taken[r] <= run.low:
                missing -= 1
                if not missing:
                    full = end
        return (0 if missing else between(full, end)), end


def _counted(steps: int, siblings: int) -> int:
    if steps > _MOST_STEPS:
        raise PatternTooComplexError(
            f"parallel(...) beside other patterns of one group, over {siblings} siblings: the parallel spans could be "
            "chosen in too many ways; say more about them (their names), so that fewer spans can be meant"
        )
    return steps


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
