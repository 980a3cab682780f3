"""LiteLLM: completion and acompletion."""

from __future__ import annotations

from typing import Any

import litellm
import mlflow

from tests.frameworks.agents.openai_sdk import CHAT_TOOLS, go_on
from tests.frameworks.tools import QUESTION

_MODEL = "openai/gpt-4o-mini"


@mlflow.trace(name="agent", span_type="AGENT")
def completion() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    while go_on(history, litellm.completion(model=_MODEL, messages=history, tools=CHAT_TOOLS).choices[0].message):
        pass
    return history[-1]["content"]


@mlflow.trace(name="agent", span_type="AGENT")
async def acompletion() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    while True:
        answer = await litellm.acompletion(model=_MODEL, messages=history, tools=CHAT_TOOLS)
        if not go_on(history, answer.choices[0].message):
            return history[-1]["content"]
