"""The parts that explanations are made of, by themselves; `test_explain` has the messages."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.explaining.align.aligner import Aligner
from pytest_mlflow_traces.core.explaining.align.beam import Beam
from pytest_mlflow_traces.core.explaining.align.edits import Disordered, Displaced, Missing, Moved, Unexpected
from pytest_mlflow_traces.core.explaining.align.graph import ContentGraph, Kind, Step, slots_of
from pytest_mlflow_traces.core.explaining.align.moves import with_moves
from pytest_mlflow_traces.core.explaining.align.reorder import anchors, order_of
from pytest_mlflow_traces.core.explaining.align.subtree_hashes import SubtreeHashes
from pytest_mlflow_traces.core.explaining.explain import mismatch
from pytest_mlflow_traces.core.explaining.report.paths import Paths
from pytest_mlflow_traces.core.matching.content_model import models_of
from pytest_mlflow_traces.core.matching.matcher import Matcher
from pytest_mlflow_traces.core.matching.siblings import PatternTooComplexError
from pytest_mlflow_traces.core.patterns.constructors import any_order, optional, parallel, repeat, span
from tests.support.building import tree
from tests.support.mutating import random_root, trace_of


def shared(join, levels=60):
    """Return a pattern of few parts that stands for 2 ** levels of them."""
    made = span("a")
    for _ in range(levels):
        made = join(made, made)
    return made


# -- paths -------------------------------------------------------------------------------------------------------------


def test_paths_are_those_of_the_forest_whatever_is_asked_first():
    random = Random(1)
    deep = ["s"]
    for _ in range(20):
        deep = ["s", "t", deep, "s"]
    for trace in (tree(*deep), tree("a", "b", "a", ["c", "c"]), *(trace_of(random_root(random, 40)) for _ in range(9))):
        positions = list(range(len(trace.table)))
        random.shuffle(positions)
        paths = Paths(trace.table)

        assert [paths.of(i) for i in positions] == [trace.table.path(i) for i in positions]


# -- groups as slots ---------------------------------------------------------------------------------------------------


def test_items_of_a_group_that_say_the_same_are_one_slot_for_so_many():
    group = any_order(span("a"), repeat(span("b"), 1, 2), span("a"), optional(span("b")), any_order(span("a")))

    slots = slots_of(models_of((group,)))

    assert [(slot.unit, slot.low, slot.high) for slot in slots] == [(span("a"), 3, 3), (span("b"), 1, 3)]


def test_one_item_without_a_limit_leaves_the_slot_without_one():
    group = any_order(repeat(span("a"), 2), span("a"))

    assert [(slot.low, slot.high) for slot in slots_of(models_of((group,)))] == [(3, None)]


def test_items_that_are_to_overlap_with_others_are_slots_of_their_own():
    group = any_order(span("a"), parallel(span("a"), span("b")))

    assert [(slot.unit, slot.low, len(slot.together)) for slot in slots_of(models_of((group,)))] == [
        (span("a"), 1, 0), (span("a"), 1, 1), (span("b"), 1, 1),
    ]  # fmt: skip


def test_a_group_that_shares_its_parts_too_often_has_no_slots():
    group = shared(lambda one, two: any_order(one, optional(two)))

    assert slots_of(models_of((group,))) is None


def test_a_list_that_shares_its_parts_too_often_goes_on_as_a_gap():
    content = ContentGraph((shared(lambda one, two: repeat(one, 2, 4) | two), span("b")))
    kinds, seen, todo = set(), set(), [content.first]
    while todo:
        step = todo.pop()
        if id(step) not in seen:
            seen.add(id(step))
            kinds.add(step.kind)
            todo += step.then

    assert Kind.GAP in kinds
    assert len(seen) < 100_000


# -- moves -------------------------------------------------------------------------------------------------------------


def moves(trace, *edits):
    return with_moves(edits, trace.table, Matcher(trace.table))


def test_what_is_missing_and_unexpected_below_one_parent_is_out_of_order():
    trace = tree("r", ["a", "b", "c"])
    edits = Missing(span("c"), 0, 1), Missing(span("b"), 0, 3), Unexpected(2), Unexpected(3)

    # `b` belongs before `c`, which does not stay: so it belongs before what follows that, which is the end
    assert moves(trace, *edits) == [Disordered(0, (Displaced(3, 1), Displaced(2, 4)))]


def test_a_part_of_what_is_missing_is_told_as_moved_and_the_rest_as_missing():
    trace = tree("r", ["b", ["x"]])
    lost = Missing(span("a")[span("x")], 0, 1)

    assert moves(trace, lost, Unexpected(2)) == [lost, Moved(span("x"), 2, 0, 1, holder=lost.pattern)]


def test_what_is_missing_is_found_inside_what_is_unexpected_which_it_stays():
    trace = tree("r", ["w", ["a"]])

    assert moves(trace, Missing(span("a"), 0, 1), Unexpected(1)) == [Unexpected(1), Moved(span("a"), 2, 0, 1)]


@pytest.mark.parametrize(("limit", "most"), [("_LOOKED_AT", 1), ("_ASKED", 0)])
def test_beyond_a_limit_missing_and_unexpected_remain_two(monkeypatch, limit, most):
    monkeypatch.setattr(f"pytest_mlflow_traces.core.explaining.align.moves.{limit}", most)
    edits = [Missing(span("a"), 0, 1), Unexpected(1)]

    assert moves(tree("r", ["w", ["x", "a"]]), *edits) == edits


# -- long lists and chains ---------------------------------------------------------------------------------------------


def anchored(items, there):
    pattern, table = tree("r", list(items)).to_pattern(), tree("r", list(there)).table
    hashes = SubtreeHashes(table, Matcher(table), pattern)
    return anchors(pattern.children, list(table.children(0)), 0, hashes)


def test_a_long_list_is_cut_at_what_is_there_once_on_both_sides():
    names = [f"s{k}" for k in range(200)]

    found = anchored(names, [*names[:50], "new", "s3", *names[50:]])

    assert found == [(k, k if k < 50 else k + 2) for k in range(200) if k != 3]


def test_a_long_list_is_not_cut_at_what_may_be_an_accident():
    assert anchored(["same"] * 80, ["x", *["same"] * 80]) == []


def test_a_short_list_is_not_cut():
    assert anchored("abc", "abc") == []


@given(st.permutations(range(40)))
def test_the_cuts_are_a_longest_run_that_is_in_order(order):
    found = anchored([f"s{k}" for k in range(40)], [f"s{k}" for k in order])

    longest = [0] * 41
    for place, item in enumerate(order):
        longest[place + 1] = 1 + max((longest[k + 1] for k in range(place) if order[k] < item), default=0)
    assert found == sorted(found, key=lambda pair: pair[1])
    assert all(order[place] == item for item, place in found)
    assert len(found) == max(longest)


@pytest.mark.parametrize("kinds", [2_000, 3])
def test_a_few_edits_of_a_long_chain_are_told_as_few(kinds):
    names = [f"s{k % kinds}" for k in range(2_000)]
    there = list(names)
    for k in range(100, 2_000, 200):
        there[k] = "renamed"
    trace, pattern = (tree_of_chain(each) for each in (there, names))

    findings = mismatch(trace.table, pattern.to_pattern(), trace.table.roots(), "it").findings

    assert [finding.rule for finding in findings] == ["shape.different"] * 10


def tree_of_chain(names):
    below = []
    for name in reversed(names):
        below = [name, below] if below else [name]
    return tree(*below)


# -- groups, order -----------------------------------------------------------------------------------------------------


def test_alternatives_that_are_groups_are_slots_that_may_be_empty():
    group = any_order(span("a"), any_order(span("b"), span("c")) | span("d"))

    assert [(slot.unit, slot.low, slot.high) for slot in slots_of(models_of((group,)))] == [
        (span("a"), 1, 1), (span("d"), 0, 1), (span("b"), 0, 1), (span("c"), 0, 1),
    ]  # fmt: skip


def order(trace, *items):
    table = trace.table
    return order_of(items, list(table.children(0)), 0, Aligner(table, Matcher(table), span("r")[items]).context)


def test_an_order_that_would_not_match_either_is_none():
    apart = tree("r @0-20", ["c @1-2", "a @3-4", "b @5-6"])
    together = tree("r @0-20", ["c @1-2", "a @3-6", "b @4-6"])
    items = parallel(span("a"), span("b")), span("c")

    assert order(apart, *items) is None
    assert order(together, *items)[1].edits() == [Disordered(0, (Displaced(1, 4),))]


def test_an_order_that_is_too_much_to_ask_about_is_none(monkeypatch):
    def too_complex(*_):
        raise PatternTooComplexError("too much")

    monkeypatch.setattr(Matcher, "accepts", too_complex)

    assert order(tree("r", ["b", "a"]), span("a"), span("b")) is None


def test_a_part_that_says_what_went_in_has_no_print():
    table = tree("a").table
    plain = span("a", type="UNKNOWN", status="OK")[()]
    said = span("a", type="UNKNOWN", status="OK", inputs=1)[()]

    assert SubtreeHashes(table, Matcher(table), plain).hash_of(plain) is not None
    assert SubtreeHashes(table, Matcher(table), said).hash_of(said) is None


def test_a_group_stands_nowhere_as_a_whole():
    table = tree("a", "b").table
    group = any_order(span("a"), span("b"))

    assert not SubtreeHashes(table, Matcher(table), group).stands_elsewhere(group)


def test_what_is_far_behind_a_row_of_matches_is_left_behind():
    for run, left in ((1, False), (12, True)):
        forward = Beam(range(200), 200, has_gap=False, hurried=False)
        forward.reached((Step(Kind.SPAN, 100, 0), 100, 0), run)

        assert forward.is_left_behind((Step(Kind.SPAN, 0, 0), 0, 0)) is left
