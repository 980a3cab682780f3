"""Runs, metrics, params, artifacts and models work inside a capture, in a temporary directory made when first used."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from pytest_mlflow_traces import capture_traces
from tests.capture.programs import IS_FULL, needs_full_mlflow, since, traced


@needs_full_mlflow
def test_a_run_holds_metrics_params_tags_and_artifacts(traces):
    with mlflow.start_run(run_name="evaluation", tags={"team": "a"}) as run:
        mlflow.log_param("model", "stub")
        mlflow.log_metric("quality", 0.5, step=1)
        mlflow.log_metrics({"quality": 0.75, "cost": 2}, step=2)
        mlflow.set_tag("stage", "test")
        mlflow.log_text("because", "answers/first.txt")
        mlflow.log_dict({"a": 1}, "first.json")

    found = mlflow.get_run(run.info.run_id)
    assert found.info.status == "FINISHED"
    assert (found.data.params, found.data.metrics) == ({"model": "stub"}, {"quality": 0.75, "cost": 2})
    assert (found.data.tags["team"], found.data.tags["stage"]) == ("a", "test")
    assert mlflow.artifacts.load_text(f"{found.info.artifact_uri}/answers/first.txt") == "because"
    client = mlflow.MlflowClient()
    assert [each.value for each in client.get_metric_history(run.info.run_id, "quality")] == [0.5, 0.75]
    assert sorted(each.path for each in client.list_artifacts(run.info.run_id)) == ["answers", "first.json"]


@needs_full_mlflow
@pytest.mark.parametrize("uri", ["databricks", "http://tracking.invalid", "sqlite:///mlflow.db"])
def test_runs_work_with_any_uri_and_experiment(traces, uri):
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.set_experiment("/Shared/agents")
    with mlflow.start_run() as run:
        mlflow.log_metric("quality", 1)
        mlflow.log_text("because", "answer.txt")
        trace_id = traced("answer")

    assert run.info.experiment_id == experiment.experiment_id
    found = mlflow.search_runs(output_format="list")
    assert [each.info.run_id for each in found] == [run.info.run_id]
    searched = mlflow.search_traces(run_id=run.info.run_id, return_type="list")
    assert [trace.info.trace_id for trace in searched] == [trace_id]


@needs_full_mlflow
def test_a_trace_made_in_a_run_is_found_by_it_and_no_other_is(traces):
    with mlflow.start_run() as first:
        in_first = traced("in first")
    with mlflow.start_run() as second:
        pass
    traced("in none")

    def found(run):
        return [trace.info.trace_id for trace in mlflow.search_traces(run_id=run.info.run_id, return_type="list")]

    assert (found(first), found(second)) == ([in_first], [])
    assert traces[0].metadata["mlflow.sourceRun"] == first.info.run_id


@needs_full_mlflow
def test_traces_linked_to_a_run_are_found_by_it_and_keep_the_run_they_were_made_in(traces):
    client = mlflow.MlflowClient()
    with mlflow.start_run() as made_in:
        trace_id = traced("answer")
    with mlflow.start_run() as linked_to:
        pass
    client.link_traces_to_run([trace_id], linked_to.info.run_id)

    for run in (made_in, linked_to):
        found = mlflow.search_traces(run_id=run.info.run_id, return_type="list")
        assert [trace.info.trace_id for trace in found] == [trace_id]
    assert traces.one().metadata["mlflow.sourceRun"] == made_in.info.run_id
    if hasattr(client, "unlink_traces_from_run"):
        client.unlink_traces_from_run([trace_id], linked_to.info.run_id)
        assert mlflow.search_traces(run_id=linked_to.info.run_id, return_type="list") == []


@needs_full_mlflow
def test_nested_runs_have_their_parent(traces):
    with mlflow.start_run() as parent, mlflow.start_run(nested=True) as child:
        traced("answer")

    assert mlflow.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id
    assert traces.one().metadata["mlflow.sourceRun"] == child.info.run_id


@needs_full_mlflow
def test_a_metric_without_a_run_leaves_one_open_until_the_capture_closes():
    """As in production, where every later trace then has that run as its source."""
    with capture_traces() as traces:
        traced("before")
        mlflow.log_metric("quality", 1)
        assert mlflow.active_run() is not None
        traced("after")
    assert mlflow.active_run() is None

    assert "mlflow.sourceRun" not in traces[0].metadata
    assert traces[1].metadata["mlflow.sourceRun"]


@needs_full_mlflow
def test_a_run_of_before_is_not_active_inside_and_is_again_afterwards():
    with capture_traces() as outer, mlflow.start_run() as run:
        with capture_traces() as inner:
            assert mlflow.active_run() is None
            traced("inside")
            with mlflow.start_run():
                traced("in a run of its own")
        assert mlflow.active_run().info.run_id == run.info.run_id
        traced("outside")

    assert "mlflow.sourceRun" not in inner[0].metadata
    assert inner[1].metadata["mlflow.sourceRun"] != run.info.run_id
    assert outer.one().metadata["mlflow.sourceRun"] == run.info.run_id


@needs_full_mlflow
def test_a_run_left_open_in_another_thread_is_over_when_the_capture_closes():
    with capture_traces():
        thread = threading.Thread(target=mlflow.start_run)
        thread.start()
        thread.join()
    with capture_traces() as traces:
        traced("next")

    assert "mlflow.sourceRun" not in traces.one().metadata


@needs_full_mlflow
def test_a_capture_leaves_the_runs_of_other_threads_captures_alone():
    started, closed = threading.Event(), threading.Event()
    active = []

    def other():
        with capture_traces(), mlflow.start_run() as run:
            started.set()
            closed.wait(timeout=30)
            active.append((run.info.run_id, mlflow.active_run().info.run_id))

    thread = threading.Thread(target=other)
    thread.start()
    started.wait(timeout=30)
    with capture_traces():
        assert mlflow.active_run() is None
    closed.set()
    thread.join()

    assert active
    assert active[0][0] == active[0][1]


@needs_full_mlflow
@pytest.mark.parametrize("in_thread", [False, True])
def test_a_model_set_active_is_in_the_traces_of_this_capture_only(in_thread):
    with capture_traces() as traces:
        if in_thread:
            thread = threading.Thread(target=lambda: mlflow.set_active_model(name="agent"))
            thread.start()
            thread.join()
        else:
            mlflow.set_active_model(name="agent")
        traced("answer")
        model_id = traces.one().metadata["mlflow.modelId"]
        assert mlflow.get_logged_model(model_id).name == "agent"
        assert len(mlflow.search_traces(model_id=model_id, return_type="list")) == 1
    with capture_traces() as traces:
        traced("next")

    assert mlflow.get_active_model_id() is None
    assert "mlflow.modelId" not in traces.one().metadata


@needs_full_mlflow
def test_the_files_of_a_capture_are_gone_when_it_closes():
    with capture_traces(), mlflow.start_run() as run:
        path = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="")).parent
        assert path.is_dir()

    assert not path.exists()


@needs_full_mlflow
def test_a_capture_that_only_traces_makes_no_directory(monkeypatch):
    monkeypatch.setattr("tempfile.mkdtemp", None)
    with capture_traces() as traces:
        traced("answer")
        mlflow.set_experiment("/Shared/agents")
        mlflow.search_traces(return_type="list")

    assert len(traces) == 1


@needs_full_mlflow
def test_asynchronous_metrics_arrive_before_the_capture_closes(traces):
    with mlflow.start_run() as run:
        mlflow.log_metric("quality", 1, synchronous=False)
    mlflow.flush_async_logging()

    assert mlflow.get_run(run.info.run_id).data.metrics == {"quality": 1}


@needs_full_mlflow
@since("3.0", "logged models")
def test_models_are_registered_in_the_capture(traces):
    client = mlflow.MlflowClient()
    client.create_registered_model("agent")
    client.create_model_version("agent", "runs:/none/model", run_id=None)

    assert [each.name for each in client.search_registered_models()] == ["agent"]
    assert client.get_model_version("agent", "1").version in (1, "1")


def test_without_the_full_mlflow_a_read_of_runs_says_what_is_missing(traces, monkeypatch):
    if IS_FULL:
        monkeypatch.setitem(sys.modules, "mlflow.store.tracking.file_store", None)
    store = mlflow.tracking._tracking_service.utils._get_store()
    with pytest.raises(MlflowException, match="Runs, metrics, params and models need the full `mlflow` package"):
        store.get_run("none")
