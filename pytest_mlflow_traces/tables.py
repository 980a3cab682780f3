"""A contract over a table of traces in Arrow, without an engine: a row a trace comes in, a row a verdict goes out."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pytest_mlflow_traces.core.contracts import Contract
from pytest_mlflow_traces.core.judgements import Judge, Judgement, began_ns, unseen
from pytest_mlflow_traces.core.percentiles import split_percentiles
from pytest_mlflow_traces.core.spans.annotation_rows import is_annotation
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.spans.shapes import is_span, refuse_columns
from pytest_mlflow_traces.files.arrow import rows_of
from pytest_mlflow_traces.files.expectations import given_contract
from pytest_mlflow_traces.files.traces import trace_of_row

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_mlflow_traces.core.trace import Trace

__all__ = ["judge"]

_TEXTS = ("rule", "where", "expected", "actual", "hint")
VERDICTS = pa.schema(
    [
        ("trace_id", pa.string()),
        ("request_time", pa.timestamp("us", tz="UTC")),
        ("contract", pa.string()),
        ("verdict", pa.string()),
        ("rules", pa.list_(pa.string())),
        ("findings", pa.list_(pa.struct([(name, pa.string()) for name in _TEXTS]))),
        ("text", pa.string()),
        ("shape", pa.string()),
    ]
)
"""The columns of what `judge` returns."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def judge(
    batch: pa.RecordBatch, contract: str | os.PathLike[str] | Contract, *, watermark: datetime | None = None
) -> pa.RecordBatch:
    """Return what a contract comes to on each trace of a batch, whose rows are traces: one row for each, in order.

    The columns tell what the table is: the view `_trace_unified`, `trace_logs`, an inference table, what
    `mlflow.search_traces()` returns, or a column `trace` of MLflow's JSON. A row that cannot be read is `not judged`,
    and its text says why, so that one of a million ends no job, and passes none.

    >>> import json, pyarrow
    >>> from pytest_mlflow_traces import Contract, never, span
    >>> agent = {"name": "agent", "span_id": "1", "start_time_unix_nano": 5, "end_time_unix_nano": 9}
    >>> data = {"spans": [agent | {"status": {"code": "OK"}}]}
    >>> said = json.dumps({"info": {"trace_id": "tr-1", "state": "OK"}, "data": data})
    >>> batch = pyarrow.RecordBatch.from_pydict({"trace": [said, "{}"]})
    >>> judge(batch, Contract("careful", never(span("delete_table"))))["verdict"].to_pylist()
    ['holds', 'not judged']

    Args:
        batch: A record batch or a table of Arrow.
        contract: The path of a contract file, its text, a `Contract`, or `module:NAME`.
        watermark: When all that happened before has arrived. Traces that began then or later are not judged.

    Raises:
        ValueError: for a table of something else, naming what it lacks, for what is not a contract, for one with
            percentiles, which are of a whole table, and for a time without its zone.
        TypeError: for a contract that is none of these.
    """
    refuse_columns(batch.schema.names)
    if is_annotation(batch.schema.names):
        raise ValueError("judge() takes a row a trace, and these are annotations: findings() of Spark joins them")
    if is_span(dict.fromkeys(batch.schema.names)):
        raise ValueError("judge() takes a row a trace, and these are a row a span: findings() of Spark groups them")
    expectation = given_contract(contract, "judge")
    if split_percentiles(expectation)[1] is not None:
        raise ValueError(
            "judge(): p95_of is about a whole table, and this is a part of one: findings() of Spark has it"
        )
    title = title_of(expectation, contract)
    return batch_of(judged(batch, Judge(expectation, nanoseconds(watermark, "judge", "watermark")), title))


def title_of(expectation: Any, given: object) -> str:
    """Return what a contract is called."""
    return expectation.name if isinstance(expectation, Contract) else str(given)


def nanoseconds(time: object, call: str, argument: str) -> int | None:
    """Return a time in nanoseconds since the epoch, `None` for none."""
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise TypeError(f"{call}(): {argument} is a datetime, got {time!r:.80}")
    if time.tzinfo is None:
        raise ValueError(f"{call}(): {argument}={time!r:.80} has no time zone; say datetime.now(timezone.utc)")
    return (time - _EPOCH) // timedelta(microseconds=1) * 1_000


def batch_of(rows: Iterable[Mapping[str, Any]]) -> pa.RecordBatch:
    """Return verdicts as a batch."""
    return pa.RecordBatch.from_pylist(list(rows), schema=VERDICTS)


def judged(batch: pa.RecordBatch, judge: Judge, title: str) -> Iterator[dict[str, Any]]:
    """Return the verdicts on the rows of a batch."""
    return (_judged(row, judge, title) for row in rows_of(batch))


def _judged(row: dict[str, Any], judge: Judge, title: str) -> dict[str, Any]:
    try:
        trace = trace_of_row(row)
    except ValueError as error:
        return unseen_row(id_of(row), time_of(row), title, unread(error))
    return verdict_row(trace, judge.judge(trace), title, time_of(row))


def unread(error: ValueError) -> str:
    """Return the reason why a row is not judged that cannot be read."""
    return f"it cannot be read: {visible(str(error))}"


def id_of(row: Mapping[str, Any]) -> str | None:
    """Return the id of a trace, as its row has it."""
    found = next((row[key] for key in ("trace_id", "request_id", "databricks_request_id") if row.get(key)), None)
    return None if found is None else str(found)


def time_of(row: Mapping[str, Any]) -> datetime | None:
    """Return the time of the request, as the row of a trace has it."""
    time = row.get("request_time")
    return time if isinstance(time, datetime) else None


def unseen_row(trace_id: str | None, time: datetime | None, title: str, reason: str) -> dict[str, Any]:
    """Return the verdict on what cannot be read, or is not there."""
    return _row(trace_id, time, title, unseen(trace_id or "a row without an id", reason), None)


def verdict_row(trace: Trace, judgement: Judgement, title: str, time: datetime | None = None) -> dict[str, Any]:
    """Return what a judgement on a trace is in a table."""
    began = began_ns(trace)
    if time is None and began is not None:
        time = _EPOCH + timedelta(microseconds=began // 1_000)
    return _row(trace.id or None, time, title, judgement, trace.shape)


def table_row(judgement: Judgement, title: str) -> dict[str, Any]:
    """Return what a judgement on all traces together is in a table."""
    return _row(None, None, title, judgement, None)


def _row(
    trace_id: str | None, time: datetime | None, title: str, judgement: Judgement, shape: str | None
) -> dict[str, Any]:
    return {
        "trace_id": trace_id,
        "request_time": time,
        "contract": title,
        "verdict": judgement.verdict,
        "rules": list(judgement.rules),
        "findings": [{name: getattr(finding, name) for name in _TEXTS} for finding in judgement.findings],
        "text": judgement.text,
        "shape": shape,
    }
