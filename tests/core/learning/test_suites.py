"""Runs by the test that made them."""

from __future__ import annotations

from pytest_mlflow_traces import span
from pytest_mlflow_traces.core.learning.suites import by_test, told_apart
from tests.support.building import node, tree


def agent(question, name="agent"):
    return tree(node(f"{name} AGENT", inputs=question))


def names(runs):
    return {test: len(traces) for test, traces in by_test(runs).items()}


def test_traces_are_those_of_the_test_that_is_said():
    assert names([(agent(1), "a"), (agent(2), "a"), (agent(1), "b")]) == {"a": 2, "b": 1}


def test_a_test_that_makes_several_traces_has_each_kind_apart():
    runs = [(agent(1), "a"), (agent(2, "judge"), "a"), (agent(1), "a"), (agent(3, "judge"), "a")]

    assert names(runs) == {"a": 2, "a (2)": 2}
    assert names([(agent(turn), "a") for turn in (1, 2, 1, 2)]) == {"a": 2, "a (2)": 2}
    assert names([(agent(turn), "a") for turn in (1, 2, 1, 3)]) == {"a": 4}


def test_without_a_test_what_was_asked_tells():
    runs = [(agent({"q": 1}), None), (agent({"q": 2}), None), (agent({"q": 1}), None)]

    assert names(runs) == {"agent {'q': 1}": 2, "agent {'q': 2}": 1}
    assert names([(tree("agent"), None), (tree("agent"), None)]) == {"agent": 1, "agent (2)": 1}
    assert names([(tree("one", "two"), None)] * 2) == {"one": 1, "one (2)": 1}


def test_tests_are_told_apart_by_what_their_roots_begin_with():
    tests = {
        "a": [agent(1), agent(1)],
        "b": [agent(2)],
        "same as b": [agent(2)],
        "varies": [agent(3), agent(4)],
        "secret": [agent({"password": "correct horse"}, "login")],
        "long": [agent("x" * 5000)],
        "alone": [tree("job CHAIN")],
        "like alone, with a question": [agent(1, "job")],
    }

    assert told_apart(tests) == {
        "a": span("agent", type="AGENT", inputs=1),
        "secret": span("login", type="AGENT"),
        "alone": span("job", type="CHAIN"),
        "like alone, with a question": span("job", type="AGENT", inputs=1),
    }
    # what has several roots may have one of this name among them
    assert told_apart({"a": [tree("job")], "b": [tree("x", "job")]}) == {}
