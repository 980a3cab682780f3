"""The chat model that stands in for a real one."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.tools import tool

from reference_agent import stub_orchestrator
from reference_agent.intent import DOMAINS
from reference_agent.stubs import StubChat
from tests.reference_agent.reading import events, span, tags

CLASSIFY = [("system", "Reply with JSON only."), ("human", "Why did costs spike?")]


def test_reply_depends_on_the_prompt_alone():
    chat = StubChat()
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: chat.invoke(CLASSIFY).content, range(20)))

    assert set(replies) == {'{"domains": ["COST"], "confidence": 0.95}'}
    assert StubChat().invoke(CLASSIFY).content == replies[0]
    assert asyncio.run(chat.ainvoke(CLASSIFY)).content == replies[0]
    assert "".join(chunk.text for chunk in chat.stream(CLASSIFY)) == replies[0]


@pytest.mark.parametrize(
    ("question", "domains"),
    [
        ("Why did costs spike?", ["COST"]),
        ("Who had access, and are jobs failing?", ["SECURITY", "RELIABILITY"]),
        ("Is the data fresh and fast?", ["QUALITY"]),
        ("Which queries are slow?", ["PERFORMANCE"]),
        ("Health overview please", [domain.upper() for domain in DOMAINS]),
        ("Hello?", ["COST"]),
    ],
)
def test_classification_goes_by_words(question, domains):
    reply = StubChat().invoke([("system", "Reply with JSON only."), ("human", question)]).content

    assert json.loads(reply)["domains"] == domains


def test_follow_up_is_about_what_was_asked_before():
    prompt = [("system", "Reply with JSON."), ("human", "Who had access?"), ("ai", "Ada."), ("human", "And yesterday?")]

    assert json.loads(StubChat().invoke(prompt).content)["domains"] == ["SECURITY"]


def test_usage_and_model_name_come_with_the_reply():
    message = StubChat(model="other-model").invoke(CLASSIFY)

    assert message.usage_metadata == {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12}
    assert message.response_metadata["model_name"] == "other-model"


def test_usage_of_a_stream_comes_with_its_last_chunk():
    chunks = [chunk for chunk in StubChat().stream(CLASSIFY) if chunk.content]

    assert [chunk.usage_metadata is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_tools_are_accepted():
    @tool
    def look_up(name: str) -> str:
        """Look something up."""
        return name

    assert StubChat().bind_tools([look_up]).invoke(CLASSIFY).content == StubChat().invoke(CLASSIFY).content


def test_reply_can_be_scripted(captured):
    chat = StubChat(replies={"classify": '{"domains": ["QUALITY"], "confidence": 1}', "synthesize": "All good."})
    answer = stub_orchestrator(chat=chat).invoke("Why did costs spike?", user_id="ada")

    assert answer["content"] == "All good."
    assert tags(captured.one())["domains"] == "quality"
    assert tags(captured.one())["confidence"] == "1.0"


@pytest.mark.parametrize("fault", ["malformed", "unknown_domains", "no_confidence", "empty"])
def test_classifier_reply_without_sense_falls_back(captured, fault):
    answer = stub_orchestrator(chat=StubChat(faults={"classify": fault})).invoke("Who had access?", user_id="ada")

    trace = captured.one()
    classified = span(trace, "classify_intent")
    assert answer["domains"] == ["cost"]
    assert answer["confidence"] == 0.3
    assert events(classified) == ["classifier_fallback"]
    assert classified.attributes["fallback"] is True
    assert classified.outputs == {"domains": ["cost"], "confidence": 0.3}
    assert trace.info.state == "OK"
    assert tags(trace)["confidence"] == "0.3"


@pytest.mark.parametrize("stage", ["classify", "synthesize"])
def test_model_that_is_down_fails_the_request(captured, stage):
    with pytest.raises(Exception, match="stub-chat-1 is not available"):
        stub_orchestrator(chat=StubChat(faults={stage: "error"})).invoke("cost", user_id="ada")

    trace = captured.one()
    phase = span(trace, "classify_intent" if stage == "classify" else "synthesize")
    assert phase.attributes["error_type"] == "ModelUnavailableError"
    assert tags(trace)["error_type"] == "ModelUnavailableError"
    assert span(trace, "save_context").attributes["saved_on_failure"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"faults": {"clasify": "error"}}, "unknown stage 'clasify'; stages are classify, synthesize"),
        ({"replies": {"intent": "x"}}, "unknown stage 'intent'"),
        ({"faults": {"classify": "wrong"}}, "unknown fault 'wrong'; faults are malformed"),
    ],
)
def test_misspelt_script_is_refused(arguments, message):
    with pytest.raises(ValueError, match="unknown") as raised:
        StubChat(**arguments)

    assert message in str(raised.value)
