"""What one request looks like from outside: its tree, its tags, its answer."""

import json

import mlflow
import pytest

from reference_agent import stub_orchestrator
from reference_agent.memory import Memory
from reference_agent.stubs import Fault, StubChat, StubGenie
from reference_agent.tags import STANDARD_TAGS
from reference_agent.workers import AllAgentsFailedError
from tests.reference_agent.reading import children, events, span, spans, status, tags


def test_answer_says_what_it_rests_on(captured):
    answer = stub_orchestrator().invoke("Why did costs spike?", user_id="ada", session_id="s1")

    assert "Spend rose 42% on Tuesday" in answer["content"]
    assert answer["sources"] == ["Cost Intelligence: Spend by day"]
    assert answer["domains"] == ["cost"]
    assert answer["confidence"] == 0.95


def test_one_request_makes_one_tree_of_five_phases(captured):
    stub_orchestrator().invoke("Why did costs spike?", user_id="ada", session_id="s1")

    trace = captured.one()
    root = span(trace, "orchestrator_invoke")
    assert root.parent_id is None
    assert children(trace, root) == ["load_context", "classify_intent", "query_agents", "synthesize", "save_context"]
    assert children(trace, span(trace, "load_context")) == ["retrieve_short_term", "retrieve_long_term"]
    assert children(trace, span(trace, "query_agents")) == ["cost_agent"]
    assert children(trace, span(trace, "cost_agent")) == ["genie_query"]
    assert children(trace, span(trace, "genie_query")) == ["genie_attempt"]
    assert {status(each) for each in trace.data.spans} == {"OK"}


def test_every_span_has_its_type(captured):
    query = "Why did costs spike? Show me a dashboard, the latest news, and how to fix it."
    stub_orchestrator().invoke(query, user_id="ada", session_id="s1")

    types = {each.name: each.span_type for each in captured.one().data.spans}
    assert types == {
        "orchestrator_invoke": "AGENT",
        "load_context": "MEMORY",
        "retrieve_short_term": "RETRIEVER",
        "retrieve_long_term": "RETRIEVER",
        "classify_intent": "CLASSIFIER",
        "query_agents": "AGENT",
        "cost_agent": "AGENT",
        "genie_query": "TOOL",
        "genie_attempt": "TOOL",
        "utility_tools": "TOOL",
        "web_search": "TOOL",
        "dashboard_linker": "TOOL",
        "runbook_rag": "RETRIEVER",
        "synthesize": "LLM",
        "save_context": "MEMORY",
        "RunnableSequence": "CHAIN",
        "ChatPromptTemplate": "CHAIN",
        "StubChat": "CHAT_MODEL",
        "StrOutputParser": "CHAIN",
    }


def test_both_model_calls_are_autologged_and_counted_once(captured):
    stub_orchestrator().invoke("Why did costs spike?", user_id="ada")

    trace = captured.one()
    models = spans(trace, "StubChat")
    assert [model.span_type for model in models] == ["CHAT_MODEL", "CHAT_MODEL"]
    assert [model.attributes["mlflow.llm.model"] for model in models] == ["stub-chat-1"] * 2
    for phase in ("classify_intent", "synthesize"):
        assert children(trace, span(trace, phase)) == ["RunnableSequence"]
    used = sum(model.attributes["mlflow.chat.tokenUsage"]["total_tokens"] for model in models)
    assert json.loads(trace.info.trace_metadata["mlflow.trace.tokenUsage"])["total_tokens"] == used > 0


def test_spans_say_what_went_in_and_what_came_out(captured):
    stub_orchestrator().invoke("Why did costs spike?", user_id="ada", session_id="s1")

    trace = captured.one()
    intent, query = span(trace, "classify_intent"), span(trace, "genie_query")
    assert intent.inputs == {"query": "Why did costs spike?"}
    assert intent.outputs == {"domains": ["cost"], "confidence": 0.95}
    assert intent.attributes["domain_count"] == 1
    assert query.inputs["space_id"] == "cost-space"
    assert query.inputs["enhanced_query"].startswith("Why did costs spike? (over the last 7 days")
    assert query.outputs["sql_query"].startswith("select usage_date")
    assert query.attributes["source_count"] == 1
    assert span(trace, "cost_agent").attributes["genie_space"] == "cost-space"
    assert span(trace, "orchestrator_invoke").outputs["domains"] == ["cost"]


def test_tags_of_a_success_are_the_whole_table(captured):
    stub_orchestrator().invoke("Why did costs spike?", user_id="ada", session_id="s1")

    found = tags(captured.one())
    assert found == {
        "user_id": "ada",
        "session_id": "s1",
        "environment": "dev",
        "domains": "cost",
        "domain_count": "1",
        "confidence": "0.95",
        "is_multi_domain": "false",
        "utility_tools_used": "",
        "source_count": "1",
        "response_length": "96",
        "has_error": "false",
    }
    assert set(found) == set(STANDARD_TAGS) - {"error_type"}


def test_tags_of_a_failure_are_the_whole_table_too(captured):
    orchestrator = stub_orchestrator(chat=StubChat(faults={"classify": "error"}))
    with pytest.raises(Exception, match="not available"):
        orchestrator.invoke("Why did costs spike?", user_id="ada", session_id="s1")

    found = tags(captured.one())
    assert set(found) == {*STANDARD_TAGS, "error_message"}
    assert found["has_error"] == "true"
    assert found["error_type"] == "ModelUnavailableError"
    assert found["error_message"] == "stub-chat-1 is not available"
    assert found["domains"] == ""
    assert found["confidence"] == "0.0"


def test_several_domains_are_tagged_in_lower_case(captured):
    stub_orchestrator().invoke("Are costs and access under control?", user_id="ada")

    found = tags(captured.one())
    assert found["domains"] == "cost,security"
    assert found["domain_count"] == "2"
    assert found["is_multi_domain"] == "true"


def test_environment_is_read_when_the_request_ends(captured, monkeypatch):
    orchestrator = stub_orchestrator()
    monkeypatch.setenv("ENVIRONMENT", "prod")
    orchestrator.invoke("Why did costs spike?", user_id="ada")

    assert tags(captured.one())["environment"] == "prod"


def test_session_and_user_are_metadata_by_which_mlflow_groups(captured):
    stub_orchestrator().invoke("Why did costs spike?", user_id="ada", session_id="s1")

    metadata = captured.one().info.trace_metadata
    assert metadata["mlflow.trace.user"] == "ada"
    assert metadata["mlflow.trace.session"] == "s1"


def test_request_without_a_session_joins_none(captured):
    stub_orchestrator().invoke("Why did costs spike?", user_id="ada")

    trace = captured.one()
    assert tags(trace)["session_id"] == "none"
    assert "mlflow.trace.session" not in trace.info.trace_metadata


def test_failed_domain_does_not_cost_the_answer(captured):
    orchestrator = stub_orchestrator(genie=StubGenie(faults={"security": "403"}))
    answer = orchestrator.invoke("Are costs and access under control?", user_id="ada")

    trace = captured.one()
    assert "Spend rose" in answer["content"]
    assert answer["failed_domains"] == ["security"]
    assert trace.info.state == "OK"
    assert tags(trace)["has_error"] == "false"
    assert tags(trace)["failed_domains"] == "security"
    assert status(span(trace, "query_agents")) == "OK"
    assert events(span(trace, "query_agents")) == ["domain_failed"]
    assert status(span(trace, "security_agent")) == "ERROR"
    assert span(trace, "security_agent").attributes["error_type"] == "GeniePermissionError"
    assert status(span(trace, "cost_agent")) == "OK"


def test_request_fails_when_all_domains_do(captured):
    orchestrator = stub_orchestrator(genie=StubGenie(faults={"security": "403", "cost": "500"}))
    with pytest.raises(AllAgentsFailedError, match="none of 2 agents answered: cost: GenieServerError"):
        orchestrator.invoke("Are costs and access under control?", user_id="ada")

    trace = captured.one()
    assert trace.info.state == "ERROR"
    assert tags(trace)["error_type"] == "AllAgentsFailedError"
    assert tags(trace)["failed_domains"] == "cost,security"
    for name in ("orchestrator_invoke", "query_agents", "cost_agent", "security_agent"):
        assert status(span(trace, name)) == "ERROR"
    assert "synthesize" not in {each.name for each in trace.data.spans}


def test_error_of_the_only_domain_is_the_error_of_the_request(captured):
    orchestrator = stub_orchestrator(genie=StubGenie(faults={"cost": Fault("FAILED", message="no such table")}))
    with pytest.raises(Exception, match="no such table"):
        orchestrator.invoke("Why did costs spike?", user_id="ada")

    trace = captured.one()
    assert tags(trace)["error_type"] == "GenieFailedError"
    for name in ("orchestrator_invoke", "query_agents", "cost_agent", "genie_query", "genie_attempt"):
        failing = span(trace, name)
        assert failing.attributes["error_type"] == "GenieFailedError"
        assert "no such table" in failing.attributes["error_message"]


def test_turn_is_remembered_though_it_failed(captured):
    memory = Memory()
    orchestrator = stub_orchestrator(memory=memory, genie=StubGenie(faults={"cost": ["500"]}))
    with pytest.raises(Exception, match="scripted 500"):
        orchestrator.invoke("Why did costs spike?", user_id="ada", session_id="s1")
    orchestrator.invoke("And now?", user_id="ada", session_id="s1")

    failed, second = captured
    assert span(failed, "save_context").attributes["saved_on_failure"] is True
    assert span(failed, "save_context").attributes["saved"] is True
    remembered = span(second, "retrieve_short_term").outputs
    assert [document["page_content"] for document in remembered] == [
        "Why did costs spike?",
        "(no answer: GenieServerError)",
    ]


def test_second_turn_of_a_session_sees_the_first(captured):
    orchestrator = stub_orchestrator()
    orchestrator.invoke("Why did costs spike?", user_id="ada", session_id="s1")
    answer = orchestrator.invoke("And last month?", user_id="ada", session_id="s1")

    first, second = captured
    assert span(first, "load_context").outputs["message_count"] == 0
    assert span(second, "load_context").outputs["message_count"] == 2
    # The question alone names no domain; the conversation does.
    assert answer["domains"] == ["cost"]
    assert answer["confidence"] == 0.95


def test_sessions_and_users_do_not_see_each_other(captured):
    orchestrator = stub_orchestrator()
    orchestrator.invoke("Why did costs spike?", user_id="ada", session_id="s1")
    orchestrator.invoke("Why did costs spike?", user_id="ada", session_id="s2")
    orchestrator.invoke("Why did costs spike?", user_id="eve", session_id="s1")

    assert [span(trace, "load_context").outputs["message_count"] for trace in captured] == [0, 0, 0]


def test_health_check_concerns_every_domain(captured):
    answer = stub_orchestrator().invoke("Give me a health overview", user_id="ada")

    trace = captured.one()
    assert answer["confidence"] == 0.7
    assert sorted(children(trace, span(trace, "query_agents"))) == [
        "cost_agent",
        "performance_agent",
        "quality_agent",
        "reliability_agent",
        "security_agent",
    ]


def test_agent_consults_another_whose_spans_nest_in_its_own(captured):
    stub_orchestrator().invoke("What do failed jobs cost?", user_id="ada")

    trace = captured.one()
    reliability = span(trace, "reliability_agent")
    nested, beside = (
        next(agent for agent in spans(trace, "cost_agent") if (agent.parent_id == reliability.span_id) is is_nested)
        for is_nested in (True, False)
    )
    assert children(trace, reliability) == ["genie_query", "cost_agent"]
    assert beside.parent_id == span(trace, "query_agents").span_id
    assert children(trace, nested) == ["genie_query"]


def test_agent_answers_without_the_one_it_consults(captured):
    genie = StubGenie(faults={"cost": "FAILED"})
    answer = stub_orchestrator(genie=genie).invoke("What do failed jobs cost?", user_id="ada")

    trace = captured.one()
    assert answer["failed_domains"] == ["cost"]
    assert status(span(trace, "reliability_agent")) == "OK"
    assert events(span(trace, "reliability_agent")) == ["consultation_failed"]


def test_request_inside_an_application_span_nests_there(captured):
    with mlflow.start_span("application"):
        stub_orchestrator().invoke("Why did costs spike?", user_id="ada")

    trace = captured.one()
    assert children(trace, span(trace, "application")) == ["orchestrator_invoke"]
    assert tags(trace)["domains"] == "cost"


def test_agent_works_without_tracing(captured):
    mlflow.tracing.disable()
    try:
        answer = stub_orchestrator().invoke("What do failed jobs cost? Any outage?", user_id="ada", session_id="s1")
        pieces = list(stub_orchestrator().stream("Why did costs spike?", user_id="ada"))
        with pytest.raises(Exception, match="scripted 403"):
            stub_orchestrator(genie=StubGenie(faults={"cost": "403"})).invoke("cost", user_id="ada")
    finally:
        mlflow.tracing.enable()

    assert answer["domains"] == ["cost", "reliability"]
    assert len(pieces) > 5
    assert len(captured) == 0
