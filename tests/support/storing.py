"""Stored traces for tests, as MLflow's `Trace.to_dict()` has them, without MLflow."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tests.support.building import records

if TYPE_CHECKING:
    from tests.support.building import Spec


def stored(*specs: Spec, test: str | None = None, id: str = "tr-1", **tags: str) -> dict[str, Any]:  # noqa: A002
    """Return the trace whose roots are `specs`, which are read as by `building.tree`, as plain data."""
    spans = records(*specs)
    system = {} if test is None else {"mlflow.test.name": test}
    return {
        "info": {
            "trace_id": id,
            "state": "OK",
            "request_time": "2026-01-01T00:00:00Z",
            "tags": system | tags,
            "trace_metadata": {},
        },
        "data": {"spans": [_span(each) for each in spans]},
    }


def line(*specs: Spec, **said: Any) -> str:
    """Return what `stored` does, as JSON on one line."""
    return json.dumps(stored(*specs, **said))


def _span(record: Any) -> dict[str, Any]:
    attributes = {"mlflow.spanType": record.span_type} | record.attributes
    if record.inputs is not None:
        attributes["mlflow.spanInputs"] = record.inputs
    if record.outputs is not None:
        attributes["mlflow.spanOutputs"] = record.outputs
    return {
        "name": record.name,
        "span_id": _id(record.span_id),
        "parent_span_id": None if record.parent_id is None else _id(record.parent_id),
        "start_time_unix_nano": record.start_time_ns,
        "end_time_unix_nano": record.end_time_ns,
        "status": {"code": f"STATUS_CODE_{record.status.status_code}"},
        "attributes": {key: json.dumps(value) for key, value in attributes.items()},
        "events": [
            {"name": event.name, "time_unix_nano": event.timestamp, "attributes": dict(event.attributes)}
            for event in record.events
        ],
    }


def _id(text: str) -> str:
    return base64.b64encode(int(text).to_bytes(8, "big")).decode()
