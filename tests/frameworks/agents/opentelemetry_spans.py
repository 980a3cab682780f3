"""Plain OpenTelemetry: spans with the attributes of its conventions, from a provider that the application shares."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any

from opentelemetry import trace

from tests.frameworks.agents.openai_sdk import CHAT_TOOLS
from tests.frameworks.tools import QUESTION, TOOLS

_TOOLS = {tool.__name__: tool for tool in TOOLS}


def _chat(history: list[Any]) -> Any:
    with trace.get_tracer(__name__).start_as_current_span("chat gpt-4o-mini") as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        body = json.dumps({"model": "gpt-4o-mini", "messages": history, "tools": CHAT_TOOLS}).encode()
        url = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as response:
            said = json.load(response)
        span.set_attribute("gen_ai.usage.input_tokens", said["usage"]["prompt_tokens"])
        span.set_attribute("gen_ai.usage.output_tokens", said["usage"]["completion_tokens"])
        return said["choices"][0]["message"]


def spans() -> None:
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    with trace.get_tracer(__name__).start_as_current_span("agent") as root:
        root.set_attribute("gen_ai.operation.name", "invoke_agent")
        while calls := (message := _chat(history)).get("tool_calls"):
            history.append(message)
            for call in calls:
                name = call["function"]["name"]
                with trace.get_tracer(__name__).start_as_current_span(f"execute_tool {name}") as span:
                    span.set_attribute("gen_ai.operation.name", "execute_tool")
                    content = _TOOLS[name](**json.loads(call["function"]["arguments"]))
                history.append({"role": "tool", "tool_call_id": call["id"], "content": content})
