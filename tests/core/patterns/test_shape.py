"""Two traces have one shape just where the same is recorded of them."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces.core.patterns.recorded import recorded
from pytest_mlflow_traces.core.patterns.shape import Shapes
from tests.support.building import Record, trace_of, tree
from tests.support.tracing import traces

FEW = traces(names="ab", most=5)


def shape(trace):
    found = Shapes().of(trace.table)
    assert trace.shape == found
    return found


@given(st.lists(FEW, min_size=2, max_size=6))
@settings(max_examples=100)
def test_two_traces_of_one_shape_are_what_was_recorded_of_the_other(drawn):
    seen = Shapes()
    for one in drawn:
        for other in drawn:
            # of recorded patterns each matches the other's trace only where they are the same
            alike = one == recorded(other.table) and other == recorded(one.table)
            assert (seen.of(one.table) == seen.of(other.table)) is alike
            assert seen.of(one.table) == shape(one)


def test_siblings_that_overlap_have_no_order():
    one = tree("agent", ["a @1-5", "b @2-6", ["x @3-4"], "c @7-8"])
    other = tree("agent", ["b @1-5", ["x @3-4"], "a @2-6", "c @7-8"])

    assert shape(one) == shape(other)
    assert shape(one) != shape(tree("agent", ["a", "b", ["x"], "c"]))


def test_a_structure_that_is_known_is_looked_at_for_what_overlaps():
    seen = Shapes()
    one, two, three = (
        tree("agent @0-50", ["a @1-5", "b @6-9", "c @10-20"]),
        tree("agent @0-50", ["a @1-7", "b @6-9", "c @10-20"]),
        tree("agent @0-50", ["a @1-5", "b @6-11", "c @10-20"]),
    )

    assert [seen.of(each.table) for each in (one, two, three, one)] == [shape(each) for each in (one, two, three, one)]
    assert len({shape(one), shape(two), shape(three)}) == 3


def test_ids_in_names_are_no_part_of_it_and_the_date_is_that_of_the_run():
    day = 1_767_225_600_000_000_000  # 2026-01-01
    dated = [Record("report 2026-01-01", "1", None, "TOOL", start, start + 5) for start in (day, day + 10**18)]

    assert shape(tree("job-12345678")) == shape(tree("job-87654321"))
    seen = Shapes()
    assert len({seen.of(trace_of([each]).table) for each in dated}) == 2


def test_what_has_not_ended_overlaps_what_comes_after():
    assert shape(tree("agent", ["a @1-", "b @5-6"])) == shape(tree("agent", ["b @1-5", "a @3-"]))


def test_texts_cannot_pass_for_others():
    names = ["a TOOL", "a", "any order", "", "\ud800", "(unnamed)", "ä", "a\n  b"]
    assert len({shape(trace_of([Record(each, "1"), Record("b", "2", "1")])) for each in [*names, None]}) == 9


def test_it_is_the_same_in_another_process():
    said = "from tests.core.patterns.test_shape import *; print(shape(tree('agent', ['a @1-5', 'b @2-6', ['x'], 'c'])))"
    run = [sys.executable, "-c", said]
    found = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60)

    assert found.stdout.strip() == shape(tree("agent", ["a @1-5", "b @2-6", ["x"], "c"]))


def test_it_stays_the_same_in_all_releases():  # tables of verdicts are grouped by it
    assert shape(tree("agent AGENT", ["a @1-5", "plan LLM @2-4", "search-1234567 TOOL ERROR"])) == "65721cad878826e5"
    assert shape(tree()) == "71857576257465c7"
