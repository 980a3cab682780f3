"""LlamaIndex: a function agent, whose model is asked at once, or as a stream."""

from __future__ import annotations

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI

from tests.frameworks.tools import QUESTION, TOOLS


async def run() -> None:
    await FunctionAgent(tools=list(TOOLS), llm=OpenAI("gpt-4o-mini"), streaming=False).run(user_msg=QUESTION)


async def run_stream() -> None:
    await FunctionAgent(tools=list(TOOLS), llm=OpenAI("gpt-4o-mini"), streaming=True).run(user_msg=QUESTION)
