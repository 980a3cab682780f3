"""What can be said of patterns without a trace: that one implies another, that no span is like both.

Both answers are sure where they are yes; no means that it is not known. Of a trace nothing is asked, so that holds of
every trace.
"""

from __future__ import annotations

import re
from types import EllipsisType
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, OneOf, Pattern, Repeat, SpanPattern, span_patterns_of
from pytest_mlflow_traces.core.patterns.operands import UNSAID, Operand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mlflow_traces.core.patterns.nodes import Item, Text
    from pytest_mlflow_traces.core.patterns.operands import Unsaid


def implies(pattern: Pattern, other: Pattern) -> bool:
    """Return whether every span like the one pattern of one span is surely like the other."""
    others = span_patterns_of(other)
    return all(any(_implies(one, two) for two in others) for one in span_patterns_of(pattern))


def excludes(pattern: Pattern, other: Pattern) -> bool:
    """Return whether surely no span is like both patterns of one span."""
    others = span_patterns_of(other)
    return all(_excludes(one, two) for one in span_patterns_of(pattern) for two in others)


def all_spans(shape: Pattern) -> tuple[list[SpanPattern], bool]:
    """Return the patterns of all spans that a tree of this shape has a place for, and whether it is open to others."""
    spans, is_open = [], False
    for item in _walked(shape):
        if isinstance(item, SpanPattern):
            spans.append(item)
        is_open |= item is ... or (isinstance(item, SpanPattern) and item.children is None)
        is_open |= isinstance(item, AnyOrder) and item.gap
    return spans, is_open


def required_spans(shape: Pattern) -> list[SpanPattern]:
    """Return the patterns of spans each of which every tree of this shape has."""
    return [item for item in _walked(shape, required=True) if isinstance(item, SpanPattern)]


def idle_items(shape: Pattern) -> Iterator[Pattern]:
    """Yield what need not be there and stands beside a gap, which takes in whatever it could be."""
    for item in _walked(shape):
        if isinstance(item, SpanPattern):
            yield from _idle_children(item.children or ())
        elif isinstance(item, AnyOrder) and item.gap and not item.overlapping:
            yield from (each for each in item.items if _is_free(each))


def _idle_children(items: tuple[Item, ...]) -> Iterator[Pattern]:
    run: list[Pattern] = []
    has_gap = False
    for item in (*items, None):
        if item is ... or _is_free(item):
            has_gap |= item is ...
            run += [item] if isinstance(item, Pattern) else []
            continue
        yield from run if has_gap else ()
        run, has_gap = [], False


def _is_free(item: Item | None) -> bool:
    return isinstance(item, Repeat) and not item.min


def _walked(shape: Pattern, *, required: bool = False) -> Iterator[Item]:
    """Yield a shape and all that it is made of, `has` and `lacks` left out; or just what cannot be absent."""
    waiting: list[Item] = [shape]
    seen = set()  # a part may stand in many places, in exponentially many where that nests
    while waiting:
        item = waiting.pop()
        if id(item) in seen and not isinstance(item, EllipsisType):
            continue
        seen.add(id(item))
        if required and (_is_free(item) or (isinstance(item, OneOf) and len(item.alternatives) > 1)):
            continue
        yield item
        if isinstance(item, SpanPattern):
            waiting += reversed(item.children or ())
        elif isinstance(item, Pattern):
            waiting += reversed(item.parts)


def _implies(one: SpanPattern, two: SpanPattern) -> bool:
    attributes = dict(one.attributes or ())
    return (
        _text_implies(one.name, two.name)
        and _text_implies(one.type, two.type)
        and two.status in (None, one.status)
        and all(two_said in (one_said, UNSAID) for one_said, two_said in _values(one, two))
        and all(key in attributes and attributes[key] == value for key, value in two.attributes or ())
        and (two.error in (None, one.error) or (two.error is True and bool(one.error)))
        and (two.within_ns is None or (one.within_ns is not None and one.within_ns <= two.within_ns))
        and {*two.has} <= {*one.has}
        and {*two.lacks} <= {*one.lacks}
        and (two.children is None or one.children == two.children)
    )


def _excludes(one: SpanPattern, two: SpanPattern) -> bool:
    attributes = dict(one.attributes or ())
    return (
        _texts_exclude(one.name, two.name)
        or _texts_exclude(one.type, two.type)
        or (None not in (one.status, two.status) and one.status != two.status)
        or (one.error is False and bool(two.error))
        or (two.error is False and bool(one.error))
        or any(_values_exclude(one_said, two_said) for one_said, two_said in _values(one, two))
        or any(key in attributes and _values_exclude(attributes[key], value) for key, value in two.attributes or ())
    )


def _text_implies(one: Text | None, two: Text | None) -> bool:
    if two is None:
        return True
    if isinstance(one, str):
        return one == two if isinstance(two, str) else two.fullmatch(one) is not None
    return one == two


def _texts_exclude(one: Text | None, two: Text | None) -> bool:
    if isinstance(one, re.Pattern):
        one, two = two, one
    if not isinstance(one, str) or two is None:
        return False
    return one != two if isinstance(two, str) else two.fullmatch(one) is None


def _values(one: SpanPattern, two: SpanPattern) -> Iterator[tuple[Operand | Unsaid, Operand | Unsaid]]:
    yield one.inputs, two.inputs
    yield one.outputs, two.outputs


def _values_exclude(one: Operand | Unsaid, two: Operand | Unsaid) -> bool:
    """Return whether no value equals both: only of plain values can that be known."""
    if not isinstance(one, Operand) or not isinstance(two, Operand) or not one.is_literal or not two.is_literal:
        return False
    return not one.equals(two.value) and not two.equals(one.value)
