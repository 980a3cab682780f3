"""What MLflow itself makes and writes, read both ways: as an object and as JSON."""

from __future__ import annotations

from types import SimpleNamespace

import mlflow
import mlflow.entities
import pytest

from pytest_mlflow_traces import Trace, capture_traces
from pytest_mlflow_traces.core.spans.records import SpanError

FIELDS = ("name", "type", "status", "inputs", "outputs", "attributes", "events", "error", "start_ns", "end_ns", "path")
FACTS = ("id", "name", "status", "tags", "system_tags", "metadata", "session_id", "user_id", "request", "response",
         "start_ns", "duration_ms", "token_usage", "cost", "problems")  # fmt: skip


class OddError(Exception):
    pass


@pytest.fixture(scope="module")
def recorded() -> Trace:
    """A trace with something in every field."""
    with capture_traces() as traces:
        with mlflow.start_span("agent", span_type="AGENT") as agent:
            agent.set_inputs({"q": "why?\n\u2028", "n": [1, None, True, 2.5, float("inf")]})
            mlflow.update_current_trace(
                tags={"team": "red"}, metadata={"mlflow.trace.session": "s1", "mlflow.trace.user": "u1"}
            )
            with mlflow.start_span("plan", span_type="own type") as plan:
                plan.set_attributes(
                    {"text": "123", "number": 123, "object": {"a": [1]}, "mlflow.chat.tokenUsage": None}
                )
                plan.add_event(mlflow.entities.SpanEvent("note", attributes={"k": "v", "n": 1}))
            with mlflow.start_span(""):
                pass
            with pytest.raises(OddError), mlflow.start_span("search", span_type="TOOL"):
                raise OddError("no\nluck")
            with mlflow.start_span("quiet") as quiet:
                quiet.set_status("ERROR")
            agent.set_outputs(None)
    return traces.one()


def facts(trace: Trace) -> dict[str, object]:
    return {each: getattr(trace, each) for each in FACTS}


def spans(trace: Trace) -> list[dict[str, object]]:
    return [{each: getattr(span, each) for each in FIELDS} for span in trace.spans]


def test_the_json_says_what_the_object_says(recorded: Trace):
    again = Trace.from_json(recorded.raw.to_json())

    assert facts(again) == facts(recorded)
    assert spans(again) == spans(recorded)
    assert again.to_pattern() == recorded.to_pattern()


def test_what_mlflow_reads_back_is_the_same_trace(recorded: Trace):
    again = Trace.from_mlflow(mlflow.entities.Trace.from_json(recorded.raw.to_json()))

    assert facts(again) == facts(recorded)
    assert spans(again) == spans(recorded)


def test_the_fields_are_those_of_mlflow(recorded: Trace):
    agent, plan, _, search, quiet = recorded.spans

    assert (agent.type, plan.type, quiet.type) == ("AGENT", "own type", "UNKNOWN")
    assert agent.inputs == {"q": "why?\n\u2028", "n": [1, None, True, 2.5, float("inf")]}
    assert (plan.attributes["text"], plan.attributes["number"], plan.attributes["object"]) == ("123", 123, {"a": [1]})
    assert (plan.events[0].name, plan.events[0].attributes) == ("note", {"k": "v", "n": 1})
    assert (search.status, quiet.status, plan.status) == ("ERROR", "ERROR", "OK")
    assert search.error is not None
    assert (search.error.type or "").rpartition(".")[2] == "OddError"
    assert search.error.message == "no\nluck"
    assert quiet.error == SpanError(None, None)
    assert (recorded.tags, recorded.session_id, recorded.user_id) == ({"team": "red"}, "s1", "u1")


def test_ids_are_those_of_the_entity(recorded: Trace):
    again = Trace.from_json(recorded.raw.to_json())

    assert [record.span_id for record in again.table.records] == [record.span_id for record in recorded.table.records]


def test_a_trace_without_spans_keeps_its_own_times():
    info = mlflow.entities.TraceInfo(
        trace_id="tr-1",
        trace_location=mlflow.entities.TraceLocation.from_experiment_id("0"),
        request_time=1_769_854_830_123,
        state=mlflow.entities.TraceState.IN_PROGRESS,
        execution_duration=341,
    )
    source = mlflow.entities.Trace(info, mlflow.entities.TraceData([]))
    for trace in (Trace.from_mlflow(source), Trace.from_json(source.to_json())):
        assert (trace.start_ns, trace.duration_ms) == (1_769_854_830_123_000_000, 341)
        assert (trace.id, trace.status, trace.spans, trace.problems) == ("tr-1", "IN_PROGRESS", (), ())


def test_an_unfinished_span_is_read(recorded: Trace):
    said = recorded.raw.to_dict()
    said["data"]["spans"][0]["end_time_unix_nano"] = None
    read = mlflow.entities.Trace.from_dict(said)

    assert Trace.from_mlflow(read).problems == ("unfinished: span agent has no end time",)
    assert Trace.from_mlflow(SimpleNamespace(info=read.info, data=read.data)).spans[0].duration_ms is None
