"""How siblings are shared out among the items of a list: against the definition of the language, and form by form."""

from __future__ import annotations

import random

import pytest

from pytest_mlflow_traces.core.adequacy import search
from pytest_mlflow_traces.core.adequacy.search import Search, TooIntricateError
from pytest_mlflow_traces.core.matching.matcher import Matcher
from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, parallel, repeat, span
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern
from tests.core.matching.test_oracle import Author, Oracle, random_trace, size
from tests.support.building import tree

a, b, c = span("a"), span("b"), span("c")


def run(items, *specs):
    """Share out the roots of a trace; return which way each part went, as code, and what stands for a span."""
    table = tree(*specs).table
    found = Search(table, Matcher(table), table.roots()).run(items)
    return found and [
        (repr(node), way if not isinstance(node, SpanPattern) else table.names[way]) for node, way in found
    ]


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_a_witness_is_found_where_the_definition_has_one_and_its_gaps_take_the_fewest_spans(start):
    held = 0
    for seed in range(start, start + 100):
        rng = random.Random(seed)
        trace = random_trace(rng)
        oracle, author = Oracle(trace), Author(rng, trace, rng.choice((0.0, 0.3, 0.5)))
        above = rng.choice((None, *trace.spans[:2]))
        word = oracle.roots if above is None else oracle.children[oracle.index[above]]
        pattern = author.item(author.slipped(trace.spans[i] for i in word), 2)
        if size(pattern) > 40:
            continue
        readings = oracle.readings(pattern, tuple(word))

        found = Search(trace.table, Matcher(trace.table), word).run((pattern,))

        assert (found is not None) == bool(readings), (seed, pattern)
        if found is not None:
            held += 1
            stood = sum(isinstance(node, SpanPattern) for node, _ in found)
            assert stood == max(map(len, readings)), (seed, pattern)
    assert held > 40


def test_an_optional_is_there_or_not():
    assert run([a, optional(b)], "a") == [("span('a')", "a"), ("optional(span('b'))", "absent")]
    assert run([optional(b), a], "a") == [("optional(span('b'))", "absent"), ("span('a')", "a")]
    assert ("optional(span('b'))", "present") in run([a, optional(b)], "a", "b")


def test_what_may_be_there_is_there_although_a_gap_could_hold_it():
    assert ("optional(span('b'))", "present") in run([..., optional(b), ...], "a", "a", "b", "a")
    assert ("optional(span('b'))", "present") in run([any_order(optional(b), a, ...)], "c", "b", "a")


def test_a_repeat_is_at_its_least_or_above():
    many = repeat(a, min=1)
    assert run([many], "a")[-1] == (repr(many), "at its least")
    assert run([many], "a", "a")[-1] == (repr(many), "above its least")
    assert run([repeat(optional(a), min=2), b], "b")[0][1] == "at its least"


def test_one_alternative_is_taken():
    either = one_of(a, repeat(b, min=2), c)
    assert [way for node, way in run([either], "b", "b") if node == repr(either)] == [1]
    assert [way for node, way in run([either], "c") if node == repr(either)] == [2]
    assert run([one_of(a, optional(b))]) == [
        ("one_of(span('a'), optional(span('b')))", 1),
        ("optional(span('b'))", "absent"),
    ]


def test_a_group_tells_which_of_its_items_came_before_which():
    group = any_order(a, repeat(b), c)
    assert [way for node, way in run([group], "b", "a", "b", "c") if node == repr(group)] == [(1, 0), (1, 2), (0, 2)]
    assert [way for node, way in run([group], "c", "a") if node == repr(group)] == [(2, 0)]


def test_items_alike_are_one_and_the_same_item():
    group = any_order(a, a, c)
    assert [way for node, way in run([group], "a", "c", "a") if node == repr(group)] == [(0, 2)]


def test_each_round_of_a_repeated_group_has_an_order_of_its_own():
    group = any_order(a, b)
    found = run([repeat(group)], "a", "b", "b", "a")
    assert [way for node, way in found if node == repr(group)] == [(0, 1), (1, 0)]


def test_what_is_parallel_overlaps():
    group = parallel(one_of(a, b), span())
    assert run([repeat(group)], "a @0-4", "b @5-9", "c @6-8") is None
    found = run([group, c], "a @0-4", "b @2-6", "c @7-8")
    assert ("one_of(span('a'), span('b'))", 0) in found


def test_a_list_of_thousands_takes_one_look_at_each():
    names = [f"n{i}" for i in range(2_000)]
    found = run([optional(span(name)) for name in names], *names[::2])
    assert [way for _, way in found].count("absent") == 1_000


def test_what_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(search, "_STEPS", 50)
    monkeypatch.setattr(search, "_EACH", 0)
    kinds = [span(type="TOOL"), span(status="OK"), span(has=a) | span(), a, b, c]
    with pytest.raises(TooIntricateError):
        run([any_order(*kinds)], *[f"{name} TOOL" for name in "abcdef"])


def test_groups_in_groups_without_end_are_given_up():
    deep = a
    for _ in range(60):
        deep = any_order(optional(deep), optional(parallel(deep, b)))
    with pytest.raises(TooIntricateError):
        run([deep], "a")
