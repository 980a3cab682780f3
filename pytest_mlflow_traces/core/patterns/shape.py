"""Which shape a trace has: what a baseline would record of it, as a hash.

Two runs of the same code differ in the order of what overlapped, or took turns, and in ids in names: those are no part
of a shape. It is the same in every process and on every Python, so a table of verdicts can be grouped by it.

Reading a shape off a trace takes a while, and the traces of one agent have few. So each is kept by all that it depends
on: the columns of the table, and which siblings overlap in time.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from operator import gt
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.patterns.recorded import is_dated, overlapping, volatile
from pytest_mlflow_traces.core.spans.records import UNNAMED

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.spans.table import SpanTable

_BYTES = 8  # among a million shapes two share a hash once in 37 million tables
_MOST = 1_000  # structures that are known at a time


def subtree_shapes(table: SpanTable) -> list[str]:
    """Return a hash for each span, the same for those whose trees are recorded as the same."""
    found = [""] * len(table)
    for i in range(len(table) - 1, -1, -1):
        regex = volatile(table, i)
        exact = None if table.names[i] is UNNAMED else table.names[i]
        name = (exact, False) if regex is None else (regex.pattern, True)
        below = [sorted(found[k] for k in group) for group in overlapping(table, table.children(i))]
        found[i] = _hash([name, table.types[i], table.statuses[i], below])
    return found


def shape_of(table: SpanTable, subtrees: list[str]) -> str:
    """Return the hash of the whole, from those of its subtrees: several roots are in any order."""
    roots = sorted(subtrees[i] for i in table.roots())
    return roots[0] if len(roots) == 1 else _hash(roots)


def _hash(said: Any) -> str:
    # ASCII, lone surrogates as escapes
    return blake2b(json.dumps(said).encode(), digest_size=_BYTES).hexdigest()


class _Structure:
    """What tables of the same names, types, statuses and parents have in common."""

    __slots__ = ("firsts", "is_dated", "lists", "seconds", "shapes")

    def __init__(self, table: SpanTable) -> None:
        # the roots are in any order as they are
        self.lists = [children for i in range(len(table)) if len(children := table.children(i)) > 1]
        self.firsts = [i for siblings in self.lists for i in siblings[:-1]]
        self.seconds = [i for siblings in self.lists for i in siblings[1:]]
        self.is_dated = any(map(is_dated, table.names))
        self.shapes: dict[tuple[int, ...], str] = {}  # by the lengths of the runs of siblings that overlap


class Shapes:
    """The shapes of traces, those of structures that were seen before at a glance."""

    def __init__(self) -> None:
        self._known: dict[object, _Structure] = {}

    def of(self, table: SpanTable) -> str:
        """Return the shape of a trace: of two traces, it is the same just where what is recorded of them is."""
        key = tuple(table.names), tuple(table.types), tuple(table.statuses), tuple(table.parents)
        structure = self._known.get(key)
        if structure is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            structure = self._known[key] = _Structure(table)
        if structure.is_dated or table.turns:
            return shape_of(table, subtree_shapes(table))
        runs = _runs(structure, table)
        shape = structure.shapes.get(runs)
        if shape is None:
            shape = structure.shapes[runs] = shape_of(table, subtree_shapes(table))
        return shape


def _runs(structure: _Structure, table: SpanTable) -> tuple[int, ...]:
    starts, ends = table.starts, table.ends
    later = [starts[i] for i in structure.seconds]
    if None not in ends and not any(map(gt, [ends[i] for i in structure.firsts], later)):  # type: ignore[arg-type]
        return ()
    return tuple([len(run) for siblings in structure.lists for run in overlapping(table, siblings)])


SHAPES = Shapes()
"""The shapes that this process has seen."""
