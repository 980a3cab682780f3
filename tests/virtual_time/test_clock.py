"""Virtual time without pytest's fixture: clocks, threads, pools and event loops."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import queue
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from time import monotonic as imported_monotonic
from time import sleep as imported_sleep
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from pytest_mlflow_traces.clock import START, VirtualTimeError, virtual_time
from pytest_mlflow_traces.virtual_time import deadlock, simulation
from pytest_mlflow_traces.virtual_time.patches import METHODS
from tests.support.messages import exactly

if TYPE_CHECKING:
    from collections.abc import Callable

START_NS = int(START.timestamp()) * 10**9
WORK_S = 0.5  # of CPU time, what a test of a time-out of 30 s may take; how long that is, is up to the machine's load


@pytest.fixture
def clock():
    with virtual_time() as clock:
        yield clock


# Clocks


def test_time_stands_still_until_something_waits(clock):
    before = time.time_ns(), time.monotonic_ns(), time.perf_counter_ns(), datetime.now(timezone.utc)

    assert before == (time.time_ns(), time.monotonic_ns(), time.perf_counter_ns(), datetime.now(timezone.utc))
    assert before[0] == clock.now_ns == START_NS
    assert clock.now == START == datetime.now(timezone.utc)


@pytest.mark.parametrize("sleep", [lambda: time.sleep(30), lambda: imported_sleep(30.0)])
def test_sleep_moves_every_clock_by_exactly_as_much(clock, sleep):
    before = time.time_ns(), time.monotonic_ns(), time.perf_counter_ns()
    floats = time.monotonic(), imported_monotonic(), time.perf_counter()

    sleep()

    after = time.time_ns(), time.monotonic_ns(), time.perf_counter_ns()
    assert [b - a for a, b in zip(before, after, strict=True)] == [30_000_000_000] * 3
    assert [time.monotonic() - floats[0], imported_monotonic() - floats[1]] == pytest.approx([30, 30])
    assert time.perf_counter() - floats[2] == pytest.approx(30)
    assert (clock.elapsed_ms, clock.now) == (30_000, START + timedelta(seconds=30))


def test_clocks_go_on_from_where_they_were():
    real = time.monotonic_ns(), time.perf_counter_ns()

    with virtual_time():
        assert 0 <= time.monotonic_ns() - real[0] < 10**10
        assert 0 <= time.perf_counter_ns() - real[1] < 10**10


@pytest.mark.parametrize(
    ("duration", "nanoseconds"),
    [
        ("800ms", 800_000_000),
        ("1ns", 1),
        (timedelta(hours=1), 3_600_000_000_000),
        ("0s", 0),
        (timedelta(days=999), 999 * 86_400 * 10**9),
        ("333333333ns", 333333333),
    ],
)
def test_advance_moves_time_exactly(clock, duration, nanoseconds):
    clock.advance(duration)

    assert time.time_ns() == clock.now_ns == START_NS + nanoseconds
    assert clock.elapsed_ms == nanoseconds / 1e6


def test_thousands_of_odd_sleeps_add_up(clock):
    for _ in range(3_000):
        time.sleep(0.0333)
        clock.advance("7ns")

    assert time.time_ns() == clock.now_ns == START_NS + 3_000 * 33_300_007


def test_a_loop_until_a_deadline_ends_in_time(clock):
    deadline = time.monotonic() + 30.1
    rounds = 0
    while time.monotonic() < deadline:
        time.sleep(min(0.7, deadline - time.monotonic()))
        rounds += 1

    assert rounds <= 44
    assert clock.elapsed_ms == 30_100


def test_waits_of_nothing_move_no_time(clock):
    event = threading.Event()

    for seconds in [0, 1e-12, 2e-10] * 500:
        event.wait(seconds)

    assert clock.elapsed_ms < 0.001
    for _ in range(500):
        event.wait(0)
        time.sleep(0)
    before = time.monotonic()
    time.sleep(1)
    assert time.monotonic() - before == pytest.approx(1)


def test_it_starts_where_it_is_told():
    with virtual_time(start=datetime(2030, 5, 6, 7, 8, 9, 123_456, tzinfo=timezone(timedelta(hours=2)))) as clock:
        assert datetime.now(timezone.utc) == clock.now == datetime(2030, 5, 6, 5, 8, 9, 123_456, tzinfo=timezone.utc)
        assert repr(clock) == "<VirtualTime 2030-05-06 05:08:09.123456+00:00>"


NAIVE = START.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("start", "error", "message"),
    [
        (NAIVE, ValueError, f"needs a time zone, such as timezone.utc, got {NAIVE!r}"),
        ("2030-01-01", TypeError, "is a datetime, got '2030-01-01'"),
        (0, TypeError, "is a datetime, got 0"),
    ],
)
def test_a_start_that_is_no_moment_is_refused(start, error, message):
    with pytest.raises(error, match=exactly(f"virtual_time(): start {message}")), virtual_time(start=start):
        pass


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_sleep_refuses_what_it_always_did(clock, seconds):
    with pytest.raises(ValueError, match=r"non-negative|NaN|Invalid"):
        time.sleep(seconds)


def test_a_number_does_not_say_its_unit(clock):
    message = "advance(): write a duration as '800ms', '2s' or a timedelta, got 30"

    with pytest.raises(TypeError, match=exactly(message)):
        clock.advance(30)


# Putting back


class BoomError(Exception):
    pass


@pytest.mark.parametrize("error", [None, BoomError, KeyboardInterrupt])
def test_everything_is_put_back(error):
    names = "sleep", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"
    before = [getattr(time, name) for name in names]
    methods = [owner.__dict__[name] for owner, name, _ in METHODS]
    modules = {
        name: dict(vars(module)) for name, module in sys.modules.items() if name in {"threading", "queue", __name__}
    }
    real = time.time()

    try:
        with virtual_time():
            time.sleep(10)
            if error is not None:
                raise error
    except (BoomError, KeyboardInterrupt):
        pass

    assert [getattr(time, name) for name in names] == before
    assert [owner.__dict__[name] for owner, name, _ in METHODS] == methods
    assert modules == {name: vars(sys.modules[name]) for name in modules}
    assert abs(time.time() - real) < 60


def test_a_module_that_is_imported_meanwhile_keeps_nothing_of_it(tmp_path, monkeypatch):
    (tmp_path / "imported_meanwhile.py").write_text("from time import sleep, monotonic")
    monkeypatch.syspath_prepend(tmp_path)

    with virtual_time() as clock:
        import imported_meanwhile

        imported_meanwhile.sleep(5)
        assert clock.elapsed_ms == 5_000

    assert (imported_meanwhile.sleep, imported_meanwhile.monotonic) == (time.sleep, time.monotonic)


@pytest.fixture
def agent(monkeypatch):
    """A module that has `sleep` by name."""
    module = ModuleType("agent_that_sleeps")
    exec("from time import sleep\nlater = None", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_sleep_that_was_a_stub_the_last_time_waits_in_virtual_time(agent, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(agent, "sleep", lambda seconds: None)
        patch.setattr(time, "sleep", lambda seconds: None)
        with virtual_time() as clock:
            agent.sleep(0.002)
            assert clock.elapsed_ms == 0

    with virtual_time() as clock:
        agent.sleep(0.002)
        time.sleep(0.002)
        assert clock.elapsed_ms == 4
    assert agent.sleep is time.sleep


def test_a_name_that_is_given_sleep_later_waits_in_virtual_time(agent):
    with virtual_time():
        pass
    agent.later = time.sleep

    with virtual_time() as clock:
        agent.later(0.002)
        assert clock.elapsed_ms == 2
    assert agent.later is time.sleep


def test_a_stub_that_is_taken_out_after_virtual_time_leaves_the_original_the_next_time(agent):
    original = time.sleep
    patch = pytest.MonkeyPatch()
    with virtual_time():
        patch.setattr(agent, "sleep", lambda seconds: None)
    patch.undo()  # to what was there when it was put in

    with virtual_time():
        pass
    assert agent.sleep is original


def test_what_somebody_kept_does_what_the_original_does_afterwards():
    with virtual_time():
        kept = time.monotonic, time.monotonic_ns, time.perf_counter, time.perf_counter_ns, time.sleep

    assert kept[0]() == pytest.approx(time.monotonic(), abs=5)
    assert kept[1]() == pytest.approx(time.monotonic_ns(), abs=5e9)
    assert kept[2]() == pytest.approx(time.perf_counter(), abs=5)
    assert kept[3]() == pytest.approx(time.perf_counter_ns(), abs=5e9)
    kept[4](0)


class KeptByAClass:
    sleep = staticmethod(time.sleep)


class KeptByAnObject:
    def __init__(self, sleep=time.sleep):
        self.sleep = sleep


@dataclass
class KeptByAField:
    sleep: Callable[[float], None] = time.sleep


def kept_by_a_default(seconds, sleep=time.sleep):
    sleep(seconds)


KEPT = {"sleep": time.sleep}
KEPT_BY_A_PARTIAL = partial(time.sleep, 0.001)
KEPT_BY_AN_OBJECT = KeptByAnObject()


@pytest.mark.parametrize(
    "sleep",
    [
        KeptByAClass.sleep,
        KEPT_BY_AN_OBJECT.sleep,
        lambda seconds: KeptByAnObject().sleep(seconds),
        lambda seconds: KeptByAField().sleep(seconds),
        kept_by_a_default,
        lambda seconds: KEPT["sleep"](seconds),
        lambda seconds: KEPT_BY_A_PARTIAL(),
    ],
)
def test_a_sleep_that_was_kept_before_stays_on_real_time(clock, sleep):
    """As the documentation says; what would end this should change that, too."""
    sleep(0.001)

    assert clock.elapsed_ms == 0


def test_a_sleep_that_is_looked_up_or_kept_inside_is_virtual(clock, monkeypatch):
    monkeypatch.setattr(KeptByAClass, "sleep", staticmethod(time.sleep))
    monkeypatch.setitem(KEPT, "sleep", time.sleep)

    KeptByAClass.sleep(1)
    KEPT["sleep"](1)
    KeptByAnObject(time.sleep).sleep(1)
    partial(time.sleep, 1)()
    kept_by_a_default(1, lambda seconds: time.sleep(seconds))
    assert clock.elapsed_ms == 5_000


def test_inside_itself_it_is_the_same_time():
    with virtual_time() as outer:
        time.sleep(1)
        with virtual_time() as inner:
            time.sleep(2)
        time.sleep(3)

        assert inner is outer
        assert outer.elapsed_ms == 6_000


def test_inside_itself_it_takes_no_arguments(clock):
    message = "virtual_time() inside itself goes on with the same time: it takes no arguments"

    with pytest.raises(VirtualTimeError, match=exactly(message)), virtual_time(start=START):
        pass


def test_afterwards_the_clock_cannot_be_moved():
    with virtual_time() as clock:
        pass

    with pytest.raises(VirtualTimeError, match=exactly("advance(): virtual time is over")):
        clock.advance("1s")
    assert clock.elapsed_ms == 0


# Threads


def timed(clock, function, *args):
    """Call it, and return what it returns with the moment at which it does."""
    return function(*args), clock.elapsed_ms


def in_pool(clock, *seconds):
    with ThreadPoolExecutor(len(seconds)) as pool:
        futures = [pool.submit(timed, clock, time.sleep, each) for each in seconds]
        return [future.result()[1] for future in futures]


def in_pool_with_copied_context(clock, *seconds):
    with ThreadPoolExecutor(len(seconds)) as pool:
        futures = [pool.submit(contextvars.copy_context().run, timed, clock, time.sleep, each) for each in seconds]
        return [future.result()[1] for future in futures]


def in_threads(clock, *seconds):
    moments = [0.0] * len(seconds)

    def work(number):
        moments[number] = timed(clock, time.sleep, seconds[number])[1]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(seconds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return moments


def in_tasks(clock, *seconds):
    async def work(each):
        await asyncio.sleep(each)
        return clock.elapsed_ms

    async def main():
        return await asyncio.gather(*map(work, seconds))

    return asyncio.run(main())


def in_worker_threads_of_a_loop(clock, *seconds):
    async def main():
        return await asyncio.gather(*(asyncio.to_thread(timed, clock, time.sleep, each) for each in seconds))

    return [moment for _, moment in asyncio.run(main())]


@pytest.mark.parametrize(
    "run", [in_pool, in_pool_with_copied_context, in_threads, in_tasks, in_worker_threads_of_a_loop]
)
def test_what_waits_at_the_same_time_overlaps_exactly(clock, run):
    assert run(clock, 0.1, 30, 0.25) == [100, 30_000, 250]
    assert clock.elapsed_ms == 30_000


def test_threads_take_turns_in_the_same_order_each_time():
    def run():
        seen = []

        def work(name, seconds):
            for _ in range(3):
                seen.append(name)
                time.sleep(seconds)

        with virtual_time(), ThreadPoolExecutor(4) as pool:
            for name, seconds in (("a", 1), ("b", 2), ("c", 1), ("d", 0)):
                pool.submit(work, name, seconds)
            seen.append("main")
        return "".join(seen)

    assert {run() for _ in range(20)} == {"mainabcdddacbacb"}


def test_a_pool_with_few_workers_does_one_thing_after_the_other(clock):
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(timed, clock, time.sleep, seconds) for seconds in (3, 1, 1, 5, 1)]

        assert [future.result()[1] for future in futures] == [3_000, 1_000, 2_000, 7_000, 4_000]


def test_a_pool_from_before_takes_part():
    with ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()
        with virtual_time() as clock:
            assert list(pool.map(lambda s: timed(clock, time.sleep, s)[1], [30, 10])) == [30_000, 10_000]
        assert pool.submit(time.time).result() == pytest.approx(time.time(), abs=60)


def test_leaving_a_pool_waits_for_its_work(clock):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 20)
        pool.submit(time.sleep, 20)

    assert clock.elapsed_ms == 40_000


def test_work_that_is_cancelled_holds_nobody_up(clock):
    with ThreadPoolExecutor(1) as pool:
        first, second = pool.submit(time.sleep, 5), pool.submit(time.sleep, 50)
        third = pool.submit(time.sleep, 1)
        assert second.cancel()
        first.result()
        third.result()
        assert clock.elapsed_ms == 6_000

        first, second = pool.submit(time.sleep, 5), pool.submit(time.sleep, 50)
        time.sleep(1)
        pool.shutdown(cancel_futures=True)

    assert second.cancelled()
    assert clock.elapsed_ms == 11_000


def test_a_pool_that_refuses_work_leaves_nothing_behind(clock):
    with ThreadPoolExecutor(1) as pool:
        pass

    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(time.sleep, 1)
    assert in_pool(clock, 2) == [2_000]


def test_errors_of_threads_and_pools_arrive(clock):
    def fail():
        time.sleep(1)
        raise BoomError

    with ThreadPoolExecutor(1) as pool, pytest.raises(BoomError):
        pool.submit(fail).result()


def waits():
    event, condition, line = threading.Event(), threading.Condition(), queue.Queue()
    future, barrier, semaphore = concurrent.futures.Future(), threading.Barrier(2), threading.Semaphore(0)

    def hold(call, *args):
        with condition:
            return call(*args)

    return {
        "Event.wait": lambda: event.wait(30),
        "Condition.wait": lambda: hold(condition.wait, 30),
        "Condition.wait_for": lambda: hold(condition.wait_for, bool, 30),
        "Queue.get": lambda: line.get(timeout=30),
        "Future.result": lambda: future.result(timeout=30),
        "concurrent.futures.wait": lambda: not concurrent.futures.wait([future], timeout=30).not_done,
        "concurrent.futures.as_completed": lambda: list(concurrent.futures.as_completed([future], timeout=30)),
        "Barrier.wait": lambda: barrier.wait(30),
        "Semaphore.acquire": lambda: semaphore.acquire(timeout=30),
    }


@pytest.mark.parametrize("name", waits())
def test_a_time_out_comes_after_exactly_its_time(clock, name):
    before = time.process_time()

    with suppress(queue.Empty, concurrent.futures.TimeoutError, TimeoutError, threading.BrokenBarrierError):
        assert not waits()[name]()

    assert clock.elapsed_ms == 30_000
    assert time.process_time() - before < WORK_S


def test_a_wait_ends_when_somebody_ends_it(clock):
    event, line = threading.Event(), queue.Queue(maxsize=1)

    def work():
        time.sleep(2)
        event.set()
        time.sleep(3)
        line.put("first")
        line.put("second")  # waits until there is room

    with ThreadPoolExecutor() as pool:
        done = pool.submit(work)
        assert (event.wait(30), clock.elapsed_ms) == (True, 2_000)
        assert (event.wait(30), clock.elapsed_ms) == (True, 2_000)
        time.sleep(10)
        assert not done.done()
        assert (line.get(timeout=30), line.get(timeout=30)) == ("first", "second")
        assert clock.elapsed_ms == 12_000


def test_a_wait_without_a_limit_ends_when_somebody_ends_it(clock):
    condition, seen = threading.Condition(), []

    def work(name):
        with condition:
            condition.wait()
            seen.append((name, clock.elapsed_ms))

    with ThreadPoolExecutor() as pool:
        for name in "ab":
            pool.submit(work, name)
        time.sleep(4)
        with condition:
            condition.notify_all()

    assert seen == [("a", 4_000), ("b", 4_000)]


def test_waiting_takes_the_lock(clock):
    with pytest.raises(RuntimeError, match="cannot wait on un-acquired lock"):
        threading.Condition().wait(1)


def test_a_timer_goes_off_in_time(clock):
    moments = []
    timer = threading.Timer(7, lambda: moments.append(clock.elapsed_ms))
    timer.start()
    timer.join()

    assert moments == [7_000]


def test_join_gives_up_after_exactly_its_time(clock):
    thread = threading.Thread(target=time.sleep, args=(10,))
    thread.start()

    thread.join(timeout=4)
    assert (thread.is_alive(), clock.elapsed_ms) == (True, 4_000)
    thread.join()
    assert (thread.is_alive(), clock.elapsed_ms) == (False, 10_000)
    thread.join()


def test_threads_start_threads(clock):
    def work(depth):
        time.sleep(1)
        if depth:
            thread = threading.Thread(target=work, args=(depth - 1,))
            thread.start()
            thread.join()

    work(3)

    assert clock.elapsed_ms == 4_000


def test_a_subclass_of_thread_keeps_its_run(clock):
    class Worker(threading.Thread):
        moment = None

        def run(self):
            time.sleep(2)
            self.moment = clock.elapsed_ms

    worker = Worker()
    worker.start()
    worker.join()

    assert worker.moment == 2_000
    assert "run" not in vars(worker)


def test_a_thread_that_cannot_start_leaves_nothing_behind(clock):
    thread = threading.Thread(target=int)
    thread.start()

    with pytest.raises(RuntimeError, match="threads can only be started once"):
        thread.start()
    assert in_threads(clock, 2) == [2_000]


def test_advance_lets_other_threads_go_on_at_their_times(clock):
    moments = []

    def work():
        for _ in range(3):
            time.sleep(1)
            moments.append(clock.elapsed_ms)

    thread = threading.Thread(target=work)
    thread.start()
    clock.advance("10s")

    assert moments == [1_000, 2_000, 3_000]
    assert clock.elapsed_ms == 10_000


# What goes on when virtual time is over


def test_a_thread_that_still_sleeps_is_ended():
    ended = []

    def work():
        try:
            time.sleep(3600)
        finally:
            ended.append(sys.exc_info()[0].__mro__[1])

    with virtual_time() as clock:
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(1)
    thread.join(30)

    assert ended == [SystemExit]
    assert clock.elapsed_ms == 1_000


def test_a_thread_that_still_advances_is_ended():
    ended = []

    def work(clock):
        try:
            clock.advance("1h")
        finally:
            ended.append(sys.exc_info()[0].__mro__[1])

    with virtual_time() as clock:
        thread = threading.Thread(target=work, args=(clock,))
        thread.start()
        time.sleep(1)
    thread.join(30)

    assert ended == [SystemExit]


def test_work_of_a_pool_that_still_sleeps_is_ended():
    pool = ThreadPoolExecutor(1)
    with virtual_time():
        running, waiting = pool.submit(time.sleep, 3600), pool.submit(time.time)
        with pytest.raises(concurrent.futures.TimeoutError):
            running.result(timeout=30)

    with pytest.raises(SystemExit):
        running.result(timeout=30)
    assert waiting.result(timeout=30) == pytest.approx(time.time(), abs=60)
    pool.shutdown()


def test_a_wait_without_a_limit_goes_on_for_real():
    event, seen = threading.Event(), []
    with virtual_time():
        thread = threading.Thread(target=lambda: seen.append(event.wait()))
        thread.start()
        time.sleep(1)
    event.set()
    thread.join(30)

    assert seen == [True]


def test_a_wait_with_a_limit_has_timed_out():
    seen = []
    with virtual_time():
        thread = threading.Thread(target=lambda: seen.append(threading.Event().wait(3600)))
        thread.start()
        time.sleep(1)
    thread.join(30)

    assert seen == [False]


def test_a_thread_that_never_had_a_turn_runs_for_real():
    seen = []
    with virtual_time():
        thread = threading.Thread(target=lambda: seen.append(time.time()))
        thread.start()
    thread.join(30)

    assert seen == [pytest.approx(time.time(), abs=60)]


# Event loops


def run(coroutine):
    with virtual_time() as clock:
        return asyncio.run(coroutine(clock)), clock.elapsed_ms


def test_tasks_time_out_after_exactly_their_time():
    async def main(clock):
        before = time.process_time()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(3600), 30)
        assert time.process_time() - before < WORK_S
        return asyncio.get_running_loop().time() - imported_monotonic()

    assert run(main) == (0, 30_000)


def test_a_worker_thread_of_a_loop_times_out_after_exactly_its_time():
    async def main(clock):
        released = threading.Event()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(released.wait), 30)
        released.set()
        return clock.elapsed_ms

    assert run(main) == (30_000, 30_000)


def test_callbacks_come_at_their_times():
    async def main(clock):
        loop, seen = asyncio.get_running_loop(), []
        loop.call_later(0.3, lambda: seen.append(("later", clock.elapsed_ms)))
        loop.call_at(loop.time() + 0.1, lambda: seen.append(("at", clock.elapsed_ms)))
        loop.call_later(0.2, seen.append, "cancelled").cancel()
        await asyncio.sleep(1)
        return seen

    assert run(main) == ([("at", 100), ("later", 300)], 1_000)


def test_very_many_odd_sleeps_of_tasks_add_up():
    async def work():
        for _ in range(500):
            await asyncio.sleep(0.0333)

    async def main(clock):
        await asyncio.gather(work(), work(), work())

    assert run(main) == (None, 16_650)


def test_a_loop_hears_other_threads_at_once():
    async def main(clock):
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def work():
            time.sleep(5)
            loop.call_soon_threadsafe(done.set)
            time.sleep(5)

        thread = threading.Thread(target=work)
        thread.start()
        await asyncio.wait_for(done.wait(), 30)
        moment = clock.elapsed_ms
        await asyncio.to_thread(thread.join)
        return moment

    assert run(main) == (5_000, 10_000)


def test_it_may_begin_and_end_in_a_loop_that_runs():
    async def main():
        loop, seen = asyncio.get_running_loop(), []
        before = loop.call_later(3600, seen.append, "before")
        with virtual_time() as clock:
            inside = loop.call_later(4000, seen.append, "inside")
            await asyncio.gather(asyncio.sleep(30), asyncio.to_thread(time.sleep, 20))
            moment = clock.elapsed_ms
        left = [handle.when() - loop.time() for handle in (before, inside)]
        await asyncio.sleep(0.001)
        return moment, seen, left

    moment, seen, left = asyncio.run(main())

    assert (moment, seen) == (30_000, [])
    assert left == pytest.approx([3570, 3970], abs=5)


def test_a_loop_of_a_thread_from_before_takes_part_when_it_is_used():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        far = asyncio.run_coroutine_threadsafe(asyncio.sleep(3600), loop)
        with virtual_time() as clock:
            time.sleep(7200)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(30), loop).result()
            assert clock.elapsed_ms == 7_230_000
            assert not far.done()
            with pytest.raises(concurrent.futures.TimeoutError):
                asyncio.run_coroutine_threadsafe(asyncio.sleep(3600), loop).result(timeout=10)
            assert clock.elapsed_ms == 7_240_000
        assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "real"), loop).result(30) == "real"
    finally:
        for task in (far,):
            task.cancel()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def test_a_loop_that_keeps_its_own_time_is_refused(clock, monkeypatch):
    message = "builtins.object keeps its own time; virtual_time works with asyncio's SelectorEventLoop"
    monkeypatch.setattr(asyncio, "get_running_loop", object)

    with pytest.raises(VirtualTimeError, match=exactly(message)):
        asyncio.sleep(1).send(None)


# Limits, and how they are told


def test_another_thread_has_no_virtual_time_of_its_own():
    message = "another thread has virtual time already; a process has one time of day"
    errors = []

    def work(ready):
        ready.wait(30)
        try:
            with virtual_time():
                pass
        except VirtualTimeError as error:
            errors.append(str(error))

    ready = threading.Event()
    thread = threading.Thread(target=work, args=(ready,))
    thread.start()
    with virtual_time():
        ready.set()
        thread.join(30)

    assert errors == [message]


def test_threads_from_before_wait_for_real_and_cannot_move_the_clock():
    begin, seen = threading.Event(), []

    def work(clocks):
        begin.wait(30)
        seen.append(time.monotonic())
        time.sleep(0)
        try:
            clocks[0].advance("1s")
        except VirtualTimeError as error:
            seen.append(str(error))

    clocks = []
    thread = threading.Thread(target=work, args=(clocks,))
    thread.start()
    with virtual_time() as clock:
        clocks.append(clock)
        time.sleep(7200)
        begin.set()
        thread.join(30)

    assert seen == [
        pytest.approx(time.monotonic(), abs=60),
        "advance(): this thread was started before virtual time",
    ]


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "time_machine", None)
    message = "virtual time needs time-machine: pip install 'pytest-mlflow-traces[time]'"

    with pytest.raises(ModuleNotFoundError, match=exactly(message)), virtual_time():
        pass
    assert time.sleep.__module__ == "time"


def test_who_holds_the_clock_is_told(monkeypatch):
    monkeypatch.setattr(deadlock, "PATIENCE_S", 0.2)
    monkeypatch.setattr(deadlock, "LOOK_S", 0.05)
    lock, held = threading.Lock(), threading.Event()

    def hold():
        with lock:
            held.set()
            time.sleep(5)

    with virtual_time(), ThreadPoolExecutor() as pool:
        holder = pool.submit(hold)
        held.wait()
        with lock:  # in C, where nobody can see that it waits
            pass
        with pytest.raises(VirtualTimeError) as raised:
            holder.result()

    lines = str(raised.value).splitlines()
    assert lines[0] == (
        "virtual time stands still: it moves only when every thread waits, and for 0.2 s these did not (what the clock"
        " does not see as waiting: a lock from before, a socket, a process, a busy loop):"
    )
    assert len(lines) == 2
    assert lines[1].startswith("  thread 'MainThread' is at test_clock.py:")
    assert lines[1].endswith(", in test_who_holds_the_clock_is_told")


def test_a_thread_that_is_waited_for_out_of_sight_starts_all_the_same(clock, monkeypatch):
    monkeypatch.setattr(deadlock, "LOOK_S", 0.05)
    line = queue.SimpleQueue()  # in C, like the lock above

    threading.Thread(target=lambda: line.put(clock.elapsed_ms)).start()

    assert line.get() == 0


def test_an_interrupt_ends_a_wait(clock, monkeypatch):
    def interrupted(self, *args):
        raise KeyboardInterrupt

    with ThreadPoolExecutor() as pool:
        sleeper = pool.submit(time.sleep, 5)
        with monkeypatch.context() as patch:
            patch.setattr(simulation.Simulation, "_look", interrupted)
            patch.setattr(deadlock, "LOOK_S", 0)
            with pytest.raises(KeyboardInterrupt):
                threading.Event().wait()
        sleeper.result()

    assert clock.elapsed_ms == 5_000


@contextmanager
def pipe_to(loop, callback=int):
    """A pipe from the real world, watched by `loop`."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    with reader, writer:
        loop.add_reader(reader, callback)
        yield writer
        loop.remove_reader(reader)


def test_a_loop_that_watches_the_real_world_does_not_let_time_pass(monkeypatch):
    monkeypatch.setattr(deadlock, "PATIENCE_S", 0.2)

    async def main(clock):
        with pipe_to(asyncio.get_running_loop()):
            await asyncio.sleep(30)

    with pytest.raises(VirtualTimeError) as raised:
        run(main)

    first, last = str(raised.value).splitlines()
    assert first.startswith(
        "virtual time stands still: an event loop has waited 0 s for real sockets or pipes, and the clock does not know"
        " whether they will answer: <socket.socket fd="
    )
    assert last == "close what is not needed, or say how long to wait for it: virtual_time(io_grace='50ms')"


def test_unless_it_is_told_how_long_to_wait_for_it():
    async def main():
        with pipe_to(asyncio.get_running_loop()):
            await asyncio.sleep(30)

    with virtual_time(io_grace="20ms") as clock:
        asyncio.run(main())

    assert clock.elapsed_ms == 30_000


def test_news_from_the_real_world_take_no_time():
    begin, ends = threading.Event(), []

    def other():
        begin.wait(30)
        ends[0].send(b"x")

    async def main(clock):
        arrived = asyncio.Event()
        with pipe_to(asyncio.get_running_loop(), arrived.set) as end:
            ends.append(end)
            begin.set()
            await asyncio.wait_for(arrived.wait(), 30)
        return clock.elapsed_ms

    thread = threading.Thread(target=other)
    thread.start()

    assert run(main) == (0, 0)
    thread.join()


def test_news_of_the_real_world_wake_a_loop_that_gave_up_on_them():
    begin, ends = threading.Event(), []

    def other():
        begin.wait(30)
        ends[0].send(b"x")

    async def main():
        arrived = asyncio.Event()
        with pipe_to(asyncio.get_running_loop(), arrived.set) as end:
            ends.append(end)
            begin.set()
            await arrived.wait()

    thread = threading.Thread(target=other)
    thread.start()
    with virtual_time(io_grace="0ms") as clock:
        asyncio.run(main())
    thread.join()

    assert clock.elapsed_ms == 0


def test_a_loop_that_watches_the_real_world_lets_threads_work(monkeypatch):
    monkeypatch.setattr(deadlock, "PATIENCE_S", 0.2)

    async def main(clock):
        with pipe_to(asyncio.get_running_loop()):
            await asyncio.to_thread(int)
            with pytest.raises(VirtualTimeError):
                await asyncio.to_thread(time.sleep, 5)

    with pytest.raises(VirtualTimeError, match="an event loop has waited"):
        run(main)


def test_an_echo_server_of_the_same_loop_answers_in_no_time():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def main(clock):
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        answer = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(5)
        return answer

    assert run(main) == (b"hello\n", 5_000)


def test_other_processes_are_waited_for_in_real_time(clock):
    answer = subprocess.run([sys.executable, "-c", "print('done')"], capture_output=True, timeout=60, check=True)

    assert answer.stdout.strip() == b"done"
    assert clock.elapsed_ms == 0
