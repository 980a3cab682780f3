"""A span that ends, or starts, after its capture has closed never reaches the next one."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import mlflow
import pytest

from pytest_mlflow_traces import TraceAssertionError, capture_traces
from pytest_mlflow_traces._mlflow import State
from tests.capture.programs import names, traced

pytestmark = pytest.mark.parametrize("mode", ["isolated", "unified"], indirect=True)


@pytest.fixture
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "unified":
        monkeypatch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", "false")


class Outlasting:
    """A thread that traces on after the capture in which it was started."""

    def __init__(self, *, with_context: bool) -> None:
        self.go_on, self.is_inside = threading.Event(), threading.Event()
        run = contextvars.copy_context().run if with_context else lambda call: call()
        self._thread = threading.Thread(target=run, args=[self._program])
        self._thread.start()
        self.is_inside.wait(timeout=30)

    def _program(self) -> None:
        with mlflow.start_span("late"):
            with mlflow.start_span("early child"):
                pass
            self.is_inside.set()
            self.go_on.wait(timeout=30)
            with mlflow.start_span("late child"):
                pass

    def finish(self) -> None:
        self.go_on.set()
        self._thread.join()


@pytest.mark.parametrize("with_context", [False, True])
def test_a_span_that_ends_in_the_next_capture_is_in_neither(mode, with_context):
    with capture_traces() as first:
        thread = Outlasting(with_context=with_context)
    with capture_traces() as second:
        traced("before")
        thread.finish()
        traced("after")

    assert names(first) == []
    assert [span.name for span in first.unfinished] == ["late"]
    assert names(second) == ["before", "after"]
    assert all(len(trace.spans) == 1 for trace in second)
    assert second.unfinished == ()


@pytest.mark.parametrize("with_context", [False, True])
def test_a_span_that_ends_when_no_capture_is_open_goes_nowhere(mode, with_context, monkeypatch):
    with capture_traces() as first:
        thread = Outlasting(with_context=with_context)
    state = State()
    # what it starts from now on is MLflow's own affair; without this it would make a database
    monkeypatch.setattr("mlflow.tracing.provider._get_span_processors", lambda disabled=False: [])
    thread.finish()
    state.restore()

    assert names(first) == []
    assert [span.name for span in first.unfinished] == ["late"]


def test_a_trace_whose_root_ended_in_time_is_unfinished_where_its_child_was_late(mode):
    with capture_traces() as first:
        root = mlflow.start_span_no_context("agent")
        child = mlflow.start_span_no_context("background", parent_span=root)
        root.end()
    with capture_traces() as second:
        child.end()

    assert (names(first), names(second)) == ([], [])
    assert [span.path for span in first.unfinished] == ["agent > background"]


def test_a_child_given_a_parent_of_an_earlier_capture_is_dropped(mode):
    with capture_traces():
        parent = mlflow.start_span_no_context("parent")
    with capture_traces() as second:
        child = mlflow.start_span_no_context("child", parent_span=parent)
        child.end()
        parent.end()

    assert names(second) == []
    assert second.unfinished == ()


def test_a_thread_that_outlived_its_capture_starts_no_trace_in_the_next(mode):
    go_on = threading.Event()

    def program():
        go_on.wait(timeout=30)
        traced("late")

    with capture_traces() as first:
        thread = threading.Thread(target=contextvars.copy_context().run, args=[program])
        thread.start()
    with capture_traces() as second:
        go_on.set()
        thread.join()
        with pytest.raises(TraceAssertionError) as error:
            second.one()
        traced("next")

    assert (names(first), names(second)) == ([], ["next"])
    assert str(error.value) == (
        "expected one trace, but what was traced meanwhile is not of this test: 'late' was started by a thread or task"
        " of an earlier capture, which has closed"
    )


def test_a_task_that_outlived_its_capture_starts_no_trace_in_the_next(mode):
    """As in a suite whose tests share an event loop."""
    loop = asyncio.new_event_loop()

    async def background(go_on):
        await go_on.wait()
        traced("late")

    async def first_test():
        go_on = asyncio.Event()
        with capture_traces() as captured:
            task = asyncio.create_task(background(go_on))
            traced("first")
        return captured, task, go_on

    async def second_test(task, go_on):
        with capture_traces() as captured:
            go_on.set()
            await task
            traced("second")
        return captured

    first, task, go_on = loop.run_until_complete(first_test())
    second = loop.run_until_complete(second_test(task, go_on))
    loop.close()

    assert (names(first), names(second)) == (["first"], ["second"])


def test_what_outlived_an_inner_capture_belongs_to_the_one_around_it(mode):
    go_on = threading.Event()

    def program():
        go_on.wait(timeout=30)
        traced("late")

    with capture_traces() as outer:
        with capture_traces() as inner:
            thread = threading.Thread(target=contextvars.copy_context().run, args=[program])
            thread.start()
        with capture_traces() as sibling:
            go_on.set()
            thread.join()

    assert (names(outer), names(inner), names(sibling)) == (["late"], [], [])


def test_a_seed_set_again_does_not_lead_a_late_span_into_the_next_capture(mode):
    """pytest-randomly seeds each test alike, and OpenTelemetry makes its ids from that."""
    import random

    random.seed(1)
    with capture_traces():
        late = mlflow.start_span_no_context("late")
    random.seed(1)
    with capture_traces() as second:
        root = mlflow.start_span_no_context("next")
        late.end()
        assert [span.name for span in second.unfinished] == ["next"]
        root.end()

    assert names(second) == ["next"]
