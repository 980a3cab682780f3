"""Every MLflow and OpenTelemetry internal that this project touches, named once.

`tests/test_mlflow_internals.py` asks for each of them by name, so that an MLflow that moves one fails there, clearly.
Present on MLflow 3.10 to 3.17, except where a comment says since when.
"""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import suppress
from typing import Any

import mlflow.tracing.distributed as tracing_distributed
import mlflow.tracing.fluent as tracing_fluent
import mlflow.tracing.provider as tracing_provider
import mlflow.tracking._tracking_service.utils as tracking_utils
import mlflow.tracking.fluent as tracking_fluent
from mlflow.telemetry import client as telemetry_client
from mlflow.tracing import config as tracing_config
from mlflow.tracing.constant import SpansLocation, TraceMetadataKey, TraceTagKey
from mlflow.tracing.otel.translation import translate_span_when_storing
from mlflow.tracing.processor.base_mlflow import BaseMlflowSpanProcessor
from mlflow.tracing.processor.mlflow_v3 import MlflowV3SpanProcessor
from mlflow.tracing.trace_manager import InMemoryTraceManager
from mlflow.tracing.utils import aggregate_usage_from_spans
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider

try:
    from mlflow.tracking._model_registry import utils as registry_utils
    from mlflow.tracking._model_registry.registry import ModelRegistryStoreRegistry
except ImportError:  # the slim mlflow-tracing has no model registry
    registry_utils = None
    ModelRegistryStoreRegistry = None
try:
    from mlflow.tracing.utils import aggregate_cost_from_spans
except ImportError:  # since 3.11
    aggregate_cost_from_spans = None

# MLflow imports this in the first start of a span and swallows what goes wrong there: in a suite that turns warnings
# into errors, the warnings of that import would cost the span, without a word.
with warnings.catch_warnings(), suppress(ImportError):  # the slim mlflow-tracing does without
    warnings.simplefilter("ignore")
    import mlflow.pyfunc.context

__all__ = [
    "BaseMlflowSpanProcessor",
    "InMemoryTraceManager",
    "MlflowV3SpanProcessor",
    "ModelRegistryStoreRegistry",
    "SpansLocation",
    "State",
    "TraceMetadataKey",
    "TraceTagKey",
    "TracerProvider",
    "aggregate_cost_from_spans",
    "aggregate_usage_from_spans",
    "otel_trace",
    "registry_utils",
    "telemetry_client",
    "tracing_config",
    "tracing_distributed",
    "tracing_fluent",
    "tracing_provider",
    "tracking_fluent",
    "tracking_utils",
    "translate_span_when_storing",
]

_PREFIXES = ("MLFLOW_", "_MLFLOW_", "OTEL_")
_MODULE_GLOBALS = (
    (tracking_utils, "_tracking_uri"),
    (registry_utils, "_registry_uri"),
    (tracking_fluent, "_active_experiment_id"),
    (tracing_fluent, "_LAST_ACTIVE_TRACE_ID_GLOBAL"),
    (tracing_config, "_MLFLOW_TRACING_CONFIG"),
    (telemetry_client, "_MLFLOW_TELEMETRY_CLIENT"),
    (otel_trace, "_TRACER_PROVIDER"),
    (tracing_provider.provider, "_isolated_tracer_provider"),
    (tracing_provider._MLFLOW_TRACE_USER_DESTINATION, "_global_value"),
    # whether a provider has been made: MLflow's two, and OpenTelemetry's
    (tracing_provider.provider._isolated_tracer_provider_once, "_done"),
    (tracing_provider.provider._global_provider_init_once, "_done"),
    (otel_trace._TRACER_PROVIDER_SET_ONCE, "_done"),
)
_CONTEXT_VARIABLES = (
    tracing_fluent._LAST_ACTIVE_TRACE_ID_THREAD_LOCAL,
    tracing_provider._MLFLOW_TRACE_USER_DESTINATION._context_local_value,
)
_THREAD_LOCALS = tuple(
    getattr(tracking_fluent, name)
    for name in ("_last_active_run_id", "_last_logged_model_id", "_ACTIVE_MODEL_CONTEXT")
    if hasattr(tracking_fluent, name)  # the slim mlflow-tracing has none of runs
)


class State:
    """Remember all of MLflow's state that code under test may change, and put it back. Two are equal if nothing did."""

    def __init__(self) -> None:
        self.environment = {key: value for key, value in os.environ.items() if key.startswith(_PREFIXES)}
        self.globals = [getattr(holder, name, None) for holder, name in _MODULE_GLOBALS]
        self.filters = list(tracing_config._MLFLOW_TRACING_CONFIG.span_processors)
        self.context = [variable.get() for variable in _CONTEXT_VARIABLES]
        self.thread = [variable.get() for variable in _THREAD_LOCALS]
        self.runs = [(stack, list(stack)) for stack in active_runs()]
        self.processors = span_processors(otel_trace._TRACER_PROVIDER)

    def restore(self) -> None:
        """Put everything back as it was."""
        for key in [key for key in os.environ if key.startswith(_PREFIXES) and key not in self.environment]:
            del os.environ[key]
        os.environ.update(self.environment)
        for (holder, name), value in zip(_MODULE_GLOBALS, self.globals, strict=True):
            if holder is not None:
                setattr(holder, name, value)
        tracing_config._MLFLOW_TRACING_CONFIG.span_processors = self.filters
        for variable, value in zip(_CONTEXT_VARIABLES, self.context, strict=True):
            variable.set(value)
        for variable, value in zip(_THREAD_LOCALS, self.thread, strict=True):
            variable.set(value)
        before = {id(stack): runs for stack, runs in self.runs}
        for stack in active_runs():
            stack[:] = before.get(id(stack), ())
        if self.processors is not None:
            set_span_processors(otel_trace._TRACER_PROVIDER, self.processors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self._compared() == other._compared()

    __hash__ = None

    def _compared(self) -> dict[str, Any]:
        return vars(self) | {"runs": [runs for _, runs in self.runs if runs]}


def active_runs() -> list[list[Any]]:
    """The stack of active runs of each thread."""
    stacks = getattr(tracking_fluent, "_active_run_stack", None)
    if stacks is None:
        return []
    stacks.get()  # makes this thread's, where there was none
    return list(stacks.get_all_thread_values().values())


def span_processors(provider: Any) -> tuple[Any, ...] | None:
    """The processors of an SDK tracer provider, `None` of any other."""
    if not isinstance(provider, TracerProvider):
        return None
    return tuple(provider._active_span_processor._span_processors)


def set_span_processors(provider: Any, processors: tuple[Any, ...]) -> None:
    """Give an SDK tracer provider exactly these processors, without shutting the others down."""
    if isinstance(provider, TracerProvider):
        provider._active_span_processor._span_processors = processors


def link_threads() -> list[threading.Thread]:
    """The threads in which MLflow links prompts, fire and forget."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("link_prompt")]
