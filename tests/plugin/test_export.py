"""`--mlflow-traces-export`: the traces of a run on a real tracking server, read back by its own search."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_mlflow_traces import Trace
from pytest_mlflow_traces.files.traces import read_traces
from pytest_mlflow_traces.plugin import export
from tests.support.server import free_port, needs_server, tracking_server

pytestmark = needs_server

SUITE = """
    import pytest
    from app import agent
    from pytest_mlflow_traces import Finding, TraceAssertionError, assert_trace, span

    def test_good(mlflow_traces):
        agent("q", tags={"team": "a"})
        assert span("search") in mlflow_traces

    def test_bad(mlflow_traces):
        agent("q")
        assert mlflow_traces.one() == span("agent")[span("plan", type="LLM"), span("search", type="TOOL")]
"""
TRACED = "from app import agent\ndef test_it(mlflow_traces):\n    agent()"
FLAKY = """
    def test_flaky(mlflow_traces, runs=[]):
        agent("q")
        runs.append(1)
        assert runs[1:]
"""
BAD, GOOD = "test_it.py::test_bad", "test_it.py::test_good"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with tracking_server(tmp_path_factory.mktemp("server")) as uri:
        yield uri


@pytest.fixture
def stored(server):
    """Return what the server's search finds in an experiment."""
    from mlflow import MlflowClient

    client = MlflowClient(server)

    def search(experiment, wanted=None):
        found = client.get_experiment_by_name(experiment)
        traces = client.search_traces(locations=[found.experiment_id], filter_string=wanted)
        return {each.info.tags["test.nodeid"]: client.get_trace(each.info.trace_id) for each in traces}

    return search


def saved():
    return {trace.system_tags["mlflow.test.name"]: trace for trace in read_traces("saved.jsonl")}


def test_what_was_captured_is_found_by_its_test_its_outcome_and_what_was_found(project, server, stored):
    project.makepyfile(test_it=SUITE)

    result = project.runpytest_inprocess("--mlflow-traces-save=saved.jsonl", f"--mlflow-traces-export={server}#gate")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines([rf"mlflow traces: 2 traces exported to {server}/#/experiments/[0-9]+/traces$"])
    assert "exporting [" not in result.stdout.str()  # the bar of a terminal
    assert set(stored("gate")) == {BAD, GOOD}
    assert set(stored("gate", f"tags.`test.nodeid` = '{GOOD}'")) == {GOOD}
    assert set(stored("gate", "tags.`test.outcome` = 'failed'")) == {BAD}
    assert set(stored("gate", "tags.team = 'a'")) == {GOOD}
    assert set(stored("gate", "feedback.`shape.different` = 'false'")) == {BAD}
    for test, trace in saved().items():
        there = stored("gate")[test]
        read = Trace.from_mlflow(there)
        assert read == trace.to_pattern()
        assert (read.id, read.status, read.start_ns, dict(read.tags).keys() - {"test.nodeid", "test.outcome"}) == (
            *(trace.id, trace.status, trace.start_ns),
            trace.tags.keys(),
        )
        assert [(span.start_ns, span.end_ns, span.inputs, span.outputs) for span in read.spans] == [
            (span.start_ns, span.end_ns, span.inputs, span.outputs) for span in trace.spans
        ]


def test_each_finding_is_a_feedback_at_its_span(project, server, stored):
    project.makepyfile(test_it=SUITE)

    project.runpytest_inprocess(f"--mlflow-traces-export={server}#feedback")

    trace = stored("feedback")[BAD]
    [plan] = [span for span in trace.data.spans if span.name == "plan"]
    [feedback] = trace.info.assessments
    assert (feedback.name, feedback.value, feedback.span_id) == ("shape.different", False, plan.span_id)
    assert feedback.rationale == "shape.different at agent > plan: expected type: 'LLM', got type: 'UNKNOWN'"
    assert (feedback.source.source_type, feedback.source.source_id) == ("CODE", "pytest-mlflow-traces")
    assert stored("feedback")[GOOD].info.assessments == []


def test_under_xdist_and_with_reruns_each_test_is_there_once_as_it_ended(project, server, stored, monkeypatch):
    pytest.importorskip("pytest_rerunfailures")
    monkeypatch.setenv("PYTEST_ADDOPTS", f"{os.environ['PYTEST_ADDOPTS']} -p pytest_rerunfailures")
    project.makepyfile(test_it=SUITE + FLAKY)

    result = project.runpytest_inprocess("-n2", "--reruns=1", f"--mlflow-traces-export={server}#parallel")

    assert result.parseoutcomes() == {"passed": 2, "failed": 1, "rerun": 2}
    assert [line for line in result.outlines if "exported" in line][1:] == []
    found = stored("parallel")
    assert {test: trace.info.tags["test.outcome"] for test, trace in found.items()} == {
        GOOD: "passed",
        BAD: "failed",
        "test_it.py::test_flaky": "passed",
    }
    assert len(found[BAD].info.assessments) == 1


def test_virtual_times_and_masked_secrets_arrive(project, server, stored):
    project.makepyfile(
        test_it="""
        import time
        import mlflow

        def test_slow(virtual_time, mlflow_traces):
            with mlflow.start_span("ada@example.com") as span:
                span.set_inputs({"api_key": "hunter2!", "text": "from ada@example.com"})
                mlflow.update_current_trace(tags={"user": "ada@example.com"})
                time.sleep(3600)
        """
    )

    project.runpytest_inprocess("-p", "no:randomly", f"--mlflow-traces-export={server}#slow").assert_outcomes(passed=1)

    [trace] = stored("slow").values()
    assert trace.info.execution_duration == 3_600_000
    assert "hunter2" not in trace.to_json()
    assert "@example.com" not in trace.to_json()


def test_nothing_of_the_run_changes_and_the_experiment_of_mlflow_is_where_none_is_named(project, server, stored):
    project.makepyfile(
        test_it="""
        import mlflow
        from app import agent

        def test_it(mlflow_traces):
            agent()
        """,
        conftest="""
        import os
        import mlflow

        def pytest_configure(config):
            mlflow.set_tracking_uri("http://localhost:1")

        def pytest_unconfigure(config):
            assert mlflow.get_tracking_uri() == os.environ["MLFLOW_TRACKING_URI"] == "http://localhost:1"
        """,
    )

    result = project.runpytest_subprocess(f"--mlflow-traces-export={server}")

    result.assert_outcomes(passed=1)
    assert (result.ret, list(stored("Default"))) == (0, ["test_it.py::test_it"])


@pytest.mark.parametrize("status", [0, 1])
def test_a_server_that_is_down_is_a_warning_and_the_exit_status_stays(project, status):
    project.makepyfile(
        test_it=f"from app import agent\ndef test_it(mlflow_traces):\n    agent()\n    assert {1 - status}"
    )
    down = f"127.0.0.1:{free_port()}"

    result = project.runpytest_inprocess(f"--mlflow-traces-export=http://ada:hunter2@{down}#x")

    assert result.ret == status
    result.stdout.fnmatch_lines([f"mlflow traces: warning: 0 of 1 trace exported to http://{down}: *"])
    assert "hunter2" not in result.stdout.str()


def test_a_server_that_does_not_answer_is_waited_for_a_while(project, monkeypatch):
    project.makepyfile(test_it=TRACED)
    monkeypatch.setattr(export, "SILENCE_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        result = project.runpytest_inprocess(f"--mlflow-traces-export=http://127.0.0.1:{mute.getsockname()[1]}")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["mlflow traces: warning: 0 of 1 trace exported to *: *"])


def test_what_is_too_slow_altogether_is_given_up(monkeypatch):
    monkeypatch.setattr(export, "TOTAL_S", 0.0)
    started = time.monotonic()
    asleep = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, stdout=-1, text=True)
    with asleep:
        with pytest.raises(RuntimeError, match="it takes too long"):
            list(export._said(asleep))
        asleep.kill()

    assert time.monotonic() - started < 30


def test_a_process_that_dies_is_a_warning(project, monkeypatch):
    project.makepyfile(test_it=TRACED)
    monkeypatch.setattr(export, "MODULE", "none_such")

    result = project.runpytest_inprocess("--mlflow-traces-export=http://127.0.0.1:1")

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["mlflow traces: warning: 0 of 1 trace exported to *: the process that sends ended with*"]
    )


def test_a_run_without_a_terminal_tells_it_on_standard_error(project):
    project.makepyfile(test_it=TRACED)

    result = project.runpytest_inprocess("-p", "no:terminal", f"--mlflow-traces-export=http://127.0.0.1:{free_port()}")

    assert result.ret == 0
    result.stderr.fnmatch_lines(["mlflow traces: warning: 0 of 1 trace exported to *"])


def test_no_traces_and_a_mere_collection_send_nothing(project):
    project.makepyfile(test_it="def test_it(): ...")
    asked = f"--mlflow-traces-export=http://127.0.0.1:{free_port()}"

    assert "nothing to export to" in project.runpytest_inprocess(asked).stdout.str()
    assert "export" not in project.runpytest_inprocess(asked, "--collect-only").stdout.str()


@pytest.mark.parametrize("uri", ["", "mlruns", "#gate", "localhost:5000"])
def test_what_is_no_tracking_uri_is_a_usage_error(project, uri):
    result = project.runpytest_inprocess(f"--mlflow-traces-export={uri}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [path.name for path in Path().iterdir() if path.is_dir() and path.name in ("mlruns", "mlartifacts")] == []


def test_a_bar_is_on_a_terminal(project, server):
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals on this system")
    project.makepyfile(test_it=SUITE)
    command = [sys.executable, "-m", "pytest", f"--mlflow-traces-export={server}#bar"]
    ours, theirs = pty.openpty()
    paths = os.pathsep.join([str(Path(export.__file__).parent.parent.parent), os.environ.get("PYTHONPATH", "")])
    env = os.environ | {"TERM": "xterm", "PYTHONPATH": paths}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=env):
        os.close(theirs)
        seen = b""
        try:
            while read := os.read(ours, 65_536):
                seen += read
        except OSError:  # how Linux says that the other side is closed
            pass
    os.close(ours)

    assert b"exporting [##########          ] 1/2" in seen
    assert b"2 traces exported to" in seen
