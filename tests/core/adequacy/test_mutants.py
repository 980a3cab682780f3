"""The mutants of a trace: each is what it says, and none is the trace that it was made of."""

from __future__ import annotations

from random import Random

import pytest

from pytest_mlflow_traces.core.adequacy.mutants import CLASSES, DEFAULT, PHRASES, checked_classes, mutants
from pytest_mlflow_traces.core.spans import convert
from pytest_mlflow_traces.core.spans.usage import SPAN_COST, SPAN_TOKEN_USAGE
from tests.support.adequacy import Oracle, dump, random_trace
from tests.support.building import node, tree

OF_THE_TREE = {edit for name in DEFAULT for edit in CLASSES[name].phrases}


def made(trace, edit, position=None, detail=None):
    """Return the one mutant that is meant."""
    (found,) = [
        each
        for each in mutants(trace, tuple(CLASSES))
        if each.edit == edit and position in (None, each.position) and detail in (None, each.detail)
    ]
    return found.make()


def outline(trace):
    """Return names and the tree, as one line."""
    return [f"{'-' * span.depth}{span.name}" for span in trace.spans]


TRACE = tree("agent AGENT", ["plan", ["think"], "search TOOL", ["query"], "answer"])


@pytest.mark.parametrize(
    ("edit", "position", "expected"),
    [
        ("gone", 3, ["agent", "-plan", "--think", "-answer"]),
        ("lifted", 3, ["agent", "-plan", "--think", "-query", "-answer"]),
        ("twice", 3, ["agent", "-plan", "--think", "-search", "--query", "-search", "--query", "-answer"]),
        ("swapped", 1, ["agent", "-search", "--query", "-plan", "--think", "-answer"]),
        ("swapped", 3, ["agent", "-plan", "--think", "-answer", "-search", "--query"]),
        ("raised", 2, ["agent", "-plan", "-think", "-search", "--query", "-answer"]),
        ("lowered", 3, ["agent", "-plan", "--think", "--search", "---query", "-answer"]),
        ("lowered", 1, ["agent", "-search", "--plan", "---think", "--query", "-answer"]),
        ("renamed", 3, ["agent", "-plan", "--think", "-renamed", "--query", "-answer"]),
        ("retyped", 3, outline(TRACE)),
    ],
)
def test_an_edit_of_the_tree_is_what_it_says(edit, position, expected):
    mutant = made(TRACE, edit, position)

    assert outline(mutant) == expected
    assert mutant.table.stops == tree_stops(mutant)
    assert mutant.problems == ()


def tree_stops(trace):
    return [i + 1 + len(span.descendants()) for i, span in enumerate(trace.spans)]


def test_a_type_is_another_one():
    assert made(TRACE, "retyped", 3).spans[3].type == "UNKNOWN"
    assert made(TRACE, "retyped", 1).spans[1].type == "RETYPED"


def test_no_edit_leaves_no_root_or_makes_several():
    assert {len(each.make().roots) for each in mutants(TRACE)} == {1}


def test_a_root_around_one_span_may_be_gone():
    assert outline(made(tree("agent", ["plan", ["think"]]), "lifted", 0)) == ["plan", "-think"]


def test_what_is_there_twice_came_one_after_the_other():
    first, second = made(tree("agent", ["search @10-20", ["query @12-14"]]), "twice", 1).root.children

    assert not first.overlaps(second)
    assert first.start_ns == 10_000_000
    assert second.end_ns == 20_000_000
    assert second.children[0].start_ns == 16_000_000


def test_what_is_swapped_has_swapped_its_times():
    first, second = made(tree("agent @0-9", ["a @1-2", "b @4-8", ["c @5-6"]]), "swapped").root.children

    assert [(s.name, s.start_ns / 1e6, s.end_ns / 1e6) for s in (first, *first.children, second)] == [
        ("b", 1, 5),
        ("c", 2, 3),
        ("a", 7, 8),
    ]


@pytest.mark.parametrize(
    "trace",
    [
        tree("agent", ["search", "search"]),
        tree("agent @0-9", ["a @1-5", "b @4-8"]),
        tree("agent @0-9", ["long @0-9", "a @1-2", "b @4-8"]),
        tree("agent", ["task-11111", "task-22222"]),
    ],
    ids=["equal", "overlapping", "beside one that overlaps both", "equal but for an id"],
)
def test_a_swap_that_changes_nothing_is_none(trace):
    assert [each.key for each in mutants(trace) if each.edit == "swapped"] == []


def test_neighbours_that_took_turns_are_not_swapped():
    trace = tree("agent", ["a", "b"])
    trace.table.turns = {"1": 1, "2": 1}

    assert [each.key for each in mutants(trace) if each.edit == "swapped"] == []


def test_what_has_no_name_gets_none():
    assert [each.position for each in mutants(tree(node("agent", name=None), ["plan"])) if each.edit == "renamed"] == [
        1
    ]


def test_a_failure_is_one_that_mlflow_would_have_recorded():
    mutant = made(TRACE, "failed", 3)

    assert mutant.spans[3].status == "ERROR"
    assert mutant.spans[3].error.type == "RuntimeError"
    assert mutant.status == "OK"
    assert made(TRACE, "failed", 0).status == "ERROR"


def test_what_failed_ends_without_its_error():
    trace = tree("agent", [node("search", error="TimeoutError")])

    assert [(each.edit, each.position) for each in mutants(trace, ["status"])] == [("failed", 0), ("recovered", 1)]
    search = made(trace, "recovered").spans[1]
    assert (search.status, search.error, search.events) == ("OK", None, ())
    assert trace.spans[1].error.type == "TimeoutError"


def test_one_leaf_of_each_kind_is_another():
    trace = tree(node("agent", inputs={"ask": "why", "past": [{"n": 1}, {"n": 2}], "no": []}, outputs=True))

    assert {each.detail: (s.inputs, s.outputs) for each in mutants(trace, ["values"]) for s in each.make().spans} == {
        "inputs.ask": ({"ask": "changed", "past": [{"n": 1}, {"n": 2}], "no": []}, True),
        "inputs.past[].n": ({"ask": "why", "past": [{"n": 2}, {"n": 2}], "no": []}, True),
        "inputs.no": ({"ask": "why", "past": [{"n": 1}, {"n": 2}], "no": ["changed"]}, True),
        "outputs": ({"ask": "why", "past": [{"n": 1}, {"n": 2}], "no": []}, False),
    }
    assert trace.root.inputs == {"ask": "why", "past": [{"n": 1}, {"n": 2}], "no": []}


def test_a_value_is_another_among_the_attributes_too():
    trace = tree(node("agent", inputs="why", attributes={"mlflow.spanInputs": "why"}))

    assert made(trace, "value").root.attributes == {"mlflow.spanInputs": "changed"}


def test_a_tag_is_dropped_and_another():
    trace = tree("agent", tags={"team": "a", "env": "dev"}, system_tags={"mlflow.traceName": "agent"})

    assert [(each.edit, each.detail, each.make().tags) for each in mutants(trace, ["tags"])] == [
        ("tag dropped", "team", {"env": "dev"}),
        ("tag changed", "team", {"team": "changed", "env": "dev"}),
        ("tag dropped", "env", {"team": "a"}),
        ("tag changed", "env", {"team": "a", "env": "changed"}),
    ]


def test_attributes_of_the_user_alone_are_dropped_and_others():
    trace = tree(node("agent", attributes={"domain": "cost", "mlflow.spanType": "AGENT", "session.id": "s1"}))

    assert [(each.edit, each.make().root.attributes.get("domain")) for each in mutants(trace, ["attributes"])] == [
        ("attribute dropped", None),
        ("attribute changed", "changed"),
    ]


def test_what_takes_longer_puts_off_what_came_after_it():
    trace = tree("agent @0-20", ["plan @1-3", ["think @1-2"], "search @3-9", "beside @2-4", "none @4-4"])

    mutant = made(trace, "slow", 1)

    assert [(s.name, s.start_ns // 10**6, s.end_ns // 10**6) for s in mutant.spans] == [
        ("agent", 0, 38),
        ("plan", 1, 21),
        ("think", 1, 2),
        ("beside", 2, 4),
        ("search", 21, 27),
        ("none", 22, 22),
    ]
    assert {each.position for each in mutants(trace, ["time"])} == {0, 1, 2, 3, 4}


def test_tokens_and_cost_are_ten_times_those_in_the_sum_of_the_trace_too():
    usage = {SPAN_TOKEN_USAGE: {"input_tokens": 2, "total_tokens": 5}, SPAN_COST: {"total_cost": 0.5}}
    sums = {convert.TOKEN_USAGE: '{"input_tokens": 3, "total_tokens": 6}', convert.COST: '{"total_cost": 0.5}'}
    trace = tree("agent", [node("chat", attributes=usage), [node("inner", attributes=usage)]], metadata=sums)

    outer, inner = (each.make() for each in mutants(trace, ["cost"]))

    assert outer.spans[1].attributes[SPAN_TOKEN_USAGE] == {"input_tokens": 20, "total_tokens": 50}
    assert (outer.token_usage, outer.cost) == ({"input_tokens": 21, "total_tokens": 51}, {"total_cost": 5.0})
    assert inner.spans[2].attributes[SPAN_TOKEN_USAGE] == {"input_tokens": 20, "total_tokens": 50}
    assert inner.token_usage == trace.token_usage  # MLflow counts the outer one alone


def test_what_a_scorer_of_mlflow_traced_has_no_mutants():
    assert list(mutants(tree("judge", ["ask"], system_tags={"mlflow.trace.sourceScorer": "Safety"}))) == []


def test_no_mutant_is_equal_and_a_strict_pattern_notices_each_of_the_tree():
    random, seen = Random(4), set()
    for _ in range(80):
        trace = random_trace(random, random.randint(1, 7))
        before, oracle, strict = dump(trace), Oracle(trace), trace.to_pattern()
        keys = [each.key for each in mutants(trace, tuple(CLASSES))]
        for each in mutants(trace, tuple(CLASSES)):
            mutant = each.make()
            seen.add(each.edit)

            assert not (oracle.is_same_shape if each.edit in OF_THE_TREE else oracle.is_same)(mutant), each.key
            assert each.edit not in OF_THE_TREE or mutant != strict, each.key
        assert len({*keys}) == len(keys)
        assert dump(trace) == before  # the trace itself is as it was

    assert seen == {*PHRASES}


def test_classes_are_checked():
    assert checked_classes("status, shape") == ("shape", "status")
    with pytest.raises(ValueError, match=r"unknown class of edits 'shap' \(legal: 'shape', .*'shape'\?"):
        checked_classes("shap")
