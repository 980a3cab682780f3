"""A span that ends, or starts, after its capture has closed never reaches the next one."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import mlflow
import pytest

from pytest_mlflow_traces import TraceAssertionError, capture_traces
from pytest_mlflow_traces.capture.mlflow_internals import State
from tests.capture.programs import names, traced

pytestmark = pytest.mark.usefixtures("mode")


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
    (lost,) = second.lost
    assert str(lost) == (
        "capture.late at this capture: expected only its own spans meanwhile, got 'child', started below a span from"
        " before this capture (begin the trace inside: a span that was open before takes no children along)"
    )


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


JOIN = (
    "join or await it before that capture closes; make what serves several tests before all captures, in a fixture of"
    " the session, or give it its work with contextvars.copy_context().run"
)


def finding(actual):
    expected = "expected only its own spans meanwhile"
    return f"capture.late at this capture: {expected}, got {actual}, which has closed ({JOIN})"


@pytest.mark.parametrize("with_context", [False, True])
def test_late_traces_are_told_though_others_arrived(mode, with_context):
    go_on = threading.Event()

    def program():
        go_on.wait(timeout=30)
        for name in ("late", "late", "later"):
            traced(name)

    with capture_traces() as first:
        run = contextvars.copy_context().run if with_context else lambda call: call()
        thread = threading.Thread(target=run, args=[program])
        thread.start()
    with capture_traces() as second:
        with capture_traces() as inner:
            go_on.set()
            thread.join()
            traced("inside")
        traced("next")
    with capture_traces() as third:
        traced("third")

    late = finding("'late' x2, 'later', started by a thread or task of an earlier capture")
    assert [[str(each) for each in traces.lost] for traces in (first, second, inner, third)] == [[], [late], [late], []]


def test_a_late_span_below_one_of_an_earlier_capture_is_told_though_others_arrived(mode):
    with capture_traces():
        thread = Outlasting(with_context=True)
    with capture_traces() as second:
        thread.finish()
        traced("next")

    late = finding("'late child', started by a thread or task of an earlier capture")
    assert list(map(str, second.lost)) == [late]


def test_late_traces_are_told_by_the_test_of_their_capture_and_no_more_than_five_names(mode, monkeypatch):
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "test_app.py::test_first (call)")
    with capture_traces():
        threads = [Outlasting(with_context=True) for _ in range(2)]
        contexts = [contextvars.copy_context() for _ in range(7)]
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "test_app.py::test_second (call)")
    with capture_traces() as second:
        for number, context in enumerate(contexts):
            in_a_thread(context.run, traced, f"late {number}")
        for thread in threads:
            thread.finish()
        with pytest.raises(TraceAssertionError) as error:
            second.one()

    origin = "a thread or task of an earlier capture, of test_app.py::test_first"
    names = "'late 0', 'late 1', 'late 2', 'late 3', 'late 4', 3 more"  # the two children have one name
    assert list(map(str, second.lost)) == [finding(f"{names}, started by {origin}")]
    assert str(error.value) == (
        "expected one trace, but what was traced meanwhile is not of this test: 'late 0' was started by"
        f" {origin}, which has closed"
    )


def in_a_thread(call, *args):
    thread = threading.Thread(target=call, args=args)
    thread.start()
    thread.join()


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
