"""What a trace is recorded as."""

from __future__ import annotations

import pytest
from hypothesis import given

from pytest_mlflow_traces import any_order, span
from pytest_mlflow_traces.core.patterns.recorded import overlapping, recorded
from tests.support.building import Record, tree
from tests.support.messages import exactly
from tests.support.tracing import traces


def test_names_types_status_and_the_tree():
    trace = tree("agent AGENT", ["plan LLM ERROR", ["model CHAT_MODEL UNSET"], "search TOOL"])

    assert recorded(trace.table) == trace.to_pattern()


def test_overlapping_siblings_are_in_any_order():
    trace = tree("agent @0-90", ["plan @0-10", "cost @10-30", "security @20-50", "quality @45-60", "save @60-70"])

    assert recorded(trace.table) == span("agent", type="UNKNOWN", status="OK")[
        said("plan"), any_order(said("cost"), said("security"), said("quality")), said("save")
    ]  # fmt: skip


def test_a_span_may_overlap_one_that_began_long_before():
    trace = tree("agent @0-90", ["long @0-80", "one @10-20", "two @30-40", "after @85-90"])

    assert recorded(trace.table).children == (any_order(said("long"), said("one"), said("two")), said("after"))


def test_spans_of_no_length_do_not_overlap():
    trace = tree("agent @5-5", ["one @5-5", "two @5-5"])

    assert recorded(trace.table).children == (said("one"), said("two"))


def test_children_may_be_unordered_on_demand():
    trace = tree("agent", ["a", "b", ["c", "d"]])

    assert recorded(trace.table, unordered=[0]) == span("agent", type="UNKNOWN", status="OK")[
        any_order(said("a"), span("b", type="UNKNOWN", status="OK")[said("c"), said("d")])
    ]  # fmt: skip


def test_an_only_child_needs_no_order():
    assert recorded(tree("agent", ["a"]).table, unordered=[0]).children == (said("a"),)


def test_several_roots_are_in_any_order():
    assert recorded(tree("a", "b").table) == any_order(said("a"), said("b"))


def test_a_trace_without_spans_is_refused():
    with pytest.raises(ValueError, match=exactly("a trace without spans equals no pattern")):
        recorded(tree().table)


def test_a_chain_of_any_depth():
    spec = []
    for _ in range(20_000):
        spec = ["a", spec]
    trace = tree(*spec)

    assert trace == recorded(trace.table)


@pytest.mark.parametrize(
    ("name", "regex"),
    [
        ("run 3d63f823-0677-48ad-b2c3-77f8dcef6ec3 x", "run [0-9A-Fa-f-]{36} x"),
        ("a.b 2026-11-30", "a\\.b [0-9T:.,Z+ -]+"),
        ("at 2026-11-30T10:11:12.123+01:00", "at [0-9T:.,Z+ -]+"),
        ("job-20261130/3", "job-[0-9T:.,Z+ -]+/3"),
        ("20261129 101112", "[0-9T:.,Z+ -]+"),
        ("trace deadbeef00000000cafe", "trace [0-9A-Fa-f]{16,}"),
        ("request-000123", "request-[0-9]{5,}"),
        ("at 1764500000", "at [0-9]{5,}"),
        ("99999999", "[0-9]{5,}"),
        ("step_12", None),
        ("gpt-4o-2024-08-06", None),
        ("claude-3-5-sonnet-20241022", None),
        ("abcdefabcdefabcdef", None),
    ],
)
def test_what_a_run_puts_into_a_name_is_a_regex(name, regex):
    record = Record(name, start_time_ns=1_796_000_000_000_000_000, end_time_ns=1_796_000_000_000_000_001)
    trace = tree(record)

    found = recorded(trace.table)

    assert getattr(found.name, "pattern", None) == regex
    assert trace == found
    assert trace.to_pattern().name == name


@given(traces())
def test_a_trace_is_what_it_is_recorded_as(trace):
    assert trace == recorded(trace.table)
    assert trace == recorded(trace.table, unordered=range(len(trace.table)))


@given(traces())
def test_a_run_is_cut_where_nothing_overlaps(trace):
    siblings = trace.table.roots()
    runs = overlapping(trace.table, siblings)

    assert [i for run in runs for i in run] == siblings
    for number, run in enumerate(runs):
        for other in runs[number + 1 :]:
            assert not any(trace.span_at(i).overlaps(trace.span_at(k)) for i in run for k in other)


def said(name):
    return span(name, type="UNKNOWN", status="OK")[()]
