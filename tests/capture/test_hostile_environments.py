"""Variables that would send traces elsewhere change nothing inside a capture, and are as they were afterwards."""

from __future__ import annotations

import os

import mlflow
import pytest
from mlflow.entities.trace_location import UCSchemaLocation

from pytest_mlflow_traces import TraceAssertionError, capture_traces
from tests.capture.programs import answer, names, traced

ENVIRONMENTS = {
    "otlp": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.invalid:4317"},
    "otlp traces": {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector.invalid:4318/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
    },
    "otlp dual": {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector.invalid:4317",
        "MLFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT": "true",
    },
    "otlp metrics": {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector.invalid:4317"},
    "otlp export off": {"MLFLOW_ENABLE_OTLP_EXPORTER": "false"},
    "serving": {"IS_IN_DB_MODEL_SERVING_ENV": "true"},
    "serving with tracing": {
        "IS_IN_DB_MODEL_SERVING_ENV": "true",
        "ENABLE_MLFLOW_TRACING": "true",
        "MLFLOW_EXPERIMENT_ID": "17",
    },
    "destination experiment": {"MLFLOW_TRACING_DESTINATION": "4711"},
    "destination tables": {"MLFLOW_TRACING_DESTINATION": "catalog.schema"},
    "destination nonsense": {"MLFLOW_TRACING_DESTINATION": "a.b.c.d"},
    "experiment id": {"MLFLOW_EXPERIMENT_ID": "4711"},
    "experiment name": {"MLFLOW_EXPERIMENT_NAME": "/Shared/agents"},
    "asynchronous": {"MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "true"},
    "synchronous": {"MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false"},
    "batches": {"MLFLOW_USE_BATCH_SPAN_PROCESSOR": "true", "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "true"},
    "no batches": {"MLFLOW_USE_BATCH_SPAN_PROCESSOR": "false"},
    "resource": {"OTEL_RESOURCE_ATTRIBUTES": "team=a,stage=test", "OTEL_SERVICE_NAME": "agent"},
    "broken resource": {"OTEL_RESOURCE_ATTRIBUTES": "nonsense"},
    "unified": {"MLFLOW_USE_DEFAULT_TRACER_PROVIDER": "false"},
    "propagation": {"MLFLOW_TRACE_PROPAGATE_TO_OTEL_CONTEXT": "true"},
    "own ids": {"MLFLOW_TRACE_USE_ISOLATED_RANDOM_ID_GENERATOR": "true"},
    "a run": {"MLFLOW_RUN_ID": "0123456789abcdef"},
    "a model": {"MLFLOW_ACTIVE_MODEL_ID": "m-1"},
    "databricks": {"DATABRICKS_HOST": "https://workspace.invalid", "DATABRICKS_TOKEN": "secret"},
    "warehouse": {"MLFLOW_TRACING_SQL_WAREHOUSE_ID": "w", "MLFLOW_TRACKING_URI": "databricks"},
    "server": {"MLFLOW_TRACKING_URI": "http://tracking.invalid", "MLFLOW_TRACKING_TOKEN": "secret"},
    "registry": {"MLFLOW_REGISTRY_URI": "databricks-uc"},
    "workspaces": {"MLFLOW_ENABLE_WORKSPACES": "true"},
    "few spans kept": {"MLFLOW_TRACE_BUFFER_MAX_SIZE": "2"},
    "timeout": {"MLFLOW_TRACE_TIMEOUT_SECONDS": "3600"},
}


@pytest.fixture
def hostile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in ENVIRONMENTS[request.param].items():
        monkeypatch.setenv(name, value)
    return ENVIRONMENTS[request.param]


@pytest.mark.parametrize("hostile", ENVIRONMENTS, indirect=True)
def test_a_variable_set_before_changes_nothing(hostile):
    with capture_traces() as traces:
        trace_id = answer()
        assert mlflow.get_trace(trace_id) is not None
        found = mlflow.search_traces(locations=[_experiment(trace_id)], return_type="list")
        assert [trace.info.trace_id for trace in found] == [trace_id]

    assert len(traces.one().spans) == 9
    assert {name: os.environ[name] for name in hostile} == hostile


def _experiment(trace_id):
    return mlflow.get_trace(trace_id).info.experiment_id or "0"


@pytest.mark.parametrize("hostile", sorted(ENVIRONMENTS.keys() - {"destination nonsense"}), indirect=True)
def test_a_variable_set_inside_changes_nothing(traces, hostile):
    mlflow.tracing.reset()
    answer()

    assert len(traces.one().spans) == 9


def test_a_destination_set_inside_that_mlflow_cannot_read_is_named(traces, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACING_DESTINATION", "a.b.c.d")
    with mlflow.start_span("answer"):
        pass

    with pytest.raises(TraceAssertionError, match=r"could not start the span 'answer': .*MLFLOW_TRACING_DESTINATION"):
        traces.one()


def test_a_destination_in_tables_set_inside_is_ignored(traces):
    mlflow.tracing.set_destination(UCSchemaLocation("catalog", "schema"))
    answer()

    assert mlflow.get_tracking_uri() == "databricks"
    assert len(traces.one().spans) == 9


def test_a_destination_set_before_is_put_back():
    with capture_traces():
        mlflow.tracing.set_destination(mlflow.entities.trace_location.MlflowExperimentLocation("7"))
        with capture_traces() as inner:
            mlflow.tracing.set_destination(mlflow.entities.trace_location.MlflowExperimentLocation("8"))
            traced("inner")
        outer = traced("outer")
        assert mlflow.get_trace(outer).info.experiment_id == "7"

    assert inner.one().raw.info.experiment_id == "8"


def test_a_destination_of_one_context_is_put_back():
    with capture_traces():
        mlflow.tracing.set_destination(mlflow.entities.trace_location.MlflowExperimentLocation("7"), context_local=True)
        with capture_traces():
            mlflow.tracing.set_destination(
                mlflow.entities.trace_location.MlflowExperimentLocation("8"), context_local=True
            )
        assert mlflow.get_trace(traced("outer")).info.experiment_id == "7"


def test_a_retired_provider_of_before_is_left_alone(monkeypatch):
    """Opening a capture neither flushes nor shuts down the processors of production."""
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    calls = []

    class Production(SpanProcessor):
        def shutdown(self):
            calls.append("shutdown")

        def force_flush(self, timeout_millis=30000):
            calls.append("flush")
            return True

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Production())
    monkeypatch.setattr("mlflow.tracing.provider.provider._isolated_tracer_provider", provider)
    monkeypatch.setattr("mlflow.tracing.provider.provider._isolated_tracer_provider_once._done", True)
    with capture_traces() as traces:
        traced("answer")
        mlflow.tracing.reset()
        traced("again")

    assert names(traces) == ["answer", "again"]
    assert calls == []
    assert mlflow.tracing.provider.provider.get() is provider
