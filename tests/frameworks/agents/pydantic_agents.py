"""Pydantic AI: an agent, at once, awaited and as a stream."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent

from tests.frameworks.tools import QUESTION, TOOLS


def _agent() -> Agent[Any, str]:
    return Agent("openai-chat:gpt-4o-mini", name="refunds", tools=list(TOOLS))


async def run() -> None:
    await _agent().run(QUESTION)


def run_sync() -> None:
    _agent().run_sync(QUESTION)


async def run_stream() -> None:
    async with _agent().run_stream(QUESTION) as result:
        await result.get_output()
