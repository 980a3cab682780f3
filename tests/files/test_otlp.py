"""Files of OTLP, as exporters and collectors write them, and the archive of MLflow."""

from __future__ import annotations

import base64
import json
import operator
import random

import mlflow
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_mlflow_traces import capture_traces, otlp, read_traces
from pytest_mlflow_traces.files.traces import stored_traces
from tests.support.messages import exactly
from tests.support.otlp import as_json, traces_data

TREE = "agent  AGENT"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, content, name="t"):
    content = json.dumps(content) if isinstance(content, dict) else content
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def spans(*, session="s-1"):
    """Return the spans of one trace as OpenTelemetry's SDK has them: children first, as they end."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("agent")
    with tracer.start_as_current_span("agent", attributes={"gen_ai.operation.name": "invoke_agent"}) as agent:
        agent.set_attribute("session.id", session)
        with tracer.start_as_current_span("search") as search:
            search.set_attribute("hits", [1, 2])
            search.set_attribute("gen_ai.operation.name", "execute_tool")
            search.set_attribute("gen_ai.tool.call.arguments", '{"q": "why"}')
            search.record_exception(TimeoutError("too late"))
        with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "text_completion"}) as chat:
            chat.set_attribute("gen_ai.usage.input_tokens", 7)
            chat.set_attribute("gen_ai.usage.output_tokens", 4)
    return exporter.get_finished_spans()


def shown(trace):
    agent, search, chat = trace.spans
    return (
        [(span.path, span.type, span.status) for span in trace.spans],
        (search.inputs, search.attributes["hits"], search.error.type, search.error.message),
        (trace.session_id, trace.status, trace.token_usage),
        trace.id,
        agent.start_ns < search.start_ns < chat.start_ns,
    )


def expected(sent):
    usage = {"input_tokens": 7, "output_tokens": 4, "total_tokens": 11}
    return (
        [("agent", "AGENT", "UNSET"), ("agent > search", "TOOL", "UNSET"), ("agent > chat", "LLM", "UNSET")],
        ({"q": "why"}, [1, 2], "TimeoutError", "too late"),
        ("s-1", "OK", usage),
        f"tr-{sent[0].context.trace_id:032x}",
        True,
    )


FORMS = {
    "protobuf": lambda message: message.SerializeToString(),
    "JSON": as_json,
    "JSON over several lines": lambda message: json.dumps(as_json(message), indent=1),
    "JSON by the names of protobuf": lambda message: MessageToDict(message, preserving_proto_field_name=True),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_request_of_otlp_is_read_as_mlflow_reads_it(form, folder):
    sent = spans()

    (trace,) = read_traces(write(folder, FORMS[form](traces_data(sent))))

    assert shown(trace) == expected(sent)
    assert trace.problems == ()


def test_the_spans_of_a_trace_may_stand_in_several_lines_and_in_several_files(folder):
    sent, other = spans(), spans()
    lines = [json.dumps(as_json(traces_data([each]))) for each in (other[0], sent[0], other[1])]
    files = [write(folder, "\n".join(lines), "a"), write(folder, as_json(traces_data([sent[1], other[2]])), "b"),
             write(folder, traces_data([sent[2], sent[1]]).SerializeToString(), "c")]  # fmt: skip

    found = list(stored_traces(files))

    assert [(shown(each.trace), each.where) for each in found] == [
        (expected(other), "a, line 1"),
        (expected(sent), "a, line 2"),
    ]


def test_a_file_without_a_span_is_told_of(folder):
    sent = spans()
    files = [write(folder, as_json(traces_data(sent)), "a"), write(folder, {"resourceSpans": []}, "b")]
    missed = []

    assert len(list(stored_traces(files, miss=missed.append))) == 1
    assert missed == ["b"]


def test_the_archive_of_mlflow_keeps_the_id_of_its_trace(folder):
    archival = pytest.importorskip("mlflow.tracing.otel.otel_archival", reason="MLflow archives traces since 3.13")
    with capture_traces() as traces, mlflow.start_span("agent", span_type="AGENT") as span:
        span.set_inputs({"q": 1})
        with mlflow.start_span("chat", span_type="LLM") as chat:
            chat.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})
    captured = traces.one()

    archived = [mlflow.entities.Span.from_dict(each.to_dict()) for each in captured.raw.data.spans]

    (trace,) = read_traces(write(folder, archival.spans_to_traces_data_pb(archived), "traces.pb"))

    assert trace == captured.to_pattern()
    assert (trace.id, trace.request, trace.token_usage) == (captured.id, {"q": 1}, captured.token_usage)


@pytest.mark.parametrize("lost", ["dropped_attributes_count", "dropped_events_count", "event"])
@pytest.mark.parametrize("form", ["protobuf", "JSON"])
def test_what_an_exporter_dropped_makes_a_trace_not_whole(lost, form, folder):
    message = traces_data(spans())
    search = message.resource_spans[0].scope_spans[0].spans[0]
    if lost == "event":
        search.events[0].dropped_attributes_count = 2
    else:
        setattr(search, lost, 2)

    (trace,) = read_traces(write(folder, FORMS[form](message)))

    said = "dropped: span agent > search lost 2 of its attributes and events before they were sent"
    assert trace.table.missing() == said


def test_a_trace_whose_root_is_elsewhere_is_in_progress(folder):
    (trace,) = read_traces(write(folder, as_json(traces_data(spans()[:1]))))

    assert (trace.status, trace.problems[0].partition(":")[0]) == ("IN_PROGRESS", "orphan")


def test_protobuf_that_is_cut_off_or_something_else(folder):
    data = traces_data(spans()).SerializeToString()
    noise = random.Random(5)
    broken = [
        b"\x08\x01\x10\x02",
        data[:-1],
        data[: len(data) // 2],
        b"\x00" * 50,
        noise.randbytes(4000),
        b"\n" + noise.randbytes(99),
    ]

    for content in broken:
        with pytest.raises(ValueError, match=r"\At: (binary, and neither Parquet nor Arrow; no OTLP|compressed)"):
            read_traces(write(folder, content))


def test_no_cut_of_a_message_gives_other_spans(folder):
    data = traces_data(spans()).SerializeToString()

    for end in range(2, len(data)):
        with pytest.raises(ValueError, match=r"\At(:|, line 2: no UTF-8)"):
            read_traces(write(folder, data[:end]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"traceId": ""}, "not a span of OTLP: 'search' has no ids of 16 and 8 bytes"),
        ({"spanId": "abcd"}, "not a span of OTLP: 'search' has no ids of 16 and 8 bytes"),
        ({"parentSpanId": "00"}, "not a span of OTLP: 'search' has no ids of 16 and 8 bytes"),
        (
            {"traceId": base64.b64encode(b"x" * 24).decode()},
            "not a span of OTLP: 'search' has no ids of 16 and 8 bytes",
        ),
        ({"status": {"code": 5}}, "not a span of OTLP: 'search' has the status 5, which is none"),
        ({"startTimeUnixNano": "soon"}, "no OTLP of spans: Failed to parse"),
        ({"attributes": 5}, "no OTLP of spans: Failed to parse"),
    ],
)
def test_json_of_otlp_that_is_broken(change, says, folder):
    said = as_json(traces_data(spans()))
    said["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= change

    with pytest.raises(ValueError, match=exactly(f"t, line 1: {says}").removesuffix(r"\Z")):
        read_traces(write(folder, said))


def test_attributes_that_mlflow_does_not_stand(folder, monkeypatch):
    def translate(span):
        return span.to_dict()["attributes"]["nothing"]

    monkeypatch.setattr("pytest_mlflow_traces.otlp.translate_span_when_storing", translate)

    says = "t, line 1: MLflow cannot translate the attributes of span 'search': KeyError: 'nothing'"
    with pytest.raises(ValueError, match=exactly(says)):
        read_traces(write(folder, as_json(traces_data(spans()))))


@pytest.mark.parametrize("said", [{"resourceSpans": 5}, {"resourceSpans": [5]}, {"resourceSpans": {"scopeSpans": 1}}])
def test_json_that_is_no_otlp(said, folder):
    with pytest.raises(ValueError, match=r"\At, line 1: no OTLP of spans: "):
        read_traces(write(folder, said))


def test_the_logs_of_otlp_are_no_spans(folder):
    from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

    logs = LogsData()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=5, severity_text="INFO")

    with pytest.raises(ValueError, match=r"\At: binary, .* not a span of OTLP: '' has no ids of 16 and 8 bytes\Z"):
        read_traces(write(folder, logs.SerializeToString()))


@pytest.mark.parametrize("size", [9, 10, 13, 32, 91, 123])
def test_a_message_whose_length_looks_like_text(size, folder):
    """The first two bytes are a line's end and a length: `{` is 123."""
    message = TracesData()
    search = message.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\x01" * 16, span_id=b"\x01" * 8)
    search.name = "s" * max(size - message.resource_spans[0].ByteSize() - 2, 0)
    length = message.resource_spans[0].ByteSize()
    if length > size:
        message.resource_spans.insert(0, type(message.resource_spans[0])(schema_url="u" * (size - 2)))
        length = message.resource_spans[0].ByteSize()

    (trace,) = read_traces(write(folder, message.SerializeToString()))

    assert (length, len(trace.spans)) == (size, 1)


def test_an_empty_message_has_no_traces(folder):
    assert read_traces(write(folder, TracesData().SerializeToString())) == []


_USAGE = {"input_tokens": 7, "output_tokens": 4, "total_tokens": 11}
# what a span may have of MLflow's names and of others', and the values of each
_ATTRIBUTES = {
    "mlflow.spanType": ["LLM", "UNKNOWN"],
    "mlflow.spanInputs": [{"model": "gpt-4o-mini", "messages": []}, {"q": "why"}, "why"],
    "mlflow.spanOutputs": [{"model": "gpt-4o"}, "because"],
    "mlflow.chat.tokenUsage": [_USAGE, {"input_tokens": "many"}, None],
    "mlflow.llm.model": ["gpt-4o-mini", "nobody-knows-it"],
    "mlflow.llm.cost": [{"input_cost": 1.0, "output_cost": 2.0, "total_cost": 3.0}, None],
    "gen_ai.usage.input_tokens": [5],
    "gen_ai.request.model": ["gpt-4o"],
    "openinference.span.kind": ["TOOL"],
}
_TOLD = {"mlflow.trace.tokenUsage": json.dumps(_USAGE), "mlflow.trace.cost": "{}"}


def test_what_storing_does_not_change_is_not_translated_and_the_sums_are_the_same():
    """The spans that are left out are those that MLflow's translation leaves as they are, in what we read of them."""
    draw = random.Random(1)
    left_out = 0
    for _ in range(100):
        trace = {"info": {"trace_metadata": _some(draw, {key: [value] for key, value in _TOLD.items()})}, "data": {}}
        trace["data"]["spans"] = [_drawn_span(draw, number) for number in range(3)]
        every = [otlp._translated(span) for span in trace["data"]["spans"]]

        stored = otlp.as_stored(trace)

        left_out += sum(map(operator.is_, stored["data"]["spans"], trace["data"]["spans"]))
        assert [_read(span) for span in stored["data"]["spans"]] == [_read(span) for span in every]
        sums = otlp.sums([otlp.JsonSpan(span) for span in every])
        assert stored["info"]["trace_metadata"] == sums | trace["info"]["trace_metadata"]
    assert 50 < left_out < 250


def _some(draw, pools):
    chances = {name: 0.6 if name.startswith("mlflow.") else 0.15 for name in pools}
    return {name: draw.choice(pool) for name, pool in pools.items() if draw.random() < chances[name]}


def _drawn_span(draw, number):
    attributes = {name: json.dumps(value) for name, value in _some(draw, _ATTRIBUTES).items()}
    ids = {"trace_id": "AQ==", "span_id": f"{number}", "parent_span_id": "0" if number else None}
    times = {"start_time_unix_nano": 1, "end_time_unix_nano": 2, "status": {"code": "STATUS_CODE_OK"}}
    return {"name": "chat", "events": [], "attributes": attributes, **ids, **times}


def _read(span):
    read = otlp.JsonSpan(span)
    usage, cost = (read.get_attribute(name) for name in ("mlflow.chat.tokenUsage", "mlflow.llm.cost"))
    return read.span_type, read.inputs, read.outputs, usage, cost
