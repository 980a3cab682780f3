"""Filters that were set before a capture hold inside it, and those set inside are gone afterwards.

That they are kept and dropped as in production is compared with SQLite in test_as_in_production.py.
"""

from __future__ import annotations

import mlflow
import pytest
from mlflow.tracing.config import get_config

from pytest_mlflow_traces import capture_traces
from tests.capture.programs import MLFLOW, needs_full_mlflow


def redact(span):
    span.set_outputs("[redacted]")


def answer():
    with mlflow.start_span("answer") as span:
        span.set_outputs("secret")
        with mlflow.start_span("child") as child:
            child.set_outputs("secret")


@pytest.fixture
def set_before():
    mlflow.tracing.configure(span_processors=[redact])
    yield
    mlflow.tracing.configure(span_processors=[])


def test_a_filter_set_inside_changes_what_is_captured(traces):
    mlflow.tracing.configure(span_processors=[redact])
    answer()

    assert [span.outputs for span in traces.one().spans] == ["[redacted]", "[redacted]"]


def test_a_filter_set_before_holds_inside(set_before):
    with capture_traces() as traces:
        answer()

    assert [span.outputs for span in traces.one().spans] == ["[redacted]", "[redacted]"]
    assert get_config().span_processors == [redact]


def test_a_filter_set_before_is_dropped_by_another_uri_and_is_back_afterwards(set_before):
    """A test must see that it is dropped: in production, nothing would be redacted."""
    with capture_traces() as traces:
        mlflow.set_tracking_uri("databricks")
        answer()

    assert traces.one().response == "secret"
    assert get_config().span_processors == [redact]


def test_a_filter_set_before_survives_the_uri_that_is_already_set(set_before, monkeypatch):
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", "databricks")
    with capture_traces() as traces:
        mlflow.set_tracking_uri("databricks")
        answer()

    assert traces.one().response == "[redacted]"


def test_a_filter_set_inside_is_gone_in_the_next_capture():
    with capture_traces():
        mlflow.tracing.configure(span_processors=[redact])
    with capture_traces() as traces:
        answer()

    assert traces.one().response == "secret"


def test_a_filter_added_in_place_is_gone_afterwards():
    with capture_traces():
        get_config().span_processors.append(redact)
    with capture_traces() as traces:
        answer()

    assert traces.one().response == "secret"


def test_a_filter_for_a_block_holds_there_only(traces):
    with mlflow.tracing.configure(span_processors=[redact]):
        answer()
    answer()

    assert [trace.response for trace in traces] == ["[redacted]", "secret"]


def test_a_filter_that_raises_loses_no_trace(traces):
    def broken(span):
        raise ValueError("no")

    mlflow.tracing.configure(span_processors=[broken, redact])
    answer()

    assert traces.one().response == "[redacted]"


@needs_full_mlflow
@pytest.mark.skipif(MLFLOW.release >= (4,), reason="file stores may be gone")
def test_a_filter_set_before_survives_runs_and_experiments(set_before):
    with capture_traces() as traces:
        mlflow.set_experiment("/Shared/agents")
        with mlflow.start_run():
            answer()

    assert traces.one().response == "[redacted]"
