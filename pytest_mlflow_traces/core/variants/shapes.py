"""Which shape a trace has: what a baseline would record of it, as a hash.

Recording a trace takes longer than looking at it, and the traces of one agent have few shapes. So what was recorded is
kept by all that it depends on: the columns of the table, and which siblings overlap in time.
"""

from __future__ import annotations

from operator import gt
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.patterns.recorded import is_dated, overlapping, recorded
from pytest_mlflow_traces.core.variants.canonical import canonical

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.spans.table import SpanTable

_MOST = 1_000  # structures that are known at a time


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
        """Return the hash of what is recorded of a trace: of two traces, it is the same just where that is.

        Raises:
            ValueError: for a trace without spans.
        """
        key = tuple(table.names), tuple(table.types), tuple(table.statuses), tuple(table.parents)
        structure = self._known.get(key)
        if structure is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            structure = self._known[key] = _Structure(table)
        if structure.is_dated or table.turns:
            return canonical(recorded(table))[0]
        runs = _runs(structure, table)
        shape = structure.shapes.get(runs)
        if shape is None:
            shape = structure.shapes[runs] = canonical(recorded(table))[0]
        return shape


def _runs(structure: _Structure, table: SpanTable) -> tuple[int, ...]:
    starts, ends = table.starts, table.ends
    later = [starts[i] for i in structure.seconds]
    if None not in ends and not any(map(gt, [ends[i] for i in structure.firsts], later)):  # type: ignore[arg-type]
        return ()
    return tuple([len(run) for siblings in structure.lists for run in overlapping(table, siblings)])
