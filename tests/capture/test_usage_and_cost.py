"""Token usage and cost are what MLflow's own store computes, without a price list from the network.

The figures are compared with SQLite in test_as_in_production.py; here they are read through `Trace`.
"""

from __future__ import annotations

import os

import mlflow
import pytest

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.capture import mlflow_internals
from tests.capture.programs import MLFLOW, needs_full_mlflow, since, traced

USAGE = {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500}


def model(**attributes):
    with mlflow.start_span("llm", span_type="CHAT_MODEL") as span:
        span.set_attributes({"mlflow.chat.tokenUsage": USAGE, **attributes})


def test_the_usage_of_a_trace_is_the_sum_of_its_spans(traces):
    with mlflow.start_span("agent"):
        model()
        model()

    assert traces.one().token_usage == {"input_tokens": 2000, "output_tokens": 1000, "total_tokens": 3000}


def test_a_trace_without_usage_has_none(traces):
    traced("answer")

    assert (traces.one().token_usage, traces.one().cost) == (None, None)


@needs_full_mlflow  # the price list comes with it
@since("3.11", "cost by a price list that MLflow brings along")
def test_the_cost_of_a_known_model_is_computed(traces):
    with mlflow.start_span("agent"):
        model(**{"mlflow.llm.model": "gpt-4o-mini", "mlflow.llm.provider": "openai"})

    cost = traces.one().cost
    assert cost["input_cost"] == pytest.approx(1000 * 0.15e-6)
    assert cost["output_cost"] == pytest.approx(500 * 0.6e-6)
    assert cost["total_cost"] == pytest.approx(cost["input_cost"] + cost["output_cost"])


def test_the_cost_that_a_span_states_is_kept(traces):
    with mlflow.start_span("agent"):
        model(**{"mlflow.llm.cost": {"input_cost": 1.0, "output_cost": 2.0, "total_cost": 3.0}})

    assert traces.one().cost == {"input_cost": 1.0, "output_cost": 2.0, "total_cost": 3.0}


def test_the_price_of_a_model_that_nobody_knows_is_not_fetched(traces, connections):
    with mlflow.start_span("agent"):
        model(**{"mlflow.llm.model": "nobodys-model", "mlflow.llm.provider": "nobody"})

    assert traces.one().cost is None
    assert connections == []


def test_a_price_list_in_the_environment_is_not_fetched_and_is_named_again_afterwards(monkeypatch, connections):
    monkeypatch.setenv("MLFLOW_MODEL_CATALOG_URI", "https://catalog.invalid")
    with capture_traces() as traces:
        model(**{"mlflow.llm.model": "nobodys-model", "mlflow.llm.provider": "nobody"})
        assert traces.one().cost is None
        assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"

    assert os.environ["MLFLOW_MODEL_CATALOG_URI"] == "https://catalog.invalid"
    assert "LITELLM_LOCAL_MODEL_COST_MAP" not in os.environ
    assert connections == []


def test_with_databricks_the_cost_is_computed_by_the_client_without_the_network(traces, connections):
    mlflow.set_tracking_uri("databricks")
    model(**{"mlflow.llm.model": "databricks-claude-sonnet-4", "mlflow.llm.provider": "databricks"})

    assert traces.one().token_usage == USAGE
    assert connections == []


def test_spans_in_the_words_of_opentelemetry_are_read_like_mlflow_s_own(traces):
    with mlflow.start_span("llm") as span:
        span.set_attributes({
            "gen_ai.usage.input_tokens": 7,
            "gen_ai.usage.output_tokens": 3,
        })  # fmt: skip

    trace = traces.one()
    assert (trace.token_usage["input_tokens"], trace.token_usage["output_tokens"]) == (7, 3)


def test_translation_keeps_all_else_of_a_span(traces):
    try:
        with mlflow.start_span("llm", span_type="TOOL") as span:
            span.set_inputs({"q": [1, None]})
            span.set_attribute("gen_ai.usage.input_tokens", 7)
            span.add_event(mlflow.entities.SpanEvent("note", 5, {"key": "value"}))
            _ = 1 / 0
    except ZeroDivisionError:
        pass

    root = traces.one().root
    assert (root.name, root.status, root.inputs) == ("llm", "ERROR", {"q": [1, None]})
    assert [event.name for event in root.events] == ["note", "exception"]
    assert (root.error.type, root.error.message) == ("ZeroDivisionError", "division by zero")
    assert root.duration_ms > 0


@pytest.mark.parametrize(
    ("attribute", "record"),
    [
        ("mlflow.chat.tokenUsage", {**USAGE, "total_tokens": None}),
        ("mlflow.chat.tokenUsage", {"total_tokens": "1500"}),
        ("mlflow.chat.tokenUsage", "1500"),
        ("mlflow.chat.tokenUsage", [1500]),
        ("mlflow.llm.cost", {"total_cost": "free"}),
    ],
)
def test_a_record_that_mlflow_cannot_add_loses_no_trace(mode, attribute, record):
    with capture_traces() as traces:
        with mlflow.start_span("agent"):
            model(**{attribute: record})
            model()
        traced("other")

    agent, _ = traces
    name = "cost" if attribute.endswith("cost") else "token usage"
    assert [span.path for span in agent.spans] == ["agent", "agent > llm", "agent > llm[2]"]
    assert traces.lost == ()
    assert agent.problems == (f"{name}: span agent > llm recorded {record!r}, which MLflow cannot add",)


def test_an_empty_record_is_no_problem(traces):
    model(**{"mlflow.chat.tokenUsage": {}, "mlflow.llm.cost": {}})

    assert traces.one().problems == ()


def test_a_trace_that_mlflow_cannot_hand_over_is_lost(traces, monkeypatch):
    def refuse(span):
        raise KeyError("model")

    monkeypatch.setattr(mlflow_internals, "translate_span_when_storing", refuse)
    model()

    (lost,) = traces.lost
    assert str(lost) == (
        "capture.dropped at this capture: expected all that was traced, got 1 less (MLflow could not read the trace of"
        " 'llm': KeyError: 'model')"
    )


@pytest.mark.skipif(MLFLOW.release >= (4,), reason="the constant may be gone")
def test_the_usage_of_an_unfinished_trace_is_not_summed_twice(traces):
    with mlflow.start_span("agent"):
        model()
        assert [span.name for span in traces.unfinished] == ["agent"]
        assert len(traces.unfinished) == 1

    assert traces.one().token_usage == USAGE
