"""Each internal of MLflow and OpenTelemetry that the capture touches, by name.

A new MLflow that moves one of them fails here, and says which; what else then fails is its consequence. Nothing of the
project is imported at the top: it could not be.
"""

from __future__ import annotations

import inspect
import re
from importlib.metadata import PackageNotFoundError, version
from pkgutil import resolve_name
from typing import Any

import mlflow
import pytest
from packaging.version import Version

MLFLOW = Version(mlflow.__version__)


def _is_full() -> bool:
    for name in ("mlflow", "mlflow-skinny"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        return True
    return False


NAMES = {
    # replaced while a capture is open
    "mlflow.tracing.provider:_get_span_processors": "(disabled",
    "mlflow.tracing.provider:_get_trace_sampler": "()",
    "mlflow.tracing.provider:get_current_context": "()",
    "mlflow.tracing.provider:start_span_in_context": "(name",
    "mlflow.tracing.provider:start_detached_span": "(name",
    "mlflow.tracing.distributed:get_current_context": "()",
    "mlflow.tracking._tracking_service.utils:reset": "()",
    "mlflow.tracking._tracking_service.utils:_tracking_store_registry.get_store": "(store_uri",
    "opentelemetry.sdk.trace.id_generator:RandomIdGenerator.generate_trace_id": "(self)",
    "opentelemetry.sdk.trace.id_generator:RandomIdGenerator.generate_span_id": "(self)",
    # remembered and put back
    "mlflow.tracking._tracking_service.utils:_tracking_uri": None,
    "mlflow.tracking._tracking_service.utils:_artifact_repos_cache": None,
    "mlflow.tracking.fluent:_active_experiment_id": None,
    "mlflow.tracking.fluent:_active_run_stack._ThreadLocalVariable__global_thread_values": None,
    "mlflow.tracking.fluent:_active_run_stack.get_all_thread_values": "()",
    "mlflow.tracking.fluent:_last_active_run_id": None,
    "mlflow.tracking.fluent:_last_logged_model_id": None,
    "mlflow.tracking.fluent:_ACTIVE_MODEL_CONTEXT": None,
    "mlflow.tracing.fluent:_LAST_ACTIVE_TRACE_ID_GLOBAL": None,
    "mlflow.tracing.fluent:_LAST_ACTIVE_TRACE_ID_THREAD_LOCAL": None,
    "mlflow.tracing.config:_MLFLOW_TRACING_CONFIG.span_processors": None,
    "mlflow.telemetry.client:_MLFLOW_TELEMETRY_CLIENT": None,
    "mlflow.tracing.provider:_MLFLOW_TRACE_USER_DESTINATION._global_value": None,
    "mlflow.tracing.provider:_MLFLOW_TRACE_USER_DESTINATION._context_local_value": None,
    "mlflow.tracing.provider:provider._isolated_tracer_provider": None,
    "mlflow.tracing.provider:provider._isolated_tracer_provider_once._done": None,
    "mlflow.tracing.provider:provider._global_provider_init_once._done": None,
    "mlflow.tracing.provider:provider.once": None,
    "mlflow.tracing.provider:provider.get": "()",
    "mlflow.tracing.provider:provider.get_or_init_tracer": "(module_name",
    "mlflow.tracing.provider:is_tracing_enabled": "()",
    "mlflow.utils.workspace_context:_WORKSPACE": None,
    "mlflow.utils.workspace_context:_IS_WORKSPACE_RESOLVED": None,
    "opentelemetry.trace:_TRACER_PROVIDER": None,
    "opentelemetry.trace:_TRACER_PROVIDER_SET_ONCE._done": None,
    # used
    "mlflow.tracking._tracking_service.utils:is_tracking_uri_set": "()",
    "mlflow.tracing.trace_manager:InMemoryTraceManager.register_trace": "(self, otel_trace_id",
    "mlflow.tracing.fluent:_EVAL_REQUEST_ID_TO_TRACE_ID": None,
    "mlflow.tracing.fluent:_set_last_active_trace_id": "(trace_id",
    "mlflow.tracing.trace_manager:InMemoryTraceManager.get_instance": "()",
    "mlflow.tracing.trace_manager:InMemoryTraceManager.get_mlflow_trace_id_from_otel_id": "(self, otel_trace_id",
    "mlflow.tracing.trace_manager:InMemoryTraceManager.get_trace": "(self, trace_id",
    "mlflow.tracing.trace_manager:InMemoryTraceManager.pop_trace": "(self, otel_trace_id",
    "mlflow.tracing.processor.mlflow_v3:MlflowV3SpanProcessor.on_start": "(self, span",
    "mlflow.tracing.processor.mlflow_v3:MlflowV3SpanProcessor.on_end": "(self, span",
    "mlflow.tracing.processor.mlflow_v3:MlflowV3SpanProcessor.__init__": "(self, span_exporter",
    "mlflow.tracing.processor.base_mlflow:BaseMlflowSpanProcessor": None,
    "mlflow.tracing.otel.translation:translate_span_when_storing": "(span",
    "mlflow.tracing.otel.translation:translate_loaded_span": "(span_dict",
    "mlflow.entities:Span.from_otel_proto": "(otel_proto_span",
    "mlflow.tracing.utils:aggregate_usage_from_spans": "(spans",
    "mlflow.tracing.utils:aggregate_cost_from_spans": "(spans",
    "mlflow.tracing.utils.prompt:update_linked_prompts_tag": "(current_tag_value",
    "mlflow.tracing.constant:SpansLocation.TRACKING_STORE": None,
    "mlflow.tracing.constant:TraceMetadataKey.SOURCE_RUN": None,
    "mlflow.tracing.constant:TraceMetadataKey.MODEL_ID": None,
    "mlflow.tracing.constant:TraceMetadataKey.TRACE_SESSION": None,
    "mlflow.tracing.constant:TraceMetadataKey.TRACE_USER": None,
    "mlflow.tracing.constant:TraceMetadataKey.TOKEN_USAGE": None,
    "mlflow.tracing.constant:TraceMetadataKey.COST": None,
    "mlflow.tracing.constant:TraceTagKey.EVAL_REQUEST_ID": None,
    "mlflow.tracing.constant:TraceTagKey.LINKED_PROMPTS": None,
    "mlflow.tracing.constant:TraceTagKey.TRACE_NAME": None,
    "mlflow.tracing.constant:TraceTagKey.SPANS_LOCATION": None,
    "mlflow.utils.search_utils:SearchTraceUtils.NUMERIC_ATTRIBUTES": None,
    "mlflow.utils.search_utils:SearchTraceUtils.parse_search_filter_for_search_traces": "(filter_string",
    "mlflow.utils.search_utils:SearchTraceUtils.parse_order_by_for_search_traces": "(order_by",
    "mlflow.utils.search_utils:SearchTraceUtils.parse_start_offset_from_page_token": "(page_token",
    "mlflow.utils.search_utils:SearchTraceUtils.create_page_token": "(offset",
    "mlflow.utils.search_utils:SearchExperimentsUtils.filter": "(experiments, filter_string",
    "mlflow.utils.search_utils:SearchExperimentsUtils.sort": "(experiments, order_by_list",
    "mlflow.utils.validation:_validate_trace_tag": "(key, value",
    "mlflow.utils.uri:is_databricks_uri": "(uri",
    "mlflow.entities:Experiment._set_name": "(self, new_name",
    "mlflow.entities:Experiment._add_tag": "(self, tag",
    "mlflow.version:IS_TRACING_SDK_ONLY": None,
    "mlflow.environment_variables:MLFLOW_DISABLE_TELEMETRY": None,
    "mlflow.environment_variables:MLFLOW_TRACING_DESTINATION": None,
    "mlflow.environment_variables:MLFLOW_USE_DEFAULT_TRACER_PROVIDER": None,
}
NAMES_OF_THE_FULL_MLFLOW = {
    "mlflow.tracking.fluent:default_experiment_registry.get_experiment_id": "()",
    "mlflow.tracking._model_registry.utils:_registry_uri": None,
    "mlflow.tracking._model_registry.registry:ModelRegistryStoreRegistry.get_store": "(self, store_uri",
    "mlflow.prompt.registry_utils:PromptCache._instance": None,
    "mlflow.pyfunc.context:get_prediction_context": "()",
    "mlflow.store.tracking.file_store:FileStore._has_experiment": "(self, experiment_id",
    "mlflow.store.tracking.file_store:FileStore._create_experiment_with_id": "(self, name, experiment_id",
    "mlflow.store.model_registry.file_store:FileStore.__init__": "(self, root_directory",
    "mlflow.store.db.utils:create_sqlalchemy_engine": "(db_uri",
    "mlflow.store.db.utils:_get_latest_schema_revision": "()",
    "mlflow.store.db.base_sql_model:Base.metadata.sorted_tables": None,
    "mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore._engine_map": None,
    "mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.start_trace": "(self, trace_info",
    "mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.log_spans": "(self, location",
    "mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.search_traces": "(self, experiment_ids",
    "mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.get_experiment": "(self, experiment_id",
}
NAMES_SINCE = {
    "mlflow.tracing.context:_USER_TRACE_CONTEXT": "3.12",
    "mlflow.environment_variables:MLFLOW_MODEL_CATALOG_URI": "3.12",
    "mlflow.environment_variables:MLFLOW_ALLOW_FILE_STORE": "3.13",
}


def _check(name: str, signature: str | None) -> None:
    try:
        found: Any = resolve_name(name)
    except (ImportError, AttributeError) as error:
        pytest.fail(
            f"MLflow {MLFLOW} has no {name}, which pytest_mlflow_traces/capture/mlflow_internals.py relies on: {error}"
        )
    if signature is not None:
        actual = str(inspect.signature(found))
        assert actual.startswith(signature), f"{name} of MLflow {MLFLOW} takes {actual}, expected {signature}...)"


@pytest.mark.parametrize("name", NAMES)
def test_an_internal_is_there(name):
    _check(name, NAMES[name])


@pytest.mark.skipif(not _is_full(), reason="mlflow-tracing alone has no runs, models, prompts")
@pytest.mark.parametrize("name", NAMES_OF_THE_FULL_MLFLOW)
@pytest.mark.filterwarnings("ignore")  # mlflow.pyfunc warns when it is imported
def test_an_internal_of_the_full_mlflow_is_there(name):
    _check(name, NAMES_OF_THE_FULL_MLFLOW[name])


@pytest.mark.parametrize("name", NAMES_SINCE)
def test_an_internal_of_a_later_mlflow_is_there(name):
    if Version(NAMES_SINCE[name]) > MLFLOW:
        pytest.skip(f"since MLflow {NAMES_SINCE[name]}")
    _check(name, None)


def test_processors_of_a_provider_are_a_tuple_that_can_be_replaced():
    from opentelemetry.sdk.trace import TracerProvider

    assert TracerProvider(shutdown_on_exit=False)._active_span_processor._span_processors == ()


def test_raw_attributes_of_a_span_can_be_read_without_decoding():
    from mlflow.entities import Span
    from opentelemetry.sdk.trace import ReadableSpan

    assert Span(ReadableSpan("x", attributes={"mlflow.traceRequestId": '"tr-1"'}))._span.attributes


def test_an_exporter_is_flushed_by_its_queue():
    """Ours has one that does nothing, under this name."""
    sources = inspect.getsource(mlflow.flush_trace_async_logging) + inspect.getsource(mlflow.tracing.fluent)

    assert "_async_queue" in sources


@pytest.mark.skipif(not _is_full(), reason="mlflow-tracing alone has no prompts")
def test_threads_that_link_prompts_are_known_by_their_name():
    for module in (mlflow.tracking.client, mlflow.tracking._model_registry.fluent):
        names = re.findall(r'name=f"(\w*prompt\w*)-', inspect.getsource(module))

        assert names
        assert all(name.startswith("link_prompt") for name in names), names


def test_the_store_takes_what_mlflow_s_stores_take():
    """By position and by name, of every method that the capture answers itself."""
    from mlflow.store.tracking.abstract_store import AbstractStore

    from pytest_mlflow_traces.capture.store.memory import MemoryStore

    missing = []
    for name, theirs in inspect.getmembers(AbstractStore, inspect.isfunction):
        ours = getattr(MemoryStore, name)
        if name.startswith("__") or ours is theirs:
            continue
        parameters = inspect.signature(ours).parameters
        if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
            continue
        wanted = list(inspect.signature(theirs).parameters)
        if wanted != [each for each in parameters if each in wanted]:
            missing.append(f"{name}: MLflow has {wanted}, the capture {list(parameters)}")

    assert missing == []


def test_no_method_of_mlflow_s_stores_is_left_unanswered():
    from mlflow.store.tracking.abstract_store import AbstractStore

    from pytest_mlflow_traces.capture.store.memory import MemoryStore

    inherited = [
        name
        for name, method in inspect.getmembers(AbstractStore, inspect.isfunction)
        if not name.startswith("__") and getattr(MemoryStore, name) is method
    ]
    assert inherited == ["delete_traces"], "which calls _delete_traces"
