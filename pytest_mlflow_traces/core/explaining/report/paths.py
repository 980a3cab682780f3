"""Where spans stand, in words: the paths of many spans of one table, each step of them looked up once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.spans.table import PATH_ENDS, PATH_WHOLE

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.spans.table import SpanTable


class _Names(NamedTuple):
    depth: int
    first: tuple[str, ...]  # up to as many as are shown whole
    last: tuple[str, ...]


class Paths:
    """The texts of `SpanTable.path`, in constant time a span but for the first among its siblings."""

    def __init__(self, table: SpanTable) -> None:
        self._table = table
        self._names: dict[int, _Names] = {-1: _Names(0, (), ())}
        self._ordinals: dict[int, dict[int, int]] = {}  # by parent

    def of(self, i: int) -> str:
        """Return the names from the root to `i`."""
        below = []
        while i not in self._names:
            below.append(i)
            i = self._table.parents[i]
        depth, first, last = self._names[i]
        for each in reversed(below):
            name = visible(self._table.names[each]) + self._ordinal(each)
            depth, last = depth + 1, (*last[1 - PATH_ENDS :], name)
            if depth <= PATH_WHOLE:
                first = (*first, name)
            self._names[each] = _Names(depth, first, last)
        if depth <= PATH_WHOLE:
            return " > ".join(first)
        return " > ".join([*first[:PATH_ENDS], f"... {depth - 2 * PATH_ENDS} more ...", *last])

    def _ordinal(self, i: int) -> str:
        parent = self._table.parents[i]
        numbers = self._ordinals.get(parent)
        if numbers is None:
            numbers = self._ordinals[parent] = {}
            seen: dict[str, int] = {}
            for each in self._table.children(parent) if parent >= 0 else self._table.roots():
                name = self._table.names[each]
                numbers[each] = seen[name] = seen.get(name, 0) + 1
        return f"[{numbers[i]}]" if numbers[i] > 1 else ""
