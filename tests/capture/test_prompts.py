"""Prompts are registered and loaded in the capture, and traces are linked to those they loaded."""

from __future__ import annotations

import json
import threading

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from pytest_mlflow_traces import capture_traces
from tests.capture.programs import needs_full_mlflow, traced

pytestmark = needs_full_mlflow


def test_a_prompt_is_registered_loaded_and_formatted(traces):
    mlflow.genai.register_prompt("synthesis", "Answer {{question}}.", commit_message="first")
    mlflow.genai.register_prompt("synthesis", "Answer {{question}} shortly.")

    assert mlflow.genai.load_prompt("synthesis", version=1).format(question="why?") == "Answer why?."
    assert mlflow.genai.load_prompt("prompts:/synthesis/2").template == "Answer {{question}} shortly."
    assert [prompt.name for prompt in mlflow.genai.search_prompts()] == ["synthesis"]


def test_a_prompt_is_loaded_by_its_alias(traces):
    mlflow.genai.register_prompt("synthesis", "Answer {{question}}.")
    mlflow.genai.set_prompt_alias("synthesis", "production", 1)

    assert mlflow.genai.load_prompt("prompts:/synthesis@production").version == 1


@pytest.mark.parametrize("uri", ["databricks", "http://tracking.invalid", "sqlite:///mlflow.db"])
def test_prompts_work_with_any_tracking_uri(traces, uri):
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("/Shared/agents")
    mlflow.genai.register_prompt("synthesis", "Answer {{question}}.")

    assert mlflow.genai.load_prompt("synthesis", version=1).template == "Answer {{question}}."


def test_a_prompt_that_does_not_exist_raises(traces):
    with pytest.raises(MlflowException):
        mlflow.genai.load_prompt("nothing", version=1)
    assert mlflow.genai.load_prompt("nothing", version=1, allow_missing=True) is None


def test_a_prompt_loaded_within_a_span_is_linked_to_its_trace(traces):
    mlflow.genai.register_prompt("synthesis", "Answer {{question}}.")
    with mlflow.start_span("answer") as span:
        mlflow.genai.load_prompt("synthesis", version=1)
    traced("other")

    linked = traces[0].system_tags["mlflow.linkedPrompts"]
    assert json.loads(linked) == [{"name": "synthesis", "version": "1"}]
    found = mlflow.search_traces(filter_string='prompt = "synthesis/1"', return_type="list")
    assert [trace.info.trace_id for trace in found] == [span.trace_id]
    assert mlflow.search_traces(filter_string='prompt = "synthesis/2"', return_type="list") == []


@pytest.mark.parametrize("query", ['prompt = "synthesis"', 'prompt LIKE "synthesis/%"'])
def test_a_search_for_prompts_that_production_refuses_is_refused(traces, query):
    traced("answer")

    with pytest.raises(MlflowException, match="prompts filter"):
        mlflow.search_traces(filter_string=query)


def test_a_prompt_linked_after_the_end_is_on_the_trace(traces):
    prompt = mlflow.genai.register_prompt("synthesis", "Answer {{question}}.")
    trace_id = traced("answer")
    store = mlflow.tracking._tracking_service.utils._get_store()
    store.link_prompts_to_trace(trace_id, [prompt])
    store.link_prompts_to_trace(trace_id, [prompt])

    assert json.loads(traces.one().system_tags["mlflow.linkedPrompts"]) == [{"name": "synthesis", "version": "1"}]


def test_prompts_of_one_capture_are_not_in_the_next():
    with capture_traces():
        mlflow.genai.register_prompt("synthesis", "Answer {{question}}.")
    with capture_traces():
        assert list(mlflow.genai.search_prompts()) == []


def test_a_thread_that_links_a_prompt_is_waited_for_when_the_capture_closes():
    """MLflow links prompts to runs and experiments fire and forget; later the thread would write mlflow.db."""
    seen = []
    with capture_traces():
        mlflow.set_experiment("/Shared/agents")
        mlflow.genai.register_prompt("synthesis", "Answer {{question}}.")
        with mlflow.start_run():
            mlflow.genai.load_prompt("synthesis", version=1)
        thread = threading.Thread(target=lambda: seen.append(True), name="link_prompt_thread-test")
        thread.start()

    assert seen == [True]
    assert [each for each in threading.enumerate() if each.name.startswith("link_prompt")] == []


def test_a_prompt_cached_by_an_earlier_capture_is_not_loaded_in_the_next():
    for template in ("first {{question}}", "second {{question}}"):
        with capture_traces():
            mlflow.genai.register_prompt("synthesis", template)
            mlflow.genai.set_prompt_alias("synthesis", "production", 1)

            assert mlflow.genai.load_prompt("synthesis", version=1).template == template
            assert mlflow.genai.load_prompt("prompts:/synthesis@production").template == template
