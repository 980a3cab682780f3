"""Connect MLflow to a capture while it is open: what is replaced, what is set, and how both are put back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from pytest_mlflow_traces import _mlflow
from pytest_mlflow_traces._memory_store import MemoryStore, with_file_stores_allowed
from pytest_mlflow_traces._mlflow import State, otel_trace, tracing_provider
from pytest_mlflow_traces._routing import Capture, CaptureProcessor, router
from pytest_mlflow_traces.captured import TraceLog

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_URI = "memory://"
_GONE = object()
_INSIDE = {
    "MLFLOW_TRACKING_URI": MEMORY_URI,  # what a child process inherits: it then writes no mlflow.db either
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_MODEL_CATALOG_URI": "",  # since 3.12; MLflow would fetch a price list to compute a cost
}
_OUTSIDE = ("MLFLOW_REGISTRY_URI", "MLFLOW_TRACING_DESTINATION")
_replaced: list[tuple[Any, str, Any]] = []


def opened() -> Capture:
    """Open a capture; the first one replaces the parts of MLflow that send traces or read them."""
    before = State()
    outer = router.capture()
    log = TraceLog()
    store = MemoryStore(log, outer.store.experiments if outer is not None else ())
    known = _mlflow.tracking_fluent._active_experiment_id
    if known:
        store.know_experiment(known)
    capture = Capture(log, store, before, outer=router.current.get())
    if not router.stack:
        _replace_parts()
    router.stack.append(capture)
    router.current.set(capture)
    _prepare_state()
    return capture


def close(capture: Capture) -> None:
    """Close a capture, and put back what was so before it; one closed out of turn leaves that to the next."""
    capture.bypass = _bypass_now()
    for thread in _mlflow.link_threads():
        thread.join(timeout=5)  # else it opens the real store after the capture, and writes mlflow.db
    capture.is_open = False
    position = router.stack.index(capture)
    router.stack.remove(capture)
    router.forget(capture)
    if router.current.get() is capture:
        router.current.set(capture.outer)
    if position < len(router.stack):
        router.stack[position].before = capture.before
    else:
        capture.before.restore()
    if not router.stack:
        _put_back_parts()
    capture.store.close()


def open_traces(capture: Capture) -> list[Any]:
    """The traces of a capture with spans that are open, or were when it closed."""
    return router.open_traces(capture) if capture.is_open else capture.left_over


def bypass(capture: Capture) -> str | None:
    """Why MLflow's spans do not reach the capture, or `None`."""
    return _bypass_now() if capture.is_open else capture.bypass


def _bypass_now() -> str | None:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return "OTEL_SDK_DISABLED is set: OpenTelemetry makes no spans at all; unset it for this test"
    if not tracing_provider.is_tracing_enabled():
        return "tracing is disabled: the code under test called mlflow.tracing.disable()"
    return None


def _prepare_state() -> None:
    os.environ.update(_INSIDE)
    for name in _OUTSIDE:
        os.environ.pop(name, None)
    _mlflow.telemetry_client._MLFLOW_TELEMETRY_CLIENT = None
    for stack in _mlflow.active_runs():
        stack.clear()  # a run of before is in another store
    # the next span makes a provider, with the processors that are chosen then
    provider = tracing_provider.provider
    provider._isolated_tracer_provider = None
    provider._isolated_tracer_provider_once._done = False
    provider._global_provider_init_once._done = False
    shared = _mlflow.span_processors(otel_trace._TRACER_PROVIDER)
    if shared is None:
        otel_trace._TRACER_PROVIDER = None
        otel_trace._TRACER_PROVIDER_SET_ONCE._done = False
    else:
        others = tuple(each for each in shared if not isinstance(each, _mlflow.BaseMlflowSpanProcessor))
        _mlflow.set_span_processors(otel_trace._TRACER_PROVIDER, others)


def _replace_parts() -> None:
    reset = _mlflow.tracking_utils.reset
    context = tracing_provider.get_current_context

    def chosen_processors(disabled: bool = False) -> list[Any]:
        return [] if disabled else [CaptureProcessor()]

    def pinned_reset() -> None:
        # MLflow exports the URI just set, for child processes; they, too, write nothing
        os.environ["MLFLOW_TRACKING_URI"] = MEMORY_URI
        reset()

    def parent_context() -> Any:
        return _without_strangers(context())

    _replace(tracing_provider, "_get_span_processors", chosen_processors)
    _replace(tracing_provider, "_get_trace_sampler", lambda: None)
    _replace(tracing_provider, "get_current_context", parent_context)
    _replace(_mlflow.tracing_distributed, "get_current_context", parent_context)
    _replace(_mlflow.tracking_utils, "reset", pinned_reset)
    # an attribute of the instance: it covers every URI, bypasses the cache below it, and goes without a trace
    _replace(_mlflow.tracking_utils._tracking_store_registry, "get_store", _current_store)
    if _mlflow.ModelRegistryStoreRegistry is not None:
        _replace(_mlflow.ModelRegistryStoreRegistry, "get_store", _current_registry)


def _replace(holder: Any, name: str, value: Callable[..., Any]) -> None:
    _replaced.append((holder, name, vars(holder).get(name, _GONE)))
    setattr(holder, name, value)


def _put_back_parts() -> None:
    while _replaced:
        holder, name, value = _replaced.pop()
        if value is _GONE:
            delattr(holder, name)
        else:
            setattr(holder, name, value)


def _without_strangers(context: Any) -> Any:
    """Return the context in which a span starts, without a current span that belongs to no trace of this capture."""
    current = otel_trace.get_current_span(context)
    if current is otel_trace.INVALID_SPAN or router.may_be_parent(current):
        return context
    return otel_trace.set_span_in_context(otel_trace.INVALID_SPAN, context or otel_context.get_current())


def _current_store(store_uri: Any = None, artifact_uri: Any = None) -> MemoryStore:
    capture = router.capture() or router.stack[-1]
    return capture.store


def _current_registry(self: Any, store_uri: Any = None, tracking_uri: Any = None) -> Any:
    """Answer for the registry of models and prompts: a file store beside the capture's."""
    store = _current_store()
    if store.registry is None:
        from mlflow.store.model_registry.file_store import FileStore

        store.registry = with_file_stores_allowed(FileStore, f"{store.directory}/registry")
    return store.registry
