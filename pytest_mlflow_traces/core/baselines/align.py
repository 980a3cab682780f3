"""Which lines of a list of children stand for which of the spans that came, at the least change.

An edit distance between the lines and the siblings, by dynamic programming over (line, span): a line stands for the
spans that it matches at no cost, for one that bears its name at little cost, for a renamed one at more; losing a line
and adding a span cost the most. Only the lists of one pair are aligned at a time, so trees of any depth are.

To a gap every span is free, so that a line could be changed for its neighbour while the gap swallows the span that it
is about. Where that comes out, the list is aligned again, and the line may not stand for anything further off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.line_tree import alternatives, members
from pytest_mlflow_traces.core.patterns.constructors import is_one_span
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, SpanPattern
from pytest_mlflow_traces.core.patterns.recorded import strict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.baselines.line_tree import Entry
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.spans.table import SpanTable

Step = tuple["Entry | None", tuple[int, ...]]  # a line and the spans it stands for; no line: a span that is new

ADDED, LOST, RECOUNTED = 1.5, 2.6, 1.0  # a span is rather renamed than lost, and what has its place left to a gap
_SAME_NAME, _FIELD, _CHILDREN, _UNLIKE, _AT_MOST = 0.5, 0.1, 0.3, 0.3, 1.2
_RENAMED, _REPLACED, _ALTERNATIVE = 2.0, 2.5, 2.0
_NEVER = float("inf")
_LARGEST = 2_000_000  # cells of a table; larger lists are written anew, from the lines that there are
_STARTS = 16  # places where a group may begin that are looked at
_LONGEST_OPAQUE = 50


class Fitter:
    """The alignment of lines with the spans of one table."""

    def __init__(self, table: SpanTable, matcher: Matcher) -> None:
        self._table = table
        self._matcher = matcher
        self._costs: dict[tuple[int, int], float] = {}
        self._shapes: list[int] = []
        self._limits: dict[int, float] = {}  # what a line may cost, where it came out that there is a nearer span
        self._bare: dict[int, SpanPattern] = {}

    def fit(self, entries: Sequence[Entry], spans: Sequence[int]) -> list[Step]:
        """Return the lines and the spans, in an order that is both theirs."""
        steps = self._fitted(entries, spans)
        for is_last in (False, True):
            free = [i for entry, stood in steps if entry and entry.is_gap for i in stood]
            new = [i for entry, stood in steps if entry is None for i in stood]
            far = [entry for entry, stood in steps if entry and stood and self._is_far(entry, stood[0], free, new)]
            if not far:
                break
            # at first only the lines concerned are held to what is nearest; then all, which leaves nothing to gaps
            for entry in entries if is_last else far:
                if is_unit(entry):
                    self._limits[id(entry)] = min(self.cost(entry, i) for i in spans)
            steps = self._fitted(entries, spans)
        return steps

    def _is_far(self, entry: Entry, i: int, free: Sequence[int], new: Sequence[int]) -> bool:
        """Return whether a line stands for the span at `i` though a nearer one is there that no line stands for."""
        cost = self.cost(entry, i) if is_unit(entry) else 0.0
        rivals = [*free, *new] if cost > _AT_MOST else free
        return cost > 0 and any(self.cost(entry, k) < cost for k in rivals)

    def _fitted(self, entries: Sequence[Entry], spans: Sequence[int]) -> list[Step]:
        head = 0
        while head < min(len(entries), len(spans)) and self._is_sure(entries[head], spans[head]):
            head += 1
        tail = 0
        rest = min(len(entries), len(spans)) - head
        while tail < rest and self._is_sure(entries[-1 - tail], spans[-1 - tail]):
            tail += 1
        middle = entries[head : len(entries) - tail], spans[head : len(spans) - tail]
        return [
            *((entry, (i,)) for entry, i in zip(entries[:head], spans[:head], strict=True)),
            *self._aligned(*middle),
            *(
                (entry, (i,))
                for entry, i in zip(entries[len(entries) - tail :], spans[len(spans) - tail :], strict=True)
            ),
        ]

    def _is_sure(self, entry: Entry, i: int) -> bool:
        return isinstance(entry.pattern, SpanPattern) and self.cost(entry, i) == 0

    def _aligned(self, entries: Sequence[Entry], spans: Sequence[int]) -> list[Step]:
        if len(entries) * len(spans) > _LARGEST:
            return [*((None, (i,)) for i in spans), *((entry, ()) for entry in entries)]
        count = len(spans)
        best = [0.0] + [_NEVER] * count
        came: list[dict[int, int]] = []  # for each number of lines, from how many spans the cheapest way came
        added: list[set[int]] = []  # likewise, whether its last step adds a span
        while True:
            added.append(set())
            for k in range(count):
                if best[k] + ADDED < best[k + 1]:
                    best[k + 1] = best[k] + ADDED
                    added[-1].add(k + 1)
            if len(came) == len(entries):
                return _steps(entries, spans, came, added)
            after = [_NEVER] * (count + 1)
            entry = entries[len(came)]
            came.append({})
            for k, taken, cost in self._options(entry, spans, best):
                if best[k] + cost < after[k + taken]:
                    after[k + taken] = best[k] + cost
                    came[-1][k + taken] = k
            best = after

    def _options(self, entry: Entry, spans: Sequence[int], best: list[float]) -> Iterator[tuple[int, int, float]]:
        """Yield from where a line may take how many spans, and at what cost."""
        starts = [k for k, cost in enumerate(best) if cost < _NEVER]
        if entry.is_gap:
            cheapest = starts[0]
            for k in range(starts[0], len(spans) + 1):
                if best[k] <= best[cheapest]:
                    cheapest = k
                yield cheapest, k - cheapest, 0.0
            return
        if not is_unit(entry):
            starts = sorted(sorted(starts, key=best.__getitem__)[:_STARTS])
        options = self._unit if is_unit(entry) else self._group if isinstance(entry.pattern, AnyOrder) else self._opaque
        for k in starts:
            for taken, cost in options(entry, spans, k):
                yield k, taken, cost

    def _unit(self, entry: Entry, spans: Sequence[int], k: int) -> Iterator[tuple[int, float]]:
        low, high = entry.limits
        if k < len(spans):
            cost = self.cost(entry, spans[k])
            taken = 0
            most = min(self._limits.get(id(entry), cost), cost)
            while (
                cost <= most < _NEVER
                and k + taken < len(spans)
                and self._is_alike(entry, spans[k], spans[k + taken], cost)
            ):
                taken += 1
                yield taken, cost + RECOUNTED * (taken < low or (high is not None and taken > high))
                if low == high == 1:
                    break
        yield 0, 0.0 if low == 0 else LOST

    def _is_alike(self, entry: Entry, first: int, i: int, cost: float) -> bool:
        """Return whether `i` may follow `first` under one line: both match, or both differ in the same way."""
        if i == first or cost == 0:
            return i == first or self.cost(entry, i) == 0
        if self.shape(i) == self.shape(first):
            return True
        unit = entry.unit
        if not isinstance(unit, SpanPattern) or not all(self._holds_below(unit, k) for k in (i, first)):
            return False
        failed = self._matcher.local_failures(unit, i)
        one, other = strict(self._table, i, ()), strict(self._table, first, ())
        return failed == self._matcher.local_failures(unit, first) and all(
            getattr(one, field, None) == getattr(other, field, None) for field in failed
        )

    def _group(self, entry: Entry, spans: Sequence[int], k: int) -> Iterator[tuple[int, float]]:
        items = [each for _, each in members(entry) if not each.is_gap]
        gap = isinstance(entry.pattern, AnyOrder) and entry.pattern.gap
        taken = dict.fromkeys(map(id, items), 0)
        cost = 0.0
        yield 0, LOST * sum(each.limits[0] > 0 for each in items)
        for number, i in enumerate(spans[k:], 1):
            free = [each for each in items if is_unit(each) and _has_room(each, taken[id(each)])]
            nearest = min(free, key=lambda each: (self.cost(each, i), taken[id(each)] >= each.limits[0]), default=None)
            if nearest is not None and self.cost(nearest, i) < (0.01 if gap else ADDED):
                cost += self.cost(nearest, i)
                taken[id(nearest)] += 1
            elif not gap:
                cost += ADDED + 0.1
            yield number, cost + LOST * sum(taken[id(each)] < each.limits[0] for each in items)

    def _opaque(self, entry: Entry, spans: Sequence[int], k: int) -> Iterator[tuple[int, float]]:
        for stop in range(k, min(len(spans), k + _LONGEST_OPAQUE) + 1):
            if entry.pattern is not None and self._matcher.accepts((entry.pattern,), spans[k:stop]):
                yield stop - k, 0.0
        yield 0, LOST

    def cost(self, entry: Entry, i: int) -> float:
        """Return what changes where a line of one span is to stand for the span at `i`."""
        key = id(entry), i
        if key not in self._costs:
            exact = entry.unit is not None and self._matcher.matches(entry.unit, i)
            spans = [(each, unit) for each in alternatives(entry) if isinstance(unit := each.unit, SpanPattern)]
            self._costs[key] = 0.0 if exact else min((self._change(*each, i) for each in spans), default=_NEVER)
            if not exact and len(spans) > 1:
                self._costs[key] = min(self._costs[key], _ALTERNATIVE)
        return self._costs[key]

    def _change(self, entry: Entry, pattern: SpanPattern, i: int) -> float:
        failed = self._matcher.local_failures(pattern, i)
        if "name" not in failed and (pattern.name is not None or "type" not in failed):
            below = 0.0
            if not (failed and self._holds_below(pattern, i)):
                below = _CHILDREN if self.are_alike_below(entry, i) else _CHILDREN + _UNLIKE
            return min(_SAME_NAME + _FIELD * len(failed) + below, _AT_MOST)
        if entry.below and self.are_alike_below(entry, i):
            return _RENAMED
        is_free = pattern.children is None or (bool(pattern.children) and all(item is ... for item in pattern.children))
        is_leaf = is_free or not (entry.below or self._table.children(i))
        return _REPLACED if is_leaf and "type" not in failed and pattern.type is not None else _NEVER

    def _holds_below(self, pattern: SpanPattern, i: int) -> bool:
        """Return whether the children of `i` are what a line wants below it, whatever the span itself is."""
        if pattern.children is None:
            return True
        # the matcher answers each question about one and the same pattern once
        bare = self._bare.setdefault(id(pattern), SpanPattern(children=pattern.children))
        return self._matcher.matches(bare, i)

    def are_alike_below(self, entry: Entry, i: int) -> bool:
        """Return whether the spans below `i` are as the lines below say, or at least half of what they name is there.

        What a gap may take counts for neither side.
        """
        said, has_gap = units_below(entry)
        children = self._table.children(i)
        if not said:
            return not children
        names = {unit.name for unit in said if isinstance(unit.name, str)}
        loose = [unit for unit in said if not isinstance(unit.name, str)]
        there = {self._table.names[k] for k in children}
        met = [{self._table.names[k] for k in children if self._is_about(unit, k)} for unit in loose]
        common = len(names & there) + sum(map(bool, met))
        if common and isinstance(entry.unit, SpanPattern) and self._holds_below(entry.unit, i):
            return True
        others = set[str]() if has_gap else there - names.union(*met)
        return 2 * common >= max(len(names) + len(loose), common + len(others))

    def _is_about(self, unit: SpanPattern, i: int) -> bool:
        return not {"name", "type"}.intersection(self._matcher.local_failures(unit, i))

    def shape(self, i: int) -> int:
        """Return a number that spans of the same name, type, status and children have in common."""
        table = self._table
        if not self._shapes:
            self._shapes = [0] * len(table)
            for k in range(len(table) - 1, -1, -1):
                below = tuple(self._shapes[child] for child in table.children(k))
                self._shapes[k] = hash((table.names[k], table.types[k], table.statuses[k], below))
        return self._shapes[i]


def units_below(entry: Entry) -> tuple[list[SpanPattern], bool]:
    """Return the spans that the lines below say a name or a type of, in groups, too; and whether one is a gap."""
    found: list[SpanPattern] = []
    has_gap = False
    stack = list(entry.below)
    while stack:
        each = stack.pop()
        has_gap = has_gap or each.is_gap
        if not isinstance(each.unit, SpanPattern):
            stack += [] if each.is_demand else each.below
        elif each.unit.name is not None or each.unit.type is not None:
            found.append(each.unit)
    return found, has_gap


def is_unit(entry: Entry) -> bool:
    """Return whether a line stands for spans one by one: one span, one of several, or a number of those."""
    return entry.unit is not None and is_one_span(entry.unit)


def _has_room(entry: Entry, taken: int) -> bool:
    high = entry.limits[1]
    return high is None or taken < high


def _steps(
    entries: Sequence[Entry], spans: Sequence[int], came: list[dict[int, int]], added: list[set[int]]
) -> list[Step]:
    steps: list[Step] = []
    number, k = len(entries), len(spans)
    while number or k:
        if k in added[number]:
            k -= 1
            steps.append((None, (spans[k],)))
            continue
        number -= 1
        start = came[number][k]
        steps.append((entries[number], tuple(spans[start:k])))
        k = start
    return steps[::-1]
