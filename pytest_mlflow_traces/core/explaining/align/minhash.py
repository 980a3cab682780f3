"""How alike a pattern and a subtree are, at a glance: by the names in them.

Two sets of names are as alike as their smallest hash values agree (Andrei Broder, "On the resemblance and containment
of documents", 1997). Twelve values a node, made bottom up in O(spans + pattern) once, when first asked for: enough to
tell a renamed agent with changes inside from another agent.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from struct import unpack
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.align.subtree_hashes import positions_in
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.explaining.align.subtree_hashes import SubtreeHashes
    from pytest_mlflow_traces.core.spans.table import SpanTable

_VALUES = 12
_EMPTY = (1 << 32,) * _VALUES


class MinHash:
    """How alike the parts of one pattern and the subtrees of one trace are."""

    def __init__(self, table: SpanTable, hashes: SubtreeHashes) -> None:
        self._table = table
        self._hashes = hashes
        self._columns: list[tuple[int, ...]] = []
        self._of: dict[int, tuple[int, ...]] = {}

    def alike(self, pattern: Pattern, i: int) -> bool:
        """Return whether more than half of the names below and at both are the same."""
        if not self._of:
            self._make()
        values = self._of.get(id(pattern), _EMPTY)
        return 2 * sum(map(int.__eq__, values, self._columns[i])) > _VALUES and values is not _EMPTY

    def _make(self) -> None:
        table = self._table
        sketch = cache(_sketch)
        columns = [sketch(name) for name in table.names]
        for i in range(len(columns) - 1, 0, -1):
            above = table.parents[i]
            if above >= 0:
                columns[above] = tuple(map(min, columns[above], columns[i]))
        self._columns = columns
        for each in self._hashes.order:
            name = each.name if isinstance(each, SpanPattern) else None
            values = sketch(name) if isinstance(name, str) else _EMPTY
            for part in positions_in(each):
                values = tuple(map(min, values, self._of[id(part)]))
            self._of[id(each)] = values


def _sketch(name: str) -> tuple[int, ...]:
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4 * _VALUES).digest()
    return unpack(f"<{_VALUES}I", digest)
