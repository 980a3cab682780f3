"""Google GenAI: generate_content with tools that the agent calls, and that the SDK does."""

from __future__ import annotations

from typing import Any

import mlflow
from google import genai
from google.genai import types

from tests.frameworks.tools import QUESTION, TOOLS, call

_MODEL = "gemini-2.5-flash"
_RETRYING = types.HttpOptions(retry_options=types.HttpRetryOptions(attempts=3))
_BY_HAND = types.GenerateContentConfig(
    tools=list(TOOLS), automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
)


def _call_all(history: list[Any], answer: Any) -> bool:
    history.append(answer.candidates[0].content)
    parts = [
        types.Part.from_function_response(name=each.name, response={"result": call(each.name, each.args)})
        for each in answer.function_calls or ()
    ]
    history.append(types.Content(role="user", parts=parts))
    return bool(parts)


def _asked() -> list[Any]:
    return [types.Content(role="user", parts=[types.Part(text=QUESTION)])]


@mlflow.trace(name="agent", span_type="AGENT")
def by_hand() -> str:
    history, client = _asked(), genai.Client(http_options=_RETRYING)
    while _call_all(history, answer := client.models.generate_content(model=_MODEL, contents=history, config=_BY_HAND)):
        pass
    return answer.text


@mlflow.trace(name="agent", span_type="AGENT")
async def by_hand_async() -> str:
    history, client = _asked(), genai.Client(http_options=_RETRYING)
    while _call_all(
        history, answer := await client.aio.models.generate_content(model=_MODEL, contents=history, config=_BY_HAND)
    ):
        pass
    return answer.text


@mlflow.trace(name="agent", span_type="AGENT")
def automatic() -> str:
    config = types.GenerateContentConfig(tools=[mlflow.trace(tool, span_type="TOOL") for tool in TOOLS])
    client = genai.Client(http_options=_RETRYING)  # which closes when nobody has it any more
    return client.models.generate_content(model=_MODEL, contents=QUESTION, config=config).text
