"""Experiments exist where the code under test makes them or was told of them; others are unknown, as in production."""

from __future__ import annotations

import mlflow
import pytest
from mlflow.entities.trace_location import MlflowExperimentLocation
from mlflow.exceptions import MlflowException

from pytest_mlflow_traces import TraceAssertionError, capture_traces
from tests.capture.programs import needs_full_mlflow, traced


def ids(**where):
    return [trace.info.trace_id for trace in mlflow.search_traces(return_type="list", **where)]


def test_a_trace_belongs_to_the_experiment_that_was_set(traces):
    experiment = mlflow.set_experiment("/Shared/agents")
    trace_id = traced("answer")

    assert mlflow.get_trace(trace_id).info.experiment_id == experiment.experiment_id
    assert ids() == ids(locations=[experiment.experiment_id]) == [trace_id]
    assert ids(locations=["0"]) == []


def test_a_trace_without_an_experiment_belongs_to_the_default_one(traces):
    trace_id = traced("answer")

    assert mlflow.get_trace(trace_id).info.experiment_id == "0"
    assert ids() == ids(locations=["0"]) == [trace_id]


def test_setting_the_same_experiment_again_finds_it(traces):
    first = mlflow.set_experiment("/Shared/agents")
    other = mlflow.set_experiment("/Shared/others")

    assert mlflow.set_experiment("/Shared/agents").experiment_id == first.experiment_id
    assert other.experiment_id != first.experiment_id


def test_traces_of_several_experiments_are_all_captured_and_told_apart(traces):
    made = {}
    for name in ("/Shared/a", "/Shared/b"):
        experiment = mlflow.set_experiment(name)
        made[experiment.experiment_id] = traced(name)

    assert len(traces) == 2
    assert {place: ids(locations=[place]) for place in made} == {place: [made[place]] for place in made}
    assert set(ids(locations=list(made))) == set(made.values())


def test_an_unknown_experiment_id_raises(traces):
    with pytest.raises(MlflowException, match="No Experiment with id=4711 exists"):
        mlflow.set_experiment(experiment_id="4711")


def test_an_experiment_that_was_active_before_is_known(monkeypatch):
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", "4711")
    with capture_traces():
        trace_id = traced("answer")

        assert ids() == [trace_id]
        assert mlflow.set_experiment(experiment_id="4711").experiment_id == "4711"


def test_an_experiment_in_the_environment_is_known(monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "4711")
    with capture_traces():
        trace_id = traced("answer")

        assert mlflow.get_trace(trace_id).info.experiment_id == "4711"
        assert ids() == [trace_id]


def test_an_experiment_put_into_the_environment_inside_is_known(traces, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "4711")
    trace_id = traced("answer")

    assert mlflow.get_trace(trace_id).info.experiment_id == "4711"


def test_an_experiment_name_in_the_environment_is_made(traces, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "/Shared/agents")
    trace_id = traced("answer")

    assert ids() == [trace_id]
    assert mlflow.set_experiment("/Shared/agents").experiment_id == mlflow.get_trace(trace_id).info.experiment_id


def test_a_name_and_an_id_in_the_environment_that_disagree_lose_the_trace_as_in_production_but_loudly(
    traces, monkeypatch
):
    mlflow.set_experiment("/Shared/agents")
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "/Shared/agents")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "4711")
    with mlflow.start_span("answer"):
        pass

    with pytest.raises(TraceAssertionError, match=r"MLflow could not start the span 'answer': MlflowException: .*4711"):
        traces.one()


def test_a_destination_chooses_the_experiment_of_a_trace(traces):
    mlflow.tracing.set_destination(MlflowExperimentLocation("4711"))
    trace_id = traced("answer")

    assert mlflow.get_trace(trace_id).info.experiment_id == "4711"
    assert ids(locations=["4711"]) == [trace_id]


def test_with_databricks_and_no_experiment_a_search_asks_for_one_as_in_production(traces):
    mlflow.set_tracking_uri("databricks")
    trace_id = traced("answer")

    with pytest.raises(MlflowException, match="No active experiment found"):
        mlflow.search_traces()
    assert ids(locations=["1"]) == [trace_id]


@pytest.mark.filterwarnings("ignore:Searching traces without a time range")
def test_tables_of_unity_catalog_hold_every_trace(traces):
    """Where traces go is not looked at inside a capture."""
    trace_id = traced("answer")

    assert ids(locations=["main.agents"]) == [trace_id]


def test_experiments_of_an_outer_capture_are_known_inside_and_not_the_other_way_round():
    with capture_traces():
        outer = mlflow.set_experiment("/Shared/outer")
        with capture_traces():
            assert mlflow.set_experiment(experiment_id=outer.experiment_id).name == "/Shared/outer"
            inner = mlflow.set_experiment("/Shared/inner")
        with pytest.raises(MlflowException):
            mlflow.set_experiment(experiment_id=inner.experiment_id)


@needs_full_mlflow
def test_experiments_are_searched_tagged_renamed_deleted_and_restored(traces):
    client = mlflow.MlflowClient()
    made = client.create_experiment("/Shared/agents", tags={"team": "a"})
    client.set_experiment_tag(made, "stage", "test")
    client.rename_experiment(made, "/Shared/renamed")

    assert client.get_experiment(made).tags == {"team": "a", "stage": "test"}
    # both may be of the same millisecond, and then the newest is not told from the other
    assert {each.name for each in client.search_experiments()} == {"/Shared/renamed", "Default"}
    assert [each.name for each in client.search_experiments(filter_string="tags.team = 'a'")] == ["/Shared/renamed"]
    client.delete_experiment(made)
    assert [each.name for each in client.search_experiments()] == ["Default"]
    with pytest.raises(MlflowException, match="deleted experiment"):
        mlflow.set_experiment("/Shared/renamed")
    client.restore_experiment(made)
    assert mlflow.set_experiment("/Shared/renamed").experiment_id == made
    with pytest.raises(MlflowException, match="already exists"):
        client.create_experiment("/Shared/renamed")
    with pytest.raises(MlflowException, match="Invalid experiment name"):
        client.create_experiment("")
