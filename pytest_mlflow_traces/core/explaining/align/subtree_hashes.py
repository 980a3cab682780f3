"""Which missing spans and which unexpected ones are only in the wrong place: a balance sheet of whole subtrees.

A trace that has as many subtrees of one kind as its pattern expects lacks none of them: where one is missing, it stands
somewhere else, and the alignment may count half of a move instead of a loss. Kinds are told apart by a print of name,
type, status and children, bottom up (as in Merkle trees), for the parts of a pattern that say just that; for the others
the matcher counts the spans that match, up to a limit. All in O(spans + pattern), once, when first asked for.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from types import EllipsisType
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.patterns.nodes import Pattern, Repeat, SpanPattern
from pytest_mlflow_traces.core.patterns.operands import Operand

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Item
    from pytest_mlflow_traces.core.spans.table import SpanTable

_NAMESAKES = 200  # as many spans of one name are looked through for those that match
_INSIDE = 16  # parts below another that are looked at for what is there
_KINDS = 12  # as many parts of a pattern with one name


class SubtreeHashes:
    """The subtrees of a trace and the span patterns of a pattern, counted by kind."""

    def __init__(self, table: SpanTable, matcher: Matcher, pattern: Pattern) -> None:
        self._table = table
        self._matcher = matcher
        self._pattern = pattern
        self._made = False
        self._print_of: dict[int, int] = {}  # by the id of the pattern, which the root pattern keeps alive
        self._prints: list[int] = []
        self._wanted: Counter[int] = Counter()
        self._there: Counter[int] = Counter()
        self._loose: dict[str, dict[int, SpanPattern]] = {}
        self._found: dict[int, int] = {}
        self._below: dict[int, set[str] | None] = {}

    @cached_property
    def order(self) -> list[Pattern]:
        """Each part of the pattern once, parts before wholes."""
        return in_post_order(self._pattern)

    @property
    def prints(self) -> list[int]:
        """The print of each span of the table."""
        self._make()
        return self._prints

    def hash_of(self, pattern: Pattern) -> int | None:
        """Return the print of the one subtree that `pattern` matches, `None` where it may match others."""
        self._make()
        return self._print_of.get(id(pattern))

    def stands_elsewhere(self, pattern: Pattern) -> bool:
        """Return whether the table has all the subtrees like `pattern` that are expected."""
        self._make()
        if not isinstance(pattern, SpanPattern):
            return False
        kind = self._print_of.get(id(pattern))
        if kind is not None:
            return self._there[kind] >= self._wanted[kind]
        return isinstance(pattern.name, str) and self._matching(pattern) >= max(1, self._wanted[hash(pattern)])

    def belongs_elsewhere(self, i: int) -> bool:
        """Return whether the pattern expects all the subtrees like that of `i` which there are."""
        self._make()
        kind = self._prints[i]
        if self._wanted[kind]:
            return self._there[kind] <= self._wanted[kind]
        return any(
            self._matcher.matches(each, i) and self._matching(each) <= self._wanted[key]
            for key, each in self._loose.get(self._table.names[i], {}).items()
        )

    def names_below(self, pattern: SpanPattern) -> set[str] | None:
        """Return the names of the first parts below `pattern`, `None` where they may have any."""
        if id(pattern) not in self._below:
            self._below[id(pattern)] = names_in(pattern.children or ())
        return self._below[id(pattern)]

    def _matching(self, pattern: SpanPattern) -> int:
        key = hash(pattern)
        if key not in self._found:
            named = self._table.named(str(pattern.name))
            few = len(named) <= _NAMESAKES
            self._found[key] = sum(self._matcher.matches(pattern, i) for i in named) if few else 0
        return self._found[key]

    def _make(self) -> None:
        if self._made:
            return
        self._made = True
        table = self._table
        below: list[list[int]] = [[] for _ in range(len(table) + 1)]  # at -1, which is the last, those of the roots
        self._prints = [0] * len(table)
        for i in range(len(table) - 1, -1, -1):
            self._prints[i] = hash((table.names[i], table.types[i], table.statuses[i], tuple(below[i])))
            below[i] = []
            below[table.parents[i]].append(self._prints[i])
        self._there.update(self._prints)
        for each in self.order:
            kind = self._strict_print(each)
            if kind is not None:
                self._print_of[id(each)] = kind
        self._count()

    def _strict_print(self, each: Pattern) -> int | None:
        if not isinstance(each, SpanPattern) or each.children is None or each.has or each.lacks:
            return None
        if not (isinstance(each.name, str) and isinstance(each.type, str) and each.status is not None):
            return None
        others = (each.attributes, each.error, each.within_ns)
        if isinstance(each.inputs, Operand) or isinstance(each.outputs, Operand) or any(x is not None for x in others):
            return None
        prints = [self._print_of.get(id(item)) for item in reversed(each.children)]
        return None if None in prints else hash((each.name, each.type, each.status, tuple(prints)))

    def _count(self) -> None:
        """Count how often each span pattern is to stand in the tree; a part may be shared, its counts then add up."""
        times: Counter[int] = Counter({id(self._pattern): 1})
        for each in reversed(self.order):
            count = times[id(each)]
            if isinstance(each, SpanPattern):
                key = self._print_of.get(id(each), hash(each))
                self._wanted[key] += count
                if isinstance(each.name, str) and id(each) not in self._print_of:
                    kinds = self._loose.setdefault(each.name, {})
                    if len(kinds) < _KINDS:
                        kinds[key] = each
            if isinstance(each, Repeat):
                count *= max(1, each.min)
            for part in positions_in(each):
                times[id(part)] += min(count, 1 << 30)


def names_in(items: Iterable[Item]) -> set[str] | None:
    """Return the names of `items` and of the first parts below them, `None` where they may have any."""
    names: set[str] = set()
    todo = list(items)
    for part in todo:
        if isinstance(part, SpanPattern):
            if not isinstance(part.name, str):
                return None
            names.add(part.name)
        if isinstance(part, EllipsisType):
            return None
        if len(todo) < _INSIDE:
            todo.extend(positions_in(part))
    return names


def positions_in(pattern: Pattern) -> Iterable[Pattern]:
    """The parts of `pattern` that stand for spans beside or below it; `has` and `lacks` stand for no place."""
    parts = (pattern.children or ()) if isinstance(pattern, SpanPattern) else pattern.parts
    return [item for item in parts if isinstance(item, Pattern)]


def in_post_order(pattern: Pattern) -> list[Pattern]:
    """Return each pattern in `pattern` once, itself included, parts before wholes."""
    order: list[Pattern] = []
    seen: set[int] = set()
    stack: list[tuple[Pattern, bool]] = [(pattern, False)]
    while stack:
        each, done = stack.pop()
        if done:
            order.append(each)
        elif id(each) not in seen:
            seen.add(id(each))
            stack.append((each, True))
            stack.extend((part, False) for part in positions_in(each) if id(part) not in seen)
    return order
