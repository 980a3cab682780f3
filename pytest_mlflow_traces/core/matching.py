"""Does a trace match a pattern?"""

from __future__ import annotations

from bisect import bisect_right
from itertools import product
from types import EllipsisType
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.nodes import AnyOrder, OneOf, Pattern, Repeat, SpanPattern
from pytest_mlflow_traces.core.predicates import checks, narrowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.forest import Forest
    from pytest_mlflow_traces.core.nodes import Item


def overlap(start: int, end: int | None, other_start: int, other_end: int | None) -> bool:
    """Return whether two spans ran at some one moment; touching ends do not overlap, an unfinished span runs on."""
    return (other_end is None or start < other_end) and (end is None or other_start < end)


def matches(forest: Forest, pattern: Pattern, spans: Sequence[int]) -> bool:
    """Return whether the list of siblings at `spans` is what `pattern` says."""
    return Matcher(forest).accepts((pattern,), spans)


def find(forest: Forest, pattern: Pattern) -> list[int]:
    """Return the positions of the spans that a one-span pattern matches, in pre-order."""
    return Matcher(forest).find(pattern)


class Matcher:
    """Answer which spans of one forest match which patterns, each question once."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._answers: dict[tuple[int, int], bool] = {}
        self._found: dict[int, list[int]] = {}
        self._alive: dict[int, Pattern] = {}

    def accepts(self, items: tuple[Item, ...], spans: Sequence[int]) -> bool:
        """Return whether the list of siblings at `spans` is what `items` say."""
        return len(spans) in self._after(items, tuple(spans))

    def matches(self, pattern: Pattern, i: int) -> bool:
        """Return whether the one-span `pattern` matches the span at `i`, its subtree included."""
        if isinstance(pattern, OneOf):
            return any(self.matches(each, i) for each in pattern.alternatives)
        if not isinstance(pattern, SpanPattern):
            raise TypeError(f"a pattern of one span, not {pattern!r}")
        key = id(pattern), i
        if key not in self._answers:
            self._alive[id(pattern)] = pattern
            self._answers[key] = not self.local_failures(pattern, i) and (
                pattern.children is None or self.accepts(pattern.children, self._forest.children(i))
            )
        return self._answers[key]

    def local_failures(self, pattern: SpanPattern, i: int) -> list[str]:
        """Return the fields of `pattern` that the span at `i` fails, its children apart."""
        failed = [field for field, check in checks(self._forest, pattern) if not check(i)]
        if not all(self._below(each, i) for each in pattern.has):
            failed.append("has")
        if any(self._below(each, i) for each in pattern.lacks):
            failed.append("lacks")
        return failed

    def find(self, pattern: Pattern) -> list[int]:
        """Return the positions of the spans that a one-span pattern matches, in pre-order."""
        if id(pattern) not in self._found:
            self._alive[id(pattern)] = pattern
            alternatives = pattern.alternatives if isinstance(pattern, OneOf) else (pattern,)
            found: set[int] = set()
            for each in alternatives:
                if isinstance(each, SpanPattern):
                    found |= {i for i in narrowed(self._forest, each) if self.matches(each, i)}
            self._found[id(pattern)] = sorted(found)
        return self._found[id(pattern)]

    def _below(self, pattern: Pattern, i: int) -> bool:
        found = self.find(pattern)
        after = bisect_right(found, i)
        return after < len(found) and found[after] < self._forest.stops[i]

    def _after(self, items: tuple[Item, ...], word: tuple[int, ...]) -> set[int]:
        reached = {0}
        for item in items:
            if isinstance(item, EllipsisType):
                reached = set(range(min(reached), len(word) + 1)) if reached else reached
            elif isinstance(item, SpanPattern):
                reached = {k + 1 for k in reached if k < len(word) and self.matches(item, word[k])}
            else:
                reached = {end for k in reached for end in range(k, len(word) + 1) if self._says(item, word[k:end])}
        return reached

    def _says(self, item: Pattern, word: tuple[int, ...]) -> bool:
        if isinstance(item, SpanPattern):
            return len(word) == 1 and self.matches(item, word[0])
        if isinstance(item, OneOf):
            return any(self._says(each, word) for each in item.alternatives)
        if isinstance(item, Repeat):
            low = 0 if self._says(item.item, ()) else item.min
            return self._copies(item, word, low)
        return isinstance(item, AnyOrder) and self._shuffled(item, word)

    def _copies(self, repeat: Repeat, word: tuple[int, ...], low: int) -> bool:
        high = len(word) if repeat.max is None else repeat.max
        reached, count = {0}, 0
        while reached:
            if count >= low and len(word) in reached:
                return True
            if count >= min(high, len(word)):
                return False
            reached = {
                end for k in reached for end in range(k + 1, len(word) + 1) if self._says(repeat.item, word[k:end])
            }
            count += 1
        return False

    def _shuffled(self, group: AnyOrder, word: tuple[int, ...]) -> bool:
        takers = range(len(group.items) + group.gap)
        candidates = [[t for t in takers if t == len(group.items) or self._may_take(group.items[t], i)] for i in word]
        for taken in product(*candidates):
            parts = [tuple(i for i, t in zip(word, taken, strict=True) if t == each) for each in takers]
            if not all(self._says(item, part) for item, part in zip(group.items, parts, strict=False)):
                continue
            starts, ends = self._forest.starts, self._forest.ends
            inside = [i for i, t in zip(word, taken, strict=True) if t < len(group.items)]
            if not group.overlapping or all(
                overlap(starts[i], ends[i], starts[k], ends[k]) for i in inside for k in inside if i < k
            ):
                return True
        return False

    def _may_take(self, item: Pattern, i: int) -> bool:
        if isinstance(item, SpanPattern):
            return self.matches(item, i)
        if isinstance(item, AnyOrder) and item.gap:
            return True
        return any(self._may_take(part, i) for part in item.parts if isinstance(part, Pattern))
