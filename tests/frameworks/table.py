"""The table of agents: every framework, the ways in which it is asked, and what of each does not hold today.

Nothing here imports a framework: what runs an agent is the function of its name, in the framework's module of `agents`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_mlflow_traces import Trace, any_order, span
from tests.frameworks.protocols import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_mlflow_traces.core.patterns.nodes import Pattern

CHECKS = (
    "tree",
    "baseline",
    "tokens",
    "virtual_time",
    "a_retry",
    "a_skipped_guardrail_is_named",
    "a_tool_called_twice_is_named",
)
Turns = tuple[str | tuple[str, ...], ...]
GOOD: Turns = ("check_policy", "refund")
TOGETHER: Turns = (("check_policy", "refund"),)


def _by_name(name: str) -> Pattern:
    return span(name, type="TOOL")


@dataclass(frozen=True, slots=True)
class Agent:
    """One way to ask a framework; `fails` says of a check of the battery why it does not hold."""

    name: str
    script: Turns = GOOD
    before: tuple[str, ...] = ()  # tools that are called side by side before the model is asked
    answers: int = 1  # of the model, after the last turn
    root: str = "agent"
    fails: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def tokens(self) -> int:
        return (len(self.script) + self.answers) * (INPUT + OUTPUT)


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework, how MLflow is told to trace it, and which of its spans a test looks at."""

    name: str
    module: str
    distribution: str
    autolog: str  # of a module of MLflow's; nothing for plain OpenTelemetry
    agents: tuple[Agent, ...]
    model: tuple[Pattern, ...] = (span(type="CHAT_MODEL"),)  # none where MLflow makes no span of it
    tool: Callable[[str], Pattern] = _by_name
    plumbing: tuple[Pattern, ...] = ()
    no_calls: tuple[Pattern, ...] = ()  # of a model, though they have the type of one
    retries: bool = True
    fails: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def expected(self, agent: Agent) -> Pattern:
        """Return what a trace is like, seen through the plumbing: the turns of the script, and the answer."""
        steps = self._called(agent.before) if agent.before else []
        for turn in agent.script:
            steps += [*self.model, *self._called((turn,) if isinstance(turn, str) else turn)]
        return span(agent.root)[(*steps, *self.model * agent.answers)]

    def checks(self, agent: Agent) -> list[str]:
        """Return what of the battery is asked of an agent: the model cannot change what a graph calls by itself."""
        left = {"a_retry"} if not self.retries else set()
        left |= {check for check in CHECKS if check.endswith("is_named")} if not agent.script else set()
        return [check for check in CHECKS if check not in left]

    def seen(self, trace: Trace) -> Trace:
        return trace.without(*self.plumbing) if self.plumbing else trace

    def counted(self, trace: Trace) -> Trace:
        return trace.without(*self.no_calls) if self.no_calls else trace

    def shown(self, tool: str) -> str:
        """Return what a failure calls the span of a tool."""
        return self.tool(tool).name

    def _called(self, names: tuple[str, ...]) -> list[Pattern]:
        tools = [self.tool(name) for name in names]
        return tools if len(tools) == 1 else [any_order(*tools)]


_NO_USAGE = "MLflow records no token usage"
_NO_SPAN = "MLflow makes no span of a model's call"
_CUT = "LiteLLM cuts the times of its spans to microseconds: in virtual time they begin before what ended just then"

_SAID = {"check_policy": "allowed", "refund": "order 7 is refunded"}  # a tool without a name is known by its answer

FRAMEWORKS = (
    Framework(
        "OpenAI SDK",
        "openai_sdk",
        "openai",
        "openai",
        tuple(map(Agent, ("chat", "chat_async", "chat_stream", "responses", "responses_async", "responses_stream"))),
    ),
    Framework(
        "OpenAI Agents",
        "openai_agents",
        "openai-agents",
        "openai",
        (
            Agent("run", root="AgentRunner.run"),
            Agent("run_sync", root="AgentRunner.run"),
            Agent("run_streamed", root="AgentRunner.run_streamed", fails={"tokens": _NO_USAGE}),
        ),
        model=(span("AsyncResponses", type="CHAT_MODEL"),),
        plumbing=(span(type="CHAIN"), span("refunds", type="AGENT"), span("Response")),
    ),
    Framework(
        "Anthropic SDK",
        "anthropic_sdk",
        "anthropic",
        "anthropic",
        (
            Agent("messages"),
            Agent("messages_async"),
            Agent("messages_stream", fails={"tokens": _NO_USAGE}),
            Agent(
                "messages_stream_helper",
                fails=dict.fromkeys(("tree", "tokens", "a_retry", "a_tool_called_twice_is_named"), _NO_SPAN),
            ),
        ),
    ),
    Framework(
        "LangGraph",
        "langgraph_graphs",
        "langgraph",
        "langchain",
        (
            *map(Agent, ("react", "react_async", "react_stream", "react_async_stream", "checkpointer", "subgraph")),
            Agent("unnamed_edge_async"),
            Agent("tools_together", TOGETHER),
            Agent("tools_together_async", TOGETHER),
            Agent("branches", script=(), before=("check_policy", "refund")),
        ),
        plumbing=(span(type="CHAIN"),),
    ),
    Framework(
        "DSPy",
        "dspy_react",
        "dspy",
        "dspy",
        (Agent("react", answers=2, root="ReAct.forward"), Agent("react_async", answers=2, root="ReAct.forward")),
        tool=lambda name: span(f"Tool.{name}", type="TOOL"),
        plumbing=(span(type=re.compile("LLM|PARSER|CHAIN")),),
    ),
    Framework(
        "Pydantic AI",
        "pydantic_agents",
        "pydantic-ai-slim",
        "pydantic_ai",
        (
            Agent("run", root="Agent.run"),
            Agent("run_sync", root="Agent.run"),
            Agent("run_stream", root="Agent.run_stream"),
        ),
        model=(span(type="LLM"),),
        plumbing=(span("Agent.run_sync"),),
    ),
    Framework(
        "LiteLLM",
        "litellm_sdk",
        "litellm",
        "litellm",
        (
            Agent("completion", fails={"a_retry": _CUT}),
            Agent("acompletion", fails={"a_retry": _CUT}),
        ),
        model=(span(type="LLM"),),
    ),
    Framework(
        "smolagents",
        "smolagents_tools",
        "smolagents",
        "smolagents",
        (Agent("tool_calling", root="ToolCallingAgent.run", fails={"tokens": _NO_SPAN}),),
        model=(),
        tool=lambda name: span("SimpleTool.__call__", type="TOOL", outputs={"_value": _SAID[name]}),
        plumbing=(span("FinalAnswerTool.__call__"),),
    ),
    Framework(
        "LlamaIndex",
        "llama_index_agents",
        "llama-index-core",
        "llama_index",
        (
            Agent("run", root="FunctionAgent.run"),
            Agent("run_stream", root="FunctionAgent.run", fails={"tokens": _NO_USAGE}),
        ),
        tool=lambda name: span("FunctionTool.acall", type="TOOL", attributes={"name": name}),
        plumbing=(span(type=re.compile("CHAIN|LLM")),),
        no_calls=(span("OpenAI._prepare_chat_with_tools"),),
    ),
    Framework(
        "Strands",
        "strands_agents",
        "strands-agents",
        "strands",
        (Agent("call", root="invoke_agent refunds"), Agent("invoke_async", root="invoke_agent refunds")),
        tool=lambda name: span(f"execute_tool {name}", type="TOOL"),
        plumbing=(span("execute_event_loop_cycle"),),
    ),
    Framework(
        "Google GenAI",
        "google_genai",
        "google-genai",
        "gemini",
        (Agent("by_hand"), Agent("by_hand_async"), Agent("automatic")),
        model=(span(re.compile(r"(Async)?Models\._generate_content"), type="LLM"),),
        plumbing=(span(re.compile(r"(Async)?Models\.generate_content")),),
    ),
    Framework(
        "OpenTelemetry",
        "opentelemetry_spans",
        "opentelemetry-sdk",
        "",
        (Agent("spans"),),
        tool=lambda name: span(f"execute_tool {name}", type="TOOL"),
        retries=False,
    ),
)
