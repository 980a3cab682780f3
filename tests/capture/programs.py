"""Small programs that trace, and what this MLflow can do, for the tests of the capture."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import mlflow
import pytest
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces import Trace

MLFLOW = Version(mlflow.__version__)


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


IS_FULL = _installed("mlflow") or _installed("mlflow-skinny")
IS_INSTALLED = _installed("pytest-mlflow-traces")

needs_full_mlflow = pytest.mark.skipif(not IS_FULL, reason="mlflow-tracing alone has no runs, models, prompts")
needs_installation = pytest.mark.skipif(not IS_INSTALLED, reason="MLflow finds memory:// by an installed entry point")


def since(release: str, what: str) -> pytest.MarkDecorator:
    """Skip a test on an MLflow that is older than what it tests."""
    return pytest.mark.skipif(Version(release) > MLFLOW, reason=f"{what} since MLflow {release}")


def traced(name: str, tags: dict[str, Any] | None = None, metadata: dict[str, str] | None = None) -> str:
    """Make a trace of one span; return its id."""
    with mlflow.start_span(name) as span:
        if tags is not None or metadata is not None:
            mlflow.update_current_trace(tags=tags, metadata=metadata)
    return str(span.trace_id)


def answer(question: str = "why?") -> str:
    """Make a trace of nine spans, as a small agent does."""
    with mlflow.start_span("agent", span_type="AGENT") as root:
        root.set_inputs({"question": question})
        with mlflow.start_span("load_context", span_type="MEMORY"):
            for name in ("retrieve_short_term", "retrieve_long_term"):
                with mlflow.start_span(name, span_type="RETRIEVER"):
                    pass
        with mlflow.start_span("classify_intent", span_type="CLASSIFIER") as span:
            span.set_outputs({"domains": ["cost"], "confidence": 0.9})
        with mlflow.start_span("query_agents", span_type="AGENT"):
            with mlflow.start_span("cost_agent", span_type="AGENT"):
                with mlflow.start_span("genie_query", span_type="TOOL") as span:
                    span.set_attribute("space", "cost")
        with mlflow.start_span("save_context", span_type="MEMORY"):
            pass
        root.set_outputs({"content": "because"})
    return str(root.trace_id)


def names(traces: Iterable[Trace]) -> list[str]:
    """The names of the traces, in their order."""
    return [trace.name for trace in traces]
