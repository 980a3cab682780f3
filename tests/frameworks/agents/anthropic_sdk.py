"""The Anthropic SDK: messages; at once, awaited, as a stream."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import mlflow

from tests.frameworks.tools import QUESTION, SCHEMA, TOOLS, call

_OPTIONS: Any = {
    "model": "claude-haiku",
    "max_tokens": 100,
    "tools": [{"name": tool.__name__, "description": tool.__doc__, "input_schema": SCHEMA} for tool in TOOLS],
}


def _call_all(history: list[Any], content: list[Any]) -> bool:
    """Add an answer and what its tools say to a conversation; return whether it goes on."""
    history.append({"role": "assistant", "content": content})
    said = [
        {"type": "tool_result", "tool_use_id": block.id, "content": call(block.name, block.input)}
        for block in content
        if block.type == "tool_use"
    ]
    history.append({"role": "user", "content": said})
    return bool(said)


@mlflow.trace(name="agent", span_type="AGENT")
def messages() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    client = anthropic.Anthropic()
    while _call_all(history, content := client.messages.create(messages=history, **_OPTIONS).content):
        pass
    return content[0].text


@mlflow.trace(name="agent", span_type="AGENT")
async def messages_async() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    async with anthropic.AsyncAnthropic() as client:
        while _call_all(history, content := (await client.messages.create(messages=history, **_OPTIONS)).content):
            pass
    return content[0].text


@mlflow.trace(name="agent", span_type="AGENT")
def messages_stream() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    client = anthropic.Anthropic()
    while True:
        content: list[Any] = []
        for event in client.messages.create(messages=history, stream=True, **_OPTIONS):
            if event.type == "content_block_start":
                content.append(event.content_block)
            elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                content[-1].text += event.delta.text
            elif event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                content[-1].input = json.loads(event.delta.partial_json)
        if not _call_all(history, content):
            return content[0].text


@mlflow.trace(name="agent", span_type="AGENT")
def messages_stream_helper() -> str:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    client = anthropic.Anthropic()
    while True:
        with client.messages.stream(messages=history, **_OPTIONS) as stream:
            content = stream.get_final_message().content
        if not _call_all(history, content):
            return content[0].text
