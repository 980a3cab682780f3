"""Whatever tracking URI and experiment the code under test sets, its traces come to the capture and nothing leaves."""

from __future__ import annotations

import os

import mlflow
import pytest

from pytest_mlflow_traces import capture_traces
from tests.capture.programs import answer, names, needs_full_mlflow, traced

URIS = [
    "databricks",
    "databricks://profile",
    "http://tracking.invalid:5000",
    "https://tracking.invalid",
    "sqlite:///mlflow.db",
    "file:///nowhere/mlruns",
    "./mlruns",
    "postgresql://user:secret@db.invalid/mlflow",
    "memory://",
]


@pytest.mark.parametrize("uri", URIS)
def test_an_app_that_sets_a_tracking_uri_and_an_experiment_is_captured(traces, uri):
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("/Shared/agents")
    trace_id = answer()

    assert mlflow.get_tracking_uri() == uri
    assert traces.one().id == trace_id
    assert [trace.info.trace_id for trace in mlflow.search_traces(return_type="list")] == [trace_id]
    assert len(mlflow.get_trace(trace_id).data.spans) == 9


@pytest.mark.parametrize("uri", URIS)
def test_an_app_that_only_sets_a_tracking_uri_is_captured(traces, uri):
    mlflow.set_tracking_uri(uri)
    answer()

    assert traces.one().name == "agent"


@pytest.mark.parametrize("uri", URIS)
def test_a_tracking_uri_set_before_stays_and_is_not_used(uri, monkeypatch):
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", uri)
    with capture_traces() as traces:
        assert mlflow.get_tracking_uri() == uri
        answer()

    assert traces.one().name == "agent"


@pytest.mark.parametrize("uri", URIS)
def test_a_tracking_uri_in_the_environment_is_not_used(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with capture_traces() as traces:
        assert os.environ["MLFLOW_TRACKING_URI"] == "memory://"
        assert mlflow.get_tracking_uri() == "memory://"
        answer()

    assert traces.one().name == "agent"
    assert os.environ["MLFLOW_TRACKING_URI"] == uri


def test_without_any_uri_the_capture_shows_memory(traces):
    assert mlflow.get_tracking_uri() == "memory://"
    assert mlflow.is_tracking_uri_set()


def test_the_environment_stays_at_memory_after_the_app_set_a_uri(traces):
    """A child process inherits it, and must write nothing either."""
    mlflow.set_tracking_uri("databricks")

    assert mlflow.get_tracking_uri() == "databricks"
    assert os.environ["MLFLOW_TRACKING_URI"] == "memory://"


def test_the_uri_may_change_between_traces_and_within_one(traces):
    mlflow.set_tracking_uri("databricks")
    traced("first")
    mlflow.set_tracking_uri("http://tracking.invalid:5000")
    with mlflow.start_span("second"):
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
        with mlflow.start_span("child"):
            pass
    traced("third")

    assert names(traces) == ["first", "second", "third"]
    assert [span.name for span in traces[1].spans] == ["second", "child"]


def test_the_app_s_uri_is_forgotten_when_the_capture_closes():
    before = mlflow.tracking._tracking_service.utils._tracking_uri
    with capture_traces():
        mlflow.set_tracking_uri("databricks")
        with capture_traces():
            assert mlflow.get_tracking_uri() == "databricks"
            mlflow.set_tracking_uri("http://tracking.invalid")
        assert mlflow.get_tracking_uri() == "databricks"

    assert mlflow.tracking._tracking_service.utils._tracking_uri == before


def test_a_client_for_any_uri_reads_the_capture(traces):
    trace_id = traced("answer")

    for uri in ("databricks", "http://tracking.invalid", None):
        client = mlflow.tracing.client.TracingClient(uri)
        assert client.get_trace(trace_id).info.trace_id == trace_id


@needs_full_mlflow
def test_a_client_made_before_the_capture_reads_it(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.invalid")
    client = mlflow.MlflowClient()
    with capture_traces():
        trace_id = traced("answer")

        assert client.get_trace(trace_id).info.trace_id == trace_id
        assert [trace.info.trace_id for trace in client.search_traces(locations=["0"])] == [trace_id]


@needs_full_mlflow
def test_the_registry_uri_of_the_app_is_shown_not_used_and_put_back(traces, monkeypatch):
    mlflow.set_registry_uri("databricks-uc")

    assert mlflow.get_registry_uri() == "databricks-uc"
    assert list(mlflow.search_registered_models()) == []


@needs_full_mlflow
def test_a_registry_uri_in_the_environment_is_not_used(monkeypatch):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
    with capture_traces():
        assert "MLFLOW_REGISTRY_URI" not in os.environ
        assert list(mlflow.search_registered_models()) == []

    assert os.environ["MLFLOW_REGISTRY_URI"] == "databricks-uc"
