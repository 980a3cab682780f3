"""The tools beside Genie."""

import pytest

from reference_agent import stub_orchestrator
from reference_agent.stubs import StubSearch
from reference_agent.utilities import needed_tools
from tests.reference_agent.reading import children, events, span, status, tags


def ask(query, **stubs):
    return stub_orchestrator(**stubs).invoke(query, user_id="ada")


@pytest.mark.parametrize(
    ("query", "tools"),
    [
        ("Why did costs spike?", []),
        ("Is there an outage?", ["web_search"]),
        ("Show me a chart of costs", ["dashboard_linker"]),
        ("How do I fix failed jobs?", ["runbook_rag"]),
        (
            "Any news on the outage? Show me the dashboard and the runbook",
            ["web_search", "dashboard_linker", "runbook_rag"],
        ),
        ("What is the prefix of the newspaper job?", []),
    ],
)
def test_tools_are_chosen_by_words(query, tools):
    assert needed_tools(query) == tools


def test_question_that_needs_no_tool_has_no_span_for_it(captured):
    ask("Why did costs spike?")

    assert "utility_tools" not in {each.name for each in captured.one().data.spans}


def test_tools_come_between_the_agents_and_the_answer(captured):
    answer = ask("Are costs up? Any outage? Show me a dashboard and how to fix it.")

    trace = captured.one()
    phases = children(trace, span(trace, "orchestrator_invoke"))
    assert phases.index("query_agents") < phases.index("utility_tools") < phases.index("synthesize")
    assert children(trace, span(trace, "utility_tools")) == ["web_search", "dashboard_linker", "runbook_rag"]
    assert tags(trace)["utility_tools_used"] == "web_search,dashboard_linker,runbook_rag"
    assert answer["utility_tools"] == ["web_search", "dashboard_linker", "runbook_rag"]
    assert tags(trace)["source_count"] == str(len(answer["sources"]))


def test_runbook_stands_in_for_a_web_search_that_is_down(captured):
    answer = ask("Is there an outage?", search=StubSearch(down=True))

    trace = captured.one()
    tools = span(trace, "utility_tools")
    assert children(trace, tools) == ["web_search", "runbook_rag"]
    assert status(span(trace, "web_search")) == "ERROR"
    assert span(trace, "web_search").attributes["error_type"] == "WebSearchUnavailableError"
    assert span(trace, "runbook_rag").attributes["fallback_for"] == "web_search"
    assert status(tools) == "OK"
    assert events(tools) == ["tool_failed"]
    assert trace.info.state == "OK"
    assert tags(trace)["utility_tools_used"] == "runbook_rag"
    assert "Check the status page" in answer["content"]


def test_runbook_that_is_needed_anyway_runs_once(captured):
    ask("Is there an outage, and how do I fix it?", search=StubSearch(down=True))

    trace = captured.one()
    assert children(trace, span(trace, "utility_tools")) == ["web_search", "runbook_rag"]
    assert tags(trace)["utility_tools_used"] == "runbook_rag"


def test_results_of_a_web_search_are_sources(captured):
    answer = ask("Any outage?", search=StubSearch(results={"All is well": "https://status.test/now"}))

    assert "https://status.test/now" in answer["sources"]
    assert span(captured.one(), "web_search").outputs == [{"title": "All is well", "url": "https://status.test/now"}]


def test_web_search_without_results_says_so(captured):
    answer = ask("Any outage?", search=StubSearch(results={}))

    assert "web: nothing found" in answer["content"]


def test_dashboard_that_covers_just_the_domains_comes_first(captured):
    ask("Show me a dashboard of costs")

    linked = span(captured.one(), "dashboard_linker")
    assert linked.inputs == {"domains": ["cost"]}
    assert [dashboard["name"] for dashboard in linked.outputs][:2] == ["Spend by Team", "Budget Burn-down"]
    assert linked.outputs[0]["url"] == "/dashboards/spend-by-team"


def test_runbooks_are_documents_with_the_best_first(captured):
    ask("How do I recover a failed job?")

    found = span(captured.one(), "runbook_rag").outputs
    assert found[0]["metadata"]["title"] == "Recover a failed job"
    assert [document["metadata"]["score"] for document in found] == sorted(
        (document["metadata"]["score"] for document in found), reverse=True
    )
