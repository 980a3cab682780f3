"""An agent of ten lines that uses MLflow alone, and a test of what it did."""

from __future__ import annotations

import mlflow

from pytest_mlflow_traces import span


@mlflow.trace(span_type="TOOL")
def search(query: str) -> list[str]:
    return [f"a page about {query}"]


@mlflow.trace(name="agent", span_type="AGENT")
def answer(question: str) -> str:
    with mlflow.start_span("plan"):
        query = question.removesuffix("?").lower()
    return search(query)[0]


def test_it_plans_and_then_searches_once(mlflow_traces):
    answer("Why did costs spike?")

    assert (
        mlflow_traces.one()
        == span("agent", type="AGENT")[
            span("plan"),
            span("search", type="TOOL", status="OK", inputs={"query": "why did costs spike"}),
        ]
    )
