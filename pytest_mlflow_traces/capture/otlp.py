"""OpenTelemetry's own ways out of the process: held back while a capture is open, and captured where they are MLflow's.

`mlflow.otel.autolog()`, and exporters that are set by hand, send plain spans by OTLP, past the place where MLflow
chooses its processors. Exporters of the application that stay in the process (in memory, to the console) see what they
saw.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from pytest_mlflow_traces.capture.mlflow_internals import otel_trace, span_processors
from pytest_mlflow_traces.capture.router import router
from pytest_mlflow_traces.capture.span_processor import CaptureProcessor

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.capture.replacements import Replacements

_EXPORTERS = "opentelemetry.exporter."  # the packages of those over the network


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
