"""Traces from threads, pools, tasks and generators all arrive, as MLflow makes them, in the order of their start."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import mlflow

from pytest_mlflow_traces import capture_traces, span
from pytest_mlflow_traces.capture.mlflow_internals import InMemoryTraceManager
from tests.capture.programs import names, traced


def test_a_bare_thread_makes_traces_of_its_own(traces):
    """A frequent bug of agents; the capture shows it as it is."""
    with mlflow.start_span("agent"):
        threads = [threading.Thread(target=traced, args=[f"worker {number}"]) for number in range(3)]
        for thread in threads:
            thread.start()
            thread.join()

    assert names(traces) == ["agent", "worker 0", "worker 1", "worker 2"]
    assert all(len(trace.spans) == 1 for trace in traces)


def test_a_pool_without_the_context_makes_traces_of_its_own(traces):
    with mlflow.start_span("agent"), ThreadPoolExecutor(3) as pool:
        list(pool.map(traced, ["a", "b", "c"]))

    assert names(traces)[0] == "agent"
    assert sorted(names(traces)) == ["a", "agent", "b", "c"]


def test_a_pool_with_a_copied_context_makes_children(traces):
    with mlflow.start_span("agent"), ThreadPoolExecutor(3) as pool:
        tasks = [pool.submit(contextvars.copy_context().run, traced, name) for name in "abc"]
        for task in tasks:
            task.result()

    assert sorted(span.name for span in traces.one().root.children) == ["a", "b", "c"]


def test_a_pool_made_before_the_capture_works_for_it():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: None).result()
        with capture_traces() as first:
            pool.submit(traced, "first").result()
        with capture_traces() as second:
            pool.submit(traced, "second").result()

    assert (names(first), names(second)) == (["first"], ["second"])


def test_threads_that_trace_at_the_same_time_are_told_apart(traces):
    barrier = threading.Barrier(4)

    def work(name):
        with mlflow.start_span(name):
            barrier.wait(timeout=30)
            with mlflow.start_span(f"{name} child"):
                barrier.wait(timeout=30)

    threads = [threading.Thread(target=work, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(names(traces)) == ["a", "b", "c", "d"]
    assert all([span.name for span in trace.spans] == [trace.name, f"{trace.name} child"] for trace in traces)
    assert all(first.overlaps(second) for first, second in zip(roots(traces), roots(traces)[1:], strict=False))


def roots(traces):
    return [trace.root for trace in traces]


def test_tasks_run_together_are_children_of_the_span_they_are_awaited_in(traces):
    async def work(name):
        with mlflow.start_span(name):
            await asyncio.sleep(0)
            with mlflow.start_span(f"{name} child"):
                await asyncio.sleep(0)

    async def agent():
        with mlflow.start_span("agent"):
            await asyncio.gather(work("a"), work("b"))
            await asyncio.create_task(work("c"))
            await asyncio.to_thread(traced, "d")

    asyncio.run(agent())

    trace = traces.one()
    assert [span.path for span in trace.spans] == [
        "agent",
        "agent > a",
        "agent > a > a child",
        "agent > b",
        "agent > b > b child",
        "agent > c",
        "agent > c > c child",
        "agent > d",
    ]


def test_tasks_without_a_span_around_them_make_traces_of_their_own(traces):
    async def work(name):
        with mlflow.start_span(name):
            await asyncio.sleep(0)

    async def program():
        await asyncio.gather(*(work(name) for name in "abc"))

    asyncio.run(program())

    assert names(traces) == ["a", "b", "c"]


def test_an_executor_of_the_loop_makes_traces_of_its_own(traces):
    async def agent():
        with mlflow.start_span("agent"):
            await asyncio.get_running_loop().run_in_executor(None, traced, "worker")

    asyncio.run(agent())

    assert names(traces) == ["agent", "worker"]


def test_a_traced_coroutine_that_is_cancelled_ends_its_span(traces):
    @mlflow.trace
    async def waiting():
        await asyncio.get_running_loop().create_future()

    async def program():
        task = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(program())

    assert traces.one().name == "waiting"
    assert traces.unfinished == ()


def test_a_traced_generator_is_one_span_over_all_it_yields(traces):
    @mlflow.trace(output_reducer="".join)
    def stream():
        for token in ("be", "cause"):
            with mlflow.start_span(f"token {token}"):
                yield token

    assert list(stream()) == ["be", "cause"]
    trace = traces.one()
    assert trace.response == "because"
    assert trace.root.name == "stream"


def test_a_traced_asynchronous_generator_is_one_span_over_all_it_yields(traces):
    @mlflow.trace
    async def stream():
        for token in ("be", "cause"):
            await asyncio.sleep(0)
            yield token

    async def program():
        return [token async for token in stream()]

    assert asyncio.run(program()) == ["be", "cause"]
    assert traces.one().response == ["be", "cause"]


def test_a_traced_generator_that_is_closed_early_is_unfinished_and_named(traces):
    @mlflow.trace
    def stream():
        yield from ("be", "cause")

    generator = stream()
    next(generator)
    generator.close()
    traced("next")

    assert names(traces) == ["next"], "it does not adopt what comes after it"
    assert [span.name for span in traces.unfinished] == ["stream"]


def test_a_span_leaked_by_a_plain_generator_is_unfinished_and_adopts_what_follows_as_in_production(traces):
    def stream():
        with mlflow.start_span("stream"):
            yield 1
            yield 2

    generator = stream()
    next(generator)
    traced("inside")
    assert [span.path for span in traces.unfinished] == ["stream"]
    assert names(traces) == []
    generator.close()

    assert [span.path for span in traces.one().spans] == ["stream", "stream > inside"]


def test_a_span_leaked_into_the_next_capture_does_not_take_its_traces():
    def stream():
        with mlflow.start_span("stream"):
            yield

    with capture_traces() as first:
        leaked = stream()
        next(leaked)
    with capture_traces() as second:
        traced("next")
        assert mlflow.get_current_active_span() is None
        leaked.close()
    assert names(second) == ["next"]
    assert [span.name for span in first.unfinished] == ["stream"]
    assert (names(first), second.unfinished) == ([], ())


def test_a_root_that_ends_before_its_child_is_unfinished_until_the_child_ends(traces):
    root = mlflow.start_span_no_context("agent")
    child = mlflow.start_span_no_context("background", parent_span=root)
    root.end()

    assert len(traces) == 0
    assert [span.path for span in traces.unfinished] == ["agent > background"]
    child.end()

    assert [span.path for span in traces.one().spans] == ["agent", "agent > background"]
    assert traces.unfinished == ()


def test_a_child_that_starts_after_its_trace_is_complete_joins_it_as_in_production(mode):
    with capture_traces() as traces:
        root = mlflow.start_span_no_context("agent")
        root.end()
        assert traces.one() == span("agent")
        late = mlflow.start_span_no_context("late", parent_span=root)

        assert len(traces) == 0
        assert [each.path for trace in traces.in_progress for each in trace.spans] == ["agent", "agent > late"]
        late.end()

        assert traces.one() == span("agent")[span("late")]
        assert [each.name for each in mlflow.get_trace(root.trace_id).data.spans] == ["agent", "late"]
        assert (traces.lost, traces.unfinished) == ((), ())


def test_what_a_late_child_sets_is_of_its_trace(traces):
    root = mlflow.start_span_no_context("agent", tags={"early": "yes"})
    root.end()
    with mlflow.tracing.provider.safe_set_span_in_context(root), mlflow.start_span("late") as late:
        late.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})
        mlflow.update_current_trace(tags={"late": "yes"})

    assert traces.one().tags == {"early": "yes", "late": "yes"}
    assert traces.one().token_usage["total_tokens"] == 3


def test_a_late_child_that_mlflow_forgets_takes_nothing_along(traces):
    root = mlflow.start_span_no_context("agent")
    root.end()
    late = mlflow.start_span_no_context("late", parent_span=root)
    InMemoryTraceManager.get_instance()._traces.clear()
    late.end()

    assert traces.one() == span("agent")
    assert [each.rule for each in traces.lost] == ["capture.dropped"]


def test_a_traced_asynchronous_generator_that_is_closed_early_is_unfinished_and_named(traces):
    @mlflow.trace
    async def stream():
        yield "be"
        yield "cause"

    async def program():
        generator = stream()
        await anext(generator)
        await generator.aclose()
        traced("next")

    asyncio.run(program())

    assert names(traces) == ["next"]
    assert [span.name for span in traces.unfinished] == ["stream"]


def test_a_task_that_outlives_the_root_of_its_trace_is_part_of_it_as_in_production(traces):
    async def background(go_on):
        await go_on.wait()
        traced("late")

    async def program():
        go_on = asyncio.Event()
        with mlflow.start_span("agent"):
            task = asyncio.create_task(background(go_on))
        go_on.set()
        await task

    asyncio.run(program())

    assert traces.one() == span("agent")[span("late")]
