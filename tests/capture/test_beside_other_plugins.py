"""A suite with pytest-opentelemetry, pytest-randomly and pytest-asyncio loses no trace, where warnings are errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.capture.programs import needs_installation

pytest.importorskip("pytest_opentelemetry")
pytest.importorskip("pytest_randomly")

SUITE = """
import random, threading
import mlflow, pytest
from opentelemetry import trace as otel_trace
from pytest_mlflow_traces import capture_traces

MODES = ["true", "false"]


@pytest.fixture(params=MODES)
def traces(request, monkeypatch):
    monkeypatch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", request.param)
    with capture_traces() as captured:
        yield captured


@pytest.mark.parametrize("number", range(5))
def test_a_trace(traces, number):
    assert otel_trace.get_current_span().get_span_context().is_valid, "the other plugin has no span around this test"
    with mlflow.start_span("agent"), mlflow.start_span("tool"):
        random.random()
    thread = threading.Thread(target=lambda: mlflow.start_span_no_context("thread").end())
    thread.start()
    thread.join()
    assert [span.path for trace in traces for span in trace.spans] == ["agent", "agent > tool", "thread"]


@pytest.mark.asyncio
async def test_a_trace_of_a_coroutine(traces):
    with mlflow.start_span("agent"):
        pass
    assert traces.one().name == "agent"


@pytest.mark.parametrize("mode", MODES)
def test_a_capture_opened_within_the_test(mode, monkeypatch):
    monkeypatch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", mode)
    with capture_traces() as traces:
        with mlflow.start_span("agent"):
            pass
    assert traces.one().name == "agent"
"""


@needs_installation
def test_a_suite_beside_all_of_them_loses_no_trace(pytester, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{pytester.path}/mlflow.db")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makepyfile(SUITE)
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\nmarkers = asyncio: coroutine"
    )

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=14)
    assert not list(pytester.path.glob("*.db"))
