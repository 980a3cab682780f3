"""A manual LLM span stands around a call that autologging traces too: calls and tokens by type count double."""

from __future__ import annotations

import re

import mlflow
import pytest
from langchain_core.prompts import ChatPromptTemplate

from pytest_mlflow_traces import TraceAssertionError, assert_trace, span
from reference_agent.stubs import StubChat

MODEL = re.compile("LLM|CHAT_MODEL")
COUNTED_ONCE = span(lacks=span(type=MODEL, has=span(type=MODEL)))


def agent(span_type):
    mlflow.langchain.autolog()
    chain = ChatPromptTemplate.from_messages([("human", "{question}")]) | StubChat()
    try:
        with mlflow.start_span("agent"), mlflow.start_span("answer", span_type=span_type):
            chain.invoke({"question": "Why did costs spike?"})
    finally:
        mlflow.langchain.autolog(disable=True)


def test_it_is_caught(traces):
    agent("LLM")

    with pytest.raises(TraceAssertionError) as caught:
        assert_trace(traces, COUNTED_ONCE)

    assert "agent > answer" in str(caught.value.findings)


def test_its_mended_twin_passes(traces):
    agent("CHAIN")

    assert_trace(traces, COUNTED_ONCE)
