"""`log_metric` inside of a span starts a run where none is active, and nobody ends it: it adopts every later trace."""

from __future__ import annotations

import mlflow
import pytest

from pytest_mlflow_traces import capture_traces

SUITE = """
    import mlflow
    import pytest

    def agent(with_run):
        with mlflow.start_span("agent"):
            with_run(lambda: mlflow.log_metric("answers", 1))

    def quiet(log):
        log()

    def honest(log):
        with mlflow.start_run():
            log()

    @pytest.mark.mlflow_traces(count=1)
    def test_agent():
        agent({which})
"""


@pytest.mark.parametrize(("which", "outcome"), [("quiet", "failed"), ("honest", "passed")])
def test_a_strict_run_fails_the_test_that_leaves_it(pytester, monkeypatch, which, outcome):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(SUITE.format(which=which))
    pytester.makeini("[pytest]\nmlflow_traces_strict = true\n")

    result = pytester.runpytest_inprocess("-p", "pytest_mlflow_traces.plugin", "-p", "no:logging")

    result.assert_outcomes(**{outcome: 1})
    if outcome == "failed":
        result.stdout.fnmatch_lines(["trace.open_run at run *: got never ended (log_metric starts one *"])


def test_a_capture_names_it():
    with capture_traces() as traces:
        with mlflow.start_run(run_name="ended"):
            pass
        mlflow.start_run(run_name="left")
        assert traces.open_runs == ("left",)

    assert traces.open_runs == ("left",)
    assert mlflow.active_run() is None
