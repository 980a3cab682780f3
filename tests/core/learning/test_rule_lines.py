"""Rules that were learnt, as lines of a contract."""

from __future__ import annotations

import re

from pytest_mlflow_traces import Budget, each, if_present, never, span
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.learning.aspects import Kind
from pytest_mlflow_traces.core.learning.facts import Rule
from pytest_mlflow_traces.core.learning.rule_lines import RuleLines
from pytest_mlflow_traces.core.learning.strata import Candidate

A, B, C, USER = Kind("a", "TOOL"), Kind("b", "TOOL"), Kind("c", "TOOL"), Kind("user", "UNKNOWN")
LINES = RuleLines([A, B, C, USER], failing=[B], separator=USER, runs=9)


def lines(*rules, tests=0b111):
    return [line.line.expectation for line in LINES.of(Candidate(rule, tests, 0, 0) for rule in rules)]


def tool(names):
    return span(re.compile(names) if "|" in names else names, type="TOOL")


def test_how_many_there_are():
    assert lines(
        Rule("has", A), Rule("has", B), Rule("calls", A, more=4), Rule("calls", A, more=3), Rule("calls", C, more=2),
        Rule("size", more=16), Rule("fails", A), Rule("fails", C),
    ) == [
        Budget(calls={span(): (0, 16)}),
        Budget(calls={tool("a"): (1, 3)}),
        Budget(calls={tool("c"): (0, 2)}),
        Has(tool("b")),
        never(span(re.compile("a|c"), type="TOOL", status="ERROR")),
    ]  # fmt: skip


def test_what_is_asked_for_before_or_behind_has_not_failed():
    ok = span("b", type="TOOL", status="OK")

    assert lines(Rule("after", A, B), Rule("after", C, B), Rule("after", A, C)) == [
        if_present(each(tool("a|c")).after(ok)),
        if_present(each(tool("a")).after(tool("c"))),
    ]
    assert lines(Rule("after", A, B, "id")) == [if_present(each(tool("a")).after(ok, same="inputs.id"))]
    assert lines(Rule("before", A, B), Rule("before", A, C)) == [
        if_present(each(tool("a")).before(ok)),
        if_present(each(tool("a")).before(tool("c"))),
    ]


def test_what_never_follows_stands_in_as_few_lines_as_may_be():
    assert lines(
        Rule("next", A, B), Rule("next", A, C), Rule("next", C, B), Rule("next", C, C), Rule("next", B, A)
    ) == [
        never(tool("b|c")).after(tool("a|c"), since=span()),
        never(tool("a")).after(tool("b"), since=span()),
    ]
    assert lines(Rule("turn", A, B)) == [never(tool("a")).after(tool("b"), since=span("user", type="UNKNOWN"))]


def test_several_types_are_left_out_where_the_names_say_enough():
    other = Kind("a", "CHAIN")

    assert lines(Rule("next", A, B), Rule("next", A, USER)) == [
        never(span(re.compile("b|user"))).after(tool("a"), since=span())
    ]
    (line,) = RuleLines([A, B, other], [], None, 9).of(
        [Candidate(Rule("next", B, A), 7, 0, 0), Candidate(Rule("next", B, other), 7, 0, 0)]
    )
    assert line.line.expectation == never(span("a", type="CHAIN") | tool("a")).after(tool("b"), since=span())


def test_a_line_says_how_many_tests_have_tried_each_of_its_rules():
    one, two = Candidate(Rule("next", A, B), 0b1111, 0, 0), Candidate(Rule("next", A, C), 0b111, 0, 0)

    (line,) = LINES.of([one, two])
    assert (line.line.support, line.tests) == ("9 of 9 runs, tried in 3 tests or more", 3)
    (line,) = LINES.of([one])
    assert line.line.support == "9 of 9 runs, tried in 4 tests"
