"""A hash of the exact structure is the same just where that is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces.core.spans.structure import structure_hash
from tests.support.building import Record, trace_of, tree
from tests.support.tracing import traces

FEW = traces(names="ab", most=4)


def exact(trace):
    return structure_hash(trace.table)


@given(st.lists(FEW, min_size=2, max_size=12))
@settings(max_examples=300)
def test_shapes_are_equal_just_where_structures_are(drawn):
    by_shape: dict[str, list] = {}
    for trace in drawn:
        by_shape.setdefault(exact(trace), []).append(trace.to_pattern())

    assert all(each == alike[0] for alike in by_shape.values() for each in alike)
    firsts = [alike[0] for alike in by_shape.values()]
    assert all(one != other for k, one in enumerate(firsts) for other in firsts[:k])


def test_times_and_values_are_no_part_of_it():
    assert exact(tree("agent @0-9", ["a @1-2"])) == exact(tree("agent @5-50", ["a @7-20"]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("agent", ["a", "b"]), ("agent", ["b", "a"])),
        (("agent", ["a", "b"]), ("agent", ["a", ["b"]])),
        (("agent", ["a"]), ("agent", ["a", "a"])),
        (("agent TOOL",), ("agent LLM",)),
        (("agent OK",), ("agent ERROR",)),
    ],
)
def test_names_types_statuses_and_the_tree_are(one, other):
    assert exact(tree(*one)) != exact(tree(*other))


def test_texts_cannot_pass_for_others():
    names = ['a", "b', "a", "\ud800", "\\ud800", "(unnamed)", "", "ä", "a\u0308"]
    shapes = {exact(trace_of([Record(name, "1"), Record("b", "2")])) for name in names}
    assert len(shapes) == len(names)
    assert exact(trace_of([Record(None, "1")])) != exact(trace_of([Record("(unnamed)", "1")]))
