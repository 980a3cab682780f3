"""The span processor that stands in for MLflow's own while a capture is open.

MLflow chooses its processors in one place, `tracing.provider._get_span_processors`. Standing there resolves the
Databricks, OTLP, Unity Catalog, serving, batching and artifact special cases at once, and survives `reset()`,
`set_destination()` and `enable()`, which all come back to that function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from pytest_mlflow_traces.capture import mlflow_internals
from pytest_mlflow_traces.capture.mlflow_internals import InMemoryTraceManager, MlflowV3SpanProcessor
from pytest_mlflow_traces.capture.real_time import real_time
from pytest_mlflow_traces.capture.router import router

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Queue:
    def flush(self, terminate: bool = False) -> None:
        """Do nothing: MLflow's `flush_trace_async_logging` asks its exporter's queue, and there is none."""


class _Exporter(SpanExporter):
    _async_queue = _Queue()

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class _NoExport(SimpleSpanProcessor):
    """The base class that stands where MLflow's processor hands a span on for export."""

    def on_end(self, span: Any) -> None:
        """Do nothing: OpenTelemetry would attach a context, ask the exporter, and detach it."""


class CaptureProcessor(MlflowV3SpanProcessor, _NoExport):
    """MLflow's own handling of spans, with starts and ends noted for the router in place of an export."""

    def __init__(self) -> None:
        super().__init__(span_exporter=_Exporter(), export_metrics=False)

    @property
    def is_current(self) -> bool:
        """Whether MLflow still keeps its spans where this processor looks for them; suites reset that."""
        return self._trace_manager is InMemoryTraceManager.get_instance()

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """See `SpanProcessor.on_start`."""
        if not router.started(span):
            return
        real_time.started(span)
        try:
            super().on_start(span, parent_context)
        except Exception as error:
            router.failed(span, error)
            raise

    def on_end(self, span: Any) -> None:
        """See `SpanProcessor.on_end`."""
        real_time.ended(span)
        if not router.knows(span):
            return
        try:
            super().on_end(span)
        finally:  # before 3.16 MLflow fails where token usage cannot be added
            if span.parent is None:
                trace_id = self._trace_manager.get_mlflow_trace_id_from_otel_id(span.context.trace_id)
                if trace_id is not None:
                    # as MLflow's exporter does on 3.10, and its processor on later ones
                    mlflow_internals.tracing_fluent._set_last_active_trace_id(trace_id)
            router.ended(span)
