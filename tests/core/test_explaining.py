"""The parts that explanations are made of, by themselves; `test_explain` has the messages."""

from __future__ import annotations

from random import Random

from pytest_mlflow_traces.core.explaining.contents import Content, Kind, slots_of
from pytest_mlflow_traces.core.explaining.paths import Paths
from pytest_mlflow_traces.core.patterns import any_order, optional, parallel, repeat, span
from tests.building import tree
from tests.mutating import random_root, trace_of


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
        positions = list(range(len(trace.forest)))
        random.shuffle(positions)
        paths = Paths(trace.forest)

        assert [paths.of(i) for i in positions] == [trace.forest.path(i) for i in positions]


# -- groups as slots ---------------------------------------------------------------------------------------------------


def test_items_of_a_group_that_say_the_same_are_one_slot_for_so_many():
    group = any_order(span("a"), repeat(span("b"), 1, 2), span("a"), optional(span("b")), any_order(span("a")))

    assert [(slot.unit, slot.low, slot.high) for slot in slots_of(group)] == [(span("a"), 3, 3), (span("b"), 1, 3)]


def test_one_item_without_a_limit_leaves_the_slot_without_one():
    group = any_order(repeat(span("a"), 2), span("a"))

    assert [(slot.low, slot.high) for slot in slots_of(group)] == [(3, None)]


def test_items_that_are_to_overlap_with_others_are_slots_of_their_own():
    group = any_order(span("a"), parallel(span("a"), span("b")))

    assert [(slot.unit, slot.low, len(slot.together)) for slot in slots_of(group)] == [
        (span("a"), 1, 0), (span("a"), 1, 1), (span("b"), 1, 1),
    ]  # fmt: skip


def test_a_group_that_shares_its_parts_too_often_has_no_slots():
    assert slots_of(shared(lambda one, two: any_order(one, optional(two)))) is None


def test_a_list_that_shares_its_parts_too_often_goes_on_as_a_gap():
    content = Content((shared(lambda one, two: repeat(one, 0, 1) | two), span("b")))
    kinds, seen, todo = set(), set(), [content.first]
    while todo:
        step = todo.pop()
        if id(step) not in seen:
            seen.add(id(step))
            kinds.add(step.kind)
            todo += step.then

    assert Kind.GAP in kinds
    assert len(seen) < 100_000
