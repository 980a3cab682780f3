"""The record of a run: what it comes to, and several of them as one."""

from __future__ import annotations

import json
import re

from pytest_mlflow_traces.core.adequacy.branches import Branch
from pytest_mlflow_traces.core.adequacy.coverage import Coverage
from pytest_mlflow_traces.core.adequacy.names import Named, kinds_in, named_in
from pytest_mlflow_traces.core.patterns.constructors import any_order, span
from tests.support.building import tree

ONE, TWO, THREE = (Branch("a.py", line, "optional(span('x'))", "present") for line in (1, 2, 3))


def test_nothing_held_is_nothing_exercised_and_what_has_no_branches_is_all():
    coverage = Coverage()
    assert coverage.percent == 0
    coverage.held = 1
    assert coverage.percent == 100


def test_the_figure_is_that_of_the_branches():
    coverage = Coverage()
    coverage.expect([TWO, ONE, THREE])
    coverage.take(TWO)
    coverage.expect([TWO])

    assert coverage.missed == [ONE, THREE]
    assert (coverage.taken, round(coverage.percent, 1)) == (1, 33.3)


def test_a_group_was_in_more_than_one_order_where_two_items_came_in_both():
    coverage = Coverage()
    coverage.expect([ONE])
    for pair in ((0, 1), (1, 2), (0, 2)):
        coverage.order(ONE, pair)
    assert coverage.missed == [ONE]
    coverage.order(ONE, (2, 1))
    assert coverage.missed == []


def test_what_ran_and_is_named_nowhere_is_told_the_most_frequent_first():
    coverage = Coverage()
    for _ in range(2):
        coverage.ran.update(kinds_in(tree("agent AGENT", ["search TOOL", "search TOOL", "log", "call TOOL"]).table))
    coverage.ran.update(kinds_in(tree("agent AGENT", ["plan LLM", "search"]).table))
    coverage.named |= set(named_in(span("agent")[..., span(re.compile("c.+"), lacks=span(type="LLM")), span()]))

    assert list(coverage.unnamed.items()) == [
        (("log", "UNKNOWN"), 2),
        (("search", "TOOL"), 2),
        (("search", "UNKNOWN"), 1),
    ]


def test_a_name_and_a_type_are_looked_at_together():
    (named,) = named_in(span("search", type="TOOL"))
    assert named.is_like(("search", "TOOL"))
    assert not named.is_like(("search", "LLM"))
    assert not named.is_like(("find", "TOOL"))


def test_a_part_that_stands_in_two_places_is_named_once():
    shared = span("a")
    found = list(named_in(any_order(shared, span("b")[shared])))
    assert sorted(each.name for each in found) == ["a", "b"]


def test_workers_know_together_what_one_would_have_known():
    first, second, whole = Coverage(), Coverage(), Coverage()
    for coverage in (first, whole):
        coverage.expect([ONE, TWO])
        coverage.take(ONE)
        coverage.order(THREE, (0, 1))
        coverage.ran.update([("a", "TOOL")])
        coverage.held += 2
    for coverage in (second, whole):
        coverage.expect([ONE, THREE])
        coverage.order(THREE, (1, 0))
        coverage.ran.update([("a", "TOOL"), ("b", "TOOL")])
        coverage.named |= {Named(re.compile("b", re.IGNORECASE), None), Named("c", "LLM")}
        coverage.intricate += 1

    merged = Coverage()
    for each in (first, second):
        merged.merge(json.loads(json.dumps(each.to_data())))

    assert vars(merged) == vars(whole)
    assert merged.missed == [TWO]
    assert merged.unnamed == {("a", "TOOL"): 2}
