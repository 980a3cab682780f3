"""The OpenAI SDK: chat completions and responses; at once, awaited, as a stream."""

from __future__ import annotations

import json
from typing import Any

import mlflow
import openai

from tests.frameworks.tools import QUESTION, SCHEMA, TOOLS, call

MODEL = "gpt-4o-mini"
_FUNCTIONS = [{"name": tool.__name__, "description": tool.__doc__, "parameters": SCHEMA} for tool in TOOLS]
CHAT_TOOLS: Any = [{"type": "function", "function": function} for function in _FUNCTIONS]
RESPONSES_TOOLS: Any = [{"type": "function", **function} for function in _FUNCTIONS]


def go_on(history: list[Any], message: Any) -> bool:
    """Add an answer and what its tools say to a conversation; return whether it goes on."""
    history.append(message.model_dump(exclude_none=True))
    for each in message.tool_calls or ():
        said = call(each.function.name, json.loads(each.function.arguments))
        history.append({"role": "tool", "tool_call_id": each.id, "content": said})
    return bool(message.tool_calls)


@mlflow.trace(name="agent", span_type="AGENT")
def chat() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    client = openai.OpenAI()
    while go_on(
        history, client.chat.completions.create(model=MODEL, messages=history, tools=CHAT_TOOLS).choices[0].message
    ):
        pass
    return history[-1]["content"]


@mlflow.trace(name="agent", span_type="AGENT")
async def chat_async() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    async with openai.AsyncOpenAI() as client:
        while True:
            answer = await client.chat.completions.create(model=MODEL, messages=history, tools=CHAT_TOOLS)
            if not go_on(history, answer.choices[0].message):
                return history[-1]["content"]


@mlflow.trace(name="agent", span_type="AGENT")
def chat_stream() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    while True:
        text, calls = "", []
        options: Any = {"include_usage": True}
        for chunk in openai.OpenAI().chat.completions.create(
            model=MODEL, messages=history, tools=CHAT_TOOLS, stream=True, stream_options=options
        ):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                calls += choice.delta.tool_calls or []
        history.append({"role": "assistant", "content": text, "tool_calls": [each.model_dump() for each in calls]})
        for each in calls:
            said = call(each.function.name, json.loads(each.function.arguments))
            history.append({"role": "tool", "tool_call_id": each.id, "content": said})
        if not calls:
            return text


def _call_all(history: list[Any], response: Any) -> bool:
    history += response.output
    calls = [item for item in response.output if item.type == "function_call"]
    for each in calls:
        said = call(each.name, json.loads(each.arguments))
        history.append({"type": "function_call_output", "call_id": each.call_id, "output": said})
    return bool(calls)


@mlflow.trace(name="agent", span_type="AGENT")
def responses() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    client = openai.OpenAI()
    while _call_all(history, response := client.responses.create(model=MODEL, input=history, tools=RESPONSES_TOOLS)):
        pass
    return response.output_text


@mlflow.trace(name="agent", span_type="AGENT")
async def responses_async() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    async with openai.AsyncOpenAI() as client:
        while True:
            response = await client.responses.create(model=MODEL, input=history, tools=RESPONSES_TOOLS)
            if not _call_all(history, response):
                return response.output_text


@mlflow.trace(name="agent", span_type="AGENT")
def responses_stream() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    client = openai.OpenAI()
    while True:
        stream = client.responses.create(model=MODEL, input=history, tools=RESPONSES_TOOLS, stream=True)
        (response,) = [event.response for event in stream if event.type == "response.completed"]
        if not _call_all(history, response):
            return response.output_text
