"""Looked up by name is all that matters of what is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces import one_of
from pytest_mlflow_traces.core.contract_files.by_name import ByName
from pytest_mlflow_traces.core.patterns.relations import excludes, implies
from pytest_mlflow_traces.strategies.drawn_patterns import span_patterns

ONE = span_patterns(0) | st.lists(span_patterns(0), min_size=2, max_size=3).map(lambda each: one_of(*each))


@given(ONE, st.lists(ONE, max_size=8))
def test_nothing_that_a_pattern_implies_or_does_not_exclude_is_missed(pattern, others):
    found = ByName()
    for number, other in enumerate(others):
        found.add(other, number)

    assert found.all == [*range(len(others))]
    assert {n for n, other in enumerate(others) if implies(pattern, other)} <= {*found.implied_by(pattern)}
    assert {n for n, other in enumerate(others) if not excludes(pattern, other)} <= {*found.beside(pattern)}
