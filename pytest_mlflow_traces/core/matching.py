"""Does a trace match a pattern?"""

from __future__ import annotations

import re
from types import EllipsisType
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.nodes import Pattern, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.forest import Forest


def overlap(start: int, end: int | None, other_start: int, other_end: int | None) -> bool:
    """Return whether two spans ran at some one moment; touching ends do not overlap, an unfinished span runs on."""
    return (other_end is None or start < other_end) and (end is None or other_start < end)


def matches(forest: Forest, pattern: Pattern, spans: Sequence[int]) -> bool:
    """Return whether the list of siblings at `spans` is what `pattern` says."""
    return len(spans) == 1 and _matches(forest, pattern, spans[0])


def find(forest: Forest, pattern: Pattern) -> list[int]:
    """Return the positions of the spans that a one-span pattern matches, in pre-order."""
    return [i for i in range(len(forest)) if _matches(forest, pattern, i)]


def _matches(forest: Forest, pattern: Pattern, i: int) -> bool:
    if not isinstance(pattern, SpanPattern):
        raise NotImplementedError
    for text, actual in ((pattern.name, forest.names[i]), (pattern.type, forest.types[i])):
        if text is not None and not (text.fullmatch(actual) if isinstance(text, re.Pattern) else text == actual):
            return False
    if pattern.children is None:
        return True
    reached = {0}
    children = forest.children(i)
    for item in pattern.children:
        if isinstance(item, EllipsisType):
            reached = set(range(min(reached), len(children) + 1)) if reached else set()
        else:
            reached = {k + 1 for k in reached if k < len(children) and _matches(forest, item, children[k])}
    return len(children) in reached
