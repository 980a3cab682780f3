"""What else holds traces, in the form of MLflow's `Trace.to_dict()`: rows of tables, loose spans, traces of MLflow 2.

Plain data comes in and plain data goes out, whatever read it: JSON, CSV, Arrow, a worker of Spark. What a trace made of
spans alone knows of itself is what MLflow's own store makes of them (`SqlAlchemyStore.log_spans`).
"""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans import annotation_rows, convert
from pytest_mlflow_traces.core.spans.table import status_of
from pytest_mlflow_traces.core.spans.usage import SPAN_TOKEN_USAGE
from pytest_mlflow_traces.core.text.suggestions import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Translate = Callable[[dict[str, Any]], dict[str, Any]]  # does what MLflow's store does with other conventions

_TRACE_ID, _TAG = "mlflow.traceRequestId", "mlflow.traceTag."  # attributes of spans, as MLflow's exporter writes them
_SESSIONS, _USERS = ("session.id", "gen_ai.conversation.id"), ("user.id",)
# what a row of a table of spans must say, or else what is absent from it would prove nothing
_SPAN = ("trace_id", "span_id", "parent_span_id", "name", "start_time_unix_nano", "end_time_unix_nano", "attributes",
         "events", "status")  # fmt: skip
_NEEDED = frozenset(_SPAN[1:])
# what of a row of a table is read
COLUMNS = frozenset(
    (*_SPAN, "trace", "spans", "request_id", "request_time", "timestamp_ms", "state", "status", "execution_duration",
     "execution_duration_ms", "execution_time_ms", "trace_metadata", "request_metadata", "tags",
     "dropped_attributes_count", "dropped_events_count", "databricks_request_id", "response", "annotations",
     *annotation_rows.COLUMNS)
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FOREIGN = {
    "resourceLogs": "logs as OTLP sends them, and no spans",
    "resourceMetrics": "metrics as OTLP sends them, and no spans",
    "traceID": "a trace as Jaeger writes it; export OTLP",
}


def is_translated(names: Iterable[str]) -> bool:
    """Return whether storing changes a span with these attributes: it has usage, or names of other conventions."""
    return any(name == SPAN_TOKEN_USAGE or ("." in name and not name.startswith("mlflow.")) for name in names)


def several(said: Any) -> list[Any] | None:
    """Return the objects in a list of traces, in what MLflow's command line lists, or in a table by columns."""
    if isinstance(said, dict) and "info" not in said:
        if isinstance(said.get("traces"), list):
            return list(said["traces"])
        ids = said.get("trace_id", said.get("request_id"))
        if isinstance(ids, dict) and all(isinstance(column, dict) for column in said.values()):
            return [{name: column.get(row) for name, column in said.items()} for row in ids]
    return said if isinstance(said, list) else None


def refuse_columns(names: Sequence[str]) -> None:
    """Raise a ValueError that says what a table lacks, where it is none of traces and none of spans."""
    if annotation_rows.is_annotation(names):
        annotation_rows.refuse_lacking(names)
        return
    lacking = [name for name in _SPAN if name not in names]
    if "trace" in names or ("spans" in names and ("trace_id" in names or "request_id" in names)) or not lacking:
        return
    if "databricks_request_id" in names and "response" in names:
        return
    has = f"its columns are {listed(names)}" if len(lacking) > 3 else f"for one of spans it lacks {listed(lacking)}"
    raise ValueError(f"not a table of traces: it has no column `trace`, no `trace_id` with `spans`, and {has}")


def is_span(said: Any) -> bool:
    """Return whether something is a row of a table with a span in each."""
    is_row = isinstance(said, dict) and "span_id" in said and "trace_id" in said and "spans" not in said
    return is_row and not annotation_rows.is_annotation(said)


def span_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a span in MLflow's form, from a row or an entry of a column `spans`, or from one of MLflow 2."""
    context = row.get("context")
    if isinstance(context, dict):
        return _span_of_mlflow_2(row, context)
    if not row.keys() >= _NEEDED:
        raise ValueError(f"not a span: it lacks {listed([name for name in _SPAN[1:] if name not in row])}")
    status = row["status"] if type(row["status"]) is dict else _mapping(row["status"], "status")
    made = {
        "trace_id": row.get("trace_id"),  # known of all, where the spans are those of a trace
        "span_id": convert.text(row, "span_id"),
        "parent_span_id": row["parent_span_id"] or None,  # a root's is '' in tables
        "name": row["name"],
        "start_time_unix_nano": convert.whole(row, "start_time_unix_nano"),
        "end_time_unix_nano": convert.whole(row, "end_time_unix_nano"),
        "status": {"code": status.get("code") or "STATUS_CODE_UNSET", "message": status.get("message")},
        "attributes": _attributes(row["attributes"]),
        "events": [
            {**event, "attributes": _mapping(event.get("attributes"), "attributes of events")}
            for event in _list(row["events"], "events")
        ],
    }
    for key in convert.DROPPED:
        if row.get(key):
            made[key] = row[key]
    return made


def _attributes(value: Any) -> dict[str, Any]:
    if type(value) is list and value and type(value[0]) is tuple:  # as Arrow has a map, and nearly all of texts
        pairs = dict(value)
        if {*map(type, pairs), *map(type, pairs.values())} == {str}:
            return pairs
    return {
        name: each if isinstance(each, str) else json.dumps(each, default=str)
        for name, each in _mapping(value, "attributes").items()
    }


def _span_of_mlflow_2(row: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trace_id": context.get("trace_id"),
        "span_id": convert.text(context, "span_id"),
        "parent_span_id": row.get("parent_id") or None,
        "name": row.get("name"),
        "start_time_unix_nano": convert.whole(row, "start_time"),
        "end_time_unix_nano": convert.whole(row, "end_time"),
        "status": {"code": row.get("status_code"), "message": row.get("status_message")},
        "attributes": _mapping(row.get("attributes"), "attributes"),
        "events": [{**event, "time_unix_nano": event.get("timestamp")} for event in _list(row.get("events"), "events")],
    }


def trace_of(said: Any, translate: Translate) -> Any:
    """Return a trace in MLflow's form, from whatever holds one; what holds none comes back as it is.

    `translate` does with the attributes of other conventions what MLflow's store does.

    Raises:
        ValueError: for what is about a trace, and lacks it; that says what is missing.
    """
    if not isinstance(said, dict):
        return said
    info = said.get("info")
    if isinstance(info, dict):
        return _of_mlflow(said, info)
    for key, what in _FOREIGN.items():
        if key in said:
            raise ValueError(what)
    if "databricks_output" in said:
        return trace_of(_returned(said["databricks_output"]), translate)
    if said.get("trace") is not None:
        return trace_of(_decoded(said["trace"], "trace"), translate)
    if "spans" in said:
        if "trace_id" in said and not (said["trace_id"] or said.get("request_id")):
            raise ValueError("it has no trace_id, so its spans may be those of many traces")
        return _of_row(said, translate)
    if "databricks_request_id" in said and "response" in said:
        return trace_of(_decoded(said["response"], "response"), translate)
    if "trace_id" in said or "request_id" in said:
        raise ValueError("a row of a table of traces, without the column `trace` or `spans`")
    return said


def _returned(output: Any) -> Any:
    trace = output.get("trace") if isinstance(output, dict) else None
    if trace is None:
        asked = 'ask the endpoint for one by "databricks_options": {"return_trace": true}'
        raise ValueError(f"a response of Databricks without a trace; {asked}")
    return _decoded(trace, "databricks_output.trace")


def _of_mlflow(said: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
    """Return a trace as MLflow 3 writes it; MLflow 2 had other names."""
    data = said.get("data")
    spans = data.get("spans") if isinstance(data, dict) else None
    if isinstance(spans, list) and spans and isinstance(spans[0], dict) and "context" in spans[0]:
        said = {**said, "data": {"spans": [span_of(each) for each in _list(spans, "spans")]}}
    return {**said, "info": _told(info)} if "request_id" in info and "trace_id" not in info else said


def _of_row(row: Mapping[str, Any], translate: Translate) -> dict[str, Any]:
    """Return the trace of a row with all its spans, or of the artifact `traces.json`, which has nothing but these."""
    spans = [span_of(each) for each in _list(_decoded(row["spans"], "spans"), "spans")]
    told = _told(row)
    if row.get("annotations"):
        told |= annotation_rows.said_of(_list(row["annotations"], "annotations"))
    return trace_of_spans(spans, translate, told)


def trace_of_spans(
    spans: Iterable[dict[str, Any]], translate: Translate, told: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the trace of spans in MLflow's form; what is not `told` of the whole is what MLflow's store would say.

    What was delivered twice is there once. Another span with an id that is taken stays: a problem of the trace.
    """
    first: dict[Any, dict[str, Any]] = {}
    kept = [span for span in spans if (before := first.setdefault(span["span_id"], span)) is span or before != span]
    info = _info(kept)
    for key, value in told.items():
        if value is not None:
            info[key] = info[key] | value if key in ("tags", "trace_metadata") else value
    trace = {"info": info, "data": {"spans": kept}}
    return translate(trace) if any(is_translated(span["attributes"]) for span in kept) else trace


def _info(spans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    root = next((span for span in spans if span["parent_span_id"] is None), None)
    top: Mapping[str, Any] = {} if root is None else root["attributes"]
    starts = [span["start_time_unix_nano"] for span in spans if span["start_time_unix_nano"]]
    ends = [span["end_time_unix_nano"] for span in spans if span["end_time_unix_nano"]]
    said = {"mlflow.trace.session": _first(spans, _SESSIONS), "mlflow.trace.user": _first(spans, _USERS)}
    failed = root is not None and status_of(root["status"]["code"]) == "ERROR"
    return {
        "trace_id": _first(spans, (_TRACE_ID,)) or (spans[0]["trace_id"] if spans else ""),
        "state": "ERROR" if failed else "OK" if root is not None else "IN_PROGRESS" if spans else None,
        "request_time": _time(min(starts) // 1_000_000) if starts else None,
        "execution_duration_ms": (max(ends) - min(starts)) // 1_000_000 if starts and ends else None,
        "trace_metadata": {key: value for key, value in said.items() if value is not None},
        "tags": {
            key.removeprefix(_TAG): str(convert.loads(value)) for key, value in top.items() if key.startswith(_TAG)
        },
    }


def _first(spans: Iterable[Mapping[str, Any]], names: Iterable[str]) -> str | None:
    found = (span["attributes"].get(name) for span in spans for name in names)
    return next((str(convert.loads(value)) for value in found if value), None)


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row of a table, or the `info` of a trace of MLflow 2, says of the whole trace."""
    time = row.get("request_time", row.get("timestamp_ms"))
    durations = ("execution_duration_ms", "execution_duration", "execution_time_ms")
    duration = next((row[key] for key in durations if isinstance(row.get(key), int | float | Decimal)), None)
    state = row.get("state") or (row.get("status") if isinstance(row.get("status"), str) else None)
    return {
        "trace_id": row.get("trace_id") or row.get("request_id"),
        "state": str(getattr(state, "value", state)).removeprefix("TraceState.") if state else None,
        "request_time": _time(time),
        "execution_duration_ms": float(duration) if isinstance(duration, Decimal) else duration,
        "trace_metadata": _mapping(row.get("trace_metadata", row.get("request_metadata")), "trace_metadata"),
        "tags": _mapping(row.get("tags"), "tags"),
    }


def _time(value: Any) -> str | None:
    """Return a time as MLflow's JSON has it; a number is of milliseconds, and a time without a zone is UTC."""
    if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
        try:
            value = _EPOCH + timedelta(milliseconds=int(value))
        except OverflowError:
            raise ValueError(f"no time in milliseconds: {value!r:.40}") from None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).isoformat(timespec="milliseconds")
    return value or None


def _decoded(value: Any, column: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(f"the column `{column}` is no JSON: {value:.60}") from None


def _mapping(value: Any, column: str) -> dict[str, Any]:
    """Return what a MAP, a STRUCT or a VARIANT holds, however it was read; what is null there is not there."""
    value = {} if value is None or value == "" else _decoded(value, column)  # CSV has "" for what is null
    if isinstance(value, dict) and isinstance(value.get("metadata"), bytes):
        said = "is a VARIANT in its binary form"
        raise ValueError(f"the column `{column}` {said}; save `to_json({column}) AS {column}`")
    if isinstance(value, list):  # as Arrow and others have a map: pairs, or objects with `key` and `value`
        with contextlib.suppress(TypeError, ValueError, AttributeError):
            is_pairs = not value or not isinstance(value[0], dict)
            value = dict(value) if is_pairs else {each.get("key"): each.get("value") for each in value}
    if not isinstance(value, dict):
        raise ValueError(f"the column `{column}` is a map, got {value!r:.80}")
    return {str(key): each for key, each in value.items() if each is not None}


def _list(value: Any, column: str) -> list[dict[str, Any]]:
    value = [] if value is None or value == "" else _decoded(value, column)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError(f"the column `{column}` is a list of objects, got {value!r:.80}")
    return value


class LooseSpans:
    """Spans that come one by one and in any order, to be traces when all are there."""

    def __init__(self) -> None:
        self._by_trace: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self._annotations: dict[str, list[Mapping[str, Any]]] = {}

    def add(self, row: Mapping[str, Any], where: str) -> None:
        """Take a span, from a row or in MLflow's form."""
        span = span_of(row)
        if not isinstance(span["trace_id"], str) or not span["trace_id"]:
            raise ValueError(f"not a span: trace_id is a string, got {span['trace_id']!r:.80}")
        self._by_trace.setdefault(span["trace_id"], (where, []))[1].append(span)

    def annotate(self, row: Mapping[str, Any]) -> None:
        """Take what a row of another table says of a trace."""
        self._annotations.setdefault(annotation_rows.id_of(row), []).append(row)

    def traces(self) -> Iterator[tuple[str, Callable[[Translate], dict[str, Any]]]]:
        """Yield where each trace begins, and what makes it of its spans, and let go of them."""
        while self._by_trace:
            trace_id = next(iter(self._by_trace))
            where, spans = self._by_trace.pop(trace_id)
            rows = self._annotations.get(annotation_rows.key_of(trace_id), ())
            yield where, partial(_annotated, spans, rows)


def _annotated(spans: list[dict[str, Any]], rows: Sequence[Mapping[str, Any]], translate: Translate) -> dict[str, Any]:
    return trace_of_spans(spans, translate, annotation_rows.said_of(rows))
