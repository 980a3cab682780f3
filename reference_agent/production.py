"""What the entry point of the deployed agent does, once, before anything is traced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlflow

from reference_agent.spans import trace_langchain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel

    from reference_agent.orchestrator import TracedOrchestrator

EXPERIMENT = "/Shared/health_monitor/agent_traces"


def configure(tracking_uri: str | None = "databricks", experiment: str = EXPERIMENT) -> None:
    """Send traces to an experiment, and let LangChain trace itself.

    In a Databricks notebook the tracking URI is already right; None leaves it alone.

        configure("databricks")
        orchestrator = build_orchestrator(ChatDatabricks(endpoint="..."), spaces={"cost": "01ef...", ...}, ...)
    """
    if tracking_uri is not None:
        mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment(experiment)
    trace_langchain()


def build_orchestrator(
    chat: BaseChatModel, spaces: Mapping[str, str], *, search_url: str, memory_path: str = ":memory:"
) -> TracedOrchestrator:
    """Return an orchestrator on the workspace that the environment names, with a Genie space for each domain."""
    from reference_agent.genie import GenieClient, connect
    from reference_agent.intent import DOMAINS
    from reference_agent.memory import Memory
    from reference_agent.orchestrator import TracedOrchestrator
    from reference_agent.utilities import Utilities
    from reference_agent.workers import Workers

    missing = [domain for domain in DOMAINS if domain not in spaces]
    if missing:
        raise ValueError(f"spaces names no Genie space for {', '.join(missing)}")
    workers = Workers(GenieClient(connect()), spaces)
    return TracedOrchestrator(chat, workers, Utilities(search_url), memory=Memory(memory_path))
