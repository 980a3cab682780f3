"""A name that was never imported is used after the answer was saved: the user sees an error, the memory a success."""

from __future__ import annotations

import mlflow
import pytest

from pytest_mlflow_traces import TraceAssertionError, assert_trace, span

EXPECTED = span("agent", type="AGENT", status="OK", error=False)[span("answer"), span("save_context", type="MEMORY")]


def agent(environment):
    with mlflow.start_span("agent", span_type="AGENT"):
        with mlflow.start_span("answer"):
            pass
        with mlflow.start_span("save_context", span_type="MEMORY"):
            pass
        mlflow.update_current_trace(tags={"environment": environment()})


def with_the_bug():
    agent(lambda: os.environ.get("ENVIRONMENT", "dev"))  # noqa: F821  # the bug


def mended():
    import os

    agent(lambda: os.environ.get("ENVIRONMENT", "dev"))


def test_it_is_caught(traces):
    with pytest.raises(NameError):
        with_the_bug()

    with pytest.raises(TraceAssertionError) as caught:
        assert_trace(traces, EXPECTED)

    assert "status: expected 'OK', got 'ERROR'" in str(caught.value)
    assert "NameError: name 'os' is not defined" in str(caught.value)


def test_its_mended_twin_passes(traces):
    mended()

    assert_trace(traces, EXPECTED)
