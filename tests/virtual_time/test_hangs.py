"""What can never end in virtual time ends in an error that says so, in whatever thread, however it waits."""

from __future__ import annotations

import asyncio
import queue
import re
import select
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from types import ModuleType

import pytest

from pytest_mlflow_traces.clock import VirtualTimeError, virtual_time
from pytest_mlflow_traces.virtual_time import deadlock
from tests.support.messages import exactly


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.setattr(deadlock, "PATIENCE_S", 0.3)
    monkeypatch.setattr(deadlock, "LOOK_S", 0.02)


def until(seconds, now, poll):
    deadline = now() + seconds
    while now() < deadline:
        poll()


def wait_until(is_done, poll):
    while not is_done():
        poll()


def spin(done):
    while not done:
        pass


def poll_real_world():
    select.select([], [], [], 0.0005)


@pytest.mark.parametrize("poll", [int, poll_real_world, lambda: time.sleep(0), lambda: threading.Event().wait(0)])
@pytest.mark.parametrize(
    "now",
    [
        lambda: time.monotonic(),
        lambda: time.perf_counter(),
        lambda: time.time(),
        lambda: datetime.now(timezone.utc).timestamp(),
        lambda: time.monotonic_ns() / 1e9,
    ],
)
def test_a_main_thread_that_polls_the_clock_is_told(now, poll):
    with (
        virtual_time(),
        pytest.raises(VirtualTimeError, match="this thread asks for the time over and over, at test_h"),
    ):
        until(5, now, poll)


def test_what_polls_the_clock_is_told_where_and_what_to_do():
    with virtual_time(), pytest.raises(VirtualTimeError) as raised:
        until(5, time.monotonic, int)

    first, last = str(raised.value).splitlines()
    line = until.__code__.co_firstlineno + 2
    assert first == (
        f"virtual time stands still: this thread asks for the time over and over, at test_hangs.py:{line}, in until,"
        " and time moves only when it waits, which it has not for 0.3 s"
    )
    assert last == "sleep in such a loop, by time.sleep() or a wait with a time-out above 0"


def test_a_loop_that_sleeps_a_little_is_not_told():
    with virtual_time() as clock:
        until(5, time.monotonic, lambda: time.sleep(0.001))

    assert clock.elapsed_ms == pytest.approx(5_000, abs=1)


@pytest.mark.parametrize("poll", [int, poll_real_world, lambda: time.sleep(0), lambda: queue.Queue().empty()])
def test_a_main_thread_that_polls_a_worker_is_told(poll):
    with virtual_time(), ThreadPoolExecutor() as pool:
        sleeper = pool.submit(time.sleep, 5)
        with pytest.raises(VirtualTimeError, match=r"virtual time stands still: (it moves only|this thread asks)"):
            wait_until(sleeper.done, poll)
        sleeper.result()


def test_a_main_thread_that_polls_a_flag_of_a_thread_is_told():
    done = []

    def work():
        time.sleep(5)
        done.append(True)

    with virtual_time():
        threading.Thread(target=work).start()
        with pytest.raises(VirtualTimeError, match=r"thread 'MainThread' is at test_hangs\.py"):
            spin(done)
        time.sleep(6)

    assert done


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_swallows_the_error_does_not_hold_up_the_rest():
    stop = []

    def stubborn():
        while not stop:
            with suppress(VirtualTimeError):
                sum(range(100))

    try:
        with virtual_time():
            threading.Thread(target=stubborn, daemon=True).start()
            with pytest.raises(VirtualTimeError, match=r"is at test_hangs\.py:.*in stubborn"):
                time.sleep(5)
    finally:
        stop.append(True)


def test_threads_that_wait_for_each_other_are_told():
    first, second = threading.Event(), threading.Event()

    def work():
        first.wait()
        second.set()

    thread = threading.Thread(target=work, name="worker", daemon=True)
    with virtual_time():
        thread.start()
        with pytest.raises(VirtualTimeError) as raised:
            second.wait()
    first.set()
    thread.join(30)

    head, *lines = str(raised.value).splitlines()
    assert head == (
        "virtual time stands still: every thread waits for another, without a limit, and for 0.3 s none has ended a"
        " wait:"
    )
    assert re.fullmatch(
        r"  thread 'MainThread' is at test_hangs\.py:\d+, in test_threads_that_wait_for_each_other_are_told"
        r" \(threading\.py:\d+, in wait\)",
        lines[0],
    )
    assert re.fullmatch(r"  thread 'worker' is at test_hangs\.py:\d+, in work \(threading\.py:\d+, in wait\)", lines[1])


def test_a_pool_whose_worker_never_comes_is_told(monkeypatch):
    monkeypatch.setattr(ThreadPoolExecutor, "_adjust_thread_count", lambda pool: None)

    with pytest.raises(VirtualTimeError, match="has not started"), virtual_time():
        ThreadPoolExecutor(1).submit(int).result()


def test_a_main_thread_that_waits_for_the_real_world_is_let_be():
    ready = threading.Event()

    def work():
        ready.wait()

    with virtual_time():
        thread = threading.Thread(target=work)
        thread.start()
        select.select([], [], [], 1)  # three times the patience
        ready.set()
        thread.join()


def test_a_task_that_polls_in_a_loop_is_told():
    async def main():
        done = []
        asyncio.get_running_loop().call_later(5, done.append, True)
        while not done:  # noqa: ASYNC110  # the wrong way is what this is about
            await asyncio.sleep(0)

    with virtual_time(), pytest.raises(VirtualTimeError) as raised:
        asyncio.run(main())

    first, last = str(raised.value).splitlines()
    assert first.startswith(
        "virtual time stands still: an event loop had something to do at all times for 0.3 s, and its timers wait for a"
        " moment when it has not: <Handle "
    )
    assert last == (
        "a task that waits by asyncio.sleep(0), over and over, never lets time pass: wait for an event, or sleep longer"
    )


def test_tasks_that_work_for_long_are_let_be():
    async def main():
        began = time.process_time()
        while time.process_time() - began < 1:  # noqa: ASYNC110  # it works, and does not wait
            await asyncio.sleep(0)

    with virtual_time():
        asyncio.run(main())


def test_trio_is_refused_when_it_asks_for_the_time(monkeypatch):
    module = ModuleType("trio._core._run")
    exec("from time import perf_counter\ndef current_time(): return perf_counter()", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    message = "trio keeps its own time; virtual_time works with asyncio's SelectorEventLoop"

    with virtual_time(), pytest.raises(VirtualTimeError, match=exactly(message)):
        module.current_time()
    assert module.current_time() > 0


@pytest.mark.parametrize("package", ["gevent", "eventlet"])
def test_what_has_patched_time_for_a_hub_of_its_own_is_refused(package, monkeypatch):
    def sleep(seconds):
        raise AssertionError

    sleep.__module__ = f"{package}.hub"
    monkeypatch.setattr(time, "sleep", sleep)
    message = f"{package} has patched time.sleep, and keeps its own time: virtual_time cannot rule it"

    with pytest.raises(VirtualTimeError, match=exactly(message)), virtual_time():
        pass


@pytest.mark.skipif(not hasattr(time, "clock_gettime"), reason="this system has no clock_gettime")
@pytest.mark.parametrize("name", ["CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME", "CLOCK_REALTIME"])
def test_clock_gettime_is_on_the_clock(name):
    if not hasattr(time, name):
        pytest.skip(f"this system has no {name}")
    clock = getattr(time, name)
    real = time.clock_gettime_ns(clock), time.clock_gettime

    with virtual_time():
        before = time.clock_gettime(clock), time.clock_gettime_ns(clock)
        time.sleep(timedelta(hours=1).total_seconds())
        assert time.clock_gettime(clock) - before[0] == pytest.approx(3600)
        assert time.clock_gettime_ns(clock) - before[1] == 3600 * 10**9
        if name != "CLOCK_REALTIME":
            assert 0 <= before[1] - real[0] < 10**10
    assert time.clock_gettime_ns(clock) - real[0] < 60 * 10**9
    assert time.clock_gettime is real[1]


@pytest.mark.skipif(not hasattr(time, "CLOCK_PROCESS_CPUTIME_ID"), reason="this system has no such clock")
def test_the_clock_of_a_process_is_its_own():
    with virtual_time():
        before = time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
        time.sleep(3600)
        assert time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) - before < 60
