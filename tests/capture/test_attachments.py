"""What MLflow moves out of a span into an attachment is there as the code gave it, and equal where its content is."""

from __future__ import annotations

import base64

import mlflow
import pytest

from pytest_mlflow_traces import capture_traces, span

attachments = pytest.importorskip("mlflow.tracing.attachments")

PNG = "data:image/png;base64," + base64.b64encode(b"a picture").decode()


def shown(**inputs):
    with mlflow.start_span("see", span_type="TOOL") as tool:
        tool.set_inputs(inputs)
        tool.set_outputs({"like": [inputs.get("image")]})


def test_a_data_uri_is_what_it_was(mode):
    found = []
    for _ in range(2):
        with capture_traces() as traces:
            shown(image=PNG, messages=[{"image_url": {"url": PNG}}])
        found.append(traces.one())

    first, second = found
    assert first.root.inputs == second.root.inputs == {"image": PNG, "messages": [{"image_url": {"url": PNG}}]}
    assert first == span("see", outputs={"like": [PNG]})
    assert first != span("see", outputs={"like": [PNG + "="]})
    assert first.root.attributes["mlflow.spanInputs"] == first.root.inputs


def test_an_attachment_is_its_content(traces):
    shown(image=attachments.Attachment(content_type="image/png", content_bytes=b"a picture"))

    assert traces.one().root.inputs == {"image": PNG}


def test_a_span_that_storing_translates_keeps_them(traces):
    with mlflow.start_span("see") as tool:
        tool.set_inputs({"image": PNG})
        tool.set_attribute("gen_ai.usage.input_tokens", 7)

    assert traces.one().root.inputs == {"image": PNG}


def test_in_a_file_it_is_a_reference(traces):
    """The content is not in MLflow's JSON."""
    from pytest_mlflow_traces import Trace

    shown(image=PNG)

    assert Trace.from_json(traces.one().raw.to_json()).root.inputs["image"].startswith("mlflow-attachment://")
