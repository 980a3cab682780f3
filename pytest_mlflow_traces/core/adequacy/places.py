"""One place for each span in all traces of a shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.patterns.recorded import overlapping

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.spans.table import SpanTable


def places(table: SpanTable, subtrees: list[str]) -> list[int]:
    """Return where each span stands in the pre-order in which what overlapped is ordered by its subtree."""
    found, place = [0] * len(table), 0
    waiting = _ordered(table, table.roots(), subtrees)[::-1]
    while waiting:
        i = waiting.pop()
        found[i] = place
        place += 1
        waiting += _ordered(table, table.children(i), subtrees)[::-1]
    return found


def _ordered(table: SpanTable, siblings: list[int], subtrees: list[str]) -> list[int]:
    return [i for group in overlapping(table, siblings) for i in sorted(group, key=subtrees.__getitem__)]
