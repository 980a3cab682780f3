"""A span is opened with `with` inside a generator: until that ends, whatever its consumer traces lands below it."""

from __future__ import annotations

import mlflow
import pytest

from pytest_mlflow_traces import TraceAssertionError, assert_trace, span

EXPECTED = span("agent")[span("stream", type="LLM")[()], span("show"), span("show")]


def leaking_stream():
    with mlflow.start_span("stream", span_type="LLM"):
        yield "a"
        yield "b"


@mlflow.trace(name="stream", span_type="LLM")
def whole_stream():
    yield "a"
    yield "b"


def agent(stream):
    with mlflow.start_span("agent"):
        for chunk in stream():
            with mlflow.start_span("show") as shown:
                shown.set_inputs(chunk)


def test_it_is_caught(traces):
    agent(leaking_stream)

    with pytest.raises(TraceAssertionError) as caught:
        assert_trace(traces, EXPECTED)

    assert [str(finding) for finding in caught.value.findings] == [
        "shape.moved at agent > stream > show: expected below agent, got below agent > stream",
        "shape.moved at agent > stream > show[2]: expected below agent, got below agent > stream",
    ]


def test_its_mended_twin_passes(traces):
    agent(whole_stream)

    assert_trace(traces, EXPECTED)
