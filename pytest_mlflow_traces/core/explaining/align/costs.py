"""What each difference costs: the one place that decides which explanation of a mismatch is the likeliest.

One thing wrong should be told as one thing. A lost or added span costs more the more it holds, up to a point, since
losing a leaf is likelier than losing half of the trace; a span that stands elsewhere costs half. A span that differs
costs by field, and never more than losing it and adding another; where names agree, it costs less than that
whatever is different inside, so that namesakes stay together.
"""

from __future__ import annotations

import re
from math import log2
from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.explaining.align.subtree_hashes import SubtreeHashes, positions_in
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern, alternatives_of
from pytest_mlflow_traces.core.patterns.operands import UNSAID
from pytest_mlflow_traces.core.spans.records import UNNAMED

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.spans.table import SpanTable

WRAPPER = 10.0  # one span between parent and children, or one such span gone
SLIGHT = 6.0  # the least that a span which differs costs: two of them cost more than a move
ORDER = 7.0  # the first child that is out of order
_LOST, _EACH, _MANY = 10.0, 2.0, 10  # a subtree lost or added: its root, and each of so many spans below
# The two parts of a move. That an unexpected span is lacking elsewhere is certain, since it is wanted; that a missing
# one stands elsewhere is not, since there may be room for what is there.
STANDS_ELSEWHERE, BELONGS_ELSEWHERE = 6.4, 5.1
SLIGHTLY = 0.01
_FIELDS = {"name": 12.0, "type": 9.0, "status": 6.0}
_OTHER_FIELD = 4.0
_ASSUMED = 1.0
_KEPT = 3.0  # what it costs more to drop or to add a line that could be changed for another
_NAMESAKE = 0.75
_COUNTED = 1 << 40  # spans of a pattern


class Assumed(NamedTuple):
    """What is taken for granted while pricing, to see whether it makes an explanation shorter."""

    pattern: Pattern | None = None  # it does not stand where it belongs,
    span: int = -1  # this one stands where it does not belong
    shells: bool = True  # spans may be wrapped around others, or be gone from around them
    pair: tuple[Pattern, int] | None = None  # they stand for each other, whatever is below
    evenly: bool = False  # each span that is lost, added or different counts as much, wherever it stands
    edited: bool = False  # the pattern is going to be changed, so a span is rather another one than missing


class Costs:
    """What each difference between one pattern and one trace costs."""

    def __init__(self, table: SpanTable, matcher: Matcher, hashes: SubtreeHashes, assumed: Assumed) -> None:
        self.shell = WRAPPER if assumed.shells else 1e6
        self.kept = _KEPT if assumed.edited else 0.0
        self.evenly = assumed.evenly
        self._assumed = assumed
        self._table = table
        self._matcher = matcher
        self.hashes = hashes
        self._missing: dict[int, float] = {}
        self._unexpected: dict[int, float] = {}
        self._sizes: dict[int, int] = {}
        self._own: dict[tuple[int, int], float] = {}

    def missing(self, pattern: Pattern, count: int = 1, *, gap: bool = False) -> float:
        """What it costs that nothing stands for `pattern`, `count` times; beside a gap, which may hide it, in full."""
        if self.is_moved(pattern):
            return _ASSUMED
        if self.evenly:
            return self._lost(pattern) * count
        if gap and not self.kept:
            return self._lost(pattern) + _EACH * min(count - 1, _MANY)
        known = self._missing.get(id(pattern))
        if known is None:
            elsewhere = any(map(self.hashes.stands_elsewhere, alternatives_of(pattern)))
            known = self._missing[id(pattern)] = STANDS_ELSEWHERE if elsewhere else self._lost(pattern)
        return known + _EACH * min(count - 1, _MANY)

    def unexpected(self, i: int) -> float:
        """What it costs that the subtree of `i` stands for nothing."""
        known = self._unexpected.get(i)
        if known is None:
            if i == self._assumed.span:
                known = _ASSUMED
            else:
                here = not self.evenly and self.hashes.belongs_elsewhere(i)
                known = BELONGS_ELSEWHERE if here else self._loss(self._table.stops[i] - i) + self.kept
            self._unexpected[i] = known
        return known

    def is_moved(self, pattern: Pattern) -> bool:
        """Return whether `pattern` is assumed to stand elsewhere."""
        return pattern is self._assumed.pattern or pattern == self._assumed.pattern

    def own(self, pattern: SpanPattern, i: int) -> float:
        """What it costs that the span at `i` fails fields of `pattern`, its children apart."""
        table = self._table
        if (
            (pattern.name is None or pattern.name == table.names[i])
            and (pattern.type is None or pattern.type == table.types[i])
            and (pattern.status is None or pattern.status == table.statuses[i])
            and _says_no_more(pattern)
        ):
            return 0.0  # most often so, and then there is nothing worth keeping
        key = id(pattern), i
        known = self._own.get(key)
        if known is None:
            failed = self._matcher.local_failures(pattern, i)
            known = max(SLIGHT, sum(_FIELDS.get(field, _OTHER_FIELD) for field in failed)) if failed else 0.0
            if self.evenly and len(failed) == 1:
                known = WRAPPER
            if self.kept and "name" in failed and pattern.type is None:
                known += _OTHER_FIELD  # nothing vouches for it
            self._own[key] = known
        return known

    def least(self, pattern: SpanPattern, i: int) -> float:
        """What `own` is at least, at a glance, where the span at `i` does not match."""
        if self._is_paired(pattern, i):
            return _ASSUMED
        return (
            SLIGHT if self.evenly or pattern.name is None or named(pattern, self._table.names[i]) else _FIELDS["name"]
        )

    def most(self, pattern: SpanPattern, i: int) -> float:
        """What it costs at most to let the span at `i` stand for `pattern`."""
        if self._is_paired(pattern, i):
            return _ASSUMED
        both = self._loss(self._table.stops[i] - i) + self.kept + self._lost(pattern)
        if self.evenly:
            return both + SLIGHTLY  # two that have nothing in common are rather told as two
        if pattern.name is None:
            same = pattern.type is not None and "type" not in self._matcher.local_failures(pattern, i)
        else:
            same = named(pattern, self._table.names[i])
        return both * _NAMESAKE if same else both

    def _is_paired(self, pattern: SpanPattern, i: int) -> bool:
        pair = self._assumed.pair
        return pair is not None and pair[0] is pattern and pair[1] == i

    def is_like(self, pattern: SpanPattern, i: int, price: float) -> bool:
        """Return whether the span at `i`, which costs `price` as `pattern`, has its name and much else in common."""
        return self.least(pattern, i) < _FIELDS["name"] and (self.kept > 0.0 or price < self.most(pattern, i))

    def _lost(self, pattern: Pattern) -> float:
        return min(self._loss(self._size(each)) for each in alternatives_of(pattern)) + self.kept

    def _loss(self, size: int) -> float:
        return WRAPPER * size if self.evenly else lost(size)

    def _size(self, pattern: Pattern) -> int:
        """Count the spans in `pattern`; a part that is shared may make that many."""
        if not self._sizes:
            for each in self.hashes.order:
                below = sum(self._sizes[id(part)] for part in positions_in(each))
                self._sizes[id(each)] = min(below + isinstance(each, SpanPattern), _COUNTED)
        return self._sizes.get(id(pattern), 1)


def _says_no_more(pattern: SpanPattern) -> bool:
    """Return whether `pattern` says nothing of the span but its name, type and status."""
    return (
        pattern.attributes is None
        and pattern.inputs is UNSAID
        and pattern.outputs is UNSAID
        and pattern.error is None
        and pattern.within_ns is None
        and not pattern.has
        and not pattern.lacks
    )


def lost(size: int) -> float:
    """Return what it costs that a subtree of `size` spans is lost or added."""
    beyond = max(0.0, log2(max(1, size) / (_MANY + 1)))
    return _LOST + _EACH * (min(max(1, size) - 1, _MANY) + beyond)


def named(pattern: SpanPattern, name: str) -> bool:
    """Return whether `name` is the name that `pattern` says, if it says one."""
    if isinstance(pattern.name, re.Pattern):
        return pattern.name.fullmatch(name) is not None and name is not UNNAMED
    return pattern.name == name
