"""Locks and simple queues that are made in virtual time do what those of C do, and wait on the clock."""

from __future__ import annotations

import copy
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock as ImportedLock

import pytest

from pytest_mlflow_traces.clock import virtual_time

KINDS = ["Lock", "RLock"]


@pytest.fixture
def clock():
    with virtual_time() as clock:
        yield clock


def holding(lock, seconds):
    with lock:
        time.sleep(seconds)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_times_out_after_exactly_its_time(clock, kind):
    lock = getattr(threading, kind)()
    with ThreadPoolExecutor() as pool:
        pool.submit(holding, lock, 60)
        time.sleep(1)
        assert not lock.acquire(timeout=30)
        assert clock.elapsed_ms == 31_000
        assert not lock.acquire(blocking=False)
        assert lock.acquire(timeout=60)
        assert clock.elapsed_ms == 60_000
        lock.release()


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_that_a_sleeping_thread_holds_is_waited_for(clock, kind):
    lock, seen = getattr(threading, kind)(), []

    def work(name):
        with lock:
            time.sleep(2)
            seen.append((name, clock.elapsed_ms))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, "abc"))

    assert seen == [("a", 2_000), ("b", 4_000), ("c", 6_000)]


def test_a_lock_imported_by_name_is_on_the_clock(clock):
    lock = ImportedLock()
    lock.acquire()

    assert not lock.acquire(timeout=5)
    assert clock.elapsed_ms == 5_000


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_what_it_stands_for(clock, kind):
    lock = getattr(threading, kind)()

    with lock:
        assert "locked" in repr(lock)
        with ThreadPoolExecutor() as pool:
            assert not pool.submit(lock.acquire, False).result()
    with pytest.raises(RuntimeError):
        lock.release()
    with pytest.raises(ValueError, match="timeout"):
        lock.acquire(True, -2)
    with pytest.raises(ValueError, match="timeout"):
        lock.acquire(False, 1)
    with pytest.raises(TypeError, match="cannot pickle"):
        copy.deepcopy(lock)
    lock._at_fork_reinit()


def test_an_rlock_is_entered_again_and_given_back_whole_by_a_condition(clock):
    lock = threading.RLock()
    condition = threading.Condition(lock)
    with lock, lock, condition:
        assert not condition.wait(5)
        with ThreadPoolExecutor() as pool:
            assert not pool.submit(lock.acquire, False).result()
    with ThreadPoolExecutor() as pool:
        assert pool.submit(lock.acquire, False).result()


def test_locks_made_inside_work_afterwards():
    with virtual_time():
        lock, rlock, line = threading.Lock(), threading.RLock(), queue.SimpleQueue()
    with lock, rlock:
        assert not lock.acquire(timeout=0.001)
    thread = threading.Thread(target=lambda: line.put(1))
    thread.start()

    assert line.get(timeout=30) == 1
    with pytest.raises(queue.Empty):
        line.get(timeout=0.001)
    thread.join()
    assert threading.Lock is ImportedLock
    assert not hasattr(queue.SimpleQueue(), "_waiting")


def test_threads_from_before_and_inside_wake_each_other():
    begin, lines = threading.Event(), []

    def other():
        begin.wait(30)
        asked, answers, lock = lines
        with lock:
            pass
        answers.put(asked.get())

    thread = threading.Thread(target=other)
    thread.start()
    with virtual_time() as clock:
        lines[:] = queue.SimpleQueue(), queue.SimpleQueue(), threading.Lock()
        with lines[2]:
            begin.set()
            time.sleep(5)
        lines[0].put("question")
        assert lines[1].get() == "question"
        assert clock.elapsed_ms == 5_000
    thread.join()


def test_a_wait_for_a_lock_goes_on_for_real_when_virtual_time_is_over():
    seen = []

    def work(lock, line):
        seen.append(lock.acquire(timeout=3600))
        with lock:
            seen.append("has it")
        seen.append(line.get())

    with virtual_time():
        lock, line = threading.Lock(), queue.SimpleQueue()
        lock.acquire()
        thread = threading.Thread(target=work, args=(lock, line))
        thread.start()
        time.sleep(1)
    while not seen:
        thread.join(0.01)
    lock.release()
    line.put("item")
    thread.join(30)

    assert seen == [False, "has it", "item"]


def test_a_simple_queue_times_out_after_exactly_its_time(clock):
    line = queue.SimpleQueue()
    with pytest.raises(queue.Empty):
        line.get(timeout=30)

    assert clock.elapsed_ms == 30_000
    with pytest.raises(queue.Empty):
        line.get_nowait()
    with pytest.raises(ValueError, match="non-negative"):
        line.get(timeout=-1)
    assert isinstance(line, queue.SimpleQueue)


def test_a_simple_queue_hands_on_in_order(clock):
    line, seen = queue.SimpleQueue(), []

    def consume(name):
        seen.append((name, line.get(), clock.elapsed_ms))
        seen.append((name, line.get(), clock.elapsed_ms))

    with ThreadPoolExecutor(2) as pool:
        for name in "ab":
            pool.submit(consume, name)
        for number in range(4):
            time.sleep(1)
            line.put(number)

    assert seen == [("a", 0, 1_000), ("b", 1, 2_000), ("a", 2, 3_000), ("b", 3, 4_000)]
    assert line.empty()
    assert line.qsize() == 0
