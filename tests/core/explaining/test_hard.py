"""What is hard to explain is explained all the same: loose patterns, long lists, deep chains, little in common."""

from __future__ import annotations

import re
from random import Random

import pytest

from pytest_mlflow_traces.core.explaining import explain
from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, parallel, repeat, span
from tests.support.building import node, tree
from tests.support.mutating import EDITS, loosened, random_root, trace_of

STEPS = [f"s{k}" for k in range(200)]


def explained(trace, pattern):
    table = trace.table
    return explain.mismatch(table, pattern, table.roots(), "it")


def headline(trace, pattern):
    return explained(trace, pattern).headline.removeprefix("it does not match: ")


def wide(*names):
    return tree("r", list(names))


def chain(*names):
    below = []
    for name in reversed(names):
        below = [name, below] if below else [name]
    return tree(*below)


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_of_a_trace_that_matched_a_loose_pattern_is_told_in_a_few_findings(kind):
    random = Random(f"loose {kind}")
    counts = []
    while len(counts) < 25:
        top = random_root(random, random.randint(4, 40))
        pattern = loosened(random, top.children[0])
        if EDITS[kind][0](random, top) and (trace := trace_of(top)) != pattern:
            explanation = explained(trace, pattern)
            counts.append(len(explanation.findings))
            assert explanation.text()

    assert min(counts) == 1
    assert sum(count == 1 for count in counts) >= 15


@pytest.mark.parametrize(
    ("trace", "pattern", "said"),
    [
        (wide(*(f"x{k}" for k in range(200))), wide(*STEPS).to_pattern(), "200 different"),
        (wide(*STEPS[::-1]), wide(*STEPS).to_pattern(), "1 out of order"),
        (wide(*STEPS[:90], "new", *STEPS[90:]), wide(*STEPS).to_pattern(), "1 unexpected"),
        (wide(*(["a", "b"] * 60)), wide(*(["a", "b"] * 40)).to_pattern(), "40 unexpected"),
        (wide(*STEPS[1:], "x"), span("r")[any_order(*map(span, STEPS))], "1 different"),
        (wide(*(f"x{k}" for k in range(200))), span("r")[any_order(*map(span, STEPS))], "200 different"),
        (wide(*["a TOOL"] * 20), span("r")[any_order(*[span("a", type=f"T{k}") for k in range(20)])], "20 different"),
        (wide("c", "a", "b"), span("r")[any_order(span("a"), span("b")), span("c")], "1 out of order"),
        (wide("a", "c"), span("r")[any_order(span("a"), span("b")), span("c")], "1 missing"),
        (wide("a", "x", "b"), span("r")[any_order(span("a"), span("b"), ...), span("y")], "1 missing"),
        (wide("w", ["a", "b"], "c"), span("r")[any_order(span("a"), span("b"), span("c"))], "1 unexpected"),
        (
            wide("a", "b", "c"),
            span("r")[any_order(span("w")[any_order(span("a"), span("b"))], span("c"))],
            "1 missing",
        ),
        (wide(*["a", "b"] * 40, "c"), span("r")[repeat(any_order(span("a"), span("b")))], "1 unexpected"),
        (wide(*STEPS[:30]), span("r")[repeat(any_order(span("zz"), ...), min=1)], "1 missing"),
        (wide("a", "b"), span("r")[..., span("b"), ..., span("a"), ...], "1 out of order"),
        (wide("b", "x", "a"), span("r")[span("a"), ..., span("b")], "1 out of order"),
        (wide("x1"), span("r")[one_of(span(re.compile("y.")), span("z"))], "1 different"),
        (wide("a", "a", "a"), span("r")[repeat(repeat(span("a"), 2, 2), 2, 2)], "1 missing"),
        (wide("b"), span("r")[optional(any_order(span("a"), span("b")))], "1 unexpected"),
        (chain(*STEPS), chain(*STEPS[:70], "new", *STEPS[70:]).to_pattern(), "1 missing"),
        (chain(*STEPS[:70], "new", *STEPS[70:]), chain(*STEPS).to_pattern(), "1 unexpected"),
        (chain(*STEPS[:70], "x", *STEPS[71:]), chain(*STEPS).to_pattern(), "1 different"),
        (chain(*["x"] * 60), chain(*["s"] * 60).to_pattern(), "60 different"),
        (chain(*STEPS[:150]), chain(*STEPS).to_pattern(), "1 missing"),
        (chain(*STEPS), chain(*STEPS[:150]).to_pattern(), "1 unexpected"),
        (
            chain(*STEPS[:40], "a", "y", *STEPS[41:]),
            chain(*STEPS[:40], "a TOOL", *STEPS[41:]).to_pattern(),
            "1 unexpected, 1 different",
        ),
        (
            chain(*STEPS[:40], "a", *STEPS[41:]),
            chain(*STEPS[:40], "a TOOL", "y", *STEPS[41:]).to_pattern(),
            "1 missing, 1 different",
        ),
    ],
)
def test_long_lists_groups_and_descents(trace, pattern, said):
    assert headline(trace, pattern) == said


def test_a_descent_that_takes_too_long_is_aligned_level_by_level(monkeypatch):
    monkeypatch.setattr("pytest_mlflow_traces.core.explaining.align.chains._STEPS", 10)

    assert headline(chain(*STEPS[:20], "x", *STEPS[21:40]), chain(*STEPS[:40]).to_pattern()) == "1 different"


@pytest.mark.parametrize(
    ("trace", "pattern", "said"),
    [
        (wide("a", "a"), span("r")[any_order(repeat(span("a", type="X"), 3, 3), span("b"))], "2 missing, 2 different"),
        (tree("r @0-20", ["a @1-5", "b @2-8"]), span("r")[parallel(span("a"), span("b"), span("c"))], "1 missing"),
        (
            wide(node("a TOOL", attributes={"k": 1}), "x"),
            span("r")[any_order(span("a", type="LLM", attributes={"k": 2}), ...)],
            "1 different",  # a namesake beside the gap, and not missing
        ),
    ],
)
def test_groups_tell_all_that_is_wrong_with_them(trace, pattern, said):
    assert headline(trace, pattern) == said


def test_of_many_ends_of_a_group_the_likely_ones_are_tried(monkeypatch):
    monkeypatch.setattr("pytest_mlflow_traces.core.explaining.align.any_order._ENDS", 2)

    assert headline(wide("b", "x", "a", "c"), span("r")[any_order(span("a"), span("b")), span("c")]) == "1 unexpected"


def test_in_haste_a_pair_is_priced_without_looking_below(monkeypatch):
    monkeypatch.setattr("pytest_mlflow_traces.core.explaining.align.context.POINTS", 0)
    trace = tree("r", ["a", ["b", ["x", "y"], "z"]])

    assert headline(trace, span("r")[span("a")[span("b")[span("x"), span("q")], span("z")]]) == "1 different"


def test_only_some_other_explanations_are_tried(monkeypatch):
    monkeypatch.setattr("pytest_mlflow_traces.core.explaining.align.differences._LOOKED_AT", 0)
    trace = tree("r", ["p", ["a"], "q"])

    assert headline(trace, span("r")[span("p")[()], span("a"), span("q", type="TOOL")]) == "1 different, 1 moved"


def test_only_what_is_there_and_must_not_be_is_named():
    found = explained(tree("r", ["y"]), span("r", lacks=[span("x"), span("y")])).text()

    assert "lacks: expected no span('y') below" in found
    assert "span('x')" not in found


def test_long_texts_that_differ_from_the_start_are_shown_from_the_start():
    found = explained(tree(node("a", outputs="1" + "y" * 90)), span("a", outputs="2" + "y" * 90)).text()

    assert "expected '2yyy" in found


def test_long_texts_are_shown_from_where_they_differ_and_a_key_that_only_looks_alike_is_not():
    trace = tree(node("a", outputs={"x": "y" * 40 + "1", "1": "one"}))

    told = explained(trace, span("a", outputs={"x": "y" * 40 + "2", "1": "one"})).text()
    assert "outputs['x']: expected '..." in told
    assert "['1']" not in told


def test_a_group_that_shares_its_parts_too_often_is_told_as_a_whole():
    group = span("a")
    for _ in range(40):
        group = any_order(group, optional(group))

    assert headline(wide("x", "y"), span("r")[group]) == "1 different"
    assert headline(wide("x", "y"), span("r")[group, span("b")]) == "1 missing"


def test_a_descent_beside_others_is_folded():
    def turns(last):
        below = [last]
        for _ in range(40):
            below = ["call", "turn", below]
        return tree("agent", below)

    lines = explained(turns("x"), turns("y").to_pattern()).lines()

    assert len(lines) < 20
    assert sum("levels as expected ..." in line for line in lines) == 1


def test_spelling_is_looked_up_for_some_of_many_missing_spans_only():
    names = [f"tool_{k:03}" for k in range(300)]
    pattern = span("r")[(*(span(f"toll_{name}" if k % 2 else name) for k, name in enumerate(names)), ...)]
    hinted = [finding for finding in explained(wide(*names), pattern).findings if finding.hint]

    assert 0 < len(hinted) < 300


def test_spans_that_are_to_overlap_are_told_apart_though_one_is_missing():
    trace = tree("r @0-20", ["a @1-5", "b @8-12"])

    assert headline(trace, span("r")[parallel(span("a"), span("b"), span("c"))]) == "1 missing, 1 not in parallel"


class Unequal:
    """Refuse to be compared."""

    def __eq__(self, other):
        raise TypeError("no")

    __hash__ = None


def test_what_cannot_be_compared_is_told_as_different():
    trace = tree(node("a", outputs={"x": 1, "y": 2}))

    assert "outputs['y']: expected <" in explained(trace, span("a", outputs={"x": 0, "y": Unequal()})).text()


def test_spans_below_what_is_missing_are_told_as_moved():
    trace = tree("r", ["b", ["x"], "c", ["a", ["y"]]])
    pattern = span("r")[span("a")[span("y")[()]], span("b")[span("x")], span("c")[()]]

    assert headline(trace, pattern) == "1 moved"


def test_without_name_or_type_every_span_comes_near():
    table = tree("r", ["a"]).table

    assert "nearest:\n  r  UNKNOWN\n" in explain.absent(table, span(status="ERROR"), "it").text()
