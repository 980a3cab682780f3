"""The span processor that stands in for MLflow's own while a capture is open, and what holds back all others.

MLflow chooses its processors in one place, `tracing.provider._get_span_processors`. Standing there resolves the
Databricks, OTLP, Unity Catalog, serving, batching and artifact special cases at once, and survives `reset()`,
`set_destination()` and `enable()`, which all come back to that function.

`mlflow.otel.autolog()`, and exporters that are set by hand, send plain spans by OTLP, past that place. They are held
back where OpenTelemetry hands them a span. Exporters of the application that stay in the process see what they saw.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult

from pytest_mlflow_traces.capture import mlflow_internals
from pytest_mlflow_traces.capture.mlflow_internals import (
    InMemoryTraceManager,
    MlflowV3SpanProcessor,
    otel_trace,
    span_processors,
)
from pytest_mlflow_traces.capture.real_time import real_time
from pytest_mlflow_traces.capture.router import router
from pytest_mlflow_traces.capture.strands import strands

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces.capture.replacements import Replacements


_EXPORTERS = "opentelemetry.exporter."  # the packages of those over the network


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
        strands.started(span)
        try:
            super().on_start(span, parent_context)
        except Exception as error:
            router.failed(span, error)
            raise

    def on_end(self, span: Any) -> None:
        """See `SpanProcessor.on_end`."""
        real_time.ended(span)
        strands.ended(span)
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


def hold_back(replacements: Replacements) -> None:
    """Have the processors of OpenTelemetry keep back what they would send."""
    ours = CaptureProcessor()
    for processor in (SimpleSpanProcessor, BatchSpanProcessor):
        for name, handle in (("on_start", ours.on_start), ("on_end", ours.on_end)):
            replacements.put(processor, name, _held_back(handle))


def _held_back(handle: Callable[..., None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(before: Callable[..., Any]) -> Callable[..., Any]:
        def noted(processor: Any, span: Any, *args: Any, **kwargs: Any) -> None:
            exporter = processor.span_exporter
            if not router.stack or not any(each.__module__.startswith(_EXPORTERS) for each in type(exporter).__mro__):
                before(processor, span, *args, **kwargs)
            elif _is_of_mlflow(processor):
                handle(span, *args, **kwargs)

        return noted

    return make


def _is_of_mlflow(processor: Any) -> bool:
    """Return whether `mlflow.otel` made a processor, on a provider where ours does not see the spans itself."""
    made = getattr(sys.modules.get("mlflow.otel"), "_active_processor", None)
    if made is None or made._inner is not processor:
        return False
    beside = span_processors(otel_trace._TRACER_PROVIDER) or ()
    return not any(isinstance(each, CaptureProcessor) for each in beside)
