"""Budgets and time-outs of the Health Monitor in virtual time: to the millisecond, and without waiting."""

from __future__ import annotations

import asyncio

import pytest

from pytest_mlflow_traces import Budget, assert_trace, if_present, parallel, span
from reference_agent import stub_orchestrator
from reference_agent.clocks import SystemClock
from reference_agent.stubs import StubGenie

QUESTION = "Did the cost spike come from a security incident, or from slow performance of queries?"


@pytest.fixture
def orchestrator():
    """An agent on the system's clock, which `virtual_time` replaces, asking one slow space and one that hangs."""
    genie = StubGenie(latencies={"cost": 1.2, "security": 0.7}, faults={"performance": "hang"})
    return stub_orchestrator(genie=genie, clock=SystemClock())


@pytest.fixture(params=["threads", "tasks"])
def ask(request, orchestrator):
    if request.param == "threads":
        return lambda: orchestrator.invoke(QUESTION, user_id="u1")
    return lambda: asyncio.run(orchestrator.ainvoke(QUESTION, user_id="u1"))


def test_a_worker_that_hangs_costs_its_time_out_and_no_more(virtual_time, mlflow_traces, ask):
    answer = ask()

    trace = mlflow_traces.one()
    hung = trace.find_one(span("performance_agent"))
    assert answer["failed_domains"] == ["performance"]
    assert (hung.status, hung.error.type, hung.duration_ms) == ("ERROR", "AgentTimeoutError", 30_000)
    assert trace.duration_ms == 30_000
    assert trace.critical_path()[-1] in hung.descendants()


def test_workers_run_side_by_side(virtual_time, mlflow_traces, ask):
    ask()

    trace = mlflow_traces.one()
    workers = parallel(span("cost_agent"), span("security_agent"), span("performance_agent"))
    assert span("query_agents")[workers] in trace
    assert trace.max_concurrency == 3


def test_the_budget_of_a_request(virtual_time, mlflow_traces, ask):
    ask()

    assert_trace(
        mlflow_traces,
        Budget(
            latency="30s",
            latency_of={"cost_agent": "1.5s", "security_agent": "1s", "web_search": if_present("2s")},
            self_time_of={"orchestrator_invoke": "0ms"},
            tokens=2_000,
            calls={"genie_query": 3, span(type="CHAT_MODEL"): (2, 2)},
        ),
    )
