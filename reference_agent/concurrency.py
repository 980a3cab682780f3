"""One agent, two ways to run it: blocking, with workers in threads, or on an event loop, with workers as tasks.

The agent's steps are coroutines that wait for nothing but a `Runtime`. Under `Threads` none of those waits ever
suspends, so `run_blocking` gets from start to end in a single step and needs no event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from reference_agent.clocks import task_seats, thread_seats

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from langchain_core.runnables import Runnable

    from reference_agent.clocks import Clock, TaskSeat, ThreadSeat

T = TypeVar("T")


class AbandonedError(Exception):
    """The request that this worker belonged to is over."""


class Runtime(Protocol):
    """Everything a step of the agent waits for."""

    clock: Clock

    async def sleep(self, seconds: float) -> None:
        """Let time pass on the agent's clock."""
        ...

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that blocks, on the network for instance."""
        ...

    async def run_chain(self, chain: Runnable[Any, T], value: Any) -> T:
        """Run a LangChain chain."""
        ...

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> list[T | Exception]:
        """Run jobs side by side, each in a copy of the current context, and return results and failures in order."""
        ...


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits only for a `Threads` runtime."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} waited for an event loop, though it was given the Threads runtime")


class Threads:
    """Blocks the calling thread; `gather` uses a thread per job."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._abandoned = threading.Event()

    async def sleep(self, seconds: float) -> None:
        """Let time pass on the agent's clock."""
        self.clock.sleep(seconds)
        self._check()

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call it here."""
        self._check()
        return function(*args)

    async def run_chain(self, chain: Runnable[Any, T], value: Any) -> T:
        """Run it here."""
        return chain.invoke(value)

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> list[T | Exception]:
        """Run each job in a thread and a context of its own: a bare pool would leave the trace behind."""
        seats = thread_seats(self.clock, len(jobs))
        futures: list[Future[T]] = []
        try:
            with ThreadPoolExecutor(max_workers=max(1, len(jobs)), thread_name_prefix="agent") as pool:
                try:
                    for seat, job in zip(seats, jobs, strict=True):
                        futures.append(pool.submit(contextvars.copy_context().run, _work, seat, job))
                    wait(futures)
                except BaseException:
                    # Threads cannot be stopped from outside. They are asked to stop, and the pool waits for them, so
                    # that no span is still open when the request's own span ends.
                    self._abandoned.set()
                    for seat in seats[len(futures) :]:
                        seat.leave()
                    raise
        finally:
            self._abandoned.clear()
        return _outcomes(futures)

    def _check(self) -> None:
        if self._abandoned.is_set():
            raise AbandonedError("the request was interrupted")


class Tasks:
    """Runs on the current event loop; `gather` uses a task per job."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    async def sleep(self, seconds: float) -> None:
        """Let time pass on the agent's clock."""
        asleep = getattr(self.clock, "asleep", None)
        if asleep is not None:
            await asleep(seconds)
        else:
            # A clock that a test moves by hand has nothing to wait for; the other tasks get their turn all the same.
            self.clock.sleep(seconds)
            await asyncio.sleep(0)

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call it in a thread, which copies the context."""
        return await asyncio.to_thread(function, *args)

    async def run_chain(self, chain: Runnable[Any, T], value: Any) -> T:
        """Run its asynchronous side."""
        return await chain.ainvoke(value)

    async def gather(self, jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> list[T | Exception]:
        """Run each job as a task, which copies the context."""
        seats = task_seats(self.clock, len(jobs))

        async def work(seat: TaskSeat, job: Callable[[], Coroutine[Any, Any, T]]) -> T:
            async with seat:
                return await job()

        try:
            outcomes = await asyncio.gather(*map(work, seats, jobs), return_exceptions=True)
        finally:
            for seat in seats:
                seat.leave()
        return [_as_failure(outcome) if isinstance(outcome, BaseException) else outcome for outcome in outcomes]


def _work(seat: ThreadSeat, job: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with seat:
        return run_blocking(job())


def _outcomes(futures: Sequence[Future[T]]) -> list[T | Exception]:
    errors = [future.exception() for future in futures]
    return [
        future.result() if error is None else _as_failure(error) for future, error in zip(futures, errors, strict=True)
    ]


def _as_failure(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    if isinstance(error, asyncio.CancelledError):
        return AbandonedError("the worker was cancelled")
    raise error
