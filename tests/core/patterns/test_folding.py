import pickle

from pytest_mlflow_traces.core.patterns.constructors import one_of, optional, span
from pytest_mlflow_traces.core.patterns.folding import Place, flattened, unflattened
from pytest_mlflow_traces.core.patterns.nodes import OneOf, Repeat, SpanPattern

A = span("a")


def test_nodes_stand_after_what_they_hold_each_once():
    flat = flattened(one_of(A, optional(A)))

    assert [kind for kind, _ in flat] == [SpanPattern, Repeat, OneOf]
    assert flat[1][1] == (Place(0), 0, 1)
    assert flat[2][1] == ((Place(0), Place(1)),)


def test_gaps_and_values_stay_as_they_are():
    pattern = span("x", attributes={"k": (1, [2])}, has=A)[..., A]

    assert unflattened(flattened(pattern)) == pattern


def test_a_shared_part_is_shared_again():
    both = pickle.loads(pickle.dumps(one_of(A, span("x")[A])))

    assert both.alternatives[0] is both.alternatives[1].children[0]
