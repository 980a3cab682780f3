"""Which capture a span belongs to: the span processor that stands in for MLflow's own while a capture is open.

MLflow chooses its processors in one place, `tracing.provider._get_span_processors`. Standing there settles the
Databricks, OTLP, Unity Catalog, serving, batching and artifact special cases at once, and survives `reset()`,
`set_destination()` and `enable()`, which all come back to that function.
"""

from __future__ import annotations

import json
import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from mlflow.entities import Span, Trace, TraceData
from mlflow.entities.trace_location import TraceLocation
from mlflow.entities.trace_state import TraceState
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from pytest_mlflow_traces import _mlflow
from pytest_mlflow_traces._mlflow import InMemoryTraceManager, MlflowV3SpanProcessor, TraceMetadataKey, TraceTagKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces._memory_store import MemoryStore
    from pytest_mlflow_traces.captured import TraceLog

_USAGE = "mlflow.chat.tokenUsage"


@dataclass(eq=False)
class Capture:
    """One open capture: where its traces go, and what was so before it."""

    log: TraceLog
    store: MemoryStore
    before: _mlflow.State
    outer: Capture | None = None
    is_open: bool = True
    left_over: list[Any] = field(default_factory=list)
    bypass: str | None = None


@dataclass(eq=False)
class _Route:
    """What is known of one OpenTelemetry trace: its capture, its place in the order of starts, what is still open."""

    capture: Capture | None
    sequence: int
    is_remote: bool
    open_spans: int = 0
    root_ended: bool = False
    is_done: bool = False


class Router:
    """Choose the capture of each trace when its root starts, and hand the trace over when its last span has ended."""

    def __init__(self) -> None:
        self.current: ContextVar[Capture | None] = ContextVar("pytest_mlflow_traces_capture", default=None)
        self.stack: list[Capture] = []
        self._routes: dict[int, _Route] = {}
        self._sequence = count()
        self._lock = threading.Lock()

    def capture(self) -> Capture | None:
        """The capture for what starts here: the context's, or else the innermost (threads without a context)."""
        here = self.current.get()
        if here is not None and here.is_open:
            return here
        if here is not None and threading.current_thread() is not threading.main_thread():
            return None  # a thread that outlived its capture; its spans must not reach the next test
        return self.stack[-1] if self.stack else None

    def started(self, span: Any) -> bool:
        """Note that a span started; return whether it belongs to a trace that is being captured."""
        trace_id = span.context.trace_id
        is_remote = span.parent is not None and span.parent.is_remote
        with self._lock:
            route = self._routes.get(trace_id)
            if route is None:
                if span.parent is not None and not is_remote:
                    return False
                route = self._routes[trace_id] = _Route(self.capture(), next(self._sequence), is_remote)
            if route.is_done:
                return False
            route.open_spans += 1
            return True

    def ended(self, span: Any) -> None:
        """Note that a span ended, and hand over its trace if it was the last one."""
        trace_id = span.context.trace_id
        with self._lock:
            route = self._routes.get(trace_id)
            if route is None or route.is_done:
                return
            route.open_spans -= 1
            route.root_ended = route.root_ended or span.parent is None or route.is_remote
            if route.open_spans > 0 or not route.root_ended:
                return
            route.is_done = not route.is_remote
        raw = _copied(trace_id) if route.is_remote else _popped(trace_id)
        if raw is not None and route.capture is not None and route.capture.is_open:
            route.capture.log.put(route.sequence, raw)

    def knows(self, span: Any) -> bool:
        """Return whether a span ended in a trace that is being captured, so that its end is worth noting."""
        return span.context.trace_id in self._routes

    def may_be_parent(self, span: Any) -> bool:
        """Return whether a span that starts now may become a child of `span`, the current one."""
        context = span.get_span_context()
        if context is None or not context.is_valid or context.is_remote:
            return True
        route = self._routes.get(context.trace_id)
        if route is not None:
            return route.capture is self.capture()
        if InMemoryTraceManager.get_instance().get_mlflow_trace_id_from_otel_id(context.trace_id) is not None:
            return False  # open since before this capture
        # A child of a span whose capture has closed is dropped, as MLflow drops a child of an ended trace; any
        # other span is not MLflow's (pytest-opentelemetry's, around the test), and would make its roots vanish.
        return "mlflow.traceRequestId" in (getattr(span, "attributes", None) or ())

    def open_traces(self, capture: Capture) -> list[Any]:
        """The traces of a capture that have spans open, as they are now."""
        with self._lock:
            open_ids = [key for key, route in self._routes.items() if route.capture is capture and route.open_spans > 0]
        return [raw for raw in map(_copied, open_ids) if raw is not None]

    def forget(self, capture: Capture) -> None:
        """Drop all traces of a capture that closes; what ends later has nowhere to go."""
        capture.left_over = self.open_traces(capture)
        with self._lock:
            dropped = (capture, None) if not self.stack else (capture,)  # None: of threads that outlived theirs
            gone = [trace_id for trace_id, route in self._routes.items() if route.capture in dropped]
            for trace_id in gone:
                del self._routes[trace_id]
        for trace_id in gone:
            InMemoryTraceManager.get_instance().pop_trace(trace_id)


router = Router()


class _Queue:
    def flush(self, terminate: bool = False) -> None:
        """Do nothing: MLflow's `flush_trace_async_logging` asks its exporter's queue, and there is none."""


class _Exporter(SpanExporter):
    _async_queue = _Queue()

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class CaptureProcessor(MlflowV3SpanProcessor):
    """Keep MLflow's own handling of spans, and note starts and ends for the router in place of an export."""

    def __init__(self) -> None:
        super().__init__(span_exporter=_Exporter(), export_metrics=False)

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """See `SpanProcessor.on_start`."""
        if router.started(span):
            super().on_start(span, parent_context)

    def on_end(self, span: Any) -> None:
        """See `SpanProcessor.on_end`."""
        if router.knows(span):
            super().on_end(span)
            router.ended(span)


def _popped(otel_trace_id: int) -> Any:
    """Take a finished trace from MLflow, with the usage and the cost that MLflow's store would add."""
    taken = InMemoryTraceManager.get_instance().pop_trace(otel_trace_id)
    if taken is None:
        return None
    trace = _with_usage(taken.trace)
    # what MLflow's exporter notes; on 3.10 nobody else sets the last active trace
    _mlflow.tracing_fluent._set_last_active_trace_id(trace.info.trace_id)
    evaluated = trace.info.tags.get(TraceTagKey.EVAL_REQUEST_ID)
    if evaluated:
        _mlflow.tracing_fluent._EVAL_REQUEST_ID_TO_TRACE_ID[evaluated] = trace.info.trace_id
    return trace


def _copied(otel_trace_id: int) -> Any:
    """Return a trace as it is now, and leave it with MLflow."""
    manager = InMemoryTraceManager.get_instance()
    trace_id = manager.get_mlflow_trace_id_from_otel_id(otel_trace_id)
    if trace_id is None:
        return None
    with manager.get_trace(trace_id) as live:
        if live is None:
            return None
        spans = [span.to_immutable_span() for span in live.span_dict.values()]
        info = live.info
    if info.trace_location is None:  # MLflow's stand-in for a trace that another process began
        info.trace_location = TraceLocation.from_experiment_id("0")
        info.request_time = min((span.start_time_ns for span in spans), default=0) // 1_000_000
        failed = any(span.status.status_code == "ERROR" for span in spans)
        info.state = TraceState.ERROR if failed else TraceState.OK
    return _with_usage(Trace(info, TraceData(spans)))


def _with_usage(trace: Any) -> Any:
    """Do what `SqlAlchemyStore.log_spans` does: translate other conventions, and sum usage and cost."""
    if not any(map(_is_translated, trace.data.spans)):
        return trace
    spans = [
        Span.from_dict(_mlflow.translate_span_when_storing(span)) if _is_translated(span) else span
        for span in trace.data.spans
    ]
    metadata = trace.info.trace_metadata
    usage = _mlflow.aggregate_usage_from_spans(spans)
    if usage:
        metadata[TraceMetadataKey.TOKEN_USAGE] = json.dumps(usage)
    cost = _mlflow.aggregate_cost_from_spans(spans) if _mlflow.aggregate_cost_from_spans is not None else None
    if cost:
        metadata[TraceMetadataKey.COST] = json.dumps(cost)
    return Trace(trace.info, TraceData(spans))


def _is_translated(span: Any) -> bool:
    """Return whether storing would change the span: it has token usage, or attributes named as OpenTelemetry does."""
    # the raw attributes: `span.attributes` decodes all of them
    keys = span._span.attributes or ()
    return any(key == _USAGE or ("." in key and not key.startswith("mlflow.")) for key in keys)
