"""A chat model that needs no network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping  # noqa: TC003  (pydantic reads the annotations)
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, field_validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.runnables import Runnable

KEYWORDS: Mapping[str, Sequence[str]] = {
    "cost": ("cost", "spend", "spent", "budget", "bill", "expensive", "dbu"),
    "security": ("secur", "access", "login", "audit", "permission", "secret", "token"),
    "performance": ("perform", "slow", "latency", "runtime", "warehouse"),
    "reliability": ("reliab", "fail", "sla", "outage", "retry", "retries"),
    "quality": ("quality", "fresh", "stale", "null", "schema", "drift"),
}
OVERVIEW = ("health", "overview", "everything")

Stage = Literal["classify", "synthesize"]
ChatFault = Literal["malformed", "unknown_domains", "no_confidence", "error", "empty"]
STAGES = ("classify", "synthesize")
FAULTS = ("malformed", "unknown_domains", "no_confidence", "error", "empty")


class ModelUnavailableError(Exception):
    """What a scripted `error` raises."""


class StubChat(BaseChatModel):
    """Replies to the Health Monitor's two prompts by rules, so that the same prompt always gets the same reply.

    Having no state it can be shared by any number of threads and tasks. `faults` maps the stage to what goes wrong in
    it: `error` raises, `malformed`, `unknown_domains`, `no_confidence` and `empty` reply something that the agent has
    to cope with. `replies` maps a stage to a text of your own.

        >>> StubChat().invoke("Why did costs spike?").content
        'Why did costs spike?'
    """

    model: str = "stub-chat-1"
    faults: Mapping[str, str] = Field(default_factory=dict)
    replies: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("faults", "replies")
    @classmethod
    def _known_stages(cls, scripted: Mapping[str, str]) -> Mapping[str, str]:
        unknown = sorted(set(scripted) - set(STAGES))
        if unknown:
            raise ValueError(f"unknown stage {unknown[0]!r}; stages are {', '.join(STAGES)}")
        return scripted

    @field_validator("faults")
    @classmethod
    def _known_faults(cls, faults: Mapping[str, str]) -> Mapping[str, str]:
        unknown = sorted(set(faults.values()) - set(FAULTS))
        if unknown:
            raise ValueError(f"unknown fault {unknown[0]!r}; faults are {', '.join(FAULTS)}")
        return faults

    @property
    def _llm_type(self) -> str:
        return "stub-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model}

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Accept tools, as agent frameworks insist on; the rules never call one."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  (the base class's signature)
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        reply = self._reply(messages)
        message = AIMessage(
            content=reply, usage_metadata=_usage(messages, reply), response_metadata={"model_name": self.model}
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, None, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(messages)
        words = re.findall(r"\s*\S+", reply) or [reply]
        for number, word in enumerate(words, 1):
            # As real models do, the last chunk says what it all took.
            usage = _usage(messages, reply) if number == len(words) else None
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word, usage_metadata=usage))
            if run_manager is not None:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk

    def _reply(self, messages: list[BaseMessage]) -> str:
        instructions = " ".join(str(message.content) for message in messages if message.type == "system")
        stage: Stage = "classify" if "Reply with JSON" in instructions else "synthesize"
        fault = self.faults.get(stage)
        if fault == "error":
            raise ModelUnavailableError(f"{self.model} is not available")
        if fault is not None:
            return _FAULTY_REPLIES[fault]
        if stage in self.replies:
            return self.replies[stage]
        questions = [str(message.content) for message in messages if message.type == "human"]
        return _classification(questions) if stage == "classify" else _summary(questions[-1] if questions else "")


_FAULTY_REPLIES = {
    "malformed": "The domains are: COST",
    "unknown_domains": '{"domains": ["WEATHER"], "confidence": 0.9}',
    "no_confidence": '{"domains": ["COST"], "confidence": "high"}',
    "empty": "",
}


def _classification(questions: Sequence[str]) -> str:
    """Classify the last question; one that names nothing is about what was asked before."""
    for question in reversed(questions):
        text = question.lower()
        if any(re.search(rf"\b{word}", text) for word in OVERVIEW):
            return json.dumps({"domains": [domain.upper() for domain in KEYWORDS], "confidence": 0.7})
        found = [d.upper() for d, words in KEYWORDS.items() if any(re.search(rf"\b{word}", text) for word in words)]
        if found:
            return json.dumps({"domains": found, "confidence": 0.95 if len(found) == 1 else 0.85})
    return json.dumps({"domains": ["COST"], "confidence": 0.4})


def _summary(prompt: str) -> str:
    question, _, findings = prompt.partition("\n\nFindings:\n")
    return f"{question}\n{findings}" if findings else question


def _usage(messages: Sequence[BaseMessage], reply: str) -> Any:
    """Count words, which is as good as tokens when all that matters is that the numbers repeat."""
    asked = sum(len(str(message.content).split()) for message in messages)
    answered = len(reply.split())
    return {"input_tokens": asked, "output_tokens": answered, "total_tokens": asked + answered}
