"""A worker is cancelled by a time-out; MLflow ends its span OK, since CancelledError is no Exception."""

from __future__ import annotations

import asyncio

import mlflow
import pytest
from mlflow.entities import SpanEvent

from pytest_mlflow_traces import TraceAssertionError, assert_trace, span

CANCELLED = span("agent")[span("worker", status="ERROR", error="CancelledError")]


async def hang():
    await asyncio.Event().wait()


async def quiet_worker():
    with mlflow.start_span("worker"):
        await hang()


async def honest_worker():
    with mlflow.start_span("worker") as span:
        try:
            await hang()
        except asyncio.CancelledError:
            span.add_event(SpanEvent("exception", attributes={"exception.type": "CancelledError"}))
            span.set_status("ERROR")
            raise


def agent(worker):
    async def run():
        with mlflow.start_span("agent"):
            task = asyncio.create_task(worker())
            await asyncio.sleep(0)  # let it start
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_it_is_caught(traces):
    agent(quiet_worker)

    with pytest.raises(TraceAssertionError) as caught:
        assert_trace(traces, CANCELLED)

    assert "status: expected 'ERROR', got 'OK'" in str(caught.value)
    assert "error: expected CancelledError, got no error" in str(caught.value)


def test_its_mended_twin_passes(traces):
    agent(honest_worker)

    assert_trace(traces, CANCELLED)
