"""What runs in the processes of the engine, where this package is: batches of Arrow come in, batches go out."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pytest_mlflow_traces.core.contracts import Contract
from pytest_mlflow_traces.core.judgements import Judge, began_ns
from pytest_mlflow_traces.core.percentiles import judge_percentiles, samples, split_percentiles
from pytest_mlflow_traces.files.arrow import rows_of
from pytest_mlflow_traces.files.traces import trace_of_row
from pytest_mlflow_traces.tables import (
    batch_of,
    id_of,
    table_row,
    time_of,
    unread,
    unseen_row,
    verdict_row,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pytest_mlflow_traces.core.trace import Trace

_ROWS = 256  # verdicts that are in memory at a time
_BUCKETS = 2**16  # of traces without a session, which are grouped by chance
# between the two steps that sessions take: what was read, or why it was not
READ = pa.schema(
    [
        ("session", pa.string()),
        ("trace_id", pa.string()),
        ("request_time", pa.timestamp("us", tz="UTC")),
        ("trace", pa.string()),
        ("reason", pa.string()),
    ]
)
SAMPLES = pa.schema([("number", pa.int32()), ("taken", pa.int64()), ("where", pa.string())])


@dataclass(frozen=True)
class Asked:
    """A contract on its way to the workers: as its text, or where data cannot say it, as itself."""

    contract: Any
    title: str
    watermark_ns: int | None
    since_ns: int | None

    @cached_property
    def expectation(self) -> Any:
        """The contract itself."""
        return Contract.from_toml(self.contract) if isinstance(self.contract, str) else self.contract

    @cached_property
    def judge(self) -> Judge:
        """What judges a trace by it, its percentiles left out."""
        return Judge(split_percentiles(self.expectation)[0], self.watermark_ns)

    def judged(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the verdicts on rows that are traces."""
        for part in _parts(batches):
            yield batch_of(filter(None, map(self._verdict, rows_of(part))))

    def _verdict(self, row: dict[str, Any]) -> dict[str, Any] | None:
        try:
            trace = trace_of_row(row)
        except ValueError as error:
            return unseen_row(id_of(row), time_of(row), self.title, unread(error))
        return None if self._is_old(trace) else verdict_row(trace, self.judge.judge(trace), self.title, time_of(row))

    def _is_old(self, trace: Trace) -> bool:
        began = began_ns(trace)
        return began is not None and self.since_ns is not None and began < self.since_ns

    def read(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield rows that are traces with the session of each; those of one are to be judged together."""
        for part in _parts(batches):
            yield pa.RecordBatch.from_pylist([*map(self._read, rows_of(part))], schema=READ)

    def _read(self, row: dict[str, Any]) -> dict[str, Any]:
        trace_id = id_of(row)
        known: dict[str, Any] = {"trace_id": trace_id, "request_time": time_of(row)}
        try:
            trace = trace_of_row(row)
        except ValueError as error:
            return known | {"session": _bucket(trace_id), "reason": unread(error)}
        session = None if trace.session_id is None else f"session {trace.session_id}"
        return known | {"session": session or _bucket(trace.id), "trace": json.dumps(trace.raw, default=str)}

    def judged_together(self, group: Any) -> Any:
        """Return the verdicts on the traces of a session, or on some that have none."""
        made: list[dict[str, Any]] = []
        sessions: dict[object, list[tuple[Trace, datetime | None]]] = {}
        for number, row in enumerate(group.to_pylist()):
            if row["trace"] is None:
                made.append(unseen_row(row["trace_id"], row["request_time"], self.title, row["reason"]))
                continue
            trace = trace_of_row({"trace": row["trace"]})
            session = number if trace.session_id is None else str(trace.session_id)
            sessions.setdefault(session, []).append((trace, row["request_time"]))
        for found in sessions.values():
            found.sort(key=lambda each: each[0].start_ns or 0)
            if all(self._is_old(trace) for trace, _ in found):
                continue
            judgements = self.judge.judge_each([trace for trace, _ in found])
            for (trace, time), judgement in zip(found, judgements, strict=True):
                made.append(verdict_row(trace, judgement, self.title, time))
        return pa.Table.from_batches([batch_of(made)])

    def samples(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield how long the spans took that the percentiles are over, and a row for each trace that was judged."""
        together = split_percentiles(self.expectation)[1]
        for part in _parts(batches):
            yield pa.RecordBatch.from_pylist([*self._samples(part, together)], schema=SAMPLES)

    def _samples(self, part: Any, together: Any) -> Iterator[dict[str, Any]]:
        for row in rows_of(part):
            try:
                trace = trace_of_row(row)
            except ValueError:
                continue  # it has a row of its own that says so
            if self._is_old(trace) or self.judge.unjudged(trace) is not None:
                continue
            yield {"number": -1}
            for number, span in samples(together, trace):
                if span.end_ns is not None:
                    where = f"{span.path} of trace {trace.id}"
                    yield {"number": number, "taken": span.end_ns - span.start_ns, "where": where}

    def percentiles(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the verdict on what the engine has made of the samples: a row with the numbers of each."""
        for batch in batches:
            yield batch_of([self._percentiles(row) for row in batch.to_pylist()])

    def _percentiles(self, row: dict[str, Any]) -> dict[str, Any]:
        together = split_percentiles(self.expectation)[1]
        return table_row(judge_percentiles(together, row["traces"], row["percentiles"]), self.title)


def _bucket(text: str | None) -> str:
    return str(zlib.crc32((text or "").encode(errors="replace")) % _BUCKETS)


def _parts(batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            yield batch.slice(start, _ROWS)
