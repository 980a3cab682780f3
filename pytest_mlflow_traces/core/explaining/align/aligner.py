"""The cheapest alignment of a pattern with a tree: which span stands for which part of the pattern.

Edit distance from a tree to a tree grammar, with the children of each pair aligned by a search for the cheapest path
(Dijkstra 1959) through (step of the content, place in the trace); `searching` has that search. A pair that differs is
priced only when the search gets there, by a search of its own on a stack of generators, never by recursion; a price
never exceeds that of losing one and adding the other, so such a search goes only a few differences far. Each price is
kept, and a price that exceeded its limit is kept as that, and asked for again with twice the limit.

Exact as long as all searches take no more than `context.POINTS` points; beyond, a price is an estimate and a search
goes forward in haste, so that a trace of any size comes to an end.
"""

from __future__ import annotations

from copy import copy
from itertools import takewhile
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pytest_mlflow_traces.core.explaining.align.chains import Chains
from pytest_mlflow_traces.core.explaining.align.context import Context, price
from pytest_mlflow_traces.core.explaining.align.costs import ORDER, SLIGHT, WRAPPER, Assumed, Costs, named
from pytest_mlflow_traces.core.explaining.align.graph import ContentGraph
from pytest_mlflow_traces.core.explaining.align.reorder import anchors, order_of
from pytest_mlflow_traces.core.explaining.align.rows import Listing
from pytest_mlflow_traces.core.explaining.align.search import Search
from pytest_mlflow_traces.core.explaining.align.subtree_hashes import SubtreeHashes
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from pytest_mlflow_traces.core.explaining.align.context import Question
    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.explaining.align.graph import Point
    from pytest_mlflow_traces.core.explaining.align.reorder import Order
    from pytest_mlflow_traces.core.explaining.align.rows import Row
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Item, Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable

Found: TypeAlias = "tuple[float, Callable[[], list[Edit]]]"
Answer = TypeVar("Answer")

_GUESS = 10.0


class Aligner:
    """The alignment of one pattern with one trace."""

    def __init__(self, table: SpanTable, matcher: Matcher, pattern: Pattern, assumed: Assumed = Assumed()) -> None:  # noqa: B008  # immutable
        self._contents: dict[int, ContentGraph] = {}
        self._assume(table, matcher, SubtreeHashes(table, matcher, pattern), assumed)

    def _assume(self, table: SpanTable, matcher: Matcher, hashes: SubtreeHashes, assumed: Assumed) -> None:
        self.context = Context(table, matcher, Costs(table, matcher, hashes, assumed))
        self._chains = Chains(self.context)
        self._prices: dict[tuple[int, int], tuple[float, bool]] = {}  # whether it is exact, or a lower bound

    def assuming(self, assumed: Assumed) -> Aligner:
        """Return one that takes something else for granted."""
        other = copy(self)
        other._assume(self.context.table, self.context.matcher, self.context.costs.hashes, assumed)
        return other

    def aligned(self, items: tuple[Item, ...], parent: int, first: int, stop: int) -> list[Edit]:
        """Return what is different between `items` and the siblings from `first` up to `stop`, below `parent`."""
        found = self._run(self._listed(ContentGraph(items), parent, first, stop, float("inf")))
        return found[1].edits() if found else []

    def rows(self, items: tuple[Item, ...], parent: int) -> list[Row]:
        """Return what stands for each of the spans below `parent`."""
        stop = self.context.table.stops[parent] if parent >= 0 else len(self.context.table)
        found = self._run(self._listed(ContentGraph(items), parent, parent + 1, stop, float("inf")))
        return found[1].rows() if found else []

    def below(self, pattern: SpanPattern, i: int) -> list[Edit]:
        """Return what is different between the children of `pattern` and those of the span at `i`."""
        found = self._run(self._below(pattern, i, float("inf")))
        return found[1]() if found else []

    def priced(self, unit: Pattern, i: int, limit: float) -> tuple[float, SpanPattern]:
        """Return what the span at `i` costs as `unit`, as far as it is below `limit`."""
        return self._run(price(unit, i, limit))

    def _run(self, work: Generator[Question, float, Answer]) -> Answer:
        """Run `work`, and what it asks for, and what that asks for, and so on, without recursion."""
        stack: list[Generator[Question, float, float]] = []
        answer: float | None = None
        while True:
            try:
                asked = (stack[-1] if stack else work).send(answer)  # type: ignore[arg-type]  # None starts a generator
            except StopIteration as stop:
                if not stack:
                    return stop.value  # type: ignore[no-any-return]  # the value of `work`, by its type
                stack.pop()
                answer = stop.value
                continue
            answer = self._known(*asked)
            if answer is None:
                stack.append(self._pair(*asked))

    def _known(self, pattern: SpanPattern, i: int, limit: float) -> float | None:
        if self.context.matcher.matches(pattern, i):
            return 0.0
        if not pattern.children and (pattern.children is None or self.context.table.stops[i] == i + 1):
            return min(max(SLIGHT, self.context.costs.own(pattern, i)), self.context.costs.most(pattern, i))
        kept = self._prices.get((id(pattern), i))
        return kept[0] if kept is not None and (kept[1] or kept[0] >= limit) else None

    def _pair(self, pattern: SpanPattern, i: int, limit: float) -> Generator[Question, float, float]:
        """Price a pair that does not match."""
        costs, stop = self.context.costs, self.context.table.stops[i]
        own, most = costs.own(pattern, i), costs.most(pattern, i)
        kept = self._prices.get((id(pattern), i))
        limit = min(most, max(limit, 2 * kept[0] if kept else 0.0))
        if own >= limit:
            return self._keep(pattern, i, limit, exact=limit == most)
        if self.context.is_hurried:
            return self._keep(pattern, i, min(own + _GUESS, most), exact=True)
        items = pattern.children or ()
        only = items[0] if len(items) == 1 else None
        deep = self._chains.is_deep(pattern, i)
        if not deep and isinstance(only, SpanPattern) and i + 1 < stop == self.context.table.stops[i + 1]:
            cost = 0.0
            if only.name is None or named(only, self.context.table.names[i + 1]):
                cost = yield only, i + 1, limit - own
            if 0.0 < cost <= WRAPPER and own + cost < limit:  # no other way to align the two can cost less
                return self._keep(pattern, i, own + cost, exact=True)
        found = yield from self._below(pattern, i, limit - own)
        if found is None:
            return self._keep(pattern, i, limit, exact=limit == most)
        return self._keep(pattern, i, max(SLIGHT, own + found[0]), exact=True)

    def _below(self, pattern: SpanPattern, i: int, limit: float) -> Generator[Question, float, Found | None]:
        """Align the children of `pattern` and those of the span at `i`, long chains as a whole."""
        if self._chains.is_deep(pattern, i):
            deep = self._chains.aligned(pattern, i, limit)
            if deep is not None:
                cost, edits, (last, k) = deep
                if last.children is None or self.context.matcher.matches(last, k):
                    return cost, lambda: edits
                rest = yield from self._listed(self._content(last), k, k + 1, self.context.table.stops[k], limit - cost)
                return None if rest is None else (cost + rest[0], lambda: [*edits, *rest[1].edits()])
            if limit < float("inf"):
                return None
        found = yield from self._listed(self._content(pattern), i, i + 1, self.context.table.stops[i], limit)
        return None if found is None else (found[0], found[1].edits)

    def _keep(self, pattern: SpanPattern, i: int, cost: float, *, exact: bool) -> float:
        self._prices[id(pattern), i] = cost, exact
        return cost

    def _content(self, pattern: SpanPattern) -> ContentGraph:
        content = self._contents.get(id(pattern))
        if content is None:
            content = self._contents[id(pattern)] = ContentGraph(pattern.children or ())
        return content

    def _listed(
        self, content: ContentGraph, parent: int, first: int, stop: int, limit: float
    ) -> Generator[Question, float, tuple[float, Listing | Order] | None]:
        """Align a list of children: what that costs, and how it is done; nothing where it costs `limit` or more."""
        spans = []
        k = first
        while k < stop:
            spans.append(k)
            k = self.context.table.stops[k]
        searches: list[Search] = []
        cost = 0.0
        for start, goal, some in self._parts(content, spans, stop):
            search = Search(self.context, parent, some, start, goal, content)
            found = yield from search.run(limit - cost)
            if not found:
                cost = limit
                break
            searches.append(search)
            cost += search.cost
        if cost > ORDER:
            order = order_of(content.items, spans, parent, self.context)
            if order is not None and order[0] < cost:
                return order
        return (cost, Listing(content, spans, searches)) if cost < limit else None

    def _parts(self, content: ContentGraph, spans: list[int], stop: int) -> Iterator[tuple[Point, Point, list[int]]]:
        """Yield the parts of a list to be searched: from where, to where, and the spans between."""
        ends, steps = [*spans, stop], content.steps
        if steps is None:
            yield (content.first, ends[0], 0), (content.end, stop, 0), spans
            return
        units = [step.unit for step in steps if step.unit is not None]
        head = self._sure(content, zip(units, spans, strict=False))
        tail = self._sure(content, zip(reversed(units[head:]), reversed(spans[head:]), strict=False))
        item = span = head
        end = len(units) - tail, len(spans) - tail
        for j, k in [*anchors(units[: end[0]], spans[: end[1]], head, self.context.costs.hashes), end]:
            if item < j or span < k:
                yield (steps[item], ends[span], 0), (steps[j], ends[k], 0), spans[span:k]
            item, span = j + 1, k + 1

    def _sure(self, content: ContentGraph, pairs: Iterable[tuple[Pattern, int]]) -> int:
        """Return how many pairs of an item and a span match one after the other, and are sure to be meant."""
        matches = self.context.matcher.matches
        return sum(1 for _ in takewhile(lambda pair: content.is_sure(pair[0]) and matches(*pair), pairs))
