"""The clock on which nothing takes time."""

import asyncio
import threading

import pytest

from reference_agent.clocks import SystemClock, VirtualClock, task_seats, thread_seats


@pytest.fixture
def clock():
    return VirtualClock(start=0)


def run_threads(clock, *workers):
    """Run each worker in a thread with a seat, and return when each was over."""
    ends = {}

    def work(seat, number, worker):
        with seat:
            worker()
            ends[number] = clock.time()

    seats = thread_seats(clock, len(workers))
    threads = [
        threading.Thread(target=work, args=(seat, n, w)) for n, (seat, w) in enumerate(zip(seats, workers, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    return [ends[number] for number in range(len(workers))]


def test_sleep_of_one_moves_the_clock(clock):
    clock.sleep(30)
    clock.sleep(0)

    assert clock.time() == 30


def test_every_step_is_told(clock):
    steps = []
    clock = VirtualClock(start=0, on_advance=steps.append)
    clock.sleep(2)
    clock.sleep(0)
    clock.sleep(-1)
    clock.sleep(0.5)

    assert steps == [2, 0.5]


def test_clock_starts_now():
    assert VirtualClock().time() == pytest.approx(SystemClock().time(), abs=60)


def test_threads_that_sleep_at_the_same_time_overlap(clock):
    def long():
        clock.sleep(10)

    def short():
        for _ in range(4):
            clock.sleep(1)

    assert run_threads(clock, long, short) == [10, 4]
    assert clock.time() == 10


def test_thread_that_is_awake_holds_the_clock(clock):
    seen = []

    def busy():
        seen.append(clock.time())
        clock.sleep(3)
        seen.append(clock.time())

    assert run_threads(clock, lambda: clock.sleep(1), busy) == [1, 3]
    assert seen == [0, 3]


def test_turns_are_taken_in_the_order_of_the_seats(clock):
    order = []

    def worker(name):
        def work():
            for _ in range(3):
                order.append(name)
                clock.sleep(1)

        return work

    run_threads(clock, worker("a"), worker("b"), worker("c"))

    assert order == list("abcabcabc")


def test_worker_that_fails_leaves_its_seat(clock):
    def fail():
        with thread_seats(clock, 1)[0]:
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    clock.sleep(1)

    assert clock.time() == 1


def test_seat_that_is_given_up_untaken_holds_nobody(clock):
    first, second = thread_seats(clock, 2)
    second.leave()
    second.leave()
    with first:
        clock.sleep(5)

    assert clock.time() == 5


def test_tasks_overlap(clock):
    async def worker(seat, seconds):
        async with seat:
            await clock.asleep(seconds)
            return clock.time()

    async def run():
        return await asyncio.gather(*map(worker, task_seats(clock, 2), (5, 2)))

    assert asyncio.run(run()) == [5, 2]
    assert clock.time() == 5


def test_cancelled_task_holds_nobody(clock):
    async def sleep_long(seat):
        async with seat:
            await clock.asleep(100)

    async def run():
        first, second = task_seats(clock, 2)
        sleeping = asyncio.create_task(sleep_long(second))
        async with first:
            await clock.asleep(1)
            sleeping.cancel()
            await asyncio.gather(sleeping, return_exceptions=True)
            await clock.asleep(2)

    asyncio.run(run())

    assert clock.time() == 3


def test_task_cancelled_before_its_turn_leaves_through_its_owner(clock):
    async def run():
        first, second = task_seats(clock, 2)

        async def wait_for_turn():
            async with second:
                raise AssertionError("it never got its turn")

        waiting = asyncio.create_task(wait_for_turn())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        second.leave()
        async with first:
            await clock.asleep(7)

    asyncio.run(run())

    assert clock.time() == 7


def test_threads_and_tasks_share_a_clock(clock):
    ends = []

    def work(seat):
        with seat:
            clock.sleep(2)
            ends.append(clock.time())

    async def run():
        (task_seat,), (thread_seat,) = task_seats(clock, 1), thread_seats(clock, 1)
        threading.Thread(target=work, args=(thread_seat,)).start()
        async with task_seat:
            await clock.asleep(5)
            ends.append(clock.time())

    asyncio.run(run())

    assert ends == [2, 5]


def test_other_clocks_have_room_for_everybody():
    async def sit():
        async with task_seats(SystemClock(), 1)[0]:
            return True

    with thread_seats(SystemClock(), 2)[1]:
        pass
    assert asyncio.run(sit()) is True


def test_system_clock_waits():
    clock = SystemClock()
    before = clock.time()
    clock.sleep(0.001)
    asyncio.run(clock.asleep(0.001))

    assert clock.time() > before
