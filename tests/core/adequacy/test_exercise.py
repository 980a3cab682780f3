"""What of an expectation a trace exercises that it holds of."""

from __future__ import annotations

import re
import sys
from typing import ClassVar

import pytest

from pytest_mlflow_traces.core.adequacy.coverage import Coverage
from pytest_mlflow_traces.core.adequacy.exercise import Exercise, Subject
from pytest_mlflow_traces.core.adequacy.names import Named
from pytest_mlflow_traces.core.budgets.budget import Budget, if_present
from pytest_mlflow_traces.core.contracts import Contract
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.order.rule import each, never
from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, parallel, repeat, span
from pytest_mlflow_traces.core.patterns.written import NOTING
from tests.support.building import node, tree

HOME = ("home.py", 1)


@pytest.fixture(autouse=True)
def _noting(monkeypatch):
    monkeypatch.setattr(NOTING, "wanted", NOTING.wanted + 1)


def exercised(expectation, *traces):
    """Return what of an expectation is missed, and what is taken, each as `what: way`."""
    coverage = Coverage()
    Exercise(coverage).held(expectation, traces, HOME)
    told = {
        taken: [f"{b.what}: {b.way}" for b, is_taken in coverage.branches.items() if is_taken is taken]
        for taken in (False, True)
    }
    return told[False], told[True]


def test_planted_branches_that_no_trace_takes_are_all_named_and_no_other():
    line = sys._getframe().f_lineno
    shape = span("agent")[
        optional(span("plan")),
        optional(span("never")),
        optional(span("always")),
        repeat(span("least"), min=1),
        repeat(span("above"), min=1, max=5),
        repeat(span("both")),
        repeat(span("exactly"), min=2, max=2),
        one_of(span("first"), span("second"), span("third")),
        any_order(span("x"), span("y")),
        any_order(span("v"), span("w")),
        parallel(span("p @"), span("q @")),
    ]
    tail = ["p @ @900-1000", "q @ @901-999"]
    traces = [
        tree(
            "agent",
            ["plan", "always", "least", "above", "above", "exactly", "exactly", "first", "x", "y", "v", "w", *tail],
        ),
        tree(
            "agent",
            ["always", "least", *["above"] * 3, "both", "exactly", "exactly", "third", "y", "x", "v", "w", *tail],
        ),
    ]
    assert all(trace == shape for trace in traces)
    coverage = Coverage()
    Exercise(coverage).held(shape, traces, HOME)

    assert [(branch.line - line, branch.what, branch.way) for branch in coverage.missed] == [
        (3, "optional(span('never'))", "present"),
        (4, "optional(span('always'))", "absent"),
        (5, "repeat(span('least'), min=1)", "above its least, 1"),
        (6, "repeat(span('above'), min=1, max=5)", "at its least, 1"),
        (9, "one_of(span('first'), span('second'), span('third'))", "span('second')"),
        (11, "any_order(span('v'), span('w'))", "in more than one order"),
    ]
    assert {branch.file for branch in coverage.branches} == {__file__}
    assert coverage.taken == 11


def test_what_a_line_says_twice_is_two_branches():
    shape = span("agent")[optional(span("a")), span("b"), optional(span("a"))]

    assert exercised(shape, tree("agent", ["a", "b"]), tree("agent", ["b", "a"])) == (
        [],
        [
            "optional(span('a')): present",
            "optional(span('a')): absent",
            "optional(span('a')), the 2. of this line: present",
            "optional(span('a')), the 2. of this line: absent",
        ],
    )
    assert exercised(shape, tree("agent", ["a", "b"]))[0] == [
        "optional(span('a')): absent",
        "optional(span('a')), the 2. of this line: present",
    ]


def test_a_pattern_that_a_parameter_is_part_of_is_one():
    coverage = Coverage()
    for question, below in (("why?", ["retry"]), ("how?", [])):
        shape = span("agent", inputs=question)[optional(span("retry", inputs=question))]
        Exercise(coverage).held(
            shape, [tree(node("agent", inputs=question), [node(each, inputs=question) for each in below])], HOME
        )

    assert coverage.missed == []
    assert coverage.taken == 2


def test_a_shape_that_has_been_seen_has_nothing_new_to_say_and_one_with_operands_has():
    coverage = Coverage()
    exercise = Exercise(coverage)
    shape, asking = span("agent")[optional(span("a"))], one_of(span("agent", inputs=1), span("agent", inputs=2))
    for inputs in (1, 2, 2):
        trace = tree(node("agent", inputs=inputs))
        exercise.held(shape, [trace], HOME)
        exercise.held(asking, [trace], HOME)

    assert [branch.way for branch in coverage.missed] == ["present"]


def test_lacks_goes_no_way_and_yet_looks():
    coverage = Coverage()
    Exercise(coverage).held(span("agent", lacks=span("a") | span("b")), [tree("agent")], HOME)

    assert coverage.branches == {}
    assert {each.name for each in coverage.named} == {"agent", "a", "b"}


def test_alternatives_of_has_are_taken_where_some_span_is_like_them():
    either = "one_of(span('a'), span('b'))"
    assert exercised(Has(span("a") | span("b")), tree("agent", ["b"])) == (
        [f"{either}: span('a')"],
        [f"{either}: span('b')"],
    )


def test_a_rule_of_order_is_exercised_by_a_span_that_it_is_about():
    rule = if_present(each(span("pay")).after(span("auth")))
    assert exercised(rule, tree("agent")) == (["each(span('pay')).after(span('auth')): about a span"], [])
    assert exercised(rule, tree("agent", ["auth", "pay"]))[0] == []
    assert exercised(never(span("pay")).after(span("cancel")), tree("agent", ["pay"]))[0] == []
    assert exercised(never(span("pay")).inside(span("cancel")), tree("agent", ["cancel"]))[0] == [
        "never(span('pay')).inside(span('cancel')): about a span"
    ]


def test_alternatives_of_a_rule_are_branches_but_not_of_what_is_never_there():
    rule = each(span("pay") | span("refund")).after(span("auth"))
    assert exercised(rule, tree("agent", ["auth", "pay"]))[0] == ["one_of(span('pay'), span('refund')): span('refund')"]
    assert exercised(never(span("drop") | span("delete")), tree("agent")) == (
        [],
        ["never(one_of(span('drop'), span('delete'))): asked"],
    )


def test_a_limit_is_exercised_by_a_span_under_it():
    budget = Budget(
        latency="1m", latency_of={"search": if_present("1s"), "plan": "1s"}, calls={"delete": 0, "plan": (0, 2)}
    )
    missed, taken = exercised(budget, tree("agent", ["plan"]))
    assert missed == ["Budget latency_of span('search'): with a span under it"]
    assert taken == [
        "Budget latency: asked",
        "Budget latency_of span('plan'): with a span under it",
        "Budget calls span('delete'): asked",
        "Budget calls span('plan'): with a span under it",
    ]


def test_of_a_contract_that_applies_to_nothing_everything_is_missed():
    inner = Contract("inner", span("agent")[optional(span("a"))], applies_to=span("a") | span("b"))
    contract = Contract("outer", Budget(latency="1m"), never(span("x")), inner)

    missed, taken = exercised(contract, tree("agent"))
    assert missed == [
        "contract 'inner': applied",
        "one_of(span('a'), span('b')): span('a')",
        "one_of(span('a'), span('b')): span('b')",
        "optional(span('a')): present",
        "optional(span('a')): absent",
    ]
    assert taken == ["contract 'outer': applied", "Budget latency: asked", "never(span('x')): asked"]
    assert exercised(contract)[1] == []


def test_a_contract_looks_at_what_only_lets_through():
    contract = Contract("tools", span("agent")[optional(span("a")), span("b")], only=span(type="TOOL"))

    assert exercised(contract, tree("agent", ["plan", ["a TOOL", "b TOOL"]]))[0] == ["optional(span('a')): absent"]


def test_what_says_nothing_of_spans_has_no_branches():
    class Own:
        said: ClassVar[dict[str, object]] = {}

        def check(self, trace):
            return []

    assert exercised(Own(), tree("agent")) == ([], [])


def test_what_is_too_intricate_counts_and_is_not_taken(monkeypatch):
    from pytest_mlflow_traces.core.adequacy import search

    monkeypatch.setattr(search, "_STEPS", 0)
    monkeypatch.setattr(search, "_EACH", 0)
    coverage = Coverage()
    Exercise(coverage).held(span("agent")[optional(span("a"))], [tree("agent", ["a"])], HOME)

    assert coverage.intricate == 1
    assert coverage.taken == 0


def test_a_span_may_be_held_against_a_pattern_by_itself():
    coverage = Coverage()
    table = tree("agent", ["plan", ["a"]]).table
    Exercise(coverage).pattern(span("plan")[optional(span("a"))], [Subject(table, (1,))], HOME)

    assert [branch.way for branch in coverage.missed] == ["absent"]
    assert coverage.named == {Named("plan", None), Named("a", None)}


def test_patterns_are_let_go_where_a_suite_makes_ever_new_ones(monkeypatch):
    from pytest_mlflow_traces.core.adequacy import exercise

    monkeypatch.setattr(exercise, "_KEPT", 2)
    coverage = Coverage()
    taking = Exercise(coverage)
    for name in "abcdef":
        taking.held(optional(span(name)), [tree(name)], HOME)

    assert len(taking._outlines) <= 2
    assert len(coverage.missed) == 6


def test_a_pattern_made_when_nobody_wanted_to_know_is_where_it_was_asked(monkeypatch):
    monkeypatch.setattr(NOTING, "wanted", 0)
    shape = span(re.compile("a.*"))[optional(span("b"))]
    coverage = Coverage()
    Exercise(coverage).held(shape, [], HOME)

    assert {(branch.file, branch.line) for branch in coverage.branches} == {HOME}
