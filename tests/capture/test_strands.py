"""Siblings of tasks and threads that are there at one time take turns: they are recorded in any order."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest

from pytest_mlflow_traces import any_order, capture_traces, span
from pytest_mlflow_traces.core.patterns.recorded import recorded
from tests.capture.programs import traced


async def tool(name):
    traced(name)


async def gathered():
    await asyncio.gather(tool("a"), tool("b"))


async def in_a_group():
    tasks = [asyncio.create_task(tool(name)) for name in "ab"]
    for task in tasks:
        await task


async def told_by_handlers():
    """As callbacks are told of a tool by LangChain: each by a work of its own, made when the tool starts."""

    async def told(name):
        await asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, traced, name)

    await asyncio.gather(told("a"), told("b"))


async def one_by_one():
    for name in "ab":
        await asyncio.create_task(tool(name))


async def plain():
    await tool("a")
    await tool("b")


async def before_a_task():
    traced("a")
    await asyncio.create_task(tool("b"))


def work(name, go_on=None):
    """What a pool or a thread is given: a span, once both are there."""

    def in_time():
        if go_on is not None:
            go_on.wait(timeout=30)
        with lock:  # one after the other, whichever is first
            traced(name)

    return contextvars.copy_context().run, in_time


lock = threading.Lock()


def pooled():
    go_on = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        for name in "ab":
            pool.submit(*work(name, go_on))
        go_on.set()


def pooled_one_by_one():
    with ThreadPoolExecutor(2) as pool:
        for name in "ab":
            pool.submit(*work(name)).result()


def threaded():
    go_on = threading.Event()
    threads = [threading.Thread(target=run, args=[call]) for run, call in (work(name, go_on) for name in "ab")]
    for thread in threads:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join()


def threaded_one_by_one():
    for name in "ab":
        thread = threading.Thread(target=contextvars.copy_context().run, args=[traced, name])
        thread.start()
        thread.join()


def run(program):
    with capture_traces() as traces, mlflow.start_span("agent"):
        if asyncio.iscoroutinefunction(program):
            asyncio.run(program())
        else:
            program()
    trace = traces.one()
    one, two = trace.root.children
    assert not one.overlaps(two)
    return trace


@pytest.mark.parametrize("program", [gathered, in_a_group, told_by_handlers, pooled, threaded])
def test_what_runs_at_once_takes_turns(mode, program):
    tools = [span(name, type="UNKNOWN", status="OK")[()] for name in "ab"]

    trace = run(program)

    names = [child.name for child in trace.root.children]
    expected = any_order(*(tools if names == ["a", "b"] else reversed(tools)))
    assert recorded(trace.table) == span("agent", type="UNKNOWN", status="OK")[expected]


@pytest.mark.parametrize(
    "program",
    [one_by_one, plain, before_a_task, pooled_one_by_one, threaded_one_by_one],
    ids=lambda each: each.__name__,
)
def test_what_waits_for_the_one_before_keeps_its_order(mode, program):
    trace = run(program)

    assert recorded(trace.table) == trace.to_pattern()


def test_turns_end_with_what_comes_after_them(traces):
    async def program():
        await gathered()
        traced("then")
        await gathered()

    with mlflow.start_span("agent"):
        asyncio.run(program())

    assert [child.name for child in traces.one().root.children] == ["a", "b", "then", "a", "b"]
    first, then, second = recorded(traces.one().table).children
    assert then == span("then", type="UNKNOWN", status="OK")[()]
    assert {type(first), type(second)} == {type(any_order(span("a"), span("b")))}


def test_the_noting_ends_with_the_capture():
    before = asyncio.BaseEventLoop.create_task
    with capture_traces():
        assert asyncio.BaseEventLoop.create_task is not before

    assert asyncio.BaseEventLoop.create_task is before
