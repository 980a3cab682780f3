"""The lines of a contract for each test."""

from __future__ import annotations

from random import Random

import pytest

from pytest_mlflow_traces import Contract, span
from pytest_mlflow_traces.core.learning.aspects import seen_in
from pytest_mlflow_traces.core.learning.learnt import Learnt
from pytest_mlflow_traces.core.learning.per_test import per_test
from tests.support.building import node, tree
from tests.support.suites import run, suite


def learnt(tests, most=0.05, only=(), **said):
    seen = {test: [seen_in(trace, only) for trace in runs] for test, runs in tests.items()}
    return per_test(seen, most, named=bool(only), **said)


def contract(lines):
    return Contract.from_toml(Learnt("t", lines).to_toml())


def test_a_contract_holds_the_effects_of_its_test():
    tests = suite()
    found = learnt(tests)

    assert Learnt("test_1", found.lines["test_1"]).to_toml() == (
        "format = 1\n"
        'name = "test_1"\n'
        "\n"
        "has = [\n"
        '  \'book TOOL OK inputs={"id": "1-0"}\',  # 3 of 3 runs\n'
        '  \'book TOOL OK inputs={"id": "1-1"}\',  # 3 of 3 runs\n'
        "]\n"
        "\n"
        "never = [\n"
        '  "cancel TOOL OK",  # 3 of 3 runs\n'
        "]\n"
        "\n"
        "[budget.calls]\n"
        '"book TOOL OK" = [2, 2]  # 3 of 3 runs\n'
    )
    for test, runs in tests.items():
        for other, others in tests.items():
            held = [not contract(found.lines[test]).check(trace) for trace in others]
            assert held == [test == other] * len(runs)


def test_without_inputs_it_holds_the_structure():
    found = learnt(suite(), inputs=False)

    assert [str(line.expectation) for line in found.lines["test_1"]] == [
        "never(span('cancel', type='TOOL', status='OK'))",
        "Budget(calls={span('book', type='TOOL', status='OK'): (2, 2)})",
    ]


@pytest.mark.parametrize("tests", [0, 1, 10])
def test_too_few_other_tests_say_nothing_of_what_is_stable(tests):
    assert learnt(suite(tests=tests)) is None


def test_what_the_user_named_needs_no_other_tests():
    tests = suite(tests=2)
    found = learnt(tests, only=[span("book")])

    assert [str(line.expectation) for line in found.lines["test_0"]] == [
        "Budget(calls={span('book', type='TOOL', status='OK'): 1})",
        "has(span('book', type='TOOL', status='OK', inputs={'id': '0-0'}))",
    ]


def test_a_test_with_one_run_is_held_to_what_the_others_vouch_for():
    tests = suite(tests=13)
    tests["test_12"] = tests["test_12"][:1]
    found = learnt(tests)

    assert {line.support for line in found.lines["test_12"]} == {"1 of 1 run"}
    assert not contract(found.lines["test_12"]).check(run(12, Random(5)))
    assert contract(found.lines["test_12"]).check(run(11, Random(5)))
    assert "test_12" not in found.held_out.flagged


def test_where_nothing_is_stable_nothing_is_held():
    assert learnt(suite(), only=[span("search")], most=0.0) is None


def test_inputs_that_vary_are_those_that_were_seen():
    def run(name):
        return tree("agent AGENT", [node("pay TOOL", inputs=name)])

    found = learnt({"t": [run("a"), run("b"), run("a")], "u": [run("c"), run("c")]}, most=1.0, only=[span("pay")])
    held = contract(found.lines["t"])

    assert [not held.check(run(name)) for name in "abc"] == [True, True, False]


def test_names_that_are_nowhere_stand_in_one_line():
    tests = suite()
    for number, (test, runs) in enumerate(tests.items()):
        more = [node(f"a+b{number % 2} TOOL", inputs=1)] * (number in (3, 4, 5, 6))
        tests[test] = [tree("agent", [*(span_of(each) for each in trace.root.children), *more]) for trace in runs]
    found = learnt(tests)

    never, *_ = found.lines["test_1"]
    assert Learnt("t", [never]).to_toml().splitlines()[4] == r"  '/a\+b0|a\+b1|cancel/ TOOL OK',  # 3 of 3 runs"


def span_of(span):
    return node(f"{span.name} {span.type} {span.status}", inputs=span.inputs)
