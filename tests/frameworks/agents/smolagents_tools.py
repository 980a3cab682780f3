"""smolagents: an agent that calls tools."""

from __future__ import annotations

import smolagents

from tests.frameworks.tools import QUESTION, TOOLS


def tool_calling() -> None:
    model = smolagents.OpenAIModel("gpt-4o-mini")
    agent = smolagents.ToolCallingAgent([smolagents.tool(tool) for tool in TOOLS], model, verbosity_level=0)
    agent.run(QUESTION)
