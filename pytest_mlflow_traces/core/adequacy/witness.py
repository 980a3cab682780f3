"""Which branches of a pattern a trace took that it holds of: those of one witness.

An alternative of what stands for one span anywhere (of `in`, of `has`, of a rule) counts wherever some span is like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.adequacy.search import Search, TooIntricateError
from pytest_mlflow_traces.core.matching.matcher import Matcher
from pytest_mlflow_traces.core.patterns.nodes import OneOf, SpanPattern, span_patterns_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Item, Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable


class Witness:
    """What patterns that hold of one trace have taken of their branches.

    `is_whole` is whether every list could be shared out; of one that is too intricate no branch counts as taken.
    """

    def __init__(self, table: SpanTable) -> None:
        self._table = table
        self._matcher = Matcher(table)
        self.ways: set[tuple[int, object]] = set()  # the id of a pattern, and which way it went
        self.is_whole = True
        self._done: set[tuple[int, int]] = set()

    def of_siblings(self, pattern: Pattern, spans: Sequence[int]) -> None:
        """Add what a pattern takes that the siblings at `spans` are like."""
        if isinstance(pattern, SpanPattern) and len(spans) == 1:  # it is known to be like it
            self._look_below([(pattern, spans[0])])
        else:
            self._look_below(self._listed((pattern,), spans))

    def of_any(self, pattern: Pattern, first: int = 0, stop: int | None = None) -> None:
        """Add what a pattern of one span takes of all spans from `first` on that are like it."""
        self._look_below(self._found(pattern, first, len(self._table) if stop is None else stop))

    def _found(self, pattern: Pattern, first: int, stop: int) -> Iterator[tuple[SpanPattern, int]]:
        for number, each in enumerate(span_patterns_of(pattern)):
            found = [i for i in self._matcher.find(each) if first <= i < stop]
            if found and isinstance(pattern, OneOf):
                self.ways.add((id(pattern), number))
            yield from ((each, i) for i in found)

    def _look_below(self, pairs: Iterable[tuple[SpanPattern, int]]) -> None:
        waiting = list(pairs)
        while waiting:
            pattern, i = waiting.pop()
            if (id(pattern), i) in self._done:
                continue
            self._done.add((id(pattern), i))
            if pattern.children:
                waiting += self._listed(pattern.children, self._table.children(i))
            for each in pattern.has:
                waiting += self._found(each, i + 1, self._table.stops[i])

    def _listed(self, items: Sequence[Item], spans: Sequence[int]) -> list[tuple[SpanPattern, int]]:
        try:
            said = Search(self._table, self._matcher, spans).run(items)
        except TooIntricateError:
            said = None
        self.is_whole &= said is not None
        pairs = []
        for node, way in said or ():
            if isinstance(node, SpanPattern) and isinstance(way, int):
                pairs.append((node, way))
            else:
                self.ways.add((id(node), way))
        return pairs
