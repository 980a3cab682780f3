"""Real time that virtual time does not see is seen all the same, and no budget of latency holds over it."""

from __future__ import annotations

import asyncio
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from multiprocessing.pool import ThreadPool

import mlflow
import pytest

from pytest_mlflow_traces import Budget, TraceAssertionError, capture_traces, span
from pytest_mlflow_traces.clock import virtual_time
from pytest_mlflow_traces.virtual_time import real_waits

LONG_S = 0.4
LOCK, RLOCK, QUEUE = threading.Lock(), threading.RLock(), queue.SimpleQueue()  # from before
SLEEP = partial(time.sleep, LONG_S)
PROGRAM = [sys.executable, "-c", f"import time; time.sleep({LONG_S})"]


def lock_from_before():
    LOCK.acquire()
    try:
        LOCK.acquire(timeout=LONG_S)
    finally:
        LOCK.release()


def queue_from_before():
    with pytest.raises(queue.Empty):
        QUEUE.get(timeout=LONG_S)


def socket_time_out():
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(LONG_S)
        with pytest.raises(TimeoutError):
            reader.recv(1)


def process_wait():
    with subprocess.Popen(PROGRAM) as process:
        process.wait()


def asyncio_process():
    async def main():
        process = await asyncio.create_subprocess_exec(*PROGRAM, stdout=subprocess.PIPE)
        await process.communicate()

    asyncio.run(main())


def sleeping_pool():
    with ThreadPool(1) as pool:
        pool.map(time.sleep, [LONG_S])


def pause():
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        signal.setitimer(signal.ITIMER_REAL, LONG_S)
        signal.pause()
    finally:
        signal.signal(signal.SIGALRM, before)


def in_a_thread():
    thread = threading.Thread(target=SLEEP)
    thread.start()
    thread.join()


WAITS = {
    "a lock from before": lock_from_before,
    "a simple queue from before": queue_from_before,
    "a sleep kept before": SLEEP,
    "select": lambda: select.select([], [], [], LONG_S),
    "a socket": socket_time_out,
    "subprocess.run": lambda: subprocess.run(PROGRAM, check=True),
    "Popen.wait": process_wait,
    "asyncio's subprocess": asyncio_process,
    "ThreadPool.map": sleeping_pool,
    "a signal": pause,
    "a thread without a span": in_a_thread,
}


def captured(wait):
    with capture_traces() as traces, virtual_time():
        with mlflow.start_span("agent"):
            with mlflow.start_span("before"):
                time.sleep(1)
            with mlflow.start_span("waiting"):
                wait()
    return traces.one()


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_no_budget_of_latency_holds_over_a_wait_that_is_not_seen(wait):
    trace = captured(wait)

    for budget in (
        Budget(latency="1h"),
        Budget(latency_of={"waiting": "1h"}),
        Budget(latency_of={"agent": "1h"}),
        Budget(self_time_of={"waiting": "1h"}),
    ):
        assert [finding.rule for finding in budget.check(trace)] == ["budget.real_time"], budget
    for budget in (
        Budget(latency_of={"before": "1s"}),
        Budget(self_time_of={"agent": "0ms"}),
        Budget(calls={"waiting": 1}),
    ):
        assert budget.check(trace) == []
    assert trace == span("agent")[span("before"), span("waiting")]


def test_nor_is_a_latency_told_of_one():
    with virtual_time(), capture_traces() as traces, mlflow.start_span("search"):
        process_wait()

    with pytest.raises(TraceAssertionError) as raised:
        traces.latency(span("search"))
    assert [finding.rule for finding in raised.value.findings] == ["budget.real_time"]
    assert str(raised.value) == (
        "1 of 1 spans like span('search') waited in real time, which virtual time leaves out:\n  search"
    )


def test_where_and_how_long_it_waited_is_told():
    trace = captured(lambda: subprocess.run(PROGRAM, check=True))

    (finding,) = Budget(latency_of={"waiting": "1s"}).check(trace)
    assert (finding.where, finding.expected) == ("agent > waiting", "at most 1 s")
    assert finding.actual.startswith("0 ms of virtual time, and ")
    assert finding.actual.endswith(" ms of real time that it leaves out")
    head, where, cure = finding.hint.splitlines()
    assert head == "waited in real time, for"
    assert " ms at test_real_waits.py:" in where
    assert ", in <lambda> (subprocess.py:" in where
    assert (
        cure == "put a stub in its place that takes as long by time.sleep(), or limit this span outside of virtual time"
    )


def test_a_p95_does_not_hold_over_one_either():
    with capture_traces() as traces, virtual_time():
        for number in range(20):
            with mlflow.start_span("call"):
                time.sleep(1)
                if number == 7:
                    SLEEP()

    (finding,) = Budget(p95_of={"call": "2s"}).check_all(traces)
    assert (finding.rule, finding.where) == ("budget.real_time", "[7] call")


def test_an_error_says_what_waited_in_real_time_before_it(monkeypatch):
    monkeypatch.setattr(real_waits, "EXPLAINED_NS", 200_000_000)
    reader, writer = socket.socketpair()
    reader.settimeout(LONG_S)
    with reader, writer, pytest.raises(TimeoutError) as raised, virtual_time():
        reader.recv(1)

    (note,) = raised.value.__notes__
    head, where, cure = note.splitlines()
    assert head == ("this waited in real time, which virtual time does not see (a real time-out may have ended it):")
    assert " ms at test_real_waits.py:" in where
    assert cure == "put a stub in its place that waits by time.sleep() or asyncio.sleep(), or leave virtual time out"


def test_an_error_without_such_a_wait_is_left_alone():
    with pytest.raises(ZeroDivisionError) as raised, virtual_time():
        _ = 1 / 0
    assert not hasattr(raised.value, "__notes__")


def test_what_works_or_waits_on_the_clock_is_let_be():
    def work():
        began = time.process_time()
        while time.process_time() - began < LONG_S:
            sum(range(10_000))
        sorted(range(3_000_000), key=lambda each: -each)
        time.sleep(3600)

    trace = captured(work)

    assert Budget(latency="2h", self_time_of={"waiting": "1h"}).check(trace) == []
    assert trace.real_waits == {}


def test_another_thread_that_waits_is_none_of_a_span_that_works():
    def idle(line):
        line.recv(1)

    reader, writer = socket.socketpair()
    with reader, writer, capture_traces() as traces, virtual_time():
        thread = threading.Thread(target=idle, args=[reader])
        thread.start()
        with mlflow.start_span("agent"):
            began = time.process_time()
            while time.process_time() - began < LONG_S:
                sum(range(10_000))
        writer.send(b"x")
        thread.join()

    assert Budget(latency="1s").check(traces.one()) == []


def test_outside_of_virtual_time_time_is_what_it_is():
    with capture_traces() as traces:
        with mlflow.start_span("agent"):
            SLEEP()

    assert Budget(latency="1m").check(traces.one()) == []
