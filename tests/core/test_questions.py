"""What is asked of traces is noted while somebody listens: each question once, with its answer, in the form it had."""

from __future__ import annotations

import threading

import pytest

from pytest_mlflow_traces import Budget, Contract, TraceAssertionError, assert_trace, span
from pytest_mlflow_traces.core.questions import Questions
from tests.support.building import tree

TRACE = tree("agent", ["plan", "search TOOL"])
AGENT, PLAN, SEARCH = span("agent"), span("plan"), span("search")


@pytest.fixture
def questions():
    """The questions of one test."""
    listening = Questions()
    with listening.listening():
        yield listening


def noted(questions):
    return [(each.kind, each.expected, each.answer) for each in questions.asked]


def test_a_comparison_is_noted_with_its_answer(questions):
    assert TRACE == AGENT
    assert TRACE != PLAN
    assert PLAN in TRACE
    assert span("delete") not in TRACE

    assert noted(questions) == [
        ("is", AGENT, True),
        ("is", PLAN, False),
        ("in", PLAN, True),
        ("in", span("delete"), False),
    ]
    assert {each.traces for each in questions.asked} == {(TRACE,)}


def test_a_question_is_noted_once(questions):
    for _ in range(3):
        assert PLAN in TRACE

    assert len(questions.asked) == 1


def test_looks_at_single_spans_are_noted_with_what_they_look_for(questions):
    for _ in range(2):
        assert TRACE.count(SEARCH) == 1
    assert TRACE.find(span("delete")) == ()
    assert TRACE.find_one(PLAN) == PLAN
    assert TRACE.spans[2] != PLAN

    assert [(each.pattern, each.spans, each.found) for each in questions.looks] == [
        (SEARCH, None, True),
        (span("delete"), None, False),
        (PLAN, None, True),
        (PLAN, (1,), True),
        (PLAN, (2,), False),
    ]
    assert {id(each.table) for each in questions.looks} == {id(TRACE.table)}


def test_what_a_budget_looks_for_by_itself_nobody_has_asked(questions):
    assert Budget(tokens=9).check(TRACE)

    assert questions.looks == []


def test_a_matcher_is_a_question_that_it_answers_itself(questions):
    class Long:
        def __eq__(self, other):
            return len(other.spans) > 2

        __hash__ = None

    long = Long()

    assert TRACE == long  # noqa: SIM300  # the trace asks the matcher
    assert tree("agent") != long

    first, second = questions.asked
    assert (first.kind, first.answer, first.expected(tree("agent"))) == ("calls", True, False)
    assert (second.answer, second.expected(TRACE)) == (True, False)


def test_what_an_expectation_asks_is_a_part_of_its_question(questions):
    contract = Contract("planned", AGENT[..., PLAN, ...], Budget(calls={"search": 1}), applies_to=AGENT)

    assert_trace(TRACE, contract, AGENT)

    assert noted(questions) == [("holds", contract, True), ("holds", AGENT, True)]


def test_an_expectation_that_does_not_hold_is_a_question_too(questions):
    with pytest.raises(TraceAssertionError):
        assert_trace([TRACE, tree("agent")], AGENT[PLAN, SEARCH])

    assert noted(questions) == [("holds", AGENT[PLAN, SEARCH], False)]
    assert len(questions.asked[0].traces) == 2


def test_what_is_asked_of_single_spans_is_counted(questions):
    assert TRACE.root == AGENT
    assert TRACE.count(PLAN) == 1
    assert TRACE.find(PLAN)[0].name == "plan"

    assert (questions.asked, questions.of_spans) == ([], 3)


def test_nothing_is_noted_when_nobody_listens():
    questions = Questions()
    with questions.listening():
        assert PLAN in TRACE
    assert SEARCH in TRACE

    assert noted(questions) == [("in", PLAN, True)]


def test_what_another_thread_asks_is_noted(questions):
    asking = threading.Thread(target=lambda: PLAN in TRACE)
    asking.start()
    asking.join()

    assert noted(questions) == [("in", PLAN, True)]


def test_a_view_is_seen_again_of_another_trace(questions):
    view = TRACE.without(PLAN).only(SEARCH)
    assert view == AGENT[SEARCH]

    (question,) = questions.asked
    again = question.traces[0].seen_again(tree("agent", ["plan", ["search"], "search"]))

    assert question.traces[0].whole is TRACE
    assert [each.name for each in again.spans] == ["agent", "search", "search"]
    assert TRACE.whole is TRACE
