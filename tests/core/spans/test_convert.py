import base64
import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces.core.spans.convert import (
    JsonSpan,
    TraceFacts,
    decoded_numbers,
    parse_dict,
    parse_json,
)
from pytest_mlflow_traces.core.spans.records import SpanError, SpanEvent
from pytest_mlflow_traces.core.trace import Trace
from tests.support.building import node, records
from tests.support.messages import exactly

LEGAL = "(legal: 'OK', 'ERROR', 'UNSET', alone or behind 'STATUS_CODE_')"


def b64(number: int) -> str:
    return base64.b64encode(number.to_bytes(8, "big")).decode()


def span_json(number: int = 1, parent: int | None = None, **said: object) -> dict[str, object]:
    """One span as `mlflow.entities.Span.to_dict()` writes it."""
    return {
        "trace_id": "OisUIkoKANmSz1nA05rKuA==",
        "span_id": b64(number),
        "parent_span_id": None if parent is None else b64(parent),
        "name": f"s{number}",
        "start_time_unix_nano": 1_700_000_000_000_000_000 + number,
        "end_time_unix_nano": 1_700_000_000_500_000_000 + number,
        "events": [],
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": {"mlflow.traceRequestId": '"tr-1"', "mlflow.spanType": '"AGENT"'},
        "links": [],
    } | said


def trace_json(*spans: object, **info: object) -> dict[str, object]:
    """A trace as `mlflow.entities.Trace.to_dict()` writes it."""
    return {
        "info": {
            "trace_id": "tr-1",
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
            "request_time": "2026-01-31T10:20:30.123Z",
            "state": "OK",
            "trace_metadata": {"mlflow.trace.session": "s1", "mlflow.trace.user": "u1"},
            "tags": {"mlflow.traceName": "agent", "team": "red"},
            "execution_duration_ms": 341,
        }
        | info,
        "data": {"spans": list(spans)},
    }


def read(*spans: object, **info: object) -> Trace:
    return Trace.from_json(json.dumps(trace_json(*spans, **info)))


# What is well formed


def test_the_json_of_mlflow_is_read():
    attributes = {
        "mlflow.spanType": '"TOOL"',
        "mlflow.spanInputs": '{"q": [1, null]}',
        "mlflow.spanOutputs": "null",
        "text": '"123"',
        "number": "123",
        "no json": "{oops",
        "bare": 5,
    }
    event = {
        "name": "exception",
        "time_unix_nano": 7,
        "attributes": {"exception.type": "ValueError", "exception.message": "no"},
    }
    child = span_json(
        2, 1, attributes=attributes, status={"code": "STATUS_CODE_ERROR", "message": "ValueError: no"}, events=[event]
    )
    trace = read(child, span_json(1))
    root, tool = trace.spans

    assert (trace.id, trace.name, trace.status) == ("tr-1", "agent", "OK")
    assert (trace.tags, trace.system_tags) == ({"team": "red"}, {"mlflow.traceName": "agent"})
    assert (trace.session_id, trace.user_id) == ("s1", "u1")
    assert trace.raw == trace_json(child, span_json(1))
    assert (root.name, root.type, root.status, root.inputs, root.outputs) == ("s1", "AGENT", "OK", None, None)
    assert (tool.parent, tool.type, tool.status, tool.inputs, tool.outputs) == (
        *(root, "TOOL", "ERROR", {"q": [1, None]}, None),
    )
    assert [tool.attributes[key] for key in ("text", "number", "no json", "bare")] == ["123", 123, "{oops", 5]
    assert tool.error == SpanError("ValueError", "no")
    assert tool.events == (SpanEvent("exception", 7, event["attributes"]),)
    assert trace.problems == ()


def test_bytes_are_read_like_text():
    assert Trace.from_json(json.dumps(trace_json(span_json())).encode()).root.name == "s1"


def test_what_is_left_out_has_its_default():
    status = {"code": "STATUS_CODE_UNSET"}
    span = {"name": "s", "span_id": "0123456789abcdef", "start_time_unix_nano": 5, "status": status}
    trace = Trace.from_json(json.dumps({"info": {}, "data": {"spans": [span]}}))
    root = trace.root

    assert (trace.id, trace.name, trace.status, trace.tags, trace.metadata) == ("", "s", "STATE_UNSPECIFIED", {}, {})
    assert (root.type, root.status, root.end_ns, root.attributes, root.events) == ("UNKNOWN", "UNSET", None, {}, ())
    assert (trace.session_id, trace.token_usage, trace.cost) == (None, None, None)


def test_nulls_are_left_out():
    span = span_json(attributes=None, events=None, end_time_unix_nano=None, parent_span_id="")
    trace = read(span, tags=None, trace_metadata=None, state=None, trace_id=None)

    assert (trace.id, trace.status, trace.root.type, trace.root.end_ns) == ("", "STATE_UNSPECIFIED", "UNKNOWN", None)


@pytest.mark.parametrize("start", ["17", 17, 17.0])
def test_whole_numbers_may_be_strings_as_protobuf_writes_them(start):
    assert read(span_json(start_time_unix_nano=start)).root.start_ns == 17


@pytest.mark.parametrize("given", ["0123456789abcdef", "custom", "AAAAAAAAAAA=", "************", "é" * 12])
def test_parents_are_found_whatever_the_form_of_the_ids(given):
    trace = read(span_json(span_id=given), span_json(2, parent_span_id=given))

    assert trace.spans[1].parent is trace.root


def test_ids_of_eight_bytes_are_hexadecimal_as_in_the_entity():
    assert JsonSpan(span_json(0xABC, 0xDEF)).span_id == f"{0xABC:016x}"
    assert JsonSpan(span_json(0xABC, 0xDEF)).parent_id == f"{0xDEF:016x}"
    parent_in_hex = read(span_json(0xABC), span_json(2, parent_span_id=f"{0xABC:016x}"))
    assert parent_in_hex.spans[1].parent is parent_in_hex.root


def test_an_empty_trace_knows_its_own_times():
    trace = read()

    assert (trace.start_ns, trace.duration_ms, trace.root) == (1_769_854_830_123_000_000, 341, None)


@pytest.mark.parametrize("time", [None, 5, "", "soon", "2026-01-31T10:20:30", "9999-99-99T00:00:00Z"])
def test_a_time_that_is_none_is_not_known(time):
    assert read(request_time=time, execution_duration_ms="5").start_ns is None
    assert read(request_time=time, execution_duration_ms=True).duration_ms is None


def test_a_span_of_a_trace_is_decoded_when_asked():
    table = parse_dict(trace_json(span_json(attributes={"mlflow.spanInputs": "[" * 50_000})))[1]

    assert table.inputs(0) == "[" * 50_000
    assert table.records[0].events == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ('{"total_tokens": 5}', {"total_tokens": 5}),
        ({"total_tokens": 5}, {"total_tokens": 5}),
        ("[5]", None),
        ("5", None),
        ("{", None),
        (5, None),
        ("[" * 50_000, None),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_numbers_in_the_metadata_are_an_object_or_nothing(value, expected):
    assert decoded_numbers({"k": value}, "k") == expected
    assert decoded_numbers({}, "k") is None


# What is not


@pytest.mark.parametrize(
    "said", [None, [], 5, "x", {}, {"info": {}}, {"info": {}, "data": []}, {"info": 1, "data": {}}]
)
def test_what_is_no_trace_says_so(said):
    message = "not a trace: expected an object with `info` and `data`, as Trace.to_json() of MLflow writes"

    with pytest.raises(ValueError, match=exactly(message)):
        Trace.from_json(json.dumps(said))


@pytest.mark.parametrize("spans", [None, {}, "x", [None], [[]], [span_json(), 5]])
def test_spans_are_a_list_of_objects(spans):
    said = trace_json()
    said["data"] = {"spans": spans}

    with pytest.raises(ValueError, match=exactly("not a trace: data.spans is a list of objects")):
        Trace.from_json(json.dumps(said))


@pytest.mark.parametrize("info", [{"tags": ["a"]}, {"trace_metadata": "x"}, {"tags": 5}])
def test_tags_and_metadata_are_objects(info):
    with pytest.raises(ValueError, match=exactly("not a trace: info.tags and info.trace_metadata are objects")):
        read(**info)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"context": {}}, "a trace of MLflow 2; export it again with MLflow 3"),
        ({"span_id": None}, "not a span: span_id is a string, got None"),
        ({"parent_span_id": 7}, "not a span: parent_span_id is a string, got 7"),
        ({"status": "OK"}, "not a span: status is an object, got 'OK'"),
        ({"status": False}, "not a span: status is an object, got False"),
        ({"status": None}, f"not a span: unknown status code None {LEGAL}"),
        ({"status": {}}, f"not a span: unknown status code None {LEGAL}"),
        ({"status": {"code": None}}, f"not a span: unknown status code None {LEGAL}"),
        ({"status": {"code": 2}}, f"not a span: unknown status code 2 {LEGAL}"),
        ({"status": {"code": "error"}}, f"not a span: unknown status code 'error' {LEGAL}"),
        (
            {"status": {"code": "STATUS_CODE_UNKNOWN"}},
            f"not a span: unknown status code 'STATUS_CODE_UNKNOWN' {LEGAL}",
        ),
        ({"attributes": []}, "not a span: attributes is an object, got []"),
        ({"events": {}}, "not a span: events is a list of objects, got {}"),
        ({"events": "x"}, "not a span: events is a list of objects, got 'x'"),
        ({"events": [None]}, "not a span: events is a list of objects, got [None]"),
        ({"events": [{"attributes": [1]}]}, "not a span: attributes is an object, got [1]"),
        (
            {"events": [{"time_unix_nano": "x"}]},
            "not a span: time_unix_nano is a whole number of nanoseconds, got 'x'",
        ),
        *(
            (
                {"start_time_unix_nano": value},
                f"not a span: start_time_unix_nano is a whole number of nanoseconds, got {value!r:.80}",
            )
            for value in (
                "",
                "x",
                "1_000",
                " 5",
                "1.5",
                "٣",
                1.5,
                float("inf"),
                float("nan"),
                True,
                [],
                {},
                2**64,
                "9" * 99,
            )
        ),
        (
            {"end_time_unix_nano": -(10**30)},
            f"not a span: end_time_unix_nano is a whole number of nanoseconds, got -1{'0' * 30}",
        ),
    ],
)
def test_a_span_of_the_wrong_types_is_a_value_error_that_names_the_field(said, message):
    with pytest.raises(ValueError, match=exactly(message)):
        read(span_json(**said))


def test_a_trace_is_never_read_in_part():
    whole = json.dumps(trace_json(span_json(1), span_json(2, 1)))

    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"."):
            Trace.from_json(whole[:length])


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"info": ' * 100_000, '{"info": {}, "data": {"spans": [' + "[" * 50_000]
)
def test_json_that_is_nested_too_deep_is_a_value_error(text):
    with pytest.raises(ValueError, match=exactly("not a trace: the JSON is nested too deep to be read")):
        Trace.from_json(text)


@pytest.mark.parametrize("text", [b"\xff", b"\xff\xfe", "", " ", "\x00", "NaN", "9" * 5000])
def test_text_that_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        Trace.from_json(text)


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["{}", "[[", "17"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)


@given(st.data())
@settings(max_examples=150)
def test_junk_anywhere_is_a_trace_or_a_value_error(data):
    said = json.loads(
        json.dumps(trace_json(span_json(1), span_json(2, 1, events=[{"name": "e", "attributes": {"k": 1}}])))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(list(places(said))))
        place[0][place[1]] = data.draw(_junk)
    try:
        trace = Trace.from_json(json.dumps(said))
    except ValueError:
        return
    for span in trace.spans:
        _ = (span.name, span.type, span.inputs, span.outputs, span.attributes, span.events, span.error, span.self_ms)
    assert trace.tree()
    _ = (
        trace.problems,
        trace.token_usage,
        trace.cost,
        trace.start_ns,
        trace.duration_ms,
        trace.to_pattern() if trace.root else 0,
    )


def places(value: object) -> list[tuple[object, object]]:
    """Return every container below `value` with each of its keys."""
    found: list[tuple[object, object]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        found += [(value, key), *places(item)]
    return found


# Objects


def entity(*spans: object, **info: object) -> SimpleNamespace:
    return SimpleNamespace(info=SimpleNamespace(**info), data=SimpleNamespace(spans=list(spans)))


def test_any_object_with_the_public_attributes_is_a_trace():
    state = SimpleNamespace(value="ERROR")
    source = entity(
        *records("agent AGENT", [node("plan", inputs={"q": 1})]),
        trace_id="tr-9",
        state=state,
        tags={"team": "red", "mlflow.traceName": "x", 5: "odd"},
        trace_metadata={"mlflow.trace.tokenUsage": '{"total_tokens": 5}'},
        request_time=12,
        execution_duration=34,
    )
    trace = Trace.from_mlflow(source)

    assert trace.raw is source
    assert (trace.id, trace.status, trace.name) == ("tr-9", "ERROR", "x")
    assert (trace.tags, trace.system_tags) == ({"team": "red", 5: "odd"}, {"mlflow.traceName": "x"})
    assert trace.token_usage == {"total_tokens": 5}
    assert [span.path for span in trace.spans] == ["agent", "agent > plan"]
    assert trace.spans[1].inputs == {"q": 1}


def test_an_empty_object_knows_its_own_times():
    trace = Trace.from_mlflow(entity(request_time=12, execution_duration=34))

    assert (trace.start_ns, trace.duration_ms) == (12_000_000, 34)


def test_a_trace_needs_no_more_than_spans():
    trace = Trace.from_mlflow(entity(status="OK"))

    assert (trace.id, trace.name, trace.status, trace.tags, trace.metadata) == ("", "", "OK", {}, {})
    assert (trace.start_ns, trace.duration_ms) == (None, None)


@pytest.mark.parametrize("thing", [None, 5, "tr-1", [], SimpleNamespace(info=1), SimpleNamespace(info=1, data=None)])
def test_what_is_no_trace_object_is_a_type_error(thing):
    message = f"expected a trace with .info and .data.spans, as mlflow.get_trace() returns, got {thing!r}"

    with pytest.raises(TypeError, match=exactly(message)):
        Trace.from_mlflow(thing)


def test_the_facts_default_to_an_empty_finished_trace():
    assert TraceFacts() == TraceFacts("", "OK", {}, {}, {}, None, None)
    assert parse_json(json.dumps(trace_json()))[0].id == "tr-1"


@pytest.mark.parametrize(("name", "text"), [(None, "(unnamed)"), (5, "5"), (["a"], "['a']")])
def test_a_name_and_a_type_that_are_no_text_are_read_as_they_were_captured(name, text):
    attributes = {"mlflow.spanType": json.dumps(name)}
    trace = read(span_json(name=name, attributes=attributes, events=[{"name": name, "time_unix_nano": 1}]))

    assert (str(trace.root.name), trace.root.type) == (text, "UNKNOWN" if name is None else text)
    assert str(trace.root.events[0].name) == text
    assert (trace.root.name == text) is (name is not None)


def test_a_span_that_says_no_name_at_all_is_none():
    said = span_json()
    del said["name"]
    with pytest.raises(ValueError, match=exactly("not a span: it has no name")):
        read(said)


@pytest.mark.parametrize("end", [0, "0", None])
def test_a_span_that_has_not_ended_is_unfinished_in_each_spelling(end):
    trace = read(span_json(end_time_unix_nano=end))

    assert (trace.root.end_ns, trace.duration_ms) == (None, None)
    assert trace.problems == ("unfinished: span s1 has no end time",)
