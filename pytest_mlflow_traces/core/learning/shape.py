"""The shape that some traces have in common: below each span, the chain of its children."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.learning.aspects import Kind
from pytest_mlflow_traces.core.learning.chains import chain
from pytest_mlflow_traces.core.notation.formatter import format_lines
from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, repeat, span
from pytest_mlflow_traces.core.spans.records import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.learning.chains import Factor
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable
    from pytest_mlflow_traces.core.trace import Trace

MOST_LINES = 40  # of a shape that a person reads
_DEEPEST = 40
Places: TypeAlias = "list[tuple[SpanTable, int]]"


def common_shape(traces: Sequence[Trace]) -> Pattern | None:
    """Return the shape that all traces have; `None` where they have none that a person would read."""
    roots: Places = [(trace.table, i) for trace in traces for i in trace.table.roots()]
    if not traces or len(roots) != len(traces) or len({_kind(*each) for each in roots}) > 1:
        return None
    shape = _span(roots, _DEEPEST)
    return shape if shape is not None and len(format_lines(shape)) <= MOST_LINES else None


def _kind(table: SpanTable, i: int) -> Kind:
    return Kind(table.names[i], table.types[i])


def _span(places: Places, depth: int) -> Pattern | None:
    """Return the pattern of spans of one kind that stand in one place of the tree."""
    name, type_, _ = _kind(*places[0])
    if not depth or name is UNNAMED:
        return None
    below: dict[Kind, Places] = {}
    words = []
    for table, i in places:
        children = [(table, k) for k in table.children(i)]
        words.append([_kind(*each) for each in children])
        for kind, child in zip(words[-1], children, strict=True):
            below.setdefault(kind, []).append(child)
    if len(below) > MOST_LINES:
        return None
    made = {kind: _span(those, depth - 1) for kind, those in below.items()}
    patterns = {kind: pattern for kind, pattern in made.items() if pattern is not None}
    if len(patterns) < len(made):
        return None
    items = tuple(_item(factor, [patterns[kind] for kind in factor.symbols]) for factor in chain(words))
    return span(name, type=type_)[items]


def _item(factor: Factor[Kind], patterns: Sequence[Pattern]) -> Pattern:
    if factor.each_once:
        pairs = zip(patterns, factor.each_once, strict=True)
        return any_order(*(pattern if needed else optional(pattern) for pattern, needed in pairs))
    item = patterns[0] if len(patterns) == 1 else one_of(*patterns)
    return item if (factor.least, factor.most) == (1, 1) else repeat(item, factor.least, factor.most)
