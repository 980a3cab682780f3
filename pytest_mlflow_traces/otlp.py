"""Spans as OTLP sends them, read as MLflow's server reads them (`mlflow.server.otel_api`), by MLflow's functions."""

from __future__ import annotations

import base64
import contextlib
import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from mlflow.entities import Span
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from pytest_mlflow_traces.capture.enrich import sums
from pytest_mlflow_traces.capture.mlflow_internals import translate_loaded_span, translate_span_when_storing
from pytest_mlflow_traces.core.spans import convert
from pytest_mlflow_traces.core.spans.convert import DROPPED, JsonSpan
from pytest_mlflow_traces.core.spans.shapes import is_translated
from pytest_mlflow_traces.core.spans.usage import SPAN_COST, SPAN_TOKEN_USAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SUMS = {SPAN_TOKEN_USAGE: convert.TOKEN_USAGE, SPAN_COST: convert.COST}
_PRICED = {SPAN_TOKEN_USAGE, SPAN_COST, "mlflow.llm.model"}  # as clients of Databricks write them
# the id that MLflow gave the trace; older versions keep it unasked
_KEPT = "preserve_request_id"
_KEEPING: dict[str, Any] = {_KEPT: True} if _KEPT in inspect.signature(Span.from_otel_proto).parameters else {}


def spans_in_bytes(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the spans of protobuf: a `TracesData` or a request to export, which are the same, in MLflow's form.

    Raises:
        ValueError: for bytes that are neither, and for a span without ids.
    """
    message = TracesData()
    with contextlib.suppress(DecodeError):
        message.ParseFromString(data)
        if message.resource_spans:  # other data may be fields that nobody knows
            return _spans(message)
    raise ValueError("no OTLP of spans in protobuf, or it is cut off")


def spans_in_json(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the spans of an object with `resourceSpans`, likewise."""
    try:
        message = ParseDict(said, TracesData(), ignore_unknown_fields=True)
    except (ParseError, TypeError, AttributeError) as error:
        raise ValueError(f"no OTLP of spans: {error}") from None
    return _spans(message)


def _spans(message: Any) -> Iterator[dict[str, Any]]:
    for resource in message.resource_spans:
        for scope in resource.scope_spans:
            yield from map(_span, scope.spans)


def _span(sent: Any) -> dict[str, Any]:
    sent.trace_id, sent.span_id = _id(sent.trace_id, 16), _id(sent.span_id, 8)
    sent.parent_span_id = _id(sent.parent_span_id, 8)
    if len(sent.trace_id) != 16 or len(sent.span_id) != 8 or len(sent.parent_span_id) not in (0, 8):
        raise ValueError(f"not a span of OTLP: {sent.name!r:.80} has no ids of 16 and 8 bytes")
    if sent.status.code not in (0, 1, 2):  # MLflow would take it for "unset"
        raise ValueError(f"not a span of OTLP: {sent.name!r:.80} has the status {sent.status.code}, which is none")
    said: dict[str, Any] = Span.from_otel_proto(sent, **_KEEPING).to_dict()
    for event, was in zip(said["events"], sent.events, strict=True):
        event |= {DROPPED[0]: was.dropped_attributes_count} if was.dropped_attributes_count else {}
    return said | {key: count for key in DROPPED if (count := getattr(sent, key))}


def _id(given: bytes, size: int) -> bytes:
    """Return an id as it was meant: OTLP's JSON has hexadecimal, which was taken for the base64 of protobuf's JSON."""
    with contextlib.suppress(ValueError):
        given = bytes.fromhex(base64.b64encode(given).decode()) if len(given) == size * 3 // 2 else given
    return given


def as_stored(trace: dict[str, Any]) -> dict[str, Any]:
    """Do with a trace in MLflow's form what its store does: translate other conventions, and sum usage and cost.

    Raises:
        ValueError: for a span with attributes that MLflow, and so its store, does not stand.
    """
    spans = [_translated(span) if _is_changed(span["attributes"]) else span for span in trace["data"]["spans"]]
    told = trace["info"]["trace_metadata"]
    if all(key in told or not any(name in span["attributes"] for span in spans) for name, key in _SUMS.items()):
        return {**trace, "data": {"spans": spans}}
    metadata = sums([JsonSpan(span) for span in spans]) | told
    return {"info": trace["info"] | {"trace_metadata": metadata}, "data": {"spans": spans}}


def _is_changed(attributes: Mapping[str, Any]) -> bool:
    """Return whether storing changes a span: of MLflow's own attributes, usage whose model or cost is not said."""
    names = attributes.keys()
    return is_translated(names - _PRICED) or (SPAN_TOKEN_USAGE in names and not names >= _PRICED)


def _translated(span: dict[str, Any]) -> dict[str, Any]:
    try:
        stored = translate_span_when_storing(SimpleNamespace(to_dict=lambda: dict(span)))  # type: ignore[arg-type]
        return translate_loaded_span(stored)  # in MLflow 3.10, this alone tells the type
    except Exception as error:  # whatever it is
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"MLflow cannot translate the attributes of span {span['name']!r:.80}: {what}") from error
