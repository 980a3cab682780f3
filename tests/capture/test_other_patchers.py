"""Others wrap what this package stands in for, before it, inside of a capture and across two, and unwrap it."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import mlflow
import pytest
from opentelemetry.sdk.trace import RandomIdGenerator

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.capture.log import TraceLog
from pytest_mlflow_traces.capture.mlflow_internals import State, tracking_utils
from pytest_mlflow_traces.capture.replacements import Replacements
from pytest_mlflow_traces.capture.store.memory import MemoryStore
from pytest_mlflow_traces.clock import virtual_time
from tests.capture.programs import names, traced

wrapt = pytest.importorskip("wrapt")

PLACES = (
    (threading.Thread, "start"),
    (threading.Timer, "start"),  # where OpenTelemetry puts a second one, around that of `Thread`
    (threading.Thread, "run"),
    (threading.Thread, "join"),
    (threading.Condition, "wait"),
    (ThreadPoolExecutor, "submit"),
    (ThreadPoolExecutor, "shutdown"),
    (asyncio.base_events.BaseEventLoop, "_run_once"),
    (RandomIdGenerator, "generate_span_id"),
    (mlflow.tracing.provider, "_get_span_processors"),
    (time, "sleep"),
    (time, "monotonic"),
    (asyncio, "sleep"),
)
_NONE = object()


class Instrumentation:
    """What `opentelemetry-instrumentation-threading` and others do, in all places at once."""

    def __init__(self):
        self.calls = []

    def turn_on(self):
        for holder, name in PLACES:
            wrapt.wrap_function_wrapper(holder, name, functools.partial(self._call, name))

    def _call(self, name, wrapped, instance, args, kwargs):
        self.calls.append(name)
        if name in {"start", "run", "join", "submit", "shutdown", "wait"}:
            instance.__dict__["_seen_by_another"] = True  # as `Thread.start` of OpenTelemetry's does
        return wrapped(*args, **kwargs)

    def turn_off(self):
        """Unwrap as OpenTelemetry does: only where the wrapper is what stands there."""
        for holder, name in PLACES:
            now = vars(holder).get(name)
            if holder is threading.Timer:
                del threading.Timer.start
            elif isinstance(now, wrapt.FunctionWrapper):
                setattr(holder, name, now.__wrapped__)


@contextmanager
def put_back():
    before = [vars(holder).get(name, _NONE) for holder, name in PLACES]
    try:
        yield
    finally:
        for (holder, name), value in zip(PLACES, before, strict=True):
            if value is _NONE:
                if name in vars(holder):
                    delattr(holder, name)
            else:
                setattr(holder, name, value)


@pytest.fixture
def instrumentation(monkeypatch):
    """Let MLflow alone trace too, into a store that nobody asks."""
    before, store = State(), MemoryStore(TraceLog())
    monkeypatch.setattr(tracking_utils._tracking_store_registry, "get_store", lambda *_, **__: store, raising=False)
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
    with put_back():
        yield Instrumentation()
    before.restore()


def program():
    thread = threading.Thread(target=traced, args=["thread"])
    thread.start()
    thread.join()
    timer = threading.Timer(0, traced, args=["timer"])
    timer.start()
    timer.join()
    with ThreadPoolExecutor() as pool:
        pool.submit(traced, "pool").result()

    async def task():
        await asyncio.sleep(0.001)
        traced("task")

    asyncio.run(task())


ALL = ["thread", "timer", "pool", "task"]


def captured(seconds=None):
    """What a capture has, and how much time passed, in virtual time, where that was asked for."""
    with capture_traces() as traces:
        if seconds is None:
            program()
            return names(traces)
        with virtual_time() as clock:
            program()
            before = time.monotonic()
            time.sleep(seconds)
            assert time.monotonic() - before == pytest.approx(seconds)
            assert clock.elapsed_ms == seconds * 1000 + 1
    return names(traces)


@pytest.mark.parametrize("seconds", [None, 5])
def test_wrapped_before_all_captures(instrumentation, seconds):
    instrumentation.turn_on()
    for _ in range(3):
        assert captured(seconds) == ALL
    before = len(instrumentation.calls)
    program()

    assert len(instrumentation.calls) > before
    instrumentation.turn_off()
    instrumentation.calls.clear()
    assert captured(seconds) == ALL
    assert instrumentation.calls == []


@pytest.mark.parametrize("seconds", [None, 5])
def test_wrapped_inside_of_a_capture_and_kept(instrumentation, seconds):
    with capture_traces() as first:
        instrumentation.turn_on()
        program()
    program()  # by MLflow alone, in no capture
    for _ in range(3):
        assert captured(seconds) == ALL

    assert names(first) == ALL
    assert {"start", "run", "join", "submit", "shutdown", "wait"} <= set(instrumentation.calls)


@pytest.mark.parametrize("seconds", [None, 5])
def test_wrapped_inside_of_virtual_time_and_kept(instrumentation, seconds):
    with capture_traces() as first, virtual_time() as clock:
        instrumentation.turn_on()
        program()
        time.sleep(2)
        assert clock.elapsed_ms == 2_001
    for _ in range(3):
        assert captured(seconds) == ALL

    assert names(first) == ALL


@pytest.mark.parametrize("around", [capture_traces, virtual_time])
def test_wrapped_in_one_and_unwrapped_in_the_next(instrumentation, around):
    with around():
        instrumentation.turn_on()
        program()
    with around():
        program()
        instrumentation.turn_off()
        program()
    assert captured() == captured(5) == ALL


@pytest.mark.parametrize("around", [capture_traces, virtual_time])
def test_wrapped_before_and_unwrapped_inside_leaves_threads_and_pools_unwrapped(instrumentation, around):
    instrumentation.turn_on()
    with around():
        instrumentation.turn_off()
        instrumentation.calls.clear()
        program()
        assert not {"start", "run", "submit"} & set(instrumentation.calls)
    assert captured() == captured(5) == ALL


def test_a_thread_outlives_its_capture_under_a_wrapper_of_start(instrumentation):
    go_on = threading.Event()
    instrumentation.turn_on()
    with capture_traces() as first:
        late = threading.Timer(0, lambda: go_on.wait(30) and traced("late"))
        late.start()
    with capture_traces() as second:
        go_on.set()
        late.join()
        traced("next")

    assert (names(first), names(second)) == ([], ["next"])


def test_a_stub_of_sleep_that_wraps_nothing_stays_a_stub(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)

    with virtual_time() as clock:
        time.sleep(5)

    assert (5 in slept, clock.elapsed_ms) == (True, 0)  # threads that other tests left behind may sleep, too
    assert time.sleep == slept.append


# -- taking out


class Holder:
    def method(self):
        return "original"


def stand_in(before):
    return lambda self: f"ours, around {before(self)}"


def test_what_still_stands_is_taken_out():
    original, ours = vars(Holder)["method"], Replacements()
    ours.put(Holder, "method", stand_in)
    assert Holder().method() == "ours, around original"
    ours.take_out()

    assert vars(Holder)["method"] is original
    ours.take_out()


def test_what_somebody_has_wrapped_stays():
    original, ours = vars(Holder)["method"], Replacements()
    ours.put(Holder, "method", stand_in)
    inner = Holder.method
    Holder.method = outer = lambda self: f"theirs, around {inner(self)}"
    try:
        ours.take_out()
        assert vars(Holder)["method"] is outer
        assert Holder().method() == "theirs, around ours, around original"
    finally:
        Holder.method = original


def test_what_was_not_there_is_taken_away_again():
    holder, ours = Holder(), Replacements()
    ours.put(holder, "method", lambda before: lambda: f"ours, around {before()}")
    assert holder.method() == "ours, around original"
    ours.take_out()

    assert vars(holder) == {}
