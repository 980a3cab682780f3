"""What simple rules say of one trace."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces.core.learning.aspects import Kind
from pytest_mlflow_traces.core.learning.facts import Rule, facts_of
from tests.support.building import node, tree

ASK, PAY, USER = Kind("ask", "TOOL"), Kind("pay", "TOOL"), Kind("user", "UNKNOWN")
KINDS = [ASK, PAY, USER]


def facts(*children):
    return dict(facts_of(tree("agent", [*children]), KINDS, USER))


def test_how_many_there_are():
    said = facts("pay TOOL", "pay TOOL", "pay TOOL ERROR", "other TOOL")

    assert (said[Rule("has", PAY)], said[Rule("has", ASK)]) == (True, False)
    assert (said[Rule("calls", PAY, more=3)], said[Rule("calls", PAY, more=2)]) == (True, False)
    assert Rule("calls", ASK, more=1) not in said
    assert (said[Rule("size", more=6)], said[Rule("size", more=4)]) == (True, False)
    assert said[Rule("fails", PAY)] is False


@pytest.mark.parametrize(
    ("children", "after", "before"),
    [
        (["ask TOOL", "pay TOOL"], True, False),
        (["pay TOOL", "ask TOOL"], False, True),
        (["ask TOOL", "pay TOOL", "pay TOOL", "ask TOOL"], True, True),
        (["pay TOOL", "ask TOOL", "pay TOOL"], False, False),
        (["ask TOOL ERROR", "pay TOOL"], False, False),
        (["pay TOOL"], False, False),
        (["ask TOOL @0-10", "pay TOOL @5-15"], False, False),
    ],
)
def test_what_comes_before_and_behind(children, after, before):
    said = facts(*children)

    assert said[Rule("after", PAY, ASK)] is after
    assert said[Rule("before", PAY, ASK)] is before


@pytest.mark.parametrize(("first", "expected"), [(1, True), (2, False)])
def test_what_comes_before_with_the_same_input(first, expected):
    said = facts(node("ask TOOL", inputs={"id": first, "x": [1]}), node("pay TOOL", inputs={"id": 1, "x": [1]}))

    assert said[Rule("after", PAY, ASK, "id")] is expected
    assert Rule("after", PAY, ASK, "x") not in said


def test_what_follows_with_nothing_between():
    said = facts("ask TOOL", "other TOOL", "pay TOOL", "ask TOOL")

    assert said[Rule("next", ASK, PAY)] is True
    assert said[Rule("next", PAY, ASK)] is False
    assert said[Rule("next", ASK, ASK)] is True
    assert Rule("next", USER, ASK) not in said


def test_what_is_done_at_a_time():
    assert facts("user", "ask TOOL", "pay TOOL")[Rule("turn", PAY, ASK)] is False
    assert facts("user", "ask TOOL", "user", "pay TOOL")[Rule("turn", PAY, ASK)] is True
    assert facts("user", "pay TOOL", "ask TOOL")[Rule("turn", PAY, ASK)] is True


def test_spans_above_each_other_are_not_in_an_order():
    said = facts("ask TOOL", ["pay TOOL"])

    assert said[Rule("after", PAY, ASK)] is False
    assert said[Rule("next", ASK, PAY)] is True
    assert said[Rule("turn", PAY, ASK)] is True
