"""What each difference costs: the one place that decides which explanation of a mismatch is the likeliest.

One thing wrong should be told as one thing. A lost or added span costs more the more it holds, up to a point, since
losing a leaf is likelier than losing half of the trace; a span that stands elsewhere costs half. A span that differs
costs by field, and never more than losing it and adding another; where names agree, or most names below do, it costs
less than that whatever is different inside, so that namesakes stay together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.ledger import Ledger, positions_in
from pytest_mlflow_traces.core.explaining.likeness import Likeness
from pytest_mlflow_traces.core.nodes import OneOf, Pattern, SpanPattern

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.forest import Forest
    from pytest_mlflow_traces.core.matching import Matcher

WRAPPER = 10.0  # one span between parent and children, or one such span gone
SLIGHT = 6.0  # the least that a span which differs costs: two of them cost more than a move
ORDER = 7.0  # the first child that is out of order
_LOST, _EACH, _MANY = 10.0, 2.0, 10  # a subtree lost or added: its root, and each of so many spans below
# The two parts of a move. That an unexpected span is lacking elsewhere is certain, since it is wanted; that a missing
# one stands elsewhere is not, since a gap may have room for what is there.
_STANDS_ELSEWHERE, _BELONGS_ELSEWHERE = 8.0, 2.0
_FIELDS = {"name": 12.0, "type": 9.0, "status": 6.0}
_OTHER_FIELD = 4.0
_SAME_THING = 0.9


class Costs:
    """Say what each difference between one pattern and one forest costs."""

    def __init__(self, forest: Forest, matcher: Matcher, pattern: Pattern) -> None:
        self._forest = forest
        self._matcher = matcher
        self.ledger = Ledger(forest, matcher, pattern)
        self._likeness = Likeness(forest, pattern)
        self._missing: dict[int, float] = {}
        self._sizes: dict[int, int] = {}
        self._own: dict[tuple[int, int], float] = {}

    def missing(self, pattern: Pattern, count: int = 1) -> float:
        """What it costs that nothing stands for `pattern`, `count` times."""
        known = self._missing.get(id(pattern))
        if known is None:
            elsewhere = any(map(self.ledger.stands_elsewhere, _alternatives(pattern)))
            known = self._missing[id(pattern)] = _STANDS_ELSEWHERE if elsewhere else self._lost(pattern)
        return known + _EACH * min(count - 1, _MANY)

    def unexpected(self, i: int) -> float:
        """What it costs that the subtree of `i` stands for nothing."""
        if self.ledger.belongs_elsewhere(i):
            return _BELONGS_ELSEWHERE
        return _LOST + _EACH * min(self._forest.stops[i] - i - 1, _MANY)

    def own(self, pattern: SpanPattern, i: int) -> float:
        """What it costs that the span at `i` fails fields of `pattern`, its children apart."""
        key = id(pattern), i
        known = self._own.get(key)
        if known is None:
            failed = self._matcher.local_failures(pattern, i)
            known = max(SLIGHT, sum(_FIELDS.get(field, _OTHER_FIELD) for field in failed)) if failed else 0.0
            self._own[key] = known
        return known

    def least(self, pattern: SpanPattern, i: int) -> float:
        """What `own` is at least, at a glance, where the span at `i` does not match."""
        return SLIGHT if pattern.name is None or named(pattern, self._forest.names[i]) else _FIELDS["name"]

    def most(self, pattern: SpanPattern, i: int) -> float:
        """What it costs at most to let the span at `i` stand for `pattern`."""
        size = self._forest.stops[i] - i
        both = 2 * _LOST + _EACH * min(size - 1, _MANY) + self._lost(pattern) - _LOST
        return both * _SAME_THING if self.same_thing(pattern, i) else both

    def same_thing(self, pattern: SpanPattern, i: int) -> bool:
        """Return whether the span at `i` is the one meant by `pattern`, whatever else is different."""
        if pattern.name is not None:
            return named(pattern, self._forest.names[i]) or (
                pattern.children is not None and self._likeness.alike(pattern, i)
            )
        return pattern.type is not None and not self._fails_type(pattern, i)

    def _fails_type(self, pattern: SpanPattern, i: int) -> bool:
        return "type" in self._matcher.local_failures(pattern, i)

    def _lost(self, pattern: Pattern) -> float:
        return min(_LOST + _EACH * (self._size(each) - 1) for each in _alternatives(pattern))

    def _size(self, pattern: Pattern) -> int:
        """Count the spans in `pattern`, up to what matters."""
        size = self._sizes.get(id(pattern))
        if size is None:
            size, todo = 0, [pattern]
            while todo and size <= _MANY:
                each = todo.pop()
                size += isinstance(each, SpanPattern)
                todo.extend(positions_in(each))
            self._sizes[id(pattern)] = size = max(1, min(size, _MANY + 1))
        return size


def named(pattern: SpanPattern, name: str) -> bool:
    """Return whether `name` is the name that `pattern` says, if it says one."""
    if isinstance(pattern.name, re.Pattern):
        return pattern.name.fullmatch(name) is not None
    return pattern.name == name


def _alternatives(pattern: Pattern) -> tuple[Pattern, ...]:
    return pattern.alternatives if isinstance(pattern, OneOf) else (pattern,)
