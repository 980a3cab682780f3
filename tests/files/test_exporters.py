"""One small agent, whose spans four exporters send: a contract holds over each, and each bug is found through each."""

from __future__ import annotations

import json
from contextlib import contextmanager

import mlflow
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_mlflow_traces import Budget, Contract, capture_traces, each, read_traces, span
from tests.support.databricks import arrow_table, span_rows, unified_row
from tests.support.otlp import as_json, traces_data

QUESTION = {"order": 4711, "amount": 20}
CONTRACT = Contract(
    "refunds",
    span("agent", type="AGENT")[
        ...,
        span("check_policy", type="TOOL", inputs=QUESTION),
        span("refund", type="TOOL", inputs=QUESTION, outputs={"refunded": 20}),
        ...,
    ],
    each(span("refund")).after(span("check_policy")),
    Budget(tokens=100),
)
BUGS = {
    None: set(),
    "unchecked": {"shape.missing", "order.after"},
    "another order": {"shape.different"},
    "too many tokens": {"budget.tokens"},
}


def agent(tracing, bug):
    """Answer a request for a refund."""
    order = QUESTION | {"order": 4712} if bug == "another order" else QUESTION
    with tracing("agent", "AGENT"):
        with tracing("decide", "LLM", tokens=(900 if bug == "too many tokens" else 9, 5)):
            pass
        if bug != "unchecked":
            with tracing("check_policy", "TOOL", QUESTION, {"allowed": True}):
                pass
        with tracing("refund", "TOOL", order, {"refunded": 20}):
            pass


@contextmanager
def by_mlflow(name, kind, inputs=None, outputs=None, tokens=None):
    with mlflow.start_span(name, span_type=kind) as made:
        if inputs is not None:
            made.set_inputs(inputs)
            made.set_outputs(outputs)
        if tokens is not None:
            usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
            made.set_attribute("mlflow.chat.tokenUsage", usage)
        yield


def traced_by_mlflow(bug):
    with capture_traces() as traces:
        agent(by_mlflow, bug)
    return json.loads(traces.one().raw.to_json())


def sent(bug, attributes_of):
    """Return what OpenTelemetry's SDK exports, with attributes by the names of a convention."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def tracing(name, kind, inputs=None, outputs=None, tokens=None):
        said = attributes_of(kind, json.dumps(inputs), json.dumps(outputs), tokens)
        return provider.get_tracer("agent").start_as_current_span(
            name, attributes={key: value for key, value in said.items() if value not in (None, "null")}
        )

    agent(tracing, bug)
    return traces_data(exporter.get_finished_spans())


def gen_ai(kind, inputs, outputs, tokens):
    operations = {"AGENT": "invoke_agent", "TOOL": "execute_tool", "LLM": "chat"}
    return {
        "gen_ai.operation.name": operations[kind],
        "gen_ai.tool.call.arguments": inputs,
        "gen_ai.tool.call.result": outputs,
        "gen_ai.usage.input_tokens": tokens and tokens[0],
        "gen_ai.usage.output_tokens": tokens and tokens[1],
    }


def open_inference(kind, inputs, outputs, tokens):
    return {
        "openinference.span.kind": kind,
        "input.value": inputs,
        "output.value": outputs,
        "llm.token_count.prompt": tokens and tokens[0],
        "llm.token_count.completion": tokens and tokens[1],
    }


def parquet(rows):
    pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    from pyarrow import BufferOutputStream
    from pyarrow import parquet as file_format

    out = BufferOutputStream()
    file_format.write_table(arrow_table(rows), out)
    return out.getvalue().to_pybytes()


EXPORTERS = {
    "MLflow": lambda bug: json.dumps(traced_by_mlflow(bug)).encode(),
    "OTLP in protobuf, gen_ai": lambda bug: sent(bug, gen_ai).SerializeToString(),
    "OTLP in JSON, OpenInference": lambda bug: json.dumps(as_json(sent(bug, open_inference))).encode(),
    "OTLP in JSON, gen_ai": lambda bug: json.dumps(as_json(sent(bug, gen_ai))).encode(),
    "Databricks, a row a trace": lambda bug: parquet([unified_row(traced_by_mlflow(bug))]),
    "Databricks, a row a span": lambda bug: parquet(span_rows(traced_by_mlflow(bug))),
}


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_contract_holds_and_a_bug_is_found_whatever_exported_the_trace(exporter, bug, tmp_path):
    file = tmp_path / "exported"
    file.write_bytes(EXPORTERS[exporter](bug))

    (trace,) = read_traces(file)

    assert {finding.rule for finding in CONTRACT.check(trace)} == BUGS[bug]
