"""Workers are submitted without the context: each starts a trace of its own, and the agent's trace looks empty."""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest

from pytest_mlflow_traces import TraceAssertionError, any_order, span

WORKERS = "cost", "security", "quality"
EXPECTED = span("query_agents", type="AGENT")[any_order(*(span(f"{name}_agent") for name in WORKERS))]


def work(name):
    with mlflow.start_span(f"{name}_agent", span_type="AGENT"):
        return name


def query_agents(submit):
    with mlflow.start_span("query_agents", span_type="AGENT"), ThreadPoolExecutor() as pool:
        for future in [submit(pool, name) for name in WORKERS]:
            future.result()


def with_the_bug():
    query_agents(lambda pool, name: pool.submit(work, name))


def mended():
    query_agents(lambda pool, name: pool.submit(contextvars.copy_context().run, work, name))


def test_it_is_caught(traces):
    with_the_bug()

    with pytest.raises(TraceAssertionError, match="expected one trace, got 4 traces:") as caught:
        traces.one()

    assert all(f"{name}_agent" in str(caught.value) for name in WORKERS)
    assert traces.one(name="query_agents") != EXPECTED


def test_its_mended_twin_passes(traces):
    mended()

    assert traces.one() == EXPECTED
