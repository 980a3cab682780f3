"""Tables of spans that are alike in structure share their columns, and what patterns have found out about these.

The traces of one agent have few structures: names, types, statuses, and who is below whom, in which order. So of
thousands of stored traces nearly all find theirs here, and a table of them is made of little more than its times. What
is unusual (an id twice, a parent that is missing, a span that has not ended, a value of another type)
is left to `SpanTable` itself, which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans.table import SpanTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TEXT = {str, type(None)}
# the letters of base64 whose last two bits are 0: behind another, an id may be the same eight bytes as one that differs
_WHOLE = frozenset("AEIMQUYcgkosw048")
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
        self._known: dict[Any, tuple[SpanTable, list[int] | None]] = {}

    def table(self, spans: list[dict[str, Any]]) -> SpanTable:
        """Return the table of some spans, as `SpanTable` makes it."""
        try:
            key, starts, ends = self._structure(spans)
            known = self._known.get(key)
        except (KeyError, TypeError, AttributeError, ValueError):
            return self._made(spans)
        if known is None:
            return self._made(spans, key)
        alike, order = known
        if order is None:
            return alike.with_times(_Records(spans.copy(), self._read), starts, ends)
        starts, ends = [starts[k] for k in order], [ends[k] for k in order]
        return alike.with_times(_Records([spans[k] for k in order], self._read), starts, ends)

    def _made(self, spans: list[dict[str, Any]], key: Any = None) -> SpanTable:
        """Return the table of spans whose structure is new, or is not to be shared."""
        numbered = [self._read(each) for each in spans]
        table = SpanTable(numbered)
        if key is None or not _TEXT.issuperset(map(type, key[0])):  # 1 and True are equal, and are not the same name
            table.note_dropped({each.span_id: each.dropped for each in numbered if each.dropped})
            return table
        if len(self._known) >= _MOST:
            self._known.clear()
        places = {id(record): k for k, record in enumerate(numbered)}
        order = [places[id(record)] for record in table.records]
        bare = table.with_times((), [], [])  # no span of it is kept
        bare.answers = table.answers = {}
        self._known[key] = bare, None if order == [*range(len(order))] else order
        return table

    def _structure(self, spans: list[dict[str, Any]]) -> tuple[Any, list[int], list[int]]:
        """Return what makes the structure of some spans, their starts and their ends; raise for what is unusual."""
        fields: list[Any] = []
        ids, parents, starts, ends = [], [], [], []
        for said in spans:
            events = said["events"]
            if "context" in said or "dropped_attributes_count" in said or "dropped_events_count" in said:
                raise ValueError
            if events is not None and events != [] and self._read(said).dropped:
                raise ValueError
            fields += said["name"], said["attributes"].get("mlflow.spanType"), said["status"]["code"]
            ids.append(said["span_id"])
            parents.append(said["parent_span_id"])
            starts.append(said["start_time_unix_nano"])
            ends.append(said["end_time_unix_nano"])
        size, text, times = len(ids[0]) if ids else 1, "".join(ids), starts + ends
        places: dict[Any, int] = dict(zip(ids, range(len(ids)), strict=True))
        if (
            {*map(type, times)} != {int}
            or min(times) <= 0
            or max(times) >= 2**63
            or len(places) < len(ids)
            or {*map(len, ids)} != {size}
            or ("=" in text and not _WHOLE.issuperset(text[size - 2 :: size]))
        ):
            raise ValueError
        places[None] = places[""] = -1
        above = [*map(places.__getitem__, parents)]
        order = None if starts == sorted(starts) else tuple(sorted(range(len(starts)), key=starts.__getitem__))
        return (tuple(fields), tuple(above), order), starts, ends
