"""Patterns in plain English: `a span 'refund' of type TOOL with status OK`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.patterns.nodes import (
    AnyOrder,
    OneOf,
    Pattern,
    Repeat,
    SpanPattern,
    short,
    span_patterns_of,
)
from pytest_mlflow_traces.core.patterns.operands import Operand
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.durations import exact_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_mlflow_traces.core.patterns.nodes import Item

_GAP = "any number of any spans"
_DEEPEST = 3


def phrase(pattern: Pattern, article: str = "a", depth: int = 0) -> str:
    """Return a pattern of one span in words: `a span 'pay' or span 'refund'`; what is deep inside it, as code."""
    return f"{article} {' or '.join(_span(each, depth) for each in span_patterns_of(pattern))}"


def tree(shape: Pattern) -> list[str]:
    """Return a shape as an indented list, a line for each span or group of spans."""
    lines = []
    waiting: list[tuple[int, Item, str]] = [(0, shape, "")]
    while waiting:
        depth, item, times = waiting.pop()
        while isinstance(item, Repeat) and not times:
            times, item = _times(item), item.item
        words, inside = _item(item)
        lines.append(f"{'  ' * depth}- {words}{times}{':' if inside else ''}")
        waiting += [(depth + 1, each, "") for each in reversed(inside)]
    return lines


def _item(item: Item) -> tuple[str, tuple[Item, ...]]:
    """Return an item of a list of children in words, and what stands inside."""
    if isinstance(item, SpanPattern):
        if item.children is None:
            return f"a {_alone(item, 0)}, with anything inside", ()
        return f"a {_alone(item, 0)}" + (", and in it, in this order" if item.children else ""), item.children
    if isinstance(item, OneOf):
        return "one of these", item.alternatives
    if isinstance(item, AnyOrder):
        how = "all of these, running at the same time" if item.overlapping else "all of these, in any order"
        return how, (*item.items, ...) if item.gap else item.items
    if isinstance(item, Repeat):
        return "this", (item,)
    return _GAP, ()


def _times(item: Repeat) -> str:
    if (item.min, item.max) == (0, 1):
        return " (may be absent)"
    if item.max is None:
        least = "once" if item.min == 1 else f"{item.min} times"
        return f" (at least {least})" if item.min else " (any number of times)"
    if item.min == item.max:
        return f" (exactly {counted(item.min, 'time')})"
    return f" ({item.min} to {item.max} times)" if item.min else f" (at most {item.max} times)"


def _span(pattern: SpanPattern, depth: int) -> str:
    words = _alone(pattern, depth)
    if pattern.children is None:
        return words
    if not pattern.children:
        return f"{words} that has nothing inside"
    inside = [_GAP if item is ... else short(item) for item in pattern.children]
    return f"{words} that has in it, in this order, {joined(inside)}"


def _alone(pattern: SpanPattern, depth: int) -> str:
    """Return a pattern of one span in words, but for its children."""
    if depth > _DEEPEST:
        return f"span like {short(pattern)}"
    words = ["span"]
    name, kind = pattern.name, pattern.type
    if name is not None:
        words.append(repr(name) if isinstance(name, str) else f"of a name like /{name.pattern}/")
    if kind is not None:
        words.append(f"of type {kind}" if isinstance(kind, str) else f"of a type like /{kind.pattern}/")
    details = [*_details(pattern, depth)]
    return " ".join([*words, *([f"with {joined(details)}"] if details else [])])


def _details(pattern: SpanPattern, depth: int) -> Iterator[str]:
    if pattern.status is not None:
        yield f"status {pattern.status}"
    for word, value in (("inputs", pattern.inputs), ("outputs", pattern.outputs)):
        if isinstance(value, Operand):
            yield f"{word} {value.text}"
    for key, operand in pattern.attributes or ():
        yield f"the attribute {key} = {operand.text}"
    if pattern.error is not None:
        yield "an error" if pattern.error is True else "no error" if not pattern.error else f"the error {pattern.error}"
    if pattern.within_ns is not None:
        yield f"a duration of at most {exact_duration(pattern.within_ns)}"
    yield from (f"{phrase(each, 'a', depth + 1)} somewhere inside" for each in pattern.has)
    yield from (f"{phrase(each, 'no', depth + 1)} inside" for each in pattern.lacks)


def joined(words: Iterable[str], word: str = "and") -> str:
    """Return words as a list in a sentence: `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} {word} {last}" if first else last
