"""Borrowed stability: which aspects the other tests vouch for."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.learning.aspects import Kind, Seen, seen_in
from pytest_mlflow_traces.core.learning.stability import Demand, Stability, flags, uncontradicted
from tests.support.building import tree
from tests.support.suites import suite

STRICT = Demand(0.0, 1)


def stability(*, inputs=True, **said):
    tests = {test: [seen_in(trace) for trace in runs] for test, runs in suite(**said).items()}
    return Stability(tests, inputs=inputs)


def taken(aspects):
    return sorted((aspect.kind.name, aspect.with_inputs) for aspect in aspects)


def test_effects_are_held_and_reads_are_free():
    found = stability()

    assert taken(found.vouched("test_0", STRICT)) == [
        ("book", False),
        ("book", True),
        ("cancel", False),
        ("cancel", True),
    ]
    assert taken(stability(inputs=False).vouched("test_0", STRICT)) == [("book", False), ("cancel", False)]
    assert not any(map(any, found.held_out(STRICT).values()))


def test_nothing_is_held_that_the_others_do_not_vouch_for():
    tests = {test: [seen_in(trace) for trace in runs] for test, runs in suite().items()}
    odd = Kind("odd", "TOOL", "OK")
    tests["test_0"] = [Seen({**run.calls, odd: {None: 1}}) for run in tests["test_0"]]

    assert "odd" not in dict(taken(Stability(tests).vouched("test_0", STRICT)))
    assert "odd" in dict(taken(Stability(tests).vouched("test_1", STRICT)))
    assert "odd" not in dict(taken(Stability(tests).vouched("test_1", Demand(0.0, 2))))


def test_what_a_tests_own_runs_contradict_is_not_held():
    found = stability()
    runs = [found.tests["test_0"][0], found.tests["test_1"][0]]

    assert uncontradicted(found.vouched("test_2", STRICT), runs) == []
    assert uncontradicted(found.vouched("test_2", STRICT), runs[:1]) == found.vouched("test_2", STRICT)


def test_kinds_that_roots_have_are_not_held():
    tests = {test: [seen_in(trace) for trace in runs] for test, runs in suite().items()}
    tests["test_0"] = [seen_in(tree("book TOOL", ["cancel TOOL"]))]

    assert taken(Stability(tests).vouched("test_1", STRICT)) == [("cancel", False), ("cancel", True)]


def test_a_test_with_one_run_is_no_evidence():
    tests = {test: [seen_in(trace) for trace in runs] for test, runs in suite(runs=1).items()}

    assert Stability(tests).tests == {}
    assert Stability(tests).held_out(STRICT) == {}


SEEN = st.builds(
    lambda counts: Seen({Kind(name, "TOOL"): {None: n} for name, n in counts.items()}),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 3)),
)
SUITES = st.lists(st.lists(SEEN, min_size=2, max_size=4), min_size=2, max_size=6).map(
    lambda tests: {f"test_{i}": runs for i, runs in enumerate(tests)}
)


@given(SUITES, st.sampled_from([0.0, 0.1, 0.5]))
def test_what_is_taken_flags_no_more_of_the_others_than_was_asked(tests, most):
    found = Stability(tests)
    for test in tests:
        aspects = found.vouched(test, Demand(most, 1))
        rest = {other: runs for other, runs in tests.items() if other != test}
        flagged = sum(
            flags(run, [*runs[:i], *runs[i + 1 :]], aspects) for runs in rest.values() for i, run in enumerate(runs)
        )
        assert flagged <= most * sum(map(len, rest.values()))
        assert not any(flags(run, tests[test], aspects) for run in tests[test])


@given(SUITES)
def test_more_is_taken_where_more_is_allowed(tests):
    found = Stability(tests)
    for test in tests:
        chosen = [set(found.vouched(test, Demand(most, 1))) for most in (0.0, 0.1, 0.5, 1.0)]
        assert all(one <= other for one, other in itertools.pairwise(chosen))
