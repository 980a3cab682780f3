"""What must hold for every framework, tested as a user would: `pytest tests/frameworks/battery.py -k strands`.

`test_frameworks.py` runs it for each, in a process of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mlflow_traces import Budget, TraceAssertionError, assert_trace, capture_traces
from tests.frameworks import tools
from tests.frameworks.asking import ask, trace

if TYPE_CHECKING:
    from tests.frameworks.model import Model
    from tests.frameworks.table import Agent, Framework


@pytest.fixture(autouse=True)
def tracing(framework: Framework) -> None:
    trace(framework)


def test_tree(framework: Framework, agent: Agent, model: Model, mlflow_traces):
    ask(framework, agent)

    assert framework.seen(mlflow_traces.one()) == framework.expected(agent)


def test_baseline(framework: Framework, agent: Agent, model: Model, trace_baseline):
    for _ in range(5):
        with capture_traces() as traces:
            ask(framework, agent)

        assert traces.one() == trace_baseline


def test_tokens(framework: Framework, agent: Agent, model: Model, mlflow_traces):
    ask(framework, agent)

    counted = framework.counted(mlflow_traces.one())
    assert_trace(counted, Budget(tokens=agent.tokens))
    with pytest.raises(TraceAssertionError, match=f"at most {agent.tokens - 1} tokens, got {agent.tokens}"):
        assert_trace(counted, Budget(tokens=agent.tokens - 1))


def test_virtual_time(framework: Framework, agent: Agent, model: Model, virtual_time, mlflow_traces, monkeypatch):
    monkeypatch.setattr(tools, "seconds", [30.0])
    ask(framework, agent)

    (refund,) = mlflow_traces.one().find(framework.tool("refund"))
    assert refund.duration_ms == 30_000
    assert virtual_time.elapsed_ms == 30_000


def test_a_retry(framework: Framework, agent: Agent, model: Model, virtual_time, mlflow_traces):
    """The model has too many requests at first, and is asked again later, which takes virtual time alone."""
    model.follow(*agent.script, answers=agent.answers, failures=1)
    ask(framework, agent)

    assert framework.seen(mlflow_traces.one()) == framework.expected(agent)
    assert model.asked == len(agent.script) + agent.answers + 1
    assert virtual_time.elapsed_ms > 0


def test_a_skipped_guardrail_is_named(framework: Framework, agent: Agent, model: Model, mlflow_traces):
    script = (("refund",) if isinstance(turn, tuple) else turn for turn in agent.script if turn != "check_policy")
    model.follow(*script, answers=agent.answers)
    ask(framework, agent)

    with pytest.raises(TraceAssertionError, match=rf"- .*{framework.shown('check_policy')}.* missing"):
        assert_trace(framework.seen(mlflow_traces.one()), framework.expected(agent))
    assert framework.tool("check_policy") not in mlflow_traces


def test_a_tool_called_twice_is_named(framework: Framework, agent: Agent, model: Model, mlflow_traces):
    model.follow(*agent.script, "refund", answers=agent.answers)
    ask(framework, agent)

    with pytest.raises(TraceAssertionError, match=rf"\+ .*{framework.shown('refund')}.* unexpected"):
        assert_trace(framework.seen(mlflow_traces.one()), framework.expected(agent))
    with pytest.raises(TraceAssertionError, match=r"budget\.calls"):
        assert_trace(mlflow_traces.one(), Budget(calls={framework.tool("refund"): 1}))
