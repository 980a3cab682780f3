"""Which branches a trace takes of a pattern that it is like, at any depth."""

from __future__ import annotations

from pytest_mlflow_traces.core.adequacy import search
from pytest_mlflow_traces.core.adequacy.witness import Witness
from pytest_mlflow_traces.core.patterns.constructors import one_of, optional, span
from tests.support.building import tree

RETRY = optional(span("retry"))
EITHER = one_of(span("cache"), span("search")[RETRY])


def of_roots(pattern, trace):
    witness = Witness(trace.table)
    witness.of_siblings(pattern, trace.table.roots())
    return witness


def test_what_is_below_a_span_is_looked_at_too():
    found = of_roots(span("agent")[EITHER], tree("agent", ["search", ["retry"]]))

    assert found.ways == {(id(EITHER), 1), (id(RETRY), "present")}
    assert found.is_whole


def test_every_span_that_is_like_a_pattern_counts_where_it_may_be_anywhere():
    witness = Witness(tree("agent", ["search", ["retry"], "search", "cache"]).table)
    witness.of_any(EITHER)

    assert witness.ways == {(id(EITHER), 0), (id(EITHER), 1), (id(RETRY), "present"), (id(RETRY), "absent")}


def test_so_does_every_span_below_the_one_that_is_to_have_it():
    found = of_roots(
        span("agent")[span("plan", has=EITHER), span("search")], tree("agent", ["plan", ["cache"], "search"])
    )

    assert found.ways == {(id(EITHER), 0)}


def test_a_list_that_is_too_intricate_takes_nothing(monkeypatch):
    monkeypatch.setattr(search, "_STEPS", 0)
    monkeypatch.setattr(search, "_EACH", 0)

    found = of_roots(span("agent")[EITHER], tree("agent", ["cache"]))

    assert found.ways == set()
    assert not found.is_whole
