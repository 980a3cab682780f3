"""A table that shares its columns with others is the table that `SpanTable` makes of the same spans."""

from __future__ import annotations

import copy
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces import Trace, any_order, one_of, optional, parallel, span
from pytest_mlflow_traces.core.matching import matcher
from pytest_mlflow_traces.core.patterns.nodes import asks_structure_alone
from pytest_mlflow_traces.core.spans.alike import Structures
from pytest_mlflow_traces.core.spans.convert import JsonSpan
from pytest_mlflow_traces.core.spans.table import SpanTable

COLUMNS = ("names", "types", "statuses", "starts", "ends", "parents", "stops", "structural_problems")
EVENT, CUT = {"name": "retry", "time_unix_nano": 5}, {"name": "retry", "dropped_attributes_count": 2}
ODD = st.sampled_from([None, 0, 1, "", 1.0, True, [], {}, "s0", "7", -1, 2**63, 2**64, "STATUS_CODE_OK", "what",
                       [EVENT], [EVENT, CUT], [5], {"mlflow.spanType": 1}, {"code": 1}])  # fmt: skip
FIELDS = ["name", "span_id", "parent_span_id", "start_time_unix_nano", "end_time_unix_nano", "status", "attributes",
          "events", "context", "dropped_events_count"]  # fmt: skip


def said(number, parent, name="a", start=None, **more):
    start = number + 1 if start is None else start
    return {
        "span_id": f"s{number}",
        "parent_span_id": parent,
        "name": name,
        "start_time_unix_nano": start,
        "end_time_unix_nano": start + 5,
        "status": {"code": "STATUS_CODE_OK"},
        "attributes": {"mlflow.spanType": '"TOOL"'},
        "events": [],
        **more,
    }


@st.composite
def traces(draw):
    """Draw a few spans, and the same with something odd."""
    count = draw(st.integers(0, 4))
    spans = [
        said(
            number,
            f"s{draw(st.integers(0, number - 1))}" if number else None,
            draw(st.sampled_from("ab")),
            draw(st.integers(1, 3)),
        )
        for number in range(count)
    ]
    usual = copy.deepcopy(spans)
    for _ in range(draw(st.integers(0, 2)) if spans else 0):
        draw(st.sampled_from(spans))[draw(st.sampled_from(FIELDS))] = draw(ODD)
    if spans and draw(st.booleans()):
        draw(st.sampled_from(spans)).pop(draw(st.sampled_from(FIELDS)), None)
    return usual, spans


def alone(spans):
    records = [JsonSpan(each) for each in spans]
    table = SpanTable(records)
    table.note_dropped({each.span_id: each.dropped for each in records if each.dropped})
    return table


def made(make):
    """Return the columns of a table, or the text of the error."""
    try:
        table = make()
    except (ValueError, TypeError, AttributeError) as error:
        return type(error), str(error)
    return [getattr(table, column) for column in COLUMNS], [each.span_id for each in table.records], table.problems()


@settings(max_examples=int(os.environ.get("ALIKE_BATCHES", "300")), deadline=None)
@given(st.lists(traces(), min_size=1, max_size=4))
def test_it_is_the_table_that_is_made_without_sharing(batch):
    structures = Structures(JsonSpan)
    for spans in [spans for pair in batch for spans in pair] * 2:
        own = made(lambda: alone(copy.deepcopy(spans)))  # noqa: B023  # at once
        assert made(lambda: structures.table(spans)) == own  # noqa: B023


def test_what_patterns_found_out_is_shared_and_times_and_values_are_not():
    def trace(answer, start):
        attributes = {"mlflow.spanType": '"TOOL"', "mlflow.spanOutputs": json.dumps(answer)}
        spans = [said(0, None), said(1, "s0", "b", start, attributes=attributes), said(2, "s0", "c", 9)]
        return Trace.from_json(json.dumps({"info": {"trace_id": "tr-1", "state": "OK"}, "data": {"spans": spans}}))

    first, second, late = trace("yes", 2), trace("no", 3), trace("yes", 20)
    tree, answered = span("a")[span("b"), span("c")], span("b", outputs="yes")

    assert [each == tree for each in (first, second, late)] == [True, True, False]
    assert [answered in each for each in (first, second, late)] == [True, False, True]
    assert [each.table.starts[1] for each in (first, second)] == [2, 3]
    assert first.table.answers is second.table.answers
    assert first.table.answers is not late.table.answers
    assert any(kept[0] is tree for kept in second.table.answers.values())
    assert not any(kept[0] is answered for kept in second.table.answers.values())
    assert second.find(span("b"))[0].outputs == "no"
    assert matcher.find(second.table, span("b")) == [1]


@pytest.mark.parametrize(
    ("pattern", "alone"),
    [
        (span("a", type="TOOL", status="OK")[..., any_order(span("b"), optional(one_of(span("c"), span("d"))))], True),
        (span("a", has=span("b"), lacks=span("c")), True),
        (span("a")[parallel(span("b"), span("c"))], False),
        (span("a", has=span("b", inputs=0)), False),
        (span("a", lacks=span("b", outputs=None)), False),
        (span("a")[span("b", attributes={"k": 1})], False),
        (span("a")[span("b", error=True)], False),
        (span("a")[optional(span("b", within="1s"))], False),
    ],
)
def test_which_patterns_look_at_structure_alone(pattern, alone):
    assert asks_structure_alone(pattern) is alone


@pytest.mark.parametrize("twin", ["EXFo8yivX8B=", "117168f328af5fc0"])
def test_an_id_that_is_written_in_two_ways_is_there_twice(twin):
    structures, first = Structures(JsonSpan), "EXFo8yivX8A="
    for other in ("AAAAAAAAAAA=", "a" * 16, twin):
        spans = [said(0, None, span_id=first), said(1, first, span_id=other)]
        assert structures.table(spans).structural_problems == SpanTable([*map(JsonSpan, spans)]).structural_problems
    assert "duplicate id" in structures.table(spans).structural_problems[0]


def test_spans_with_events_are_shared_unless_some_were_lost():
    structures = Structures(JsonSpan)
    plain, retried, cut = ([said(0, None, events=events)] for events in ([], [EVENT], [EVENT, CUT]))
    tables = [structures.table(each) for each in (plain, retried, cut)]

    assert [table.answers is tables[0].answers for table in tables] == [True, True, False]
    assert [len(table.events(0)) for table in tables] == [0, 1, 2]
    assert [*map(bool, (table.structural_problems for table in tables))] == [False, False, True]


def test_of_patterns_that_are_written_anew_each_time_a_limited_number_is_kept():
    structures = Structures(JsonSpan)
    for number in range(3_000):
        assert matcher.find(structures.table([said(0, None)]), span("a")) == [0], number
    assert len(structures.table([said(0, None)]).answers) <= 1_000


def test_it_knows_a_limited_number_of_structures(monkeypatch):
    monkeypatch.setattr("pytest_mlflow_traces.core.spans.alike._MOST", 2)
    structures = Structures(JsonSpan)
    for name in "abcde":
        assert structures.table([said(0, None, name)]).names == [name]
    assert len(structures._known) <= 2
