"""OpenAI Agents: its runner, awaited, at once and as a stream."""

from __future__ import annotations

from typing import Any

import agents

from tests.frameworks.tools import QUESTION, TOOLS


def _agent() -> agents.Agent[Any]:
    return agents.Agent(name="refunds", model="gpt-4o-mini", tools=[agents.function_tool(tool) for tool in TOOLS])


async def run() -> None:
    await agents.Runner.run(_agent(), QUESTION)


def run_sync() -> None:
    agents.Runner.run_sync(_agent(), QUESTION)


async def run_streamed() -> None:
    result = agents.Runner.run_streamed(_agent(), QUESTION)
    async for _ in result.stream_events():
        pass
