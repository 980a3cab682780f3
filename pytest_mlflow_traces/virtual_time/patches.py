"""What waits in the standard library, put on a simulation: time, threads and thread pools.

Every replacement asks whether the current thread is a participant, and does what the original does where it is not. So
it does no harm to other threads, nor to whoever has kept one after virtual time is over.
"""

from __future__ import annotations

import sys
import threading
from asyncio.base_events import BaseEventLoop
from asyncio.selector_events import BaseSelectorEventLoop
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import thread as pools
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.capture.threads import START, SUBMIT, threads
from pytest_mlflow_traces.virtual_time import asyncio_loop, originals
from pytest_mlflow_traces.virtual_time.imported_names import rebound
from pytest_mlflow_traces.virtual_time.participants import EndedError, Outcome, Participant, Wait
from pytest_mlflow_traces.virtual_time.simulation import current_participant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

# They wait for other processes or measure the tests themselves, and do so on real time in whatever thread.
REAL_PACKAGES = frozenset({"_pytest", "hypothesis", "multiprocessing", "pytest", "selectors", "subprocess"})

_sleep, _monotonic, _monotonic_ns = originals.sleep, originals.monotonic, originals.monotonic_ns
_perf_counter, _perf_counter_ns = originals.perf_counter, originals.perf_counter_ns
_wait, _start, _join = threading.Condition.wait, START, threading.Thread.join
_submit, _shutdown = SUBMIT, ThreadPoolExecutor.shutdown
_run_work: Any = pools._WorkItem.run


# time


def sleep(seconds: float, /) -> None:
    """Stand in for `time.sleep`."""
    participant = _calling_participant()
    if participant is None:
        _sleep(seconds)
        return
    if not seconds >= 0:
        _sleep(seconds)  # raises
    participant.simulation.sleep(participant, participant.simulation.span_of(seconds))


def monotonic() -> float:
    """Stand in for `time.monotonic`."""
    participant = _calling_participant()
    return _monotonic() if participant is None else participant.simulation.shown(participant.simulation.monotonic_ns)


def monotonic_ns() -> int:
    """Stand in for `time.monotonic_ns`."""
    participant = _calling_participant()
    return _monotonic_ns() if participant is None else participant.simulation.monotonic_ns


def perf_counter() -> float:
    """Stand in for `time.perf_counter`."""
    participant = _calling_participant()
    return (
        _perf_counter() if participant is None else participant.simulation.shown(participant.simulation.perf_counter_ns)
    )


def perf_counter_ns() -> int:
    """Stand in for `time.perf_counter_ns`."""
    participant = _calling_participant()
    return _perf_counter_ns() if participant is None else participant.simulation.perf_counter_ns


def _calling_participant() -> Participant | None:
    participant = current_participant()
    if participant is not None and is_real(sys._getframe(2).f_globals.get("__name__")):
        return None
    return participant


def is_real(module: object) -> bool:
    """Return whether a module stays on real time."""
    return str(module).partition(".")[0] in REAL_PACKAGES


# threading


def wait(condition: threading.Condition, timeout: float | None = None) -> bool:
    """Stand in for `Condition.wait`, on which Event, Semaphore, Barrier, Queue and Future are built."""
    participant = current_participant()
    if participant is None:
        return _wait(condition, timeout)
    inner: Any = condition
    if not inner._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter = _Waiter(participant)
    inner._waiters.append(waiter)
    state = inner._release_save()
    is_notified = False
    try:
        is_notified = waiter.wait(timeout)
    finally:
        inner._acquire_restore(state)
        if not is_notified:
            with suppress(ValueError):
                inner._waiters.remove(waiter)
    return is_notified


class _Waiter:
    """What `Condition.notify` releases to end a wait; in the standard library it is a lock."""

    def __init__(self, participant: Participant) -> None:
        self._simulation = participant.simulation
        self._pending = Wait(participant)

    def release(self) -> None:
        self._simulation.rouse(self._pending)

    def wait(self, timeout: float | None) -> bool:
        outcome = self._simulation.wait(self._pending, None if timeout is None else self._simulation.span_of(timeout))
        if outcome is Outcome.CLOSED and timeout is None:
            while not self._pending.is_roused:  # virtual time is over, and this wait goes on
                self._pending.rest(1.0)
        return self._pending.is_roused


def start(thread: threading.Thread) -> None:
    """Stand in for `Thread.start`: the thread begins when its turn comes."""
    threads.note(thread)
    participant = current_participant()
    if participant is None:
        _start(thread)
        return
    with participant.on_real_time():  # it waits for the thread to begin
        reserved = participant.simulation.reserve(thread.name)
        participant.simulation.threads[thread] = reserved
        run = thread.run

        def run_as_participant() -> None:
            thread.__dict__.pop("run", None)
            with suppress(EndedError), participant.simulation.as_participant(reserved):
                run()

        thread.__dict__["run"] = run_as_participant
        try:
            _start(thread)
        except BaseException:
            participant.simulation.leave(reserved)
            raise


def join(thread: threading.Thread, timeout: float | None = None) -> None:
    """Stand in for `Thread.join`."""
    participant = current_participant()
    other = None if participant is None else participant.simulation.threads.get(thread)
    if participant is None or other is None or other is participant:
        _join(thread, timeout)
        return
    within_ns = None if timeout is None else participant.simulation.span_of(timeout)
    if participant.simulation.wait_for(participant, other, within_ns) is not Outcome.DUE:
        _join(thread)  # has done its work, and is about to end


# concurrent.futures


class _Work:
    """What stands for a function that was handed to a pool."""

    def __init__(self, function: Callable[..., Any], participant: Participant) -> None:
        self._function = function
        self.participant = participant

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)


def submit(pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    """Stand in for `ThreadPoolExecutor.submit`: the work begins when a worker is free and its turn has come."""
    function = threads.noted(function)
    participant = current_participant()
    if participant is None:
        return _submit(pool, function, *args, **kwargs)
    simulation = participant.simulation
    reserved = simulation.reserve(getattr(function, "__qualname__", repr(function)), pool, pool._max_workers)
    try:
        # a worker of the pool may be started here, and has no participant itself: its work has
        with participant.on_real_time():
            future = _submit(pool, _Work(function, reserved), *args, **kwargs)
    except BaseException:
        simulation.leave(reserved)
        raise
    future.add_done_callback(lambda done: simulation.leave(reserved) if done.cancelled() else None)
    return future


def run_work(item: Any) -> None:
    """Stand in for `_WorkItem.run`, which also tells the future: so the participant is left only after that."""
    function = item.fn
    if not isinstance(function, _Work):
        _run_work(item)
        return
    with function.participant.simulation.as_participant(function.participant):
        _run_work(item)


def shutdown(pool: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
    """Stand in for `ThreadPoolExecutor.shutdown`."""
    participant = current_participant()
    if participant is None or not wait:
        _shutdown(pool, wait, cancel_futures=cancel_futures)
        return
    _shutdown(pool, wait=False, cancel_futures=cancel_futures)
    participant.simulation.wait_for_pool(participant, pool)
    with participant.on_real_time():
        _shutdown(pool, wait=True)


# All of them

FUNCTIONS: dict[Any, Any] = {
    _sleep: sleep,
    _monotonic: monotonic,
    _monotonic_ns: monotonic_ns,
    _perf_counter: perf_counter,
    _perf_counter_ns: perf_counter_ns,
    asyncio_loop._sleep: asyncio_loop.sleep,
}
METHODS: tuple[tuple[type, str, Any], ...] = (
    (threading.Condition, "wait", wait),
    (threading.Thread, "start", start),
    (threading.Thread, "join", join),
    (ThreadPoolExecutor, "submit", submit),
    (ThreadPoolExecutor, "shutdown", shutdown),
    (pools._WorkItem, "run", run_work),
    (BaseEventLoop, "_run_once", asyncio_loop.run_once),
    (BaseSelectorEventLoop, "_write_to_self", asyncio_loop.write_to_self),
)


@contextmanager
def replaced() -> Iterator[None]:
    """Put all replacements in their places, also where modules imported the originals by name; then undo it."""
    methods = [(owner, name, owner.__dict__[name]) for owner, name, _ in METHODS]
    for owner, name, replacement in METHODS:
        setattr(owner, name, replacement)
    try:
        with rebound(FUNCTIONS, _is_spared):
            yield
    finally:
        for owner, name, original in reversed(methods):
            setattr(owner, name, original)


def _is_spared(module: str) -> bool:
    return is_real(module) or module.startswith("pytest_mlflow_traces.virtual_time")
