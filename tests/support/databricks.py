"""Traces as the tables and views of Unity Catalog have them, from what `Trace.to_dict()` of MLflow gives."""

from __future__ import annotations

import base64
from datetime import datetime
from decimal import Decimal
from typing import Any

NO_DROPS = {"dropped_attributes_count": 0, "dropped_events_count": 0, "dropped_links_count": 0}


def span_rows(trace: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of `_otel_spans`, whose attributes are text: JSON, as MLflow's SDK sends them."""
    return [_span_row(span) for span in trace["data"]["spans"]]


def unified_row(trace: dict[str, Any]) -> dict[str, Any]:
    """Return the row of the view `_trace_unified`."""
    info = trace["info"]
    return {
        "trace_id": info["trace_id"],
        "client_request_id": None,
        "request_time": datetime.fromisoformat(info["request_time"].replace("Z", "+00:00")),
        "state": info["state"],
        "execution_duration_ms": Decimal(info.get("execution_duration_ms") or 0),
        "request": None,
        "response": None,
        "trace_metadata": info["trace_metadata"],
        "tags": info["tags"],
        "spans": span_rows(trace),
        "assessments": [],
    }


def _span_row(span: dict[str, Any]) -> dict[str, Any]:
    return {
        "trace_id": _hex(span.get("trace_id") or "AAAAAAAAAAAAAAAAAAAAAQ=="),
        "span_id": _hex(span["span_id"]),
        "trace_state": "",
        "parent_span_id": _hex(span["parent_span_id"] or ""),
        "flags": 256,
        "name": span["name"],
        "kind": "SPAN_KIND_INTERNAL",
        "start_time_unix_nano": span["start_time_unix_nano"],
        "end_time_unix_nano": span["end_time_unix_nano"],
        "attributes": dict(span["attributes"]),
        "events": [
            {
                "time_unix_nano": event["time_unix_nano"],
                "name": event["name"],
                "attributes": {key: str(value) for key, value in event["attributes"].items()},
                "dropped_attributes_count": 0,
            }
            for event in span["events"]
        ],
        "status": {"message": span["status"].get("message") or "", "code": span["status"]["code"]},
        **NO_DROPS,
    }


def _hex(text: str) -> str:
    return base64.b64decode(text).hex()


def arrow_table(rows: list[dict[str, Any]]) -> Any:
    """Return a table with the columns as Databricks types them."""
    import pyarrow as pa

    text, texts, count = pa.string(), pa.map_(pa.string(), pa.string()), pa.int32()
    drops = [(key, count) for key in NO_DROPS]
    event = pa.struct([("time_unix_nano", pa.int64()), ("name", text), ("attributes", texts), drops[0]])
    span = [
        *((key, text) for key in ("trace_id", "span_id", "trace_state", "parent_span_id")),
        ("flags", count),
        ("name", text),
        ("kind", text),
        ("start_time_unix_nano", pa.int64()),
        ("end_time_unix_nano", pa.int64()),
        ("attributes", texts),
        ("events", pa.list_(event)),
        ("status", pa.struct([("message", text), ("code", text)])),
        *drops,
    ]
    trace = [
        *((key, text) for key in ("trace_id", "client_request_id", "state", "request", "response")),
        ("request_time", pa.timestamp("us", tz="UTC")),
        ("execution_duration_ms", pa.decimal128(30, 9)),
        ("trace_metadata", texts),
        ("tags", texts),
        ("spans", pa.list_(pa.struct(span))),
        ("assessments", pa.list_(pa.struct([("name", text)]))),
    ]
    schema = pa.schema(trace if "spans" in rows[0] else span)
    shown = [{key: _pairs(value) for key, value in row.items()} for row in rows]
    return pa.Table.from_pylist(shown, schema=schema)


def _pairs(value: Any) -> Any:
    """Return maps as the pairs that Arrow takes for them."""
    if isinstance(value, list):
        return [_pairs(each) for each in value]
    if not isinstance(value, dict) or set(value) == {"message", "code"}:
        return value
    if "span_id" in value or "time_unix_nano" in value:
        return {key: _pairs(each) for key, each in value.items()}
    return list(value.items())
