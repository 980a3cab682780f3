"""DSPy: ReAct with two tools, at once and awaited."""

from __future__ import annotations

from typing import Any

import dspy

from tests.frameworks.tools import QUESTION, TOOLS


def _settings() -> Any:
    return dspy.context(lm=dspy.LM("openai/gpt-4o-mini", cache=False), adapter=dspy.ChatAdapter())


def react() -> None:
    with _settings():
        dspy.ReAct("question -> answer", tools=list(TOOLS))(question=QUESTION)


async def react_async() -> None:
    with _settings():
        await dspy.ReAct("question -> answer", tools=list(TOOLS)).acall(question=QUESTION)
