"""The two tools of every agent, and the loop of those whose library has none."""

from __future__ import annotations

import time
from typing import Any

import mlflow

QUESTION = "Please refund order 7."
seconds = [0.0]  # that a refund takes


def check_policy(order: int) -> str:
    """Say whether an order may be refunded.

    Args:
        order: Its number.
    """
    return "allowed" if order < 100 else "not allowed"


def refund(order: int) -> str:
    """Refund an order.

    Args:
        order: Its number.
    """
    if seconds[0]:
        time.sleep(seconds[0])
    return f"order {order} is refunded"


TOOLS = (check_policy, refund)
SCHEMA = {"type": "object", "properties": {"order": {"type": "integer"}}, "required": ["order"]}


def call(name: str, arguments: dict[str, Any]) -> str:
    """Call a tool as an agent does that is written by hand."""
    (tool,) = (each for each in TOOLS if each.__name__ == name)
    with mlflow.start_span(name, span_type="TOOL") as span:
        span.set_inputs(arguments)
        answer = tool(**arguments)
        span.set_outputs(answer)
        return answer
