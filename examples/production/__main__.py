"""Have a tracking server judge an agent's traces by a contract: `python -m examples.production URI`.

It traces three answers of an agent, stores the contract as a scorer of the experiment, asks the server to run it, and
says what feedback the traces have then. The server was started with MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS=true, and has
pytest-mlflow-traces installed.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path

import mlflow

from pytest_mlflow_traces.scorers import as_scorer

CONTRACT = Path(__file__).parent / "refunds.contract.toml"
PATIENCE_S = 240


@mlflow.trace(span_type="TOOL")
def refund(order: int) -> str:
    return f"refunded {order}"


@mlflow.trace(span_type="GUARDRAIL")
def check_policy(order: int) -> bool:
    return order < 100


@mlflow.trace(name="agent", span_type="AGENT")
def answer(question: str, order: int) -> str:
    """An agent that forgets to check the policy where the customer is angry."""
    if "refund" not in question:
        return "It is on its way."
    if "!" in question or check_policy(order):
        return refund(order)
    return "Sorry."


def judged_by_the_server(uri: str, experiment_id: str, trace_ids: list[str]) -> None:
    """Store the scorer, and ask the server to run it on traces, as the button of its pages does."""
    scorer = as_scorer(CONTRACT).register(experiment_id=experiment_id)
    asked = {
        "experiment_id": experiment_id,
        "serialized_scorer": json.dumps(scorer.model_dump()),
        "trace_ids": trace_ids,
        "log_assessments": True,
    }
    request = urllib.request.Request(  # noqa: S310  # where you said
        f"{uri}/ajax-api/3.0/mlflow/scorer/invoke", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310


def main(uri: str) -> None:
    mlflow.set_tracking_uri(uri)
    experiment_id = mlflow.set_experiment("refunds").experiment_id
    trace_ids = []
    for question in ("Where is it?", "Can I have a refund?", "I want a refund!"):
        answer(question, 7)
        trace_ids.append(mlflow.get_last_active_trace_id())
    mlflow.flush_trace_async_logging()
    judged_by_the_server(uri, experiment_id, trace_ids)
    end = time.monotonic() + PATIENCE_S
    for trace_id in trace_ids:
        while not (said := mlflow.get_trace(trace_id).info.assessments):
            if time.monotonic() > end:
                sys.exit(f"{trace_id}: no feedback after {PATIENCE_S} s")
            time.sleep(1)
        print(f"{said[0].name}: {said[0].value or said[0].metadata['verdict']}: {said[0].rationale}")  # noqa: T201  # what it is for


if __name__ == "__main__":
    main(sys.argv[1])
