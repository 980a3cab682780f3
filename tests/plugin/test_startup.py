"""Unused means invisible: a run that asks for no trace loads none of the libraries behind the plugin."""

from __future__ import annotations

import pytest

HEAVY = ("mlflow", "opentelemetry", "pydantic", "hypothesis", "rich", "click", "time_machine")
CONFTEST = f"""
import sys

def pytest_unconfigure():
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    print("LOADED", loaded)
"""


@pytest.fixture
def alone(pytester, monkeypatch):
    """A project whose pytest loads no plugin but ours."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    pytester.makeconftest(CONFTEST)
    pytester.makeini("[pytest]\n")
    return pytester


def run(pytester, *args):
    return pytester.runpytest_subprocess("-s", "-p", "pytest_mlflow_traces.plugin", *args)


def test_nothing_heavy_is_loaded_by_the_end_of_the_session(alone):
    alone.makepyfile("def test_empty(): pass")

    result = run(alone)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*LOADED []"])


def test_nor_by_a_failure_a_summary_or_a_junit_file(alone):
    alone.makepyfile("def test_fails(): assert [1] == [2]")

    run(alone, "--mlflow-traces-show=all", "--junitxml=report.xml").stdout.fnmatch_lines(["*LOADED []"])


def test_a_test_that_traces_loads_mlflow(alone):
    """The guard above can fail."""
    alone.makepyfile("def test_traces(mlflow_traces): pass")

    run(alone).stdout.fnmatch_lines(["*LOADED [[]'mlflow', *"])


def test_an_unused_plugin_changes_no_environment(alone):
    alone.makepyfile(
        """
        import os

        def test_environment():
            assert not [key for key in os.environ if "MLFLOW" in key]
        """
    )

    run(alone).assert_outcomes(passed=1)
