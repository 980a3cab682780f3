"""Every MLflow and OpenTelemetry internal that this project touches, named once, and all of their state as one thing.

`tests/capture/test_mlflow_internals.py` asks for each of them by name, so that an MLflow that moves one fails there,
clearly. Present on MLflow 3.10 to 3.17, except where a comment says since when.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from typing import Any

import mlflow.tracing.distributed as tracing_distributed
import mlflow.tracing.fluent as tracing_fluent
import mlflow.tracing.provider as tracing_provider
import mlflow.tracking._tracking_service.utils as tracking_utils
import mlflow.tracking.fluent as tracking_fluent
from mlflow.telemetry import client as telemetry_client
from mlflow.tracing import config as tracing_config
from mlflow.tracing.constant import SpansLocation, TraceMetadataKey, TraceTagKey
from mlflow.tracing.otel.translation import translate_loaded_span, translate_span_when_storing
from mlflow.tracing.processor.base_mlflow import BaseMlflowSpanProcessor
from mlflow.tracing.processor.mlflow_v3 import MlflowV3SpanProcessor
from mlflow.tracing.trace_manager import InMemoryTraceManager
from mlflow.tracing.utils import aggregate_cost_from_spans, aggregate_usage_from_spans
from mlflow.utils import workspace_context
from mlflow.version import IS_TRACING_SDK_ONLY
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

try:
    from mlflow.tracing.context import _USER_TRACE_CONTEXT
except ImportError:  # since 3.12
    _USER_TRACE_CONTEXT = None
if not IS_TRACING_SDK_ONLY:
    from mlflow.prompt.registry_utils import PromptCache
    from mlflow.tracking._model_registry import utils as registry_utils
    from mlflow.tracking._model_registry.registry import ModelRegistryStoreRegistry

    # MLflow imports this while it starts the first trace of a process, and drops that trace without a word if the
    # import fails, as it does where warnings are errors: the module warns.
    with contextlib.suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc.context
else:  # the slim mlflow-tracing has no runs, models and prompts
    registry_utils = None
    ModelRegistryStoreRegistry = None
    PromptCache = None

_OTEL = os.fsencode("OTEL_") if os.name == "posix" else "OTEL_"  # as the table below os.environ has its keys
_PREFIXES = ("MLFLOW_", "_MLFLOW_", "OTEL_", "LITELLM_LOCAL_MODEL_COST_MAP")
_MODULE_GLOBALS = tuple(
    (holder, name)
    for holder, name in (
        (tracking_utils, "_tracking_uri"),
        (registry_utils, "_registry_uri"),
        (PromptCache, "_instance"),
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
    if holder is not None
)
_CONTEXT_VARIABLES = (
    tracing_fluent._LAST_ACTIVE_TRACE_ID_THREAD_LOCAL,
    tracing_provider._MLFLOW_TRACE_USER_DESTINATION._context_local_value,
    workspace_context._WORKSPACE,
    workspace_context._IS_WORKSPACE_RESOLVED,
)
_THREAD_LOCALS = (
    tracking_fluent._last_active_run_id,
    tracking_fluent._last_logged_model_id,
    tracking_fluent._ACTIVE_MODEL_CONTEXT,
)


class State:
    """All of MLflow's state that code under test may change, to be put back."""

    __slots__ = ("_environ", "_table", "context", "filters", "globals", "models", "processors", "runs", "thread")

    def __init__(self) -> None:
        self._environ = os.environ  # code under test may put another mapping in its place, and be in there at the end
        self._table = _copied(self._environ)
        self.globals = [getattr(holder, name) for holder, name in _MODULE_GLOBALS]
        self.filters = list(tracing_config._MLFLOW_TRACING_CONFIG.span_processors)
        self.context = [variable.get() for variable in _CONTEXT_VARIABLES]
        self.thread = [variable.get() for variable in _THREAD_LOCALS]
        self.models = tracking_fluent._ACTIVE_MODEL_CONTEXT.get_all_thread_values()
        self.runs = [(stack, list(stack)) for stack in active_runs()]
        self.processors = span_processors(otel_trace._TRACER_PROVIDER)

    def variable(self, name: str) -> str | None:
        """The value of an environment variable, or `None`."""
        value = self._table.get(os.fsencode(name) if os.name == "posix" else name)
        return None if value is None else os.fsdecode(value)

    def provider_environment(self) -> frozenset[Any]:
        """The variables that OpenTelemetry reads when it makes a tracer provider."""
        return frozenset(item for item in self._table.items() if item[0].startswith(_OTEL))

    def restore(self, *, only_this_thread: bool = False) -> None:
        """Put everything back as it was, but leave the runs and models of other threads to other captures."""
        self._restore_environment()
        for (holder, name), value in zip(_MODULE_GLOBALS, self.globals, strict=True):
            setattr(holder, name, value)
        tracing_config._MLFLOW_TRACING_CONFIG.span_processors = self.filters
        for variable, value in zip(_CONTEXT_VARIABLES, self.context, strict=True):
            variable.set(value)
        for variable, value in zip(_THREAD_LOCALS, self.thread, strict=True):
            variable.set(value)
        if not only_this_thread:
            # MLflow looks for an active model in all threads, those that have ended among them
            models = _values_by_thread(tracking_fluent._ACTIVE_MODEL_CONTEXT)
            models.clear()
            models.update(self.models)
        before = {id(stack): runs for stack, runs in self.runs}
        for stack in active_runs(only_this_thread=only_this_thread):
            stack[:] = before.get(id(stack), ())
        if self.processors is not None:
            set_span_processors(otel_trace._TRACER_PROVIDER, self.processors)

    def _restore_environment(self) -> None:
        now = _copied(self._environ)
        if now == self._table:
            return
        for key in {key for key, _ in now.items() ^ self._table.items()}:
            name = os.fsdecode(key)
            if not name.startswith(_PREFIXES):
                continue
            if key in self._table:
                self._environ[name] = os.fsdecode(self._table[key])
            else:
                del self._environ[name]


def _copied(environ: Any) -> dict[Any, Any]:
    """Copy the environment without decoding it, which would cost more than all the rest of opening a capture."""
    table = getattr(environ, "_data", None)
    if table is None:
        encode = os.fsencode if os.name == "posix" else str
        table = {encode(key): encode(value) for key, value in environ.items()}
    return dict(table)


def active_runs(*, only_this_thread: bool = False) -> list[list[Any]]:
    """The stack of active runs of each thread."""
    mine = tracking_fluent._active_run_stack.get()  # makes this thread's, where there was none
    return [mine] if only_this_thread else list(tracking_fluent._active_run_stack.get_all_thread_values().values())


def _values_by_thread(variable: Any) -> dict[int, Any]:
    values: dict[int, Any] = variable._ThreadLocalVariable__global_thread_values
    return values


def span_processors(provider: Any) -> tuple[Any, ...] | None:
    """The processors of an SDK tracer provider, `None` of any other."""
    if not isinstance(provider, TracerProvider):
        return None
    return tuple(provider._active_span_processor._span_processors)


def set_span_processors(provider: Any, processors: tuple[Any, ...]) -> None:
    """Give an SDK tracer provider exactly these processors, without shutting the others down."""
    if isinstance(provider, TracerProvider):
        provider._active_span_processor._span_processors = processors


def forget_artifacts(directory: str) -> None:
    """Have MLflow let go of the artifact repositories in a directory, when what it still writes there is written."""
    cache = tracking_utils._artifact_repos_cache
    for key, repository in list(cache.items()):
        if directory in repository.artifact_uri:
            del cache[key]
            repository.thread_pool.shutdown(wait=True)


def link_threads() -> list[threading.Thread]:
    """The threads in which MLflow links prompts, fire and forget."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("link_prompt")]
