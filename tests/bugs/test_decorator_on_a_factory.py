"""`@mlflow.trace` stands on the function that builds the agent: one trace at the build, none for any question."""

from __future__ import annotations

import mlflow
import pytest

from pytest_mlflow_traces import TraceAssertionError, span


@mlflow.trace(name="agent", span_type="AGENT")
def traced_factory():
    return lambda question: question.upper()


def factory():
    return mlflow.trace(lambda question: question.upper(), name="agent", span_type="AGENT")


def answered(make, traces):
    """Build the agent as an app does once, and answer a question as it does for each."""
    agent = make()
    traces.clear()
    return agent("why?")


def test_it_is_caught(traces):
    answered(traced_factory, traces)

    with pytest.raises(TraceAssertionError, match="nothing was traced since clear"):
        traces.one()


def test_its_mended_twin_passes(traces):
    answered(factory, traces)

    assert traces.one() == span("agent", type="AGENT", inputs={"question": "why?"}, outputs="WHY?")
