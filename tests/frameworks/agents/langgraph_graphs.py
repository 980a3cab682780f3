"""LangGraph: the ReAct agent and graphs of one's own; at once, awaited, as a stream."""

from __future__ import annotations

import functools
from typing import Any

import mlflow
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, create_react_agent, tools_condition

from tests.frameworks.tools import QUESTION, TOOLS

_TOOLS = [tool(each) for each in TOOLS]
_ASKED: Any = {"messages": [HumanMessage(QUESTION)]}
traced = mlflow.trace(name="agent", span_type="AGENT")


def _react() -> Any:
    return create_react_agent(ChatOpenAI(model="gpt-4o-mini"), _TOOLS)


async def _agent(state: MessagesState) -> Any:
    return {"messages": await ChatOpenAI(model="gpt-4o-mini").bind_tools(_TOOLS).ainvoke(state["messages"])}


def _agent_sync(state: MessagesState) -> Any:
    return {"messages": ChatOpenAI(model="gpt-4o-mini").bind_tools(_TOOLS).invoke(state["messages"])}


def _graph(agent: Any = _agent_sync, condition: Any = tools_condition, **options: Any) -> Any:
    """Return what create_react_agent does, written by hand."""
    graph = StateGraph(MessagesState)
    graph.add_node("agent", agent)
    graph.add_node("tools", ToolNode(_TOOLS))
    graph.add_edge(START, "agent")
    graph.add_conditional_edges("agent", condition)
    graph.add_edge("tools", "agent")
    return graph.compile(**options)


@traced
def react() -> None:
    _react().invoke(_ASKED)


@traced
async def react_async() -> None:
    await _react().ainvoke(_ASKED)


@traced
def react_stream() -> None:
    for _ in _react().stream(_ASKED):
        pass


@traced
async def react_async_stream() -> None:
    async for _ in _react().astream(_ASKED):
        pass


@traced
def checkpointer() -> None:
    _graph(checkpointer=InMemorySaver()).invoke(_ASKED, {"configurable": {"thread_id": "7"}})


@traced
def subgraph() -> None:
    graph = StateGraph(MessagesState)
    graph.add_node("inner", _graph())
    graph.add_edge(START, "inner")
    graph.compile().invoke(_ASKED)


@traced
async def unnamed_edge_async() -> None:
    await _graph(_agent, functools.partial(tools_condition, messages_key="messages")).ainvoke(_ASKED)


@traced
def tools_together() -> None:
    _graph().invoke(_ASKED)


@traced
async def tools_together_async() -> None:
    await _graph(_agent).ainvoke(_ASKED)


@traced
def branches() -> None:
    """Call both tools from nodes that run side by side, then ask the model."""
    graph = StateGraph(MessagesState)
    for each in _TOOLS:
        graph.add_node(f"do_{each.name}", lambda _, each=each: each.invoke({"order": 7}) and None)
        graph.add_edge(START, f"do_{each.name}")
    graph.add_node("agent", _agent_sync)
    graph.add_edge([f"do_{each.name}" for each in _TOOLS], "agent")
    graph.compile().invoke(_ASKED)
