"""Take a trace from MLflow with what MLflow's own store would add: translated spans, token usage and cost."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

from mlflow.entities import Span, Trace, TraceData
from mlflow.entities.trace_location import TraceLocation
from mlflow.entities.trace_state import TraceState

from pytest_mlflow_traces.capture import mlflow_internals
from pytest_mlflow_traces.capture.mlflow_internals import InMemoryTraceManager, TraceMetadataKey, TraceTagKey
from pytest_mlflow_traces.core.spans.shapes import is_translated


def popped(otel_trace_id: int) -> Any:
    """Take a finished trace; `None` where MLflow has dropped it."""
    taken = InMemoryTraceManager.get_instance().pop_trace(otel_trace_id)
    if taken is None:
        return None
    trace = _as_stored(taken.trace)
    evaluated = trace.info.tags.get(TraceTagKey.EVAL_REQUEST_ID)
    if evaluated:
        mlflow_internals.tracing_fluent._EVAL_REQUEST_ID_TO_TRACE_ID[evaluated] = trace.info.trace_id
    return trace


def is_kept(otel_trace_id: int) -> bool:
    """Return whether MLflow still has a trace: it holds a number of open ones, and each for a time."""
    manager = InMemoryTraceManager.get_instance()
    with manager.get_trace(manager.get_mlflow_trace_id_from_otel_id(otel_trace_id)) as live:
        return live is not None


def copied(otel_trace_id: int) -> Any:
    """Return a trace as it is now, and leave it with MLflow; `None` where MLflow has dropped it."""
    manager = InMemoryTraceManager.get_instance()
    trace_id = manager.get_mlflow_trace_id_from_otel_id(otel_trace_id)
    if trace_id is None:
        return None
    with manager.get_trace(trace_id) as live:
        if live is None:
            return None
        spans = [span.to_immutable_span() for span in live.span_dict.values()]
        info = copy.copy(live.info)
    info.tags, info.trace_metadata = dict(info.tags), dict(info.trace_metadata)
    if info.trace_location is None:  # MLflow's stand-in for a trace that another process began
        info.trace_location = TraceLocation.from_experiment_id("0")
        info.request_time = min((span.start_time_ns for span in spans), default=0) // 1_000_000
        failed = any(span.status.status_code == "ERROR" for span in spans)
        info.state = TraceState.ERROR if failed else TraceState.OK
    return _as_stored(Trace(info, TraceData(spans)))


def merged(known: Any, new: Any) -> Any:
    """Add what a trace did here at one time to what it did here at another."""
    spans = {span.span_id: span for span in known.data.spans}
    for span in new.data.spans:
        if span.end_time_ns is not None or span.span_id not in spans:
            spans[span.span_id] = span
    info = copy.copy(known.info)
    info.tags = {**known.info.tags, **new.info.tags}
    info.trace_metadata = {**known.info.trace_metadata, **new.info.trace_metadata}
    if new.info.state == TraceState.ERROR:
        info.state = TraceState.ERROR
    return _as_stored(Trace(info, TraceData(list(spans.values()))))


def _as_stored(trace: Any) -> Any:
    """Do what `SqlAlchemyStore.log_spans` does: translate other conventions, and sum usage and cost."""
    if not any(map(_is_translated, trace.data.spans)):
        return trace
    spans = [_translated(span) if _is_translated(span) else span for span in trace.data.spans]
    trace.info.trace_metadata.update(sums(spans))
    return Trace(trace.info, TraceData(spans))


def sums(spans: list[Any]) -> dict[str, str]:
    """Return the usage and the cost of all spans, as MLflow's metadata has them."""
    found = {}
    for key, aggregate in (
        (TraceMetadataKey.TOKEN_USAGE, mlflow_internals.aggregate_usage_from_spans),
        (TraceMetadataKey.COST, mlflow_internals.aggregate_cost_from_spans),
    ):
        with contextlib.suppress(Exception):  # what cannot be added is a problem of the trace, and no reason to lose it
            total = aggregate(spans)
            if total:
                found[key] = json.dumps(total)
    return found


def _translated(span: Any) -> Any:
    made = Span.from_dict(mlflow_internals.translate_span_when_storing(span))
    if hasattr(span, "_attachments"):
        made._attachments = span._attachments
    return made


def _is_translated(span: Any) -> bool:
    # the raw attributes: `span.attributes` decodes all of them
    return is_translated(span._span.attributes or ())
