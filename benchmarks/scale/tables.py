"""The same traces as the rows of tables, in the four schemas in which they are kept."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from benchmarks.scale.traces import LOST, METADATA, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.scale.traces import Span

    Row = dict[str, Any]

_TEXT, _COUNT, _NS, _TIME = pa.string(), pa.int32(), pa.int64(), pa.timestamp("us", tz="UTC")
_TEXTS = pa.map_(_TEXT, _TEXT)
_DROPPED = ("dropped_attributes_count", _COUNT)
_EVENT = pa.struct([("time_unix_nano", _NS), ("name", _TEXT), ("attributes", _TEXTS), _DROPPED])
_LINK = pa.struct([("trace_id", _TEXT), ("span_id", _TEXT), ("attributes", _TEXTS), _DROPPED])
_SPAN = [
    *((name, _TEXT) for name in ("trace_id", "span_id", "trace_state", "parent_span_id")),
    ("flags", _COUNT),
    *((name, _TEXT) for name in ("name", "kind")),
    *((name, _NS) for name in ("start_time_unix_nano", "end_time_unix_nano")),
    ("attributes", _TEXTS),
    _DROPPED,
    ("events", pa.list_(_EVENT)),
    ("dropped_events_count", _COUNT),
    ("links", pa.list_(_LINK)),
    ("dropped_links_count", _COUNT),
    ("status", pa.struct([("message", _TEXT), ("code", _TEXT)])),
]
_TRACES = pa.schema([
    *((name, _TEXT) for name in ("trace_id", "client_request_id")),
    ("request_time", _TIME),
    ("state", _TEXT),
    ("execution_duration_ms", pa.decimal128(30, 9)),
    *((name, _TEXT) for name in ("request", "response")),
    *((name, _TEXTS) for name in ("trace_metadata", "tags")),
    ("spans", pa.list_(pa.struct(_SPAN))),
    ("assessments", pa.list_(pa.struct([("name", _TEXT)]))),
])  # fmt: skip
_SPANS = pa.schema([("record_id", _TEXT), ("time", _TIME), ("date", pa.date32()), ("service_name", _TEXT), *_SPAN])
_JSON = pa.schema([
    *((name, _TEXT) for name in ("trace_id", "trace", "state")),
    *((name, _NS) for name in ("request_time", "execution_duration")),
])  # fmt: skip
_NO_DROPS = {"dropped_attributes_count": 0, "dropped_events_count": 0, "dropped_links_count": 0}


def delivered(case: Case) -> list[Span]:
    """Return the spans of a trace as exporters send them, children first, and one of them again."""
    spans = case.spans[::-1]
    return spans + [span for span in spans if span.name in ("refund", "explain_policy")] * case.is_repeated


def unified_row(case: Case) -> Row:
    """Return the row of the view `_trace_unified`."""
    return {
        "trace_id": case.trace_id,
        "request_time": _time(case),
        "state": "OK",
        "execution_duration_ms": Decimal(case.latency_ms),
        "trace_metadata": list(METADATA.items()),
        "tags": list(case.tags.items()),
        "spans": [_span(span) for span in delivered(case)],
        "assessments": [],
    }


def span_rows(case: Case) -> list[Row]:
    """Return the rows of `_otel_spans`; what the agent says of the whole, its root says."""
    tags = [(f"mlflow.traceTag.{key}", json.dumps(value)) for key, value in case.tags.items()]
    row = {"time": _time(case), "date": _time(case).date(), "service_name": "agent"}
    made = []
    for span in delivered(case):
        said = row | _span(span) | {"record_id": span.span_id}
        if span.name == "answer":
            said["attributes"] = said["attributes"] + tags
        made.append(said)
    return made


def archive_row(case: Case) -> Row:
    """Return the row of an archive `trace_logs_*`, where a root has no parent, and not an empty one."""
    row = unified_row(case)
    return row | {"spans": [span | {"parent_span_id": span["parent_span_id"] or None} for span in row["spans"]]}


def mlflow_trace(case: Case) -> Row:
    """Return what `Trace.to_dict()` of MLflow gives, which has each span once."""
    return {
        "info": {
            "trace_id": case.trace_id,
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}},
            "request_time": _time(case).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "execution_duration_ms": case.latency_ms,
            "state": "OK",
            "trace_metadata": METADATA,
            "tags": case.tags,
        },
        "data": {"spans": [_mlflow_span(span) for span in case.spans]},
    }


def json_row(case: Case) -> Row:
    """Return the row of a table of `mlflow.search_traces()`."""
    return {
        "trace_id": case.trace_id,
        "trace": json.dumps(mlflow_trace(case)),
        "state": "OK",
        "request_time": case.start_ms,
        "execution_duration": case.latency_ms,
    }


def _mlflow_span(span: Span) -> Row:
    return {
        "trace_id": _base64(span.trace_id),
        "span_id": _base64(span.span_id),
        "parent_span_id": _base64(span.parent_id) or None,
        "name": span.name,
        "start_time_unix_nano": span.start_ns,
        "end_time_unix_nano": span.end_ns,
        "events": [],
        "status": {"code": span.status, "message": ""},
        "attributes": span.attributes,
    }


def _span(span: Span) -> Row:
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "trace_state": "",
        "parent_span_id": span.parent_id,
        "flags": 256,
        "name": span.name,
        "kind": "SPAN_KIND_INTERNAL",
        "start_time_unix_nano": span.start_ns,
        "end_time_unix_nano": span.end_ns,
        "attributes": list(span.attributes.items()),
        "events": [],
        "links": [],
        "status": {"message": "", "code": span.status},
        **_NO_DROPS,
    }


def _time(case: Case) -> datetime:
    return datetime.fromtimestamp(case.start_ms / 1_000, timezone.utc)


def _base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


def _one(row: Callable[[Case], Row], cases: list[Case]) -> Iterator[Row]:
    return map(row, cases)


def _view(cases: list[Case]) -> Iterator[Row]:
    return (unified_row(each) for each in cases if each.trouble != LOST)  # which the view drops


def _loose(cases: list[Case]) -> Iterator[Row]:
    """Yield the spans of many traces one after another in time, so that those of one lie far apart."""
    return iter(sorted((row for each in cases for row in span_rows(each)), key=lambda row: row["end_time_unix_nano"]))


class Table(NamedTuple):
    """One table of traces: whose they are, its columns, and its rows."""

    name: str
    share: int  # of the traces, that with this number
    schema: pa.Schema
    rows: Callable[[list[Case]], Iterable[Row]]


VIEW, SPANS, JSON = "trace_unified", "otel_spans", "search_traces"
TABLES = (
    Table(VIEW, 0, _TRACES, _view),
    Table(SPANS, 0, _SPANS, _loose),  # of which the view is made
    Table("otel_spans_map", 1, _SPANS, _loose),
    Table("trace_logs", 2, _TRACES, partial(_one, archive_row)),
    Table(JSON, 3, _JSON, partial(_one, json_row)),
)
