"""Programs whose result must be the same in a capture as in production, where a SQLite database stands for it.

`python -m tests.capture.scenarios DIRECTORY` runs all of them there and prints their results as JSON; tests run each
in a capture.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import AssessmentSource, SpanEvent

from tests.capture.random_searches import random_searches
from tests.capture.searching_scenarios import data_frame, deletion, limits, orders, raised_by, searches

if TYPE_CHECKING:
    from collections.abc import Callable


def read_back() -> Any:
    """The whole of a trace, as `get_trace` gives it."""
    with mlflow.start_span("agent", span_type="AGENT") as root:
        root.set_inputs({"question": "why?"})
        root.set_attribute("dotted.key", [1, None, {"x": 0.5}])
        root.add_event(SpanEvent("note", 1_700_000_000_000_000_000, {"key": "value"}))
        with contextlib.suppress(ZeroDivisionError), mlflow.start_span("tool", span_type="TOOL"):
            _ = 1 / 0
        mlflow.update_current_trace(
            tags={"team": "a"}, client_request_id="c", request_preview="asked", response_preview="answered"
        )
        root.set_outputs("because")
    trace = mlflow.get_trace(root.trace_id)
    return {
        "info": {
            "state": str(trace.info.state),
            "previews": [trace.info.request_preview, trace.info.response_preview],
            "client_request_id": trace.info.client_request_id,
            "tags": {key: value for key, value in trace.info.tags.items() if key != "mlflow.artifactLocation"},
            "experiment": trace.info.experiment_id,
        },
        "spans": [
            {
                "name": span.name,
                "type": span.span_type,
                "status": str(span.status.status_code),
                "inputs": span.inputs,
                "outputs": span.outputs,
                "attributes": {key: value for key, value in span.attributes.items() if key != "mlflow.traceRequestId"},
                "events": [event.name for event in span.events],
            }
            for span in trace.data.spans
        ],
    }


def trace_tags() -> Any:
    """Tags that are set and deleted after the end, and what is not a legal tag."""
    with mlflow.start_span("answer") as span:
        mlflow.update_current_trace(tags={"before": "1"})
    results: dict[str, Any] = {}
    mlflow.set_trace_tag(span.trace_id, "after", "2")
    mlflow.set_trace_tag(span.trace_id, "number", 3)  # type: ignore[arg-type]
    mlflow.delete_trace_tag(span.trace_id, "before")
    for name, call in {
        "no such tag": lambda: mlflow.delete_trace_tag(span.trace_id, "never"),
        "name with a semicolon": lambda: mlflow.set_trace_tag(span.trace_id, "a;b", "x"),
        "name of 251": lambda: mlflow.set_trace_tag(span.trace_id, "k" * 251, "x"),
        "no such trace": lambda: mlflow.set_trace_tag("tr-none", "key", "x"),
        "system tag": lambda: mlflow.set_trace_tag(span.trace_id, "mlflow.user", "x"),
    }.items():
        results[name] = raised_by(call)
    tags = mlflow.get_trace(span.trace_id).info.tags
    return results, {key: value for key, value in tags.items() if not key.startswith("mlflow.")}


def assessments() -> Any:
    """The life of feedback and expectations."""
    with mlflow.start_span("answer") as span:
        pass
    source = AssessmentSource(source_type="HUMAN", source_id="me")
    good = mlflow.log_feedback(trace_id=span.trace_id, name="good", value=True, rationale="nice", source=source)
    facts = mlflow.log_expectation(trace_id=span.trace_id, name="facts", value=["a"], source=source)
    gone = mlflow.log_feedback(trace_id=span.trace_id, name="gone", value=1)
    better = mlflow.override_feedback(trace_id=span.trace_id, assessment_id=good.assessment_id, value=False)
    mlflow.update_assessment(
        span.trace_id, facts.assessment_id, mlflow.entities.Expectation(name="facts", value=["a", "b"])
    )
    mlflow.delete_assessment(trace_id=span.trace_id, assessment_id=gone.assessment_id)
    mlflow.delete_assessment(trace_id=span.trace_id, assessment_id=gone.assessment_id)
    results: dict[str, Any] = {"overridden": _assessed(span.trace_id)}
    for name, call in {
        "get unknown": lambda: mlflow.get_assessment(span.trace_id, "a-none"),
        "of no trace": lambda: mlflow.log_feedback(trace_id="tr-none", name="x", value=1),
        "feedback for expectation": lambda: mlflow.update_assessment(
            span.trace_id, facts.assessment_id, mlflow.entities.Feedback(name="facts", value=1)
        ),
    }.items():
        results[name] = raised_by(call)
    mlflow.delete_assessment(trace_id=span.trace_id, assessment_id=better.assessment_id)
    results["restored"] = _assessed(span.trace_id)
    return results


def _assessed(trace_id: str) -> list[Any]:
    found = mlflow.get_trace(trace_id).info.assessments
    return sorted(
        [each.name, repr(each.value), each.rationale, each.valid, each.source.source_type, each.overrides is not None]
        for each in found
    )


def filters_kept() -> Any:
    """What `mlflow.tracing.configure` sets survives: the same URI again, an experiment, a destination."""

    def redact(span: Any) -> None:
        span.set_outputs("[redacted]")

    mlflow.set_tracking_uri(os.environ["SCENARIO_URI"])
    kept = {}
    mlflow.tracing.configure(span_processors=[redact])
    kept["at once"] = _output()
    mlflow.set_tracking_uri(os.environ["SCENARIO_URI"])
    kept["same uri"] = _output()
    mlflow.set_experiment("/Shared/filters")
    kept["experiment"] = _output()
    mlflow.tracing.set_destination(mlflow.entities.trace_location.MlflowExperimentLocation("0"))
    kept["destination"] = _output()
    with mlflow.tracing.configure(span_processors=[]):
        kept["within a block"] = _output()
    kept["after the block"] = _output()
    mlflow.tracing.disable()
    mlflow.tracing.enable()
    kept["enabled again"] = _output()
    mlflow.tracing.reset()
    kept["reset"] = _output()
    return kept


def filters_dropped() -> Any:
    """Another URI drops filters, and so does setting the first one again."""

    def redact(span: Any) -> None:
        span.set_outputs("[redacted]")

    first = os.environ["SCENARIO_URI"]
    mlflow.set_tracking_uri(first)
    kept = {}
    mlflow.tracing.configure(span_processors=[redact])
    kept["at once"] = _output()
    mlflow.set_tracking_uri(os.environ["SCENARIO_OTHER_URI"])
    kept["other uri"] = _output()
    mlflow.tracing.configure(span_processors=[redact])
    mlflow.set_tracking_uri(first)
    kept["first uri again"] = _output()
    return kept


def _output() -> Any:
    with mlflow.start_span("answer") as span:
        span.set_outputs("secret")
    return mlflow.get_trace(span.trace_id).data.spans[0].outputs


def usage_and_cost() -> Any:
    """Token usage and cost, of MLflow's own attributes and of OpenTelemetry's, as the store sums and prices them."""
    results = {}
    for name, attributes in {
        "mlflow": {
            "mlflow.chat.tokenUsage": {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500},
            "mlflow.llm.model": "gpt-4o-mini",
            "mlflow.llm.provider": "openai",
        },
        "gen_ai": {
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 500,
        },
        "openinference": {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-4o-mini",
            "llm.token_count.prompt": 7,
            "llm.token_count.completion": 3,
            "llm.token_count.total": 10,
        },
        "own cost": {
            "mlflow.chat.tokenUsage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
            "mlflow.llm.cost": {"input_cost": 1.0, "output_cost": 2.0, "total_cost": 3.0},
        },
        "unknown model": {
            "mlflow.chat.tokenUsage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
            "mlflow.llm.model": "nobodys-model",
        },
        "dotted attributes only": {"my.own.key": "value"},
    }.items():
        with mlflow.start_span("agent") as root:
            for _ in range(2):
                with mlflow.start_span("llm", span_type="CHAT_MODEL") as span:
                    span.set_attributes(attributes)
        trace = mlflow.get_trace(root.trace_id)
        results[name] = {
            "usage": trace.info.token_usage,
            "metadata": {key: json.loads(value) for key, value in trace.info.trace_metadata.items() if key in _COUNTED},
            "spans": [
                {key: value for key, value in each.attributes.items() if key != "mlflow.traceRequestId"}
                for each in trace.data.spans
                if each.name == "llm"
            ],
            "types": [each.span_type for each in trace.data.spans],
        }
    return results


_COUNTED = ("mlflow.trace.tokenUsage", "mlflow.trace.cost")

SCENARIOS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        random_searches,  # first: it looks everywhere
        searches, orders, limits, data_frame, read_back, trace_tags, assessments, deletion, filters_kept,
        filters_dropped, usage_and_cost,
    )
}  # fmt: skip


def in_production(directory: str) -> dict[str, Any]:
    """Run all on one database, since a fresh one takes MLflow seconds; only the filters need another."""
    uri, other = f"sqlite:///{directory}/traces.db", f"sqlite:///{directory}/other.db"
    os.environ.update(SCENARIO_URI=uri, SCENARIO_OTHER_URI=other)
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    client.get_experiment("0")
    shutil.copy(f"{directory}/traces.db", f"{directory}/other.db")
    results = {}
    for name, scenario in SCENARIOS.items():
        results[name] = scenario()
        mlflow.set_tracking_uri(uri)
        mlflow.tracing.reset()
        mlflow.tracking.fluent._active_experiment_id = None
        os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
        client.delete_traces("0", max_timestamp_millis=int(time.time() * 1000) + 1)
    return results


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    os.environ["MLFLOW_MODEL_CATALOG_URI"] = ""  # no price list from the network here either
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    json.dump(in_production(sys.argv[1]), sys.stdout)
