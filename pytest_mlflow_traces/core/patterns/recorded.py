"""The pattern that a trace is recorded as: what another run of the same code must make again, and no more.

Names, types, status and the tree; no ids, no times, no texts. Siblings that overlap in time came in an order that the
next run need not keep, so they are recorded as `any order`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, SpanPattern
from pytest_mlflow_traces.core.spans.overlaps import overlap
from pytest_mlflow_traces.core.spans.records import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Item
    from pytest_mlflow_traces.core.spans.table import SpanTable


def recorded(table: SpanTable, unordered: Container[int] = ()) -> Pattern:
    """Return the pattern of a whole trace.

    Args:
        table: The spans of the trace.
        unordered: The positions of spans whose children are recorded as `any order`, overlapping or not.

    Raises:
        ValueError: for a trace without spans, which equals no pattern.
    """
    if not len(table):
        raise ValueError("a trace without spans equals no pattern")
    made: dict[int, Pattern] = {}
    for i in range(len(table) - 1, -1, -1):
        items = grouped(table, table.children(i), made, everything=i in unordered)
        for child in table.children(i):
            del made[child]
        made[i] = strict(table, i, items)
    roots = grouped(table, table.roots(), made, everything=True)  # the language has no sequence of roots
    return roots[0]


def strict(table: SpanTable, i: int, children: tuple[Item, ...] | None) -> SpanPattern:
    """Return what is recorded of one span: of one without a name, any name."""
    name = table.names[i] if table.names[i] is not UNNAMED else None
    return SpanPattern(name, table.types[i], table.statuses[i], children=children)


def grouped(
    table: SpanTable, siblings: Sequence[int], made: dict[int, Pattern], *, everything: bool
) -> tuple[Pattern, ...]:
    """Return the patterns of siblings, those that overlap (or `everything`) as `any order`."""
    groups = [list(siblings)] if everything and siblings else overlapping(table, siblings)
    return tuple(made[group[0]] if len(group) == 1 else AnyOrder(tuple(made[i] for i in group)) for group in groups)


def overlapping(table: SpanTable, siblings: Sequence[int]) -> list[list[int]]:
    """Cut siblings into runs, each span of which overlaps, or took turns with, another; most runs are of one span."""
    runs: list[list[int]] = []
    low, high = 0, None  # from the first start to the last end of the run at hand
    for i in siblings:
        start, end = table.starts[i], table.ends[i]
        if runs and (overlap(low, high, start, end) or any(table.took_turns(i, k) for k in runs[-1])):
            runs[-1].append(i)
            low = min(low, start)
            high = None if high is None or end is None else max(high, end)
        else:
            runs.append([i])
            low, high = start, end
    return runs
