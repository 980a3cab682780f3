"""What an agent repo would test of the Health Monitor: the bundled orchestrator, answered by stubs at its two edges."""

from __future__ import annotations

import re

import pytest

from pytest_mlflow_traces import any_order, assert_trace, repeat, span
from reference_agent import stub_orchestrator
from reference_agent.contract import CONTRACT, FAILURE_CONTRACT
from reference_agent.stubs import StubGenie


@pytest.fixture
def orchestrator():
    return stub_orchestrator()


# The chain that LangChain's autolog adds below whatever calls the model.
CHAIN = span("RunnableSequence", type="CHAIN")[..., span("StubChat", type="CHAT_MODEL", status="OK"), ...]


def worker(domain):
    """One domain's agent: it asks Genie, at least once."""
    attempts = repeat(span("genie_attempt", type="TOOL"), min=1)
    return span(f"{domain}_agent", type="AGENT")[span("genie_query", type="TOOL", status="OK")[attempts]]


def test_a_cost_question_goes_through_all_five_phases(mlflow_traces, orchestrator):
    answer = orchestrator.invoke("Why did costs spike?", user_id="u1", session_id="s1")

    trace = mlflow_traces.one()
    assert (
        trace
        == span("orchestrator_invoke", type="AGENT")[
            span("load_context", type="MEMORY")[span("retrieve_short_term"), span("retrieve_long_term")],
            span("classify_intent", type="CLASSIFIER")[CHAIN],
            span("query_agents", type="AGENT")[worker("cost")],
            ...,  # utility tools, when the question asks for them
            span("synthesize", type="LLM")[CHAIN],
            span("save_context", type="MEMORY"),
        ]
    )
    assert trace.session_id == "s1"
    assert trace.tags["domains"] == ",".join(answer["domains"])


def test_workers_of_a_broad_question_may_answer_in_any_order(mlflow_traces, orchestrator):
    orchestrator.invoke("Did the cost spike come from a security incident?", user_id="u1")

    assert span("query_agents")[any_order(worker("cost"), worker("security"))] in mlflow_traces


def test_no_worker_touches_the_tables(mlflow_traces, orchestrator):
    orchestrator.invoke("Why did costs spike?", user_id="u1")

    assert span("delete_table") not in mlflow_traces
    assert span(status="ERROR") not in mlflow_traces


@pytest.mark.mlflow_traces(count=2, expect=span("orchestrator_invoke", has=span("load_context")))
def test_each_turn_of_a_session_is_a_trace(orchestrator):
    orchestrator.invoke("Why did costs spike?", user_id="u1", session_id="s1")
    orchestrator.invoke("And yesterday?", user_id="u1", session_id="s1")


def test_several_things_at_once(mlflow_traces, orchestrator):
    orchestrator.invoke("Why did costs spike?", user_id="u1")

    assert_trace(
        mlflow_traces,
        span("orchestrator_invoke", status="OK", error=False),
        span(lacks=span(re.compile("web_search|dashboard_linker"), type="TOOL")),
    )


@pytest.mark.mlflow_traces(expect=CONTRACT)
@pytest.mark.parametrize("question", ["Why did costs spike?", "Is anything unusual in security and in cost?"])
def test_every_answer_keeps_the_contract(orchestrator, question):
    orchestrator.invoke(question, user_id="u1", session_id="s1")


@pytest.mark.mlflow_traces(expect=FAILURE_CONTRACT)
@pytest.mark.parametrize("fault", ["403", "FAILED", "html", "hang"])
def test_every_failure_keeps_the_contract_of_failures(fault):
    orchestrator = stub_orchestrator(genie=StubGenie(faults={"cost": fault}))

    with pytest.raises(Exception, match=r".+"):
        orchestrator.invoke("Why did costs spike?", user_id="u1", session_id="s1")
