"""Which of many rules are kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.learning.aspects import Kind
from pytest_mlflow_traces.core.learning.facts import Rule
from pytest_mlflow_traces.core.learning.strata import Evidence, broken_by

GOOD, ODD, RARE = (Rule("next", Kind(name, "TOOL")) for name in ("good", "odd", "rare"))


def evidence(*facts, tests=None):
    return Evidence.gathered(facts, tests or range(len(facts)))


def chosen(found, most=0.0, tests=None, fewest=3):
    every = (1 << len(found.runs)) - 1
    return {each.rule for each in found.chosen(every if tests is None else tests, most, fewest)}


def test_a_rule_is_kept_that_every_run_keeps_and_three_tests_have_tried():
    found = evidence(*[{GOOD: True, ODD: True, RARE: True}] * 2, {GOOD: True, ODD: False}, {GOOD: True, ODD: True})

    assert chosen(found, most=1.0) == {GOOD}
    assert chosen(found, most=1.0, tests=0b1011) == {GOOD, ODD}
    assert chosen(found, most=1.0, fewest=5) == set()


def test_several_runs_of_one_test_are_one_test():
    assert chosen(evidence(*[{GOOD: True}] * 3, tests=[0, 0, 1]), most=1.0) == set()


def test_rules_fall_with_their_like():
    # one test in five breaks a rule that the others would have kept, so the good one is not trusted either
    found = evidence(*[{GOOD: True, ODD: True}] * 4, {GOOD: True, ODD: False})

    assert chosen(found, most=0.0) == {GOOD}  # five have tried it, and of the odd one that was left out, four
    assert chosen(evidence(*[{GOOD: True, ODD: True}] * 3, {ODD: False}, {}), most=0.0) == set()
    assert chosen(evidence(*[{GOOD: True, ODD: True}] * 3, {ODD: False}, {}), most=0.2) == {GOOD}


def test_of_limits_the_tightest_is_kept():
    limits = [Rule("calls", Kind("ask", "TOOL"), more=more) for more in (1, 2, 3)]
    found = evidence(*[{limit: limit.more > 1 for limit in limits}] * 3)

    assert chosen(found) == {limits[1]}


FACTS = st.lists(st.dictionaries(st.sampled_from([GOOD, ODD, RARE]), st.booleans()), min_size=1, max_size=12)


@given(FACTS, st.sampled_from([0.0, 0.2, 1.0]))
def test_no_run_breaks_what_is_kept(facts, most):
    found = evidence(*facts)
    every = (1 << len(found.runs)) - 1

    kept = found.chosen(every, most)
    assert broken_by(kept) == 0
    assert all(each.tests.bit_count() >= 3 for each in kept)
