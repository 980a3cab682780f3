"""Connect MLflow to a capture while it is open: what is replaced, what is set, and how both are put back."""

from __future__ import annotations

import functools
import os
from random import SystemRandom
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from mlflow.utils.uri import is_databricks_uri
from opentelemetry import context as otel_context

from pytest_mlflow_traces.capture import mlflow_internals, unmade_spans
from pytest_mlflow_traces.capture.context import Capture, dropped
from pytest_mlflow_traces.capture.log import TraceLog
from pytest_mlflow_traces.capture.mlflow_internals import State, otel_trace, tracing_provider, tracking_fluent
from pytest_mlflow_traces.capture.real_time import real_time
from pytest_mlflow_traces.capture.replacements import Replacements
from pytest_mlflow_traces.capture.router import router
from pytest_mlflow_traces.capture.span_processor import CaptureProcessor, hold_back
from pytest_mlflow_traces.capture.store.experiments import DEFAULT_EXPERIMENT
from pytest_mlflow_traces.capture.store.memory import MemoryStore
from pytest_mlflow_traces.capture.strands import strands
from pytest_mlflow_traces.capture.threads import threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.trace import Trace

MEMORY_URI = "memory://"
_INSIDE = {
    "MLFLOW_TRACKING_URI": MEMORY_URI,  # what a child process inherits: it then writes no mlflow.db either
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_MODEL_CATALOG_URI": "",  # since 3.12; MLflow would fetch a price list to compute a cost
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # where LiteLLM is installed, MLflow asks it, and it fetches its own
}
_OUTSIDE = ("MLFLOW_REGISTRY_URI", "MLFLOW_TRACING_DESTINATION")
_undone: dict[str, str | None] = {}  # what those inside were before the capture that closed last
_replacements = Replacements()
_kept_provider: dict[Any, Any] = {}  # MLflow's own tracer provider made last, by the environment it was made in


class InstalledCapture(Capture):
    """A capture, and what MLflow says of it: while it is open, of now; afterwards, of the moment when it closed."""

    def open_traces(self) -> list[Trace]:
        """The traces with spans that are open."""
        return router.open_traces(self) if self.is_open else self.left_over

    def open_runs(self) -> list[str]:
        """The names of the MLflow runs that are active in any thread."""
        if not self.is_open:
            return self.runs
        return [run.info.run_name or run.info.run_id for stack in mlflow_internals.active_runs() for run in stack]

    def lost(self) -> list[Finding]:
        """What was traced in its time and is not in it, whatever else is."""
        return dropped(router.refusals(self)) + self.missing()

    def why_bypassed(self) -> str | None:
        """Why MLflow's spans do not reach it, or `None`."""
        if not self.is_open:
            return self.bypass
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return "OTEL_SDK_DISABLED is set: OpenTelemetry makes no spans at all; unset it for this test"
        if not _reaches_us() and not tracing_provider.is_tracing_enabled():
            return "tracing is disabled: the code under test called mlflow.tracing.disable()"
        variable = mlflow_internals._USER_TRACE_CONTEXT
        context = None if variable is None else variable.get()
        if context is not None and context.enabled is False:
            return "tracing is disabled here: this is inside of mlflow.tracing.context(enabled=False)"
        refusals = router.refusals(self)
        return refusals[0] if refusals else self.why_missed()


def open_capture() -> InstalledCapture:
    """Open a capture; the first one replaces the parts of MLflow that send traces or read them."""
    before = State()
    outer = router.capture()
    log = TraceLog()
    store = MemoryStore(log, outer.store.experiments if outer is not None else (), others=_logs_for_threads)
    known = tracking_fluent._active_experiment_id
    if known:
        store.know_experiment(known)
    capture = InstalledCapture(log, store, before, outer=router.current.get())
    is_first, router.is_over = not router.stack, False
    if is_first:
        _undone.clear()
        real_time.forget()
        strands.forget()
        _replace_parts()
    router.stack.append(capture)
    router.current.set(capture)
    try:
        _prepare_state(before, only_this_thread=not is_first)
    except BaseException:
        close(capture)
        raise
    return capture


def _logs_for_threads() -> list[TraceLog]:
    """All that are open, for a thread without a context: MLflow reads in such threads, before 3.15."""
    return [] if router.current.get() is not None else [capture.log for capture in router.stack]


def close(capture: InstalledCapture) -> None:
    """Close a capture, and put back what was so before it; one closed out of turn leaves that to the next."""
    for thread in mlflow_internals.link_threads():
        thread.join(timeout=5)  # else it opens the real store after the capture, and writes mlflow.db
    if not len(capture.log):
        capture.bypass = capture.why_bypassed()
    capture.runs = capture.open_runs()
    capture.is_open = False
    position = router.stack.index(capture)
    router.stack.remove(capture)
    router.forget(capture)
    if router.current.get() is capture:
        router.current.set(capture.outer and capture.outer.nearest_open())
    if position < len(router.stack):
        router.stack[position].before = capture.before
    else:
        capture.before.restore(only_this_thread=bool(router.stack))
        if not router.stack:
            _undone.update((name, capture.before.variable(name)) for name in _INSIDE)
    if not router.stack:
        _put_back_parts()
    capture.store.close()


def restore_variables() -> None:
    """Put variables back once more, when all of a test has been undone.

    A `monkeypatch.setenv` inside of a capture remembers what it finds there. Where the fixture `monkeypatch` is older
    than the capture, it is undone after that closed, and would leave the capture's own variables behind for good.
    """
    if router.stack:
        return
    for name, before in _undone.items():
        if os.environ.get(name) == _INSIDE[name]:
            if before is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = before
    _undone.clear()


def _prepare_state(before: State, *, only_this_thread: bool) -> None:
    os.environ.update(_INSIDE)
    for name in _OUTSIDE:
        os.environ.pop(name, None)
    mlflow_internals.tracing_fluent._LAST_ACTIVE_TRACE_ID_GLOBAL = None
    mlflow_internals.tracing_fluent._LAST_ACTIVE_TRACE_ID_THREAD_LOCAL.set(None)
    mlflow_internals.telemetry_client._MLFLOW_TELEMETRY_CLIENT = None
    if mlflow_internals.PromptCache is not None:
        mlflow_internals.PromptCache._instance = None  # it would serve the prompts of another registry
    for stack in mlflow_internals.active_runs(only_this_thread=only_this_thread):
        stack.clear()  # a run of before is in another store
    if not _reaches_us():
        _use_own_provider(before)


def _reaches_us() -> bool:
    """Whether the spans that MLflow starts now come to us, as they do inside of another capture."""
    if not tracing_provider.provider.once._done:
        return False
    return any(map(_is_ours, mlflow_internals.span_processors(tracing_provider.provider.get()) or ()))


def _is_ours(processor: Any) -> bool:
    return isinstance(processor, CaptureProcessor) and processor.is_current


def _use_own_provider(before: State) -> None:
    """Have MLflow choose its processors anew, in both provider modes: code under test may change the mode.

    Its own provider is made at once, not with the first span: threads that trace while another capture opens or closes
    must never find that there is none. It is kept for the next capture, since OpenTelemetry never lets go of a provider
    (`atexit`, `register_at_fork`).
    """
    provider = tracing_provider.provider
    provider._isolated_tracer_provider = None
    provider._isolated_tracer_provider_once._done = False
    provider._global_provider_init_once._done = False
    shared = mlflow_internals.span_processors(otel_trace._TRACER_PROVIDER)
    if shared is None:
        otel_trace._TRACER_PROVIDER = None
        otel_trace._TRACER_PROVIDER_SET_ONCE._done = False
    else:
        others = tuple(each for each in shared if not isinstance(each, mlflow_internals.BaseMlflowSpanProcessor))
        mlflow_internals.set_span_processors(otel_trace._TRACER_PROVIDER, others)
    if provider.once is not provider._isolated_tracer_provider_once:
        if shared is not None:
            provider.get_or_init_tracer(__name__)  # joins the application's; where it has none yet, it may set one
        return
    key = before.provider_environment()
    kept = _kept_provider.get(key)
    if kept is not None and [*map(_is_ours, mlflow_internals.span_processors(kept) or ())] == [True]:  # untouched
        provider._isolated_tracer_provider = kept
        provider.once._done = True
        return
    provider.get_or_init_tracer(__name__)
    _remember_tracers(provider.get())
    _kept_provider.clear()
    _kept_provider[key] = provider.get()


def _remember_tracers(provider: Any) -> None:
    """Make each tracer once; MLflow asks for one with every span, and OpenTelemetry adds a warning filter each time."""
    make = provider.get_tracer
    known = functools.cache(make)
    provider.get_tracer = lambda name, *args, **kwargs: (make if args or kwargs else known)(name, *args, **kwargs)


def _replace_parts() -> None:
    threads.watch(router.giver)
    strands.watch(_replacements)
    reset = mlflow_internals.tracking_utils.reset
    context = tracing_provider.get_current_context
    ids = SystemRandom()  # code under test seeds Python's own, and then two traces have the same id

    def chosen_processors(disabled: bool = False) -> list[Any]:
        if disabled:
            unmade_spans.note_disabled()
        return [] if disabled else [CaptureProcessor()]

    def pinned_reset() -> None:
        # MLflow exports the URI just set, for child processes; they, too, write nothing
        os.environ["MLFLOW_TRACKING_URI"] = MEMORY_URI
        reset()

    def parent_context() -> Any:
        return _without_strangers(context())

    unmade_spans.watch()
    hold_back(_replacements)
    _replace(tracing_provider, "_get_span_processors", chosen_processors)
    _replace(tracing_provider, "_get_trace_sampler", lambda: mlflow_internals.ALWAYS_ON)
    _replace(tracing_provider, "get_current_context", parent_context)
    _replace(mlflow_internals.tracing_distributed, "get_current_context", parent_context)
    _replace(mlflow_internals.RandomIdGenerator, "generate_trace_id", lambda _: ids.getrandbits(128) or 1)
    _replace(mlflow_internals.RandomIdGenerator, "generate_span_id", lambda _: ids.getrandbits(64) or 1)
    _replace(mlflow_internals.tracking_utils, "reset", pinned_reset)
    # an attribute of the instance: it covers every URI, bypasses the cache below it, and goes without a trace
    _replace(mlflow_internals.tracking_utils._tracking_store_registry, "get_store", _current_store)
    # MLflow would look for a Databricks notebook around each root; the slim mlflow-tracing forgets to import its own
    _replace(tracking_fluent, "default_experiment_registry", SimpleNamespace(get_experiment_id=_default_experiment))
    if mlflow_internals.ModelRegistryStoreRegistry is not None:
        _replace(mlflow_internals.ModelRegistryStoreRegistry, "get_store", _current_registry)
    else:
        _replace(tracking_fluent, "MlflowClient", _current_store)


def _replace(holder: Any, name: str, value: Any) -> None:
    def make(before: Callable[..., Any]) -> Any:
        if not isinstance(value, FunctionType):
            return value

        def while_open(*args: Any, **kwargs: Any) -> Any:
            return (value if router.stack else before)(*args, **kwargs)

        return while_open

    _replacements.put(holder, name, make)


def _put_back_parts() -> None:
    threads.unwatch()
    _replacements.take_out()


def _without_strangers(context: Any) -> Any:
    """Return the context in which a span starts, without a current span that belongs to no trace of this capture."""
    current = otel_trace.get_current_span(context)
    if current is otel_trace.INVALID_SPAN or router.may_be_parent(current):
        return context
    return otel_trace.set_span_in_context(otel_trace.INVALID_SPAN, context or otel_context.get_current())


def _default_experiment() -> str | None:
    return None if is_databricks_uri(mlflow_internals.tracking_utils.get_tracking_uri()) else DEFAULT_EXPERIMENT


def _current_store(store_uri: Any = None, artifact_uri: Any = None) -> MemoryStore:
    capture = router.capture() or router.stack[-1]
    return capture.store


def _current_registry(self: Any, store_uri: Any = None, tracking_uri: Any = None) -> Any:
    """Answer for the registry of models and prompts: a file store beside the capture's."""
    return _current_store().registry()
