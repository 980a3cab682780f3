"""Strands: an agent, at once and awaited."""

from __future__ import annotations

import strands
from strands.models.openai import OpenAIModel

from tests.frameworks.tools import QUESTION, TOOLS


def _agent() -> strands.Agent:
    model = OpenAIModel(model_id="gpt-4o-mini")
    return strands.Agent(model, name="refunds", tools=[strands.tool(tool) for tool in TOOLS], callback_handler=None)


def call() -> None:
    _agent()(QUESTION)


async def invoke_async() -> None:
    await _agent().invoke_async(QUESTION)
