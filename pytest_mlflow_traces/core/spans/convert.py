"""Anything with MLflow's public attributes, or MLflow's own JSON, as a table and what is known of the whole trace.

Duck-typed on purpose: `mlflow.entities.Trace` is never imported, so stored traces can be read without MLflow, and any
object with `.info` and `.data.spans` whose parts have MLflow's public attributes will do.
"""

from __future__ import annotations

import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans.alike import Structures
from pytest_mlflow_traces.core.spans.table import SpanTable, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The keys are MLflow's own: mlflow.tracing.constant.TraceTagKey and TraceMetadataKey.
TRACE_NAME = "mlflow.traceName"
SESSION = "mlflow.trace.session"
USER = "mlflow.trace.user"
TOKEN_USAGE = "mlflow.trace.tokenUsage"  # noqa: S105  # counts of tokens, no secret
COST = "mlflow.trace.cost"
SYSTEM_PREFIX = "mlflow."
TURNS = "turns"  # beside `info` and `data`, where we write it: `SpanTable.turns`
DROPPED = ("dropped_attributes_count", "dropped_events_count")  # of OTLP: in spans, and the first in events too

_PLAIN = re.compile(r'"([A-Za-z0-9_ -]*)"')  # JSON text that is what it says
_BASE64 = re.compile(r"[A-Za-z0-9+/]{10,12}={0,2}")  # of eight bytes, or nearly so
_DIGITS = re.compile(r"-?[0-9]{1,20}")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(slots=True)  # not frozen, which would take three times as long to make
class TraceFacts:
    """What is known of a trace beside its spans."""

    id: str = ""
    status: str = "OK"
    tags: Mapping[str, Any] = field(default_factory=dict)
    system_tags: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    start: int | str | None = None  # in nanoseconds, or as MLflow's JSON has it
    duration_ms: float | None = None

    @property
    def start_ns(self) -> int | None:
        """When the trace began."""
        return _time_ns(self.start) if isinstance(self.start, str) else self.start


def facts_of(info: Any) -> TraceFacts:
    """Return what an object like `mlflow.entities.TraceInfo` knows."""
    tags = dict(getattr(info, "tags", None) or {})
    state = getattr(info, "state", None) or getattr(info, "status", None) or "STATE_UNSPECIFIED"
    request_time_ms = getattr(info, "request_time", None)
    return TraceFacts(
        id=str(getattr(info, "trace_id", "")),
        status=str(getattr(state, "value", state)),
        # a tag's name need not be a string before a store has seen it
        tags={key: value for key, value in tags.items() if not is_system(key)},
        system_tags={key: value for key, value in tags.items() if is_system(key)},
        metadata=dict(getattr(info, "trace_metadata", None) or {}),
        start=None if request_time_ms is None else request_time_ms * 1_000_000,
        duration_ms=getattr(info, "execution_duration", None),
    )


def forest_of(trace: Any) -> SpanTable:
    """Return the spans of an object like `mlflow.entities.Trace`."""
    data = getattr(trace, "data", None)
    spans = getattr(data, "spans", None)
    if spans is None or not hasattr(trace, "info"):
        raise TypeError(
            f"expected a trace with .info and .data.spans, as mlflow.get_trace() returns, got {trace!r:.200}"
        )
    return SpanTable(list(spans))


def decoded_numbers(metadata: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """Return a JSON object from MLflow's metadata (token usage, cost), or `None` where there is none to be read."""
    value = metadata.get(key)
    value = loads(value)
    return dict(value) if isinstance(value, dict) else None


def is_system(key: object) -> bool:
    return isinstance(key, str) and key.startswith(SYSTEM_PREFIX)


class JsonSpan:
    """One span of `mlflow.entities.Span.to_dict()`, read when asked, with the attributes of the entity."""

    __slots__ = ("_attributes", "_said", "dropped", "end_time_ns", "name", "parent_id", "span_id", "start_time_ns",
                 "status")  # fmt: skip

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = said
        self._attributes: dict[str, Any] | None = None
        if "context" in said:  # the schema of MLflow 2
            raise ValueError("a trace of MLflow 2; export it again with MLflow 3")
        if "name" not in said:
            raise ValueError("not a span: it has no name")
        self.name = said["name"]
        self.span_id = _span_id(text(said, "span_id"))
        parent = said.get("parent_span_id")
        self.parent_id = _span_id(text(said, "parent_span_id")) if parent else None
        self.start_time_ns = whole(said, "start_time_unix_nano") or 0
        self.end_time_ns = whole(said, "end_time_unix_nano")
        status = _object(said, "status")
        self.status = SimpleNamespace(status_code=status_of(status.get("code")), description=status.get("message"))
        _object(said, "attributes")
        self.dropped = sum(whole(said, key) or 0 for key in DROPPED if key in said)
        for event in _events(said):
            _object(event, "attributes")
            whole(event, "time_unix_nano")
            self.dropped += whole(event, DROPPED[0]) or 0

    @property
    def attributes(self) -> Mapping[str, Any]:
        if self._attributes is None:
            self._attributes = {key: loads(value) for key, value in (self._said.get("attributes") or {}).items()}
        return self._attributes

    def get_attribute(self, key: str) -> Any:
        return loads((self._said.get("attributes") or {}).get(key))

    @property
    def span_type(self) -> Any:
        # not by `attributes`, which would decode inputs and outputs of every span
        value = (self._said.get("attributes") or {}).get("mlflow.spanType")
        plain = _PLAIN.fullmatch(value) if isinstance(value, str) else None  # what nearly all are, and fast to see
        return plain[1] if plain is not None else loads(value)

    @property
    def inputs(self) -> Any:
        return self.attributes.get("mlflow.spanInputs")

    @property
    def outputs(self) -> Any:
        return self.attributes.get("mlflow.spanOutputs")

    @property
    def events(self) -> list[Any]:
        return [
            SimpleNamespace(
                name=event.get("name"),
                timestamp=whole(event, "time_unix_nano") or 0,
                attributes=_object(event, "attributes"),
            )
            for event in _events(self._said)
        ]


_STRUCTURES = Structures(JsonSpan)


def parse_json(text: str | bytes) -> tuple[TraceFacts, SpanTable, Any]:
    """Read `mlflow.entities.Trace.to_json()`; raise a ValueError that names what is wrong with it."""
    try:
        said = json.loads(text)
    except RecursionError:
        raise ValueError("not a trace: the JSON is nested too deep to be read") from None
    return *parse_dict(said), said


def parse_dict(said: Any) -> tuple[TraceFacts, SpanTable]:
    """Read `mlflow.entities.Trace.to_dict()`; raise a ValueError that names what is wrong with it."""
    if not isinstance(said, dict) or not isinstance(said.get("info"), dict) or not isinstance(said.get("data"), dict):
        raise ValueError("not a trace: expected an object with `info` and `data`, as Trace.to_json() of MLflow writes")
    info, spans = said["info"], said["data"].get("spans")
    if not isinstance(spans, list) or not (
        {*map(type, spans)} <= {dict} or all(isinstance(each, dict) for each in spans)
    ):
        raise ValueError("not a trace: data.spans is a list of objects")
    tags, metadata = info.get("tags") or {}, info.get("trace_metadata") or {}
    if not isinstance(tags, dict) or not isinstance(metadata, dict):
        raise ValueError("not a trace: info.tags and info.trace_metadata are objects")
    start, duration_ms = info.get("request_time"), info.get("execution_duration_ms")
    own: dict[str, Any] = {}
    system: dict[str, Any] = {}
    for key, value in tags.items():
        (system if is_system(key) else own)[key] = value
    facts = TraceFacts(
        id=str(info.get("trace_id") or ""),
        status=str(info.get("state") or "STATE_UNSPECIFIED"),
        tags=own,
        system_tags=system,
        metadata=metadata,
        start=start if isinstance(start, str) else None,
        duration_ms=duration_ms if type(duration_ms) in (int, float) else None,
    )
    table = _STRUCTURES.table(spans)
    turns = said.get(TURNS)
    if isinstance(turns, dict):
        table.turns = turns
    return facts, table


def text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    if not isinstance(value, str):
        raise ValueError(f"not a span: {key} is a string, got {value!r:.80}")
    return value


def _object(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = said.get(key)
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise ValueError(f"not a span: {key} is an object, got {value!r:.80}")
    return value


def _events(said: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    events = said.get("events")
    if events is None or events == []:
        return ()
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError(f"not a span: events is a list of objects, got {events!r:.80}")
    return events


def whole(said: Mapping[str, Any], key: str) -> int | None:
    value = said.get(key)
    if type(value) is int and 0 <= value < 2**64:
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)  # protobuf writes 64-bit numbers as strings
    elif isinstance(value, float) and value.is_integer():
        value = int(value)  # as JavaScript writes them
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64):
        return value
    raise ValueError(f"not a span: {key} is a whole number of nanoseconds, got {value!r:.80}")


def _time_ns(text: str) -> int | None:
    """Return a time as MLflow writes it, 2026-01-31T10:20:30.123Z, in nanoseconds since the epoch."""
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (time - _EPOCH) // timedelta(milliseconds=1) * 1_000_000
    except (ValueError, TypeError):  # a TypeError for a time without its zone
        return None


def _span_id(text: str) -> str:
    """Return the id in hexadecimal, as the entity has it; JSON has its eight bytes in base64."""
    if len(text) != 12:
        return text
    return binascii.a2b_base64(text).hex() if _BASE64.fullmatch(text) else text


def loads(value: Any) -> Any:
    """Decode an attribute: MLflow stores each as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
