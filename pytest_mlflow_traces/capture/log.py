"""The finished MLflow traces of one capture, as they came and as trees."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.capture.real_time import real_time
from pytest_mlflow_traces.capture.strands import strands
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_states = count()


@dataclass(order=True)
class _Entry:
    sequence: int
    raw: Any = field(compare=False)
    trace: Trace | None = field(default=None, compare=False)
    is_open: bool = field(default=False, compare=False)  # a span of it started after it was handed over
    is_cleared: bool = field(default=False, compare=False)
    state: int = field(default_factory=_states.__next__, compare=False)  # another number whenever the trace changes


class TraceLog:
    """The finished MLflow traces of one capture by the order of their start, for any thread."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._entries: list[_Entry] = []
        self._trees: dict[bool, tuple[Trace, ...]] | None = None  # without those cleared, and with them
        self._by_id: dict[str, _Entry] = {}
        self.was_cleared = False

    def put(self, sequence: int, raw: Any) -> None:
        """Add a finished trace, or put a newer state of it in its place."""
        with self._lock:
            self._trees = None
            known = self._by_id.get(raw.info.trace_id)
            if known is not None:
                known.raw, known.trace, known.is_open, known.state = raw, None, False, next(_states)
                return
            entry = self._by_id[raw.info.trace_id] = _Entry(sequence, raw)
            insort(self._entries, entry)

    def reopen(self, trace_id: str) -> None:
        """Take a trace for unfinished again, until it is put anew."""
        with self._lock:
            self._trees = None
            if trace_id in self._by_id:
                self._by_id[trace_id].is_open = True

    def raws(self) -> list[Any]:
        """The MLflow traces, by start, as a store has them."""
        with self._lock:
            return [entry.raw for entry in self._entries if not entry.is_cleared]

    def states(self) -> list[tuple[int, int, Any]]:
        """The MLflow traces, by start: a number that no other state of a trace has, that of its start, the trace."""
        with self._lock:
            return [(entry.state, entry.sequence, entry.raw) for entry in self._entries if not entry.is_cleared]

    def raw(self, trace_id: str) -> Any | None:
        """The MLflow trace of this id."""
        with self._lock:
            entry = self._by_id.get(trace_id)
            return None if entry is None or entry.is_cleared else entry.raw

    def traces(self, *, with_cleared: bool = False) -> tuple[Trace, ...]:
        """The traces as trees, by start; the same objects each time, until one of them changes."""
        with self._lock:
            if self._trees is None:
                self._trees = {each: tuple(self._made(with_cleared=each)) for each in (False, True)}
            return self._trees[with_cleared]

    def _made(self, *, with_cleared: bool) -> Iterator[Trace]:
        for entry in self._entries:
            if entry.is_open or (entry.is_cleared and not with_cleared):
                continue
            if entry.trace is None:
                entry.trace = Trace.from_mlflow(entry.raw)
                entry.trace.table.turns = strands.turns(entry.trace.table)
                entry.trace.real_waits = real_time.waits_of(r.span_id for r in entry.trace.table.records)
            yield entry.trace

    def touch(self, trace_id: str) -> None:
        """Note that the tags or the assessments of a trace were changed."""
        with self._lock:
            entry = self._by_id.get(trace_id)
            if entry is not None:
                entry.trace = self._trees = None
                entry.state = next(_states)

    def remove(self, trace_ids: Iterable[str]) -> int:
        """Drop these traces; return how many there were."""
        with self._lock:
            self._trees = None
            gone = {trace_id for trace_id in trace_ids if self._by_id.pop(trace_id, None) is not None}
            self._entries = [entry for entry in self._entries if entry.raw.info.trace_id in self._by_id]
            return len(gone)

    def clear(self) -> None:
        """Hide all traces so far."""
        with self._lock:
            self.was_cleared = self.was_cleared or len(self._entries) > 0
            self._trees = None
            for entry in self._entries:
                entry.is_cleared = True

    def __len__(self) -> int:
        return sum(not entry.is_open and not entry.is_cleared for entry in self._entries)
