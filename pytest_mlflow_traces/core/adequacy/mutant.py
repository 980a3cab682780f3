"""One edit of a trace, and what is edited: a trace whose spans are decoded once for all of its mutants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.core.spans.table import SpanTable
    from pytest_mlflow_traces.core.trace import Trace

WHOLE = -1  # the position of what is not about one span
Key: TypeAlias = "tuple[str, int, str]"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit of a trace: which, of which span, with what else there is to say, and the trace that it makes."""

    edit: str
    position: int
    detail: str
    make: Callable[[], Trace]

    @property
    def key(self) -> Key:
        """What tells it from the other mutants of a trace."""
        return self.edit, self.position, self.detail


class Remembered:
    """The record of a span, each attribute of which is asked for once, and some of which are others."""

    def __init__(self, record: Any, **changed: Any) -> None:
        self.__dict__.update(changed, _record=record)

    def __getattr__(self, name: str) -> Any:
        value = self.__dict__[name] = getattr(self._record, name)
        return value


def remembering(trace: Trace) -> Trace:
    """Return the same trace with records that remember what they decoded."""
    table = trace.table
    same = table.picked(range(len(table)), table.parents)
    same.records = [*map(Remembered, table.records)]
    return trace.edited(same)


def with_record(table: SpanTable, i: int, **changed: Any) -> SpanTable:
    """Return the same table with one record that says something else."""
    new = table.picked(range(len(table)), table.parents)
    new.records = [*table.records]
    new.records[i] = Remembered(table.records[i], **changed)
    return new
