"""Ask an agent, traced by MLflow as its framework is: turned on once in a process, as in production."""

from __future__ import annotations

import asyncio
import inspect
import os
from importlib import import_module
from typing import TYPE_CHECKING

import opentelemetry.trace
from opentelemetry.sdk.trace import TracerProvider

if TYPE_CHECKING:
    from tests.frameworks.table import Agent, Framework

_traced: list[str] = []


def ask(framework: Framework, agent: Agent) -> None:
    """Run the function of this name."""
    answer = getattr(import_module(_module(framework)), agent.name)()
    if inspect.iscoroutine(answer):
        asyncio.run(answer)


def trace(framework: Framework) -> None:
    """Turn its tracing on, unless it is."""
    if framework.module in _traced:
        return
    if _traced:
        raise RuntimeError(
            f"{_traced[0]} is traced in this process already: run the battery with -k {framework.module}"
        )
    _traced.append(framework.module)
    import_module(_module(framework))  # what is loaded decides what some integrations trace
    if framework.autolog:
        import_module(f"mlflow.{framework.autolog}").autolog()
    else:  # plain OpenTelemetry: its provider is MLflow's, too
        os.environ["MLFLOW_USE_DEFAULT_TRACER_PROVIDER"] = "false"
        opentelemetry.trace.set_tracer_provider(TracerProvider())


def _module(framework: Framework) -> str:
    return f"tests.frameworks.agents.{framework.module}"
