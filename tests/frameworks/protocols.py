"""What a model answers, in the words of four protocols, at once or as a stream of server-sent events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INPUT, OUTPUT = 10, 5  # tokens of each answer
Event = tuple[str, dict[str, Any]]  # its name, and what it says


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the model: calls of tools, each with the same arguments, or a text."""

    number: int
    calls: tuple[str, ...]
    arguments: dict[str, Any]
    text: str
    model: str

    @property
    def numbered(self) -> list[tuple[str, str]]:
        """Each call with an id of its own."""
        return [(f"call_{self.number}_{i}", name) for i, name in enumerate(self.calls)]


# -- OpenAI, chat completions


def chat(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if answer.calls else answer.text}
    if answer.calls:
        message["tool_calls"] = [
            {"id": key, "type": "function", "function": {"name": name, "arguments": json.dumps(answer.arguments)}}
            for key, name in answer.numbered
        ]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if answer.calls else "stop"}
    return {**_chat_head(answer, "chat.completion"), "choices": [choice], "usage": _chat_usage()}


def chat_events(answer: Answer) -> Iterator[Event]:
    """Say it in chunks: usage comes in one of its own, whether or not it was asked for."""
    whole = chat(answer)
    message = whole["choices"][0]["message"]
    deltas = [{"role": "assistant", "content": ""}]
    if answer.calls:
        deltas += [{"tool_calls": [{"index": i, **call}]} for i, call in enumerate(message["tool_calls"])]
    else:
        deltas += [{"content": part} for part in _parts(answer.text)]
    head = _chat_head(answer, "chat.completion.chunk")
    for delta in deltas:
        yield "", {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield "", {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": whole["choices"][0]["finish_reason"]}]}
    yield "", {**head, "choices": [], "usage": _chat_usage()}


def _chat_head(answer: Answer, kind: str) -> dict[str, Any]:
    return {"id": f"chat_{answer.number}", "object": kind, "created": 1, "model": answer.model}


def _chat_usage() -> dict[str, Any]:
    return {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}


# -- OpenAI, responses


def responses(answer: Answer) -> dict[str, Any]:
    output: list[dict[str, Any]] = [
        {
            "type": "function_call",
            "id": f"fc_{key}",
            "call_id": key,
            "name": name,
            "arguments": json.dumps(answer.arguments),
            "status": "completed",
        }
        for key, name in answer.numbered
    ]
    if not output:
        content = [{"type": "output_text", "text": answer.text, "annotations": []}]
        output = [
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content},
        ]
    return {
        "id": f"resp_{answer.number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": INPUT,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": OUTPUT,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": INPUT + OUTPUT,
        },
    }


def responses_events(answer: Answer) -> Iterator[Event]:
    for number, (name, said) in enumerate(_response_events(responses(answer))):
        yield name, {"type": name, "sequence_number": number, **said}


def _response_events(whole: dict[str, Any]) -> Iterator[Event]:
    yield "response.created", {"response": {**whole, "status": "in_progress", "output": [], "usage": None}}
    for i, item in enumerate(whole["output"]):
        at = {"item_id": item["id"], "output_index": i}
        if item["type"] == "function_call":
            yield "response.output_item.added", {"output_index": i, "item": {**item, "arguments": ""}}
            said = {**at, "name": item["name"], "arguments": item["arguments"]}
            yield "response.function_call_arguments.done", said
        else:
            text = {**at, "content_index": 0}
            (part,) = item["content"]
            yield "response.output_item.added", {"output_index": i, "item": {**item, "content": []}}
            yield "response.content_part.added", {**text, "part": {**part, "text": ""}}
            for piece in _parts(part["text"]):
                yield "response.output_text.delta", {**text, "delta": piece, "logprobs": []}
            yield "response.output_text.done", {**text, "text": part["text"], "logprobs": []}
            yield "response.content_part.done", {**text, "part": part}
        yield "response.output_item.done", {"output_index": i, "item": item}
    yield "response.completed", {"response": whole}


# -- Anthropic, messages


def messages(answer: Answer) -> dict[str, Any]:
    content: list[dict[str, Any]] = [
        {"type": "tool_use", "id": key, "name": name, "input": answer.arguments} for key, name in answer.numbered
    ]
    return {
        "id": f"msg_{answer.number}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content or [{"type": "text", "text": answer.text}],
        "stop_reason": "tool_use" if answer.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT, "output_tokens": OUTPUT},
    }


def messages_events(answer: Answer) -> Iterator[Event]:
    for name, said in _message_events(messages(answer)):
        yield name, {"type": name, **said}


def _message_events(whole: dict[str, Any]) -> Iterator[Event]:
    usage = {"input_tokens": INPUT, "output_tokens": 0}
    yield "message_start", {"message": {**whole, "content": [], "stop_reason": None, "usage": usage}}
    for i, block in enumerate(whole["content"]):
        if block["type"] == "text":
            begun = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": part} for part in _parts(block["text"])]
        else:
            begun = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        yield "content_block_start", {"index": i, "content_block": begun}
        for delta in deltas:
            yield "content_block_delta", {"index": i, "delta": delta}
        yield "content_block_stop", {"index": i}
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"delta": stop, "usage": {"output_tokens": OUTPUT}}
    yield "message_stop", {}


# -- Gemini, generateContent


def gemini(answer: Answer) -> dict[str, Any]:
    calls = [{"functionCall": {"name": name, "args": answer.arguments}} for name in answer.calls]
    content = {"role": "model", "parts": calls or [{"text": answer.text}]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": INPUT,
            "candidatesTokenCount": OUTPUT,
            "totalTokenCount": INPUT + OUTPUT,
        },
        "modelVersion": answer.model,
        "responseId": f"gemini_{answer.number}",
    }


def gemini_events(answer: Answer) -> Iterator[Event]:
    yield "", gemini(answer)


def _parts(text: str) -> list[str]:
    return [f"{word} " for word in text.split()]


# How the path of a request ends, how its answer is said at once, and how in events.
PROTOCOLS: dict[str, tuple[Callable[[Answer], dict[str, Any]], Callable[[Answer], Iterator[Event]]]] = {
    "/chat/completions": (chat, chat_events),
    "/responses": (responses, responses_events),
    "/messages": (messages, messages_events),
    ":generateContent": (gemini, gemini_events),
    ":streamGenerateContent": (gemini, gemini_events),
}
