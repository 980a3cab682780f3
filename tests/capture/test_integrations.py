"""MLflow's automatic tracing of LangChain, and its evaluation, inside a capture."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

import mlflow
import pytest

from pytest_mlflow_traces import capture_traces
from tests.capture.programs import names, needs_full_mlflow, since

pytestmark = needs_full_mlflow


@pytest.fixture
def chain():
    """A chain of LangChain under MLflow's autolog: a prompt, a model that counts tokens, a parser."""
    pytest.importorskip("langchain_core")
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.outputs import ChatGeneration, ChatResult
    from langchain_core.prompts import ChatPromptTemplate

    class StubChat(BaseChatModel):
        @property
        def _llm_type(self):
            return "stub"

        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
            message = AIMessage(content=f"because of {messages[-1].content}", usage_metadata=usage)
            return ChatResult(generations=[ChatGeneration(message=message)])

    mlflow.langchain.autolog(run_tracer_inline=True)
    yield ChatPromptTemplate.from_template("{question}") | StubChat() | StrOutputParser()
    mlflow.langchain.autolog(disable=True)


CHAIN = ["RunnableSequence", "ChatPromptTemplate", "StubChat", "StrOutputParser"]


@since("3.16", "autolog without the `langchain` package")
def test_a_chain_is_traced_with_its_tokens(chain, traces):
    assert chain.invoke({"question": "cost"}) == "because of cost"

    trace = traces.one()
    assert [span.name for span in trace.spans] == CHAIN
    assert trace.spans[2].type == "CHAT_MODEL"
    assert trace.token_usage == {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


@since("3.16", "autolog without the `langchain` package")
def test_a_chain_within_a_span_is_below_it(chain, traces):
    with mlflow.start_span("agent"):
        chain.invoke({"question": "cost"})
        chain.invoke({"question": "security"})

    assert [span.name for span in traces.one().root.children] == ["RunnableSequence", "RunnableSequence"]


@since("3.16", "autolog without the `langchain` package")
def test_chains_that_run_in_parallel_arrive_in_one_trace(chain, traces):
    from langchain_core.runnables import RunnableParallel

    RunnableParallel(cost=chain, security=chain).invoke({"question": "why"})

    trace = traces.one()
    assert trace.name == "RunnableParallel<cost,security>"
    assert sorted(span.name for span in trace.spans) == sorted([trace.name, *CHAIN, *CHAIN])


@since("3.16", "autolog without the `langchain` package")
def test_a_chain_that_is_awaited_streamed_or_batched_is_traced(chain, traces):
    asyncio.run(chain.ainvoke({"question": "awaited"}))
    list(chain.stream({"question": "streamed"}))
    chain.batch([{"question": "first"}, {"question": "second"}])

    assert names(traces) == ["RunnableSequence"] * 4
    assert traces.unfinished == ()


@since("3.16", "autolog without the `langchain` package")
def test_autolog_in_one_capture_after_another_goes_to_each(chain):
    for _ in range(2):
        with capture_traces() as traces:
            chain.invoke({"question": "cost"})

        assert names(traces) == ["RunnableSequence"]


@pytest.mark.filterwarnings("ignore")
def test_an_evaluation_runs_offline_and_its_traces_are_captured(traces, monkeypatch):
    monkeypatch.setenv("MLFLOW_GENAI_EVAL_MAX_WORKERS", "2")
    if find_spec("tqdm"):  # its monitor is a thread that outlasts the test
        monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)

    @mlflow.genai.scorer
    def is_short(outputs):
        return len(outputs) < 10

    @mlflow.trace
    def agent(question):
        return f"because {question}"

    result = mlflow.genai.evaluate(
        data=[{"inputs": {"question": "x"}}, {"inputs": {"question": "a long one"}}],
        predict_fn=agent,
        scorers=[is_short],
    )
    assert result.metrics["is_short/mean"] == 0.5
    assert names(traces) == ["agent", "agent"]
    assert [[each.name for each in trace.raw.info.assessments] for trace in traces] == [["is_short"], ["is_short"]]
    found = mlflow.search_traces(run_id=result.run_id, return_type="list")
    assert {trace.info.trace_id for trace in found} == {trace.id for trace in traces}
