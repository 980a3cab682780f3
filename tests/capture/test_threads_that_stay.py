"""A thread, and what a pool was given, is of the capture in which it began, also where it carries no context."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import thread as pools
from multiprocessing.pool import ThreadPool
from queue import SimpleQueue

import mlflow
import pytest

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.capture.threads import BEGIN
from pytest_mlflow_traces.clock import virtual_time
from tests.capture.programs import names, traced


class Staying:
    """A thread that traces each name that it is given, until it is given `None`."""

    def __init__(self):
        self._given, self._done = SimpleQueue(), SimpleQueue()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while (name := self._given.get()) is not None:
            self._done.put(traced(name) if isinstance(name, str) else name())

    def trace(self, name):
        return self.call(name)

    def call(self, given):
        self._given.put(given)
        return self._done.get(timeout=30)

    def end(self):
        self._given.put(None)
        self._thread.join()


def test_a_thread_started_in_a_capture_starts_no_trace_in_the_next():
    with capture_traces() as first:
        thread = Staying()
        thread.trace("early")
    with capture_traces() as second:
        thread.trace("late")
        traced("next")
    thread.end()

    assert (names(first), names(second)) == (["early"], ["next"])


def test_a_thread_that_a_late_one_started_is_late_too():
    with capture_traces():
        thread = Staying()
    with capture_traces() as second:
        child = thread.call(Staying)
        child.trace("late")
        child.end()
        traced("next")
    thread.end()

    assert names(second) == ["next"]


def test_a_timer_started_in_a_capture_starts_no_trace_in_the_next():
    go_on = threading.Event()
    with capture_traces() as first:
        timer = threading.Timer(0, lambda: go_on.wait(timeout=30) and traced("late"))
        timer.start()
    with capture_traces() as second:
        go_on.set()
        timer.join()
        traced("next")

    assert (names(first), names(second)) == ([], ["next"])


def test_a_thread_of_before_all_captures_serves_each():
    thread = Staying()
    with capture_traces() as first:
        thread.trace("first")
    with capture_traces() as second:
        thread.trace("second")
    thread.end()

    assert (names(first), names(second)) == (["first"], ["second"])


def test_a_thread_that_one_of_before_all_captures_starts_serves_each():
    """A server of the session has a thread for each connection, and its clients keep theirs."""
    server = Staying()
    with capture_traces() as first:
        connection = server.call(Staying)
        connection.trace("first")
    with capture_traces() as second:
        connection.trace("second")
    connection.end()
    server.end()

    assert (names(first), names(second)) == (["first"], ["second"])


def submitted(pool, name):
    return pool.submit(traced, name).result(timeout=30)


def applied(pool, name):
    return pool.apply_async(traced, [name]).get(timeout=30)


@pytest.mark.parametrize(("make", "do"), [(ThreadPoolExecutor, submitted), (ThreadPool, applied)])
def test_a_pool_first_used_in_a_capture_works_for_the_next(make, do):
    with capture_traces() as first:
        pool = make(1)
        do(pool, "first")
    with capture_traces() as second:
        do(pool, "second")
    if make is ThreadPool:
        pool.close()
        pool.join()
    else:
        pool.shutdown()

    assert (names(first), names(second)) == (["first"], ["second"])


def test_work_that_a_pool_began_in_a_capture_starts_no_trace_in_the_next():
    go_on = threading.Event()

    def background():
        go_on.wait(timeout=30)
        traced("late")

    with ThreadPoolExecutor(1) as pool:
        with capture_traces() as first:
            begun, waiting = pool.submit(background), pool.submit(traced, "late, too")
        with capture_traces() as second:
            go_on.set()
            begun.result(timeout=30)
            waiting.result(timeout=30)
            pool.submit(traced, "next").result(timeout=30)

    assert (names(first), names(second)) == ([], ["next"])


def test_what_outlived_an_inner_capture_belongs_to_the_one_around_it():
    with capture_traces() as outer:
        with capture_traces() as inner:
            thread = Staying()
        with capture_traces() as sibling:
            thread.trace("late")
        thread.end()

    assert (names(outer), names(inner), names(sibling)) == (["late"], [], [])


def test_a_thread_serves_what_is_opened_inside_of_its_capture():
    with capture_traces() as outer:
        thread = Staying()
        with capture_traces() as inner:
            thread.trace("inside")
        thread.trace("after")
        thread.end()

    assert (names(outer), names(inner)) == (["after"], ["inside"])


def test_threads_of_captures_that_overlap_do_not_mix():
    opened = threading.Barrier(2)
    captured = {}

    def program(name):
        with capture_traces() as captured[name]:
            opened.wait(timeout=30)
            thread = Staying()
            opened.wait(timeout=30)
            thread.trace(name)
            thread.end()
            opened.wait(timeout=30)

    programs = [threading.Thread(target=program, args=[name]) for name in "ab"]
    for each in programs:
        each.start()
    for each in programs:
        each.join()

    assert {name: names(traces) for name, traces in captured.items()} == {"a": ["a"], "b": ["b"]}


def test_what_began_in_virtual_time_starts_no_trace_in_the_next_capture():
    go_on = SimpleQueue()  # a wait that virtual time does not see, nor end
    with ThreadPoolExecutor(1) as pool:
        with capture_traces() as first, virtual_time():
            thread = Staying()
            work = pool.submit(lambda: go_on.get() and traced("late, too"))
        with capture_traces() as second:
            thread.trace("late")
            thread.end()
            go_on.put(True)
            work.result(timeout=30)
            traced("next")

    assert (names(first), names(second)) == ([], ["next"])


# -- the standard library's own methods


def test_the_standard_library_is_as_before():
    before = getattr(threading, BEGIN), pools._WorkItem.__init__
    with capture_traces(), capture_traces():
        assert getattr(threading, BEGIN) is not before[0]
        assert pools._WorkItem.__init__ is not before[1]

    assert (getattr(threading, BEGIN), pools._WorkItem.__init__) == before


def test_work_given_to_a_pool_looks_like_the_function_that_it_is(traces):
    seen = []

    class Showing(ThreadPoolExecutor):
        def submit(self, work, /, *args):
            seen.append(work)
            return super().submit(work, *args)

    with Showing(1) as pool, pytest.raises(ZeroDivisionError) as error:
        pool.submit(divmod, 1, 0).result(timeout=30)

    assert seen == [divmod]
    assert "_threads.py" not in str(error.getrepr())


def test_a_child_of_a_span_that_a_thread_was_given_stays_with_it(traces):
    with mlflow.start_span("agent") as parent:
        thread = Staying()
        thread.call(lambda: mlflow.start_span_no_context("child", parent_span=parent).end() or True)
        thread.end()

    assert [span.path for span in traces.one().spans] == ["agent", "agent > child"]
