"""Tables of spans that are alike in structure share their columns, and what patterns have found out about these.

The traces of one agent have few structures: names, types, statuses, and who is below whom, in which order. So of
thousands of stored traces nearly all find theirs here, and a table of them is made of little more than its times. What
is unusual (an id twice, a parent that is missing, a span that has not ended or has events, a value of another type)
is left to `SpanTable` itself, which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import gt
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans.table import SpanTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WHOLE = frozenset("AEIMQUYcgkosw048")  # the letters of base64 whose last two bits are 0
_MOST = 1_000  # structures that are known at a time


class _Records(Sequence[Any]):
    """The spans of a table, each read when it is asked for."""

    __slots__ = ("_read", "_said")

    def __init__(self, said: list[Any], read: Callable[[Mapping[str, Any]], Any]) -> None:
        self._said: list[Any] = said
        self._read = read

    def __len__(self) -> int:
        return len(self._said)

    def __getitem__(self, i: Any) -> Any:
        said = self._said[i]
        if isinstance(said, dict):
            said = self._said[i] = self._read(said)
        return said


class Structures:
    """The structures that were seen before."""

    def __init__(self, read: Callable[[Mapping[str, Any]], Any]) -> None:
        self._read = read  # makes a record of what is said of a span, or raises what is wrong with it
        self._known: dict[Any, tuple[SpanTable, list[int]]] = {}

    def table(self, spans: list[dict[str, Any]]) -> SpanTable:
        """Return the table of some spans, as `SpanTable` makes it."""
        try:
            key, starts, ends = _structure(spans)
        except (KeyError, TypeError, AttributeError, _UnusualError):
            unusual = [self._read(each) for each in spans]
            table = SpanTable(unusual)
            table.note_dropped({each.span_id: each.dropped for each in unusual if each.dropped})
            return table
        known = self._known.get(key)
        if known is None:
            numbered = [self._read(each) for each in spans]
            table = SpanTable(numbered)
            if len(self._known) >= _MOST:
                self._known.clear()
            places = {id(record): k for k, record in enumerate(numbered)}
            bare = table.with_times((), [], [])  # no span of it is kept
            bare.answers = table.answers = {}
            self._known[key] = bare, [places[id(record)] for record in table.records]
            return table
        alike, order = known
        records = _Records([spans[k] for k in order], self._read)
        return alike.with_times(records, [starts[k] for k in order], [ends[k] for k in order])


class _UnusualError(Exception):
    """The error for what is not to be read at a glance."""


def _structure(spans: list[dict[str, Any]]) -> tuple[Any, list[int], list[int]]:
    """Return what makes the structure of some spans, their starts and their ends."""
    fields, parents, starts, ends = [], [], [], []
    places: dict[str, int] = {}
    for said in spans:
        span_id, start, end = said["span_id"], said["start_time_unix_nano"], said["end_time_unix_nano"]
        name, kind, code = said["name"], said["attributes"].get("mlflow.spanType"), said["status"]["code"]
        if (
            not (type(name) is type(span_id) is type(code) is str and type(start) is type(end) is int)
            or not (kind is None or type(kind) is str)
            or not (0 < start < 2**63 and 0 < end < 2**63)
            or said["events"] not in ([], None)
            or "context" in said
            or "dropped_attributes_count" in said
            or "dropped_events_count" in said
        ):
            raise _UnusualError
        fields.append((name, kind, code))
        places[span_id] = len(places)
        parents.append(said["parent_span_id"])
        starts.append(start)
        ends.append(end)
    if len(places) < len(spans) or len({*map(len, places)}) > 1 or any(map(_may_be_written_otherwise, places)):
        raise _UnusualError
    above = tuple([-1 if parent is None or parent == "" else places[parent] for parent in parents])
    order = None
    if any(map(gt, starts, starts[1:])):
        order = tuple(sorted(range(len(starts)), key=starts.__getitem__))
    return (tuple(fields), above, order), starts, ends


def _may_be_written_otherwise(span_id: str) -> bool:
    """Return whether other base64 than this may be the same eight bytes: its last letter has bits that say nothing."""
    return span_id.endswith("=") and span_id[-2] not in _WHOLE
