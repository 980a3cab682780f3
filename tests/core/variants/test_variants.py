"""The shapes of a stream of traces, counted."""

from __future__ import annotations

from pytest_mlflow_traces.core.variants.variants import Variants
from tests.support.building import tree

PLAIN, SEARCHING = ("agent", ["plan", "answer"]), ("agent", ["plan", "search TOOL", "answer"])


def test_the_commonest_comes_first_with_the_first_of_its_traces():
    found = Variants()
    for number, spans in enumerate([PLAIN, SEARCHING, SEARCHING]):
        found.add(tree(*spans, id=f"tr-{number}"), f"t.jsonl, line {number}")

    said = [(each.traces, each.where, each.trace_id, each.text) for each in found.found]
    assert said == [
        (2, "t.jsonl, line 1", "tr-1", "agent UNKNOWN OK\n  plan UNKNOWN OK\n  search TOOL OK\n  answer UNKNOWN OK"),
        (1, "t.jsonl, line 0", "tr-0", "agent UNKNOWN OK\n  plan UNKNOWN OK\n  answer UNKNOWN OK"),
    ]
    assert found.holds()


def test_what_is_new_fails_and_what_is_gone_does_not():
    found = Variants(is_compared=True)
    found.add_before(tree(*PLAIN), "old, line 1")
    found.add_before(tree(*SEARCHING), "old, line 2")
    found.add(tree(*PLAIN, id="tr-new"), "new, line 1")

    assert (found.new, [each.where for each in found.gone], found.holds()) == ([], ["old, line 2"], True)
    assert (found.found[0].where, found.found[0].trace_id) == ("new, line 1", "tr-new")

    found.add(tree("other"), "new, line 2")

    assert ([each.where for each in found.new], found.holds()) == (["new, line 2"], False)


def test_what_nothing_covers_fails_though_another_of_its_shape_is_covered():
    found = Variants(lambda trace: trace.id == "tr-1")
    found.add(tree(*PLAIN, id="tr-1"), "1")
    assert found.holds()

    found.add(tree(*PLAIN, id="tr-2"), "2")

    assert not found.holds()
    assert [(each.traces, each.uncovered) for each in found.uncovered] == [(2, 1)]


def test_nothing_passes_on_absence():
    assert not Variants().holds()
    compared = Variants(is_compared=True)
    compared.add_before(tree("a"), "old")
    assert not compared.holds()
    compared.add(tree("a @1-"), "new")  # it has not ended
    assert not compared.holds(allowed=1)
    compared.add(tree("a"), "new")
    assert (compared.holds(), compared.holds(allowed=1)) == (False, True)


def test_where_there_is_nothing_to_compare_with_all_is_new():
    compared = Variants(is_compared=True)
    compared.add_before(tree("a @1-"), "old")
    compared.add(tree("a"), "new")

    assert not compared.holds()
    assert compared.not_judged_before == 1
    assert compared.data()["shapes"][0] | {"shape": ""} == {
        "shape": "",
        "traces": 1,
        "before": 0,
        "where": "new",
        "trace_id": "tr-test",
        "tree": "a UNKNOWN OK",
    }
