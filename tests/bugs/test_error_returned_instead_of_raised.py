"""A worker turns its exception into a return value: the span stays OK, and error rates read zero."""

from __future__ import annotations

import mlflow
import pytest

from pytest_mlflow_traces import TraceAssertionError, assert_trace, span

FAILS = span("agent")[span("genie_query", type="TOOL", status="ERROR", error="GenieError")]


class GenieError(Exception):
    """What the service answers with."""


def ask():
    raise GenieError("the space does not answer")


@mlflow.trace(name="genie_query", span_type="TOOL")
def quiet_query():
    try:
        return ask()
    except GenieError as error:
        return {"response": f"Error: {error}", "error": str(error)}


@mlflow.trace(name="genie_query", span_type="TOOL")
def honest_query():
    return ask()


@mlflow.trace(name="agent")
def agent(query):
    try:
        return query()
    except GenieError as error:
        return {"response": "I could not ask the data.", "error": str(error)}


def test_it_is_caught(traces):
    agent(quiet_query)

    with pytest.raises(TraceAssertionError) as caught:
        assert_trace(traces, FAILS)

    assert "genie_query" in str(caught.value)
    assert "status: expected 'ERROR', got 'OK'" in str(caught.value)


def test_its_mended_twin_passes(traces):
    agent(honest_query)

    assert_trace(traces, FAILS)
