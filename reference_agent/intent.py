"""Which domains a question is about."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, TypedDict

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

from reference_agent.spans import note, traced

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import Runnable

    from reference_agent.concurrency import Runtime
    from reference_agent.memory import Context

DOMAINS = ("cost", "security", "performance", "reliability", "quality")
FALLBACK_DOMAIN = "cost"
FALLBACK_CONFIDENCE = 0.3

_PROMPT = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            (
                "You route questions about a data platform to specialists. The domains are COST (spend, bills),"
                " SECURITY (access, audit, secrets), PERFORMANCE (latency, slow queries), RELIABILITY (failed jobs) and"
                " QUALITY (freshness, nulls, schema drift). A general health check concerns all of them."
                ' Reply with JSON only: {{"domains": [...], "confidence": 0.0 to 1.0}}.'
            ),
        ),
        MessagesPlaceholder("history"),
        ("human", "{query}"),
    ]
)


class Intent(TypedDict):
    """What the classifier decided."""

    domains: list[str]
    confidence: float


class MalformedIntentError(ValueError):
    """The model's reply is not the JSON it was asked for."""


def parse_intent(reply: str) -> Intent:
    """Read the classifier's reply: domains in any case, each once, and those nobody knows left out.

    >>> parse_intent('{"domains": ["COST", "Cost", "WEATHER"], "confidence": 0.9}')
    {'domains': ['cost'], 'confidence': 0.9}
    """
    fenced = re.search(r"```(?:json)?\s*(.*?)```", reply, re.DOTALL)
    try:
        parsed = json.loads(fenced[1] if fenced else reply)
    except ValueError as error:
        raise MalformedIntentError(f"not JSON: {error}") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("domains"), list):
        raise MalformedIntentError("expected an object with a list of 'domains'")
    named = [str(domain).strip().lower() for domain in parsed["domains"]]
    domains = [domain for domain in dict.fromkeys(named) if domain in DOMAINS]
    if not domains:
        raise MalformedIntentError(f"none of {named} is one of {', '.join(DOMAINS)}")
    return {"domains": domains, "confidence": _confidence(parsed.get("confidence"))}


def _confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MalformedIntentError(f"confidence is {value!r}, not a number from 0 to 1")
    return min(1.0, max(0.0, float(value)))


class IntentClassifier:
    """Asks the chat model, and makes do without it when the reply makes no sense."""

    def __init__(self, chat: BaseChatModel) -> None:
        self._chain: Runnable[Any, str] = _PROMPT | chat | StrOutputParser()

    async def classify(self, query: str, context: Context, runtime: Runtime) -> Intent:
        """Return the domains of a question, judged in the light of the conversation so far."""
        # CLASSIFIER is not among MLflow's own span types, which are free-form.
        with traced("classify_intent", "CLASSIFIER", {"query": query}) as span:
            reply = await runtime.run_chain(self._chain, {"query": query, "history": list(context.messages)})
            try:
                intent = parse_intent(reply)
            except MalformedIntentError as error:
                note(span, "classifier_fallback", reason=str(error), reply=reply[:200])
                intent = Intent(domains=[FALLBACK_DOMAIN], confidence=FALLBACK_CONFIDENCE)
                span.set_attribute("fallback", True)
            span.set_attributes({**intent, "domain_count": len(intent["domains"])})
            span.set_outputs(intent)
            return intent
