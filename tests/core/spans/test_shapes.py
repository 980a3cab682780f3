"""What holds traces beside MLflow's own JSON, as plain data."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.spans import convert, shapes
from pytest_mlflow_traces.core.trace import Trace
from tests.support.building import node
from tests.support.databricks import span_rows, unified_row
from tests.support.messages import exactly
from tests.support.storing import stored

AGENT = stored(node("agent AGENT", outputs="yes"), ["plan", "search TOOL ERROR"], team="red")


def kept(trace):
    return trace


def read(said, translate=kept):
    facts, table = convert.parse_dict(shapes.trace_of(said, translate))
    return Trace(table, facts)


def shown(trace):
    return trace.tree(), trace.id, trace.status, dict(trace.tags), trace.response


EXPECTED = shown(Trace(*reversed(convert.parse_dict(AGENT))))
PAIRS = [("team", "red")]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"tags": PAIRS},
        {"tags": [{"key": "team", "value": "red"}]},
        {"tags": json.dumps(dict(PAIRS))},
        {"tags": {"team": "red", "other": None}},
        {"spans": json.dumps(span_rows(AGENT))},
        {"spans": span_rows(AGENT) + span_rows(AGENT)},
        {"request_time": 1_767_225_600_000},
        {"request_time": "1767225600000"},
        {"request_time": datetime(2026, 1, 1)},  # noqa: DTZ001  # Spark's has no zone
        {"execution_duration_ms": Decimal("5.000000001")},
        {"state": None},
    ],
)
def test_a_row_with_all_spans_of_a_trace(changed):
    assert shown(read(unified_row(AGENT) | changed)) == EXPECTED


def test_a_time_is_the_same_however_it_is_written():
    rows = [{"request_time": time} for time in (1_767_225_600_000, datetime(2026, 1, 1, tzinfo=timezone.utc))]

    told = {shapes.trace_of(unified_row(AGENT) | row, kept)["info"]["request_time"] for row in rows}

    assert told == {"2026-01-01T00:00:00.000+00:00"}


@pytest.mark.parametrize("name", ["trace", "databricks_output"])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_trace_inside_of_something_else(name, as_text):
    inside = json.dumps(AGENT) if as_text else AGENT
    said = {"trace_id": "tr-1", "trace": inside} if name == "trace" else {"databricks_output": {"trace": inside}}

    assert shown(read(said)) == EXPECTED


def test_a_row_of_an_inference_table():
    response = json.dumps({"choices": [], "databricks_output": {"trace": AGENT}})

    assert shown(read({"databricks_request_id": "1", "response": response, "request": "{}"})) == EXPECTED


def test_attributes_of_text_are_json_where_they_can_be_and_others_are_made_so():
    row = unified_row(stored("agent"))
    row["spans"][0]["attributes"] = {"a": '"quoted"', "b": "bare", "c": 5, "d": ["x"], "e": None, "f": '{"g": 1}'}

    attributes = read(row).roots[0].attributes

    assert dict(attributes) == {"a": "quoted", "b": "bare", "c": 5, "d": ["x"], "f": {"g": 1}}


@pytest.mark.parametrize("status", [None, {}, {"code": ""}, {"code": "STATUS_CODE_UNSET", "message": ""}])
def test_a_status_that_nobody_set(status):
    row = unified_row(stored("agent"))
    row["spans"][0]["status"] = status

    assert read(row).roots[0].status == "UNSET"


SECOND = {
    "info": {
        "request_id": "1ab2",
        "experiment_id": "0",
        "timestamp_ms": 1_767_225_600_000,
        "execution_time_ms": 7,
        "status": "ERROR",
        "request_metadata": {"mlflow.trace.session": "s"},
        "tags": {"team": "red", "mlflow.traceName": "agent"},
    },
    "data": {
        "request": "{}",
        "spans": [
            {
                "name": name,
                "context": {"span_id": f"0x{number}", "trace_id": "0xab"},
                "parent_id": parent,
                "start_time": 10 + number,
                "end_time": 90 - number,
                "status_code": "OK",
                "status_message": "",
                "attributes": {"mlflow.spanType": '"TOOL"', "mlflow.spanInputs": '{"q": 1}'},
                "events": [{"name": "exception", "timestamp": 15, "attributes": {"exception.type": "KeyError"}}],
            }
            for number, (name, parent) in enumerate([("agent", None), ("search", "0x0")])
        ],
    },
}


def test_a_trace_of_mlflow_2():
    trace = read(SECOND)

    assert [(span.path, span.type, span.inputs, span.duration_ms) for span in trace.spans] == [
        ("agent", "TOOL", {"q": 1}, 80 / 1e6),
        ("agent > search", "TOOL", {"q": 1}, 78 / 1e6),
    ]
    assert (trace.id, trace.status, trace.session_id, dict(trace.tags)) == ("1ab2", "ERROR", "s", {"team": "red"})
    assert trace.roots[0].error.type == "KeyError"
    assert trace.roots[0].events[0].timestamp_ns == 15


def test_a_trace_of_mlflow_2_that_mlflow_3_told_of():
    assert read({"info": AGENT["info"], "data": SECOND["data"]}).id == "tr-1"


def test_the_artifact_with_the_spans_says_of_the_trace_what_its_root_does():
    said = {
        "session.id": "s",
        "user.id": "u",
        "mlflow.traceTag.team": "red",
        "mlflow.traceRequestId": "tr-7",
    }
    spans = stored(node("agent ERROR", attributes=said), ["plan"])["data"]["spans"]

    trace = read({"spans": spans, "request": None, "response": None})

    assert (trace.id, trace.status, trace.session_id, trace.user_id) == ("tr-7", "ERROR", "s", "u")
    assert (dict(trace.tags), trace.name) == ({"team": "red"}, "agent")


def test_what_has_no_root_is_in_progress_as_mlflow_has_it():
    spans = span_rows(AGENT)[1:]

    trace = read({"spans": spans})

    assert (trace.status, trace.problems[0]) == (
        "IN_PROGRESS",
        "orphan: span plan names the parent '0000000000000000', which is not in the trace",
    )


def test_the_store_of_mlflow_is_asked_for_other_conventions_alone():
    asked = []

    def translate(trace):
        asked.append(trace["info"]["trace_id"])
        return trace

    row = unified_row(AGENT)
    read(row, translate)
    row["spans"][1]["attributes"]["gen_ai.operation.name"] = "chat"
    read(row, translate)

    assert asked == ["tr-1"]


def traces(loose):
    return [(where, read(made(kept))) for where, made in loose.traces()]


def test_loose_spans_come_in_any_order_and_are_once_each():
    loose = shapes.LooseSpans()
    one, other = span_rows(AGENT), span_rows(stored("other"))
    other[0]["trace_id"] = "f" * 32
    for number, row in enumerate([one[1], other[0], one[0], one[2], one[1]]):
        loose.add(row, str(number))

    found = traces(loose)

    assert [(where, trace.tree()) for where, trace in found] == [("0", EXPECTED[0]), ("1", found[1][1].tree())]
    assert (found[0][1].problems, found[1][1].name, traces(loose)) == ((), "other", [])


def test_another_span_with_an_id_that_is_taken_is_a_problem():
    loose = shapes.LooseSpans()
    rows = span_rows(AGENT)
    for row in (*rows, rows[2] | {"name": "delete"}):
        loose.add(row, "")

    ((_, trace),) = traces(loose)

    assert trace.table.missing() == "duplicate id: span delete has the id '0000000000000002' of another span"


@pytest.mark.parametrize("where", ["dropped_attributes_count", "dropped_events_count", "event"])
def test_a_span_that_lost_something_is_not_whole(where):
    row = unified_row(stored("agent", [node("search", error="TimeoutError")]))
    span = row["spans"][1]
    if where == "event":
        span["events"][0]["dropped_attributes_count"] = 3
    else:
        span[where] = 3

    said = "dropped: span agent > search lost 3 of its attributes and events before they were sent"
    assert (read(row).table.missing(), read(row).problems) == (said, (said,))


def test_a_loss_is_seen_where_many_traces_are_alike():
    row = unified_row(AGENT)
    whole = [read(row).table.missing() for _ in range(3)]
    row["spans"][1]["dropped_attributes_count"] = 1

    assert (whole, read(row).table.missing() is None) == ([None, None, None], False)


def test_links_that_were_dropped_are_no_loss_since_nothing_asks_for_them():
    row = unified_row(AGENT)
    row["spans"][1]["dropped_links_count"] = 3

    assert read(row).table.missing() is None


@pytest.mark.parametrize("table", [[{"trace_id": "tr-1"}, {"trace_id": "tr-2"}], {"traces": [5]}, {"trace_id": {}}])
def test_several_in_one(table):
    listed = table if isinstance(table, list) else table.get("traces", [])

    assert shapes.several(table) == listed


def test_a_table_by_columns():
    columns = {"trace_id": {"0": "a", "1": "b"}, "trace": {"0": "x", "1": "y"}}

    assert shapes.several(columns) == [{"trace_id": "a", "trace": "x"}, {"trace_id": "b", "trace": "y"}]
    assert shapes.several({"trace_id": "a", "trace": {}}) is None


SPAN = ["trace_id", "span_id", "parent_span_id", "name", "start_time_unix_nano", "end_time_unix_nano", "attributes",
        "events", "status"]  # fmt: skip
NO_TABLE = "not a table of traces: it has no column `trace`, no `trace_id` with `spans`, and"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["trace_id", "trace"], None),
        (["trace"], None),
        (["trace_id", "spans"], None),
        (["request_id", "spans"], None),
        (["databricks_request_id", "response"], None),
        (SPAN, None),
        (["spans"], f"{NO_TABLE} its columns are 'spans'"),
        (["id", "price"], f"{NO_TABLE} its columns are 'id', 'price'"),
        (SPAN[:-2], f"{NO_TABLE} for one of spans it lacks 'events', 'status'"),
    ],
)
def test_a_table_says_by_its_columns_what_it_is(names, says):
    if says is None:
        shapes.refuse_columns(names)
    else:
        with pytest.raises(ValueError, match=exactly(says)):
            shapes.refuse_columns(names)


def row_with(**changed):
    row = unified_row(AGENT)
    row["spans"][0] |= changed
    return row


VARIANT = {"metadata": b"\x01", "value": b"\x02"}
LEGAL = "(legal: 'OK', 'ERROR', 'UNSET', alone or behind 'STATUS_CODE_')"
BROKEN = {
    "no time in milliseconds: 1180591620717411303424": unified_row(AGENT) | {"request_time": 2**70},
    "the column `attributes` is a VARIANT in its binary form; save `to_json(attributes) AS attributes`": row_with(
        attributes=VARIANT
    ),
    "not a span: it lacks 'parent_span_id', 'events'": {
        "trace_id": "1",
        "spans": [
            {key: value for key, value in span_rows(AGENT)[0].items() if key not in ("events", "parent_span_id")}
        ],
    },
    "the column `attributes` is no JSON: nonsense": row_with(attributes="nonsense"),
    "the column `attributes` is a map, got 5": row_with(attributes=5),
    "the column `events` is a list of objects, got 5": row_with(events=5),
    "not a span: start_time_unix_nano is a whole number of nanoseconds, got 'soon'": row_with(
        start_time_unix_nano="soon"
    ),
    f"not a span: unknown status code 'FINE' {LEGAL}": row_with(status={"code": "FINE"}),
    "the column `spans` is no JSON: [{'a': 1}]": {"trace_id": "1", "spans": "[{'a': 1}]"},
    "the column `spans` is a list of objects, got [5]": {"trace_id": "1", "spans": [5]},
    "the column `trace` is no JSON: <Trace>": {"trace_id": "1", "trace": "<Trace>"},
    "a row of a table of traces, without the column `trace` or `spans`": {"trace_id": "1", "trace": None},
}


@pytest.mark.parametrize("says", BROKEN)
def test_what_cannot_be_read_says_what_is_wrong(says):
    with pytest.raises(ValueError, match=exactly(says)):
        read(BROKEN[says])


@pytest.mark.parametrize("given", [None, "", 5])
def test_a_span_without_a_trace_is_none(given):
    with pytest.raises(ValueError, match=exactly(f"not a span: trace_id is a string, got {given!r}")):
        shapes.LooseSpans().add(span_rows(AGENT)[0] | {"trace_id": given}, "")


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([-5, 0, 2**70, 10**400])
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
SHAPES = [
    AGENT,
    SECOND,
    unified_row(AGENT),
    {"trace_id": "1", "trace": AGENT},
    {"spans": AGENT["data"]["spans"]},
    {"databricks_output": {"trace": AGENT}},
]


def places(said, path=()):
    """Return the way to each value inside of `said`."""
    inner = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    yield path
    for key, value in inner:
        yield from places(value, (*path, key))


@given(st.sampled_from(SHAPES), JUNK, st.data())
def test_whatever_stands_somewhere_is_read_or_is_an_error(shape, junk, data):
    said = copy.deepcopy(shape)
    *above, last = data.draw(st.sampled_from([path for path in places(said) if path]))
    inner = said
    for key in above:
        inner = inner[key]
    inner[last] = junk

    try:
        trace = read(said)
    except ValueError:
        return
    assert trace.problems is not None
    json.dumps(shapes.trace_of(said, kept), default=str)


@pytest.mark.parametrize("trace_id", [None, ""])
def test_a_row_of_spans_without_the_id_of_their_trace_is_none(trace_id):
    with pytest.raises(ValueError, match=exactly("it has no trace_id, so its spans may be those of many traces")):
        shapes.trace_of({"trace_id": trace_id, "spans": []}, dict)
