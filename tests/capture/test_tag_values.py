"""A captured trace has its tags as the code set them, so that a test can object; MLflow's reads have them as text."""

from __future__ import annotations

import json

import mlflow
import pytest

from tests.capture.programs import IS_FULL, traced

VALUES = {
    "text": "a",
    "empty": "",
    "long": "x" * 5000,
    "flag": True,
    "nothing": None,
    "number": 3,
    "fraction": 0.5,
    "list": ["a", 1],
    "mapping": {"a": {"b": None}},
    "unicode": "é\n`;\x00",
    "k" * 300: "long name",
    "": "empty name",
    5: "a number for a name",
    ("a", 1): "a tuple for a name",
}


@pytest.mark.filterwarnings("ignore")
def test_tags_are_kept_as_they_were_set(traces):
    traced("answer", tags=VALUES)

    assert dict(traces.one().tags) == VALUES
    assert traces.one().tags["flag"] is True


def test_metadata_is_kept_as_it_was_set(traces):
    traced("answer", metadata={"long": "x" * 5000, "flag": True})

    assert traces.one().metadata["long"] == "x" * 5000
    assert traces.one().metadata["flag"] is True


def test_reads_of_mlflow_have_them_as_text(traces):
    trace_id = traced("answer", tags=VALUES)

    served = mlflow.get_trace(trace_id).info.tags
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in served.items())
    assert (served["flag"], served["nothing"], served["list"], served["5"]) == (
        "True", "None", "['a', 1]", "a number for a name",
    )  # fmt: skip


def test_a_search_over_tags_that_are_no_text_raises_nothing(traces):
    traced("answer", tags=VALUES)

    for query in ("tags.flag = 'True'", "tags.number != '4'", *(["tags.list LIKE '%a%'"] if IS_FULL else [])):
        assert len(mlflow.search_traces(filter_string=query, return_type="list")) == 1


def test_mlflow_s_own_tags_are_apart(traces):
    traced("answer", tags={"team": "a", "mlflow.custom": "b"})

    assert dict(traces.one().tags) == {"team": "a"}
    assert dict(traces.one().system_tags) == {"mlflow.traceName": "answer", "mlflow.custom": "b"}


def test_session_and_user_come_from_metadata(traces):
    traced("answer", metadata={"mlflow.trace.session": "s1", "mlflow.trace.user": "u1"})

    assert (traces.one().session_id, traces.one().user_id) == ("s1", "u1")


def test_inputs_and_outputs_come_back_as_json_has_them(traces):
    with mlflow.start_span("answer") as span:
        span.set_inputs({"text": "é", "tuple": (1, 2), "object": object, "nested": {"a": [None, True]}})
        span.set_outputs("a" * 100_000)

    trace = traces.one()
    assert trace.request["tuple"] == [1, 2]
    assert trace.request["nested"] == {"a": [None, True]}
    assert isinstance(trace.request["object"], str)
    assert trace.response == "a" * 100_000


def test_a_captured_trace_goes_through_mlflow_s_json(traces):
    from pytest_mlflow_traces import Trace

    traced("answer", tags={"team": "a"})
    again = Trace.from_json(traces.one().raw.to_json())

    assert (again.id, again.name, dict(again.tags)) == (traces.one().id, "answer", {"team": "a"})
    assert json.loads(traces.one().raw.to_json())["info"]["state"] == "OK"
