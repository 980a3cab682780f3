"""Contracts from the passing runs of a suite."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces import Contract, span
from pytest_mlflow_traces.core.contract_files.lint import lint
from pytest_mlflow_traces.core.learning.lessons import Asking, learn
from tests.support.building import node, tree
from tests.support.suites import run, suite
from tests.support.tracing import traces


@pytest.fixture(scope="module")
def lesson():
    return learn(suite(tests=20), Asking())


def test_one_contract_holds_all_traces_and_each_test(lesson):
    text = lesson.as_one("answers").to_toml()
    contract, random = Contract.from_toml(text), Random(1)

    assert lint(text) == []
    assert [each.name for each in contract.expectations] == ["all traces", "each test"]
    assert not any(contract.check(trace) for runs in suite(tests=20).values() for trace in runs)
    assert not contract.check(run(3, random))
    odd = contract.check(run(3, random, node("book TOOL", inputs={"id": "another"})))
    assert {finding.rule for finding in odd} >= {"budget.calls"}


def test_what_was_learnt_is_told(lesson):
    first, together, each = lesson.said

    assert first == "60 passing runs of 20 tests, 20 of them with several runs"
    assert together.startswith("all traces together, ")
    assert each == (
        "each test, 20 contracts: held out, 0 of 60 passing runs in 20 tests would have been flagged (0.0 %); at most "
        "14 % at a confidence of 95 %; with 20 tests, even none could not promise below 14 %"
    )


def test_few_tests_are_not_enough_for_a_contract_of_each():
    lesson = learn(suite(tests=10), Asking())

    assert lesson.tests == {}
    assert lesson.said[-1] == (
        "each test: not enough runs to say what is stable, for which 11 tests with several runs are needed; "
        "no contract for a test"
    )


def test_where_nothing_is_stable_no_test_has_a_contract():
    odd = {f"test_{i}": [tree("agent", ["a"] * i), tree("agent", ["b"] * i)] for i in range(1, 14)}
    lesson = learn(odd, Asking(most=0.0))

    assert lesson.tests == {}
    assert lesson.said[-1] == "each test: nothing is stable enough; no contract for a test"
    assert [each.name for each in lesson.as_one("x").inside] == ["all traces"]


def test_of_very_few_tests_nothing_is_learnt():
    lesson = learn(suite(tests=2), Asking())

    assert (lesson.together, lesson.as_one("x")) == (None, None)
    assert lesson.said[1] == (
        "all traces together: nothing that holds of other tests, too, within the false alarms asked for"
    )


def test_only_what_the_user_named_is_held():
    lesson = learn(suite(tests=6), Asking(only=[span("book", type="TOOL")]))
    text = lesson.as_one("effects").to_toml()

    assert text.count('only = ["book TOOL"]') == 1
    assert "search" not in text
    assert "cancel" not in text
    assert {*lesson.tests} == {f"test_{i}" for i in range(6)}


@pytest.mark.parametrize("only", [(), [span("book")]])
def test_asked_for_no_false_alarm_it_knows_of_none(only):
    tests = suite(tests=14)
    tests["test_3"].append(run(4, Random(1)))  # passed, and did what another test asks for

    lesson = learn(tests, Asking(most=0.0, only=only))
    for said in lesson.said[1:]:
        assert "held out, 0 of 43 passing runs" in said or "nothing" in said


@settings(max_examples=20)
@given(
    st.lists(st.lists(traces(names="abc"), min_size=1, max_size=3), min_size=4, max_size=14),
    st.sampled_from([0.0, 0.2, 1.0]),
)
def test_every_run_that_it_was_learnt_from_is_accepted(runs, most):
    lesson = learn({f"test_{i}": each for i, each in enumerate(runs)}, Asking(most=most))

    for i, each in enumerate(runs):
        learnt = [lesson.together, lesson.tests.get(f"test_{i}")]
        contracts = [Contract.from_toml(one.to_toml()) for one in learnt if one is not None]
        assert not any(contract.check(trace) for contract in contracts for trace in each)


def test_a_test_that_its_root_does_not_tell_is_not_in_one_file():
    tests = suite(tests=12)
    tests["test_0"] = [tree("agent AGENT", [node("book TOOL", inputs={"id": "0-0"}), "cancel TOOL"])] * 2
    lesson = learn(tests, Asking())

    assert lesson.tests["test_0"].applies_to is None
    assert "test_0" not in [each.name for each in lesson.as_one("x").inside[-1].inside]
