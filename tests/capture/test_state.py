"""All of MLflow's state that code under test may change is put back; `State` has each change, and undoes it."""

from __future__ import annotations

import os
import threading

import mlflow
import pytest
from mlflow.entities.trace_location import MlflowExperimentLocation
from mlflow.tracing.config import get_config
from mlflow.utils.workspace_context import get_request_workspace
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.capture.mlflow_internals import State
from tests.capture.programs import needs_full_mlflow, traced
from tests.support.mlflow_state import comparable


def _set_environment():
    os.environ["MLFLOW_SOMETHING"] = "x"


def _change_environment():
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "changed"


def _delete_environment():
    os.environ.pop("MLFLOW_DISABLE_TELEMETRY", None)


def _set_resource():
    os.environ["OTEL_RESOURCE_ATTRIBUTES"] = "team=a"


def _set_provider():
    otel_trace._TRACER_PROVIDER = TracerProvider(shutdown_on_exit=False)


def _add_processor():
    from opentelemetry.sdk.trace import SpanProcessor

    otel_trace.get_tracer_provider().add_span_processor(SpanProcessor())


def _append_filter():
    get_config().span_processors.append(print)


CHANGES = {
    "tracking uri": lambda: mlflow.set_tracking_uri("databricks"),
    "experiment": lambda: mlflow.set_experiment("/Shared/agents"),
    "destination": lambda: mlflow.tracing.set_destination(MlflowExperimentLocation("7")),
    "destination of the context": lambda: mlflow.tracing.set_destination(
        MlflowExperimentLocation("7"), context_local=True
    ),
    "filters": lambda: mlflow.tracing.configure(span_processors=[print]),
    "filters in place": _append_filter,
    "disabled": mlflow.tracing.disable,
    "reset": mlflow.tracing.reset,
    "last active trace": lambda: traced("answer"),
    "new variable": _set_environment,
    "other variable": _change_environment,
    "no variable": _delete_environment,
    "resource": _set_resource,
    "provider": _set_provider,
}
CHANGES_OF_THE_FULL_MLFLOW = {
    "registry uri": lambda: mlflow.set_registry_uri("databricks-uc"),
    "run": lambda: mlflow.start_run(),
    "run in a thread": lambda: _in_thread(mlflow.start_run),
    "run that has ended": lambda: mlflow.start_run().__exit__(None, None, None),
    "metric": lambda: mlflow.log_metric("quality", 1),
    "model": lambda: mlflow.set_active_model(name="agent"),
    "model in a thread": lambda: _in_thread(lambda: mlflow.set_active_model(name="agent")),
    "workspace": lambda: mlflow.set_workspace("team-a"),
    "prompt": lambda: mlflow.genai.register_prompt("synthesis", "Answer {{question}}."),
}


def _in_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def _is_seen_and_undone(change):
    """Within a capture, so that nothing of it reaches the real MLflow."""
    with capture_traces():
        before = State()
        assert comparable(State()) == comparable(before)
        change()
        assert comparable(State()) != comparable(before)
        before.restore()
        assert comparable(State()) == comparable(before)


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen_and_undone(what, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    _is_seen_and_undone(CHANGES[what])


@needs_full_mlflow
@pytest.mark.parametrize("what", CHANGES_OF_THE_FULL_MLFLOW)
def test_a_change_that_needs_the_full_mlflow_is_seen_and_undone(what):
    _is_seen_and_undone(CHANGES_OF_THE_FULL_MLFLOW[what])


def test_the_environment_is_put_back_where_another_stands_in_for_it_at_the_end(monkeypatch):
    real = os.environ
    before = dict(real)

    with capture_traces():
        monkeypatch.setattr(os, "environ", dict(real))

    assert dict(real) == before


def test_an_environment_that_is_a_plain_dictionary_is_put_back(monkeypatch):
    plain = {**os.environ, "OTEL_RESOURCE_ATTRIBUTES": "team=a"}
    before = dict(plain)
    monkeypatch.setattr(os, "environ", plain)

    with capture_traces() as traces:
        traced("answer")

    assert len(traces) == 1
    assert plain == before


def test_a_processor_added_to_the_application_s_provider_is_seen_and_undone(monkeypatch):
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", TracerProvider(shutdown_on_exit=False))
    _is_seen_and_undone(_add_processor)


def test_variables_of_others_are_left_alone():
    with capture_traces():
        os.environ["SOMEBODY_ELSES"] = "x"

    assert os.environ.pop("SOMEBODY_ELSES") == "x"


def test_every_change_at_once_is_put_back_by_a_capture():
    """The fixture around this test compares."""
    with capture_traces():
        for change in CHANGES.values():
            change()


@needs_full_mlflow
def test_every_change_at_once_of_the_full_mlflow_is_put_back_by_a_capture():
    with capture_traces():
        for what in ("registry uri", "run", "run in a thread", "model", "model in a thread", "workspace", "prompt"):
            CHANGES_OF_THE_FULL_MLFLOW[what]()


@needs_full_mlflow
def test_a_workspace_is_that_of_its_test_alone():
    """It has a variable of the environment, too, and the one of the context comes before it."""
    with capture_traces():
        mlflow.set_workspace("team-a")
        assert get_request_workspace() == "team-a"

    assert get_request_workspace() is None


def test_what_is_replaced_is_there_again_afterwards():
    """By identity, of everything that opening a capture replaces."""
    from pytest_mlflow_traces.capture import install

    with capture_traces():
        replaced = [(holder, name) for holder, name, *_ in install._replacements._standing]
    assert len(replaced) > 8
    before = [vars(holder).get(name) for holder, name in replaced]
    for _ in range(2):
        with capture_traces():
            during = [vars(holder).get(name) for holder, name in replaced]

        assert all(now is not then for now, then in zip(during, before, strict=True))
        assert [vars(holder).get(name) for holder, name in replaced] == before
    assert install._replacements._standing == []
