"""Spans of OpenTelemetry's SDK as an exporter sends them, in protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlflow.tracing.utils.otlp import _set_otel_proto_anyvalue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.sdk.trace import ReadableSpan


def traces_data(spans: Iterable[ReadableSpan]) -> Any:
    """Return the message that has these spans."""
    message = TracesData()
    sent = message.resource_spans.add().scope_spans.add().spans
    for span in spans:
        made, context = sent.add(), span.get_span_context()
        made.trace_id = context.trace_id.to_bytes(16, "big")
        made.span_id = context.span_id.to_bytes(8, "big")
        made.parent_span_id = span.parent.span_id.to_bytes(8, "big") if span.parent else b""
        made.name, made.start_time_unix_nano, made.end_time_unix_nano = span.name, span.start_time, span.end_time
        made.status.code = span.status.status_code.value
        _set(made.attributes, span.attributes or {})
        for event in span.events:
            told = made.events.add(name=event.name, time_unix_nano=event.timestamp)
            _set(told.attributes, event.attributes or {})
    return message


def _set(attributes: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        _set_otel_proto_anyvalue(attributes.add(key=key).value, value)


def as_json(message: Any) -> dict[str, Any]:
    """Return what OTLP has for JSON, where ids are in hexadecimal."""
    import base64

    from google.protobuf.json_format import MessageToDict

    said: dict[str, Any] = MessageToDict(message)
    for resource in said["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span |= {key: base64.b64decode(span[key]).hex() for key in span if key.lower().endswith("spanid")}
                span["traceId"] = base64.b64decode(span["traceId"]).hex()
    return said
