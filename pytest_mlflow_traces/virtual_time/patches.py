"""What waits in the standard library, put on a simulation: time, threads and thread pools.

Every replacement asks whether the current thread is a participant, and does what the original does where it is not. So
it does no harm to other threads, nor to whoever has kept one after virtual time is over.
"""

from __future__ import annotations

import inspect
import queue
import sys
import threading
from asyncio.base_events import BaseEventLoop
from asyncio.selector_events import BaseSelectorEventLoop
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import thread as pools
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.capture.replacements import Replacements
from pytest_mlflow_traces.capture.threads import BEGIN, begun_by, run_by
from pytest_mlflow_traces.virtual_time import asyncio_loop, deadlock, locks, originals
from pytest_mlflow_traces.virtual_time.imported_names import rebound
from pytest_mlflow_traces.virtual_time.participants import EndedError, Outcome, Participant, VirtualTimeError
from pytest_mlflow_traces.virtual_time.simulation import current_participant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# They wait for other processes or measure the tests themselves, and do so on real time in whatever thread.
REAL_PACKAGES = frozenset({"_pytest", "hypothesis", "multiprocessing", "pytest", "selectors", "subprocess"})

_TRIO = "trio keeps its own time; virtual_time works with asyncio's SelectorEventLoop"
_WITH_LOCKS_OF_C = frozenset({"_frozen_importlib", "_queue", "_thread", "importlib", "threading"})

_sleep = originals.sleep


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


def _clock(name: str, original: Any) -> Any:
    """Return what stands in for one of the functions of `time` that tell a time that only goes on."""

    def clock(*which: int) -> Any:
        participant = _calling_participant()
        told = next(iter(which), name.removesuffix("_ns"))
        if participant is None or told not in participant.simulation.clocks_ns:
            return original(*which)
        now = participant.simulation.clocks_ns[told] + participant.simulation.elapsed_ns
        return now if name.endswith("_ns") else participant.simulation.shown(now)

    clock.__name__ = name
    return clock


def _calling_participant() -> Participant | None:
    participant = current_participant()
    if participant is None:
        return None
    frame = sys._getframe(2)
    module = str(frame.f_globals.get("__name__"))
    if is_real(module):
        return None
    if module.startswith("trio."):
        raise VirtualTimeError(_TRIO)
    deadlock.note_asking(participant, frame)
    return participant


def is_real(module: object) -> bool:
    """Return whether a module stays on real time."""
    return str(module).partition(".")[0] in REAL_PACKAGES


# threading: each makes a stand-in for a function, which calls that one outside of virtual time


def begin(before: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for what begins a thread: what it does comes when its turn has."""

    def begin(function: Any, *args: Any, **kwargs: Any) -> Any:
        participant, thread = current_participant(), begun_by(function)
        if participant is None or thread is None:
            return before(function, *args, **kwargs)
        reserved = participant.simulation.reserve(thread.name)
        participant.simulation.threads[thread] = reserved

        def in_turn(run: Callable[[], None]) -> None:
            with suppress(EndedError), reserved.simulation.as_participant(reserved):
                run()

        run_by(thread, in_turn)
        try:
            with participant.on_real_time():
                begun = before(function, *args, **kwargs)
                thread._started.wait()  # type: ignore[attr-defined]  # as `Thread.start` does next, in no time
        except BaseException:
            participant.simulation.leave(reserved)
            raise
        return begun

    return begin


def join(before: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for `Thread.join`."""

    def join(thread: threading.Thread, timeout: float | None = None) -> Any:
        participant = current_participant()
        other = None if participant is None else participant.simulation.threads.get(thread)
        if participant is None or other is None or other is participant:
            return before(thread, timeout)
        within_ns = None if timeout is None else participant.simulation.span_of(timeout)
        if participant.simulation.wait_for(participant, other, within_ns) is not Outcome.DUE:
            before(thread)  # has done its work, and is about to end
        return None

    return join


# concurrent.futures


def given(before: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for what makes a work item: the work begins when a worker is free and its turn has come."""

    def given(item: Any, *args: Any, **kwargs: Any) -> None:
        before(item, *args, **kwargs)
        participant = current_participant()
        pool = None if participant is None else _submitting(sys._getframe(1))
        if participant is None or pool is None:
            return
        simulation = participant.simulation
        reserved = simulation.reserve(_name_of(item), pool, pool._max_workers)
        future = item.future

        def in_turn(run: Callable[..., None], *args: Any) -> None:
            try:
                with simulation.as_participant(reserved):
                    run(*args)
            except VirtualTimeError as error:  # before it ran; the worker would die of it, and nobody know
                if future.set_running_or_notify_cancel():
                    future.set_exception(error)

        run_by(item, in_turn)
        future.add_done_callback(lambda done: simulation.leave(reserved) if done.cancelled() else None)

    return given


def _submitting(frame: Any) -> ThreadPoolExecutor | None:
    """Return the pool whose `submit` makes a work item, which nothing but its frame tells."""
    while frame is not None and frame.f_globals is not vars(pools):  # wrappers may stand in between
        frame = frame.f_back
    return None if frame is None else frame.f_locals["self"]


def _name_of(item: Any) -> str:
    function = getattr(item, "fn", None) or next(iter(getattr(item, "task", ())), None)  # `task` since Python 3.14
    return getattr(function, "__qualname__", repr(function))


def adjust(before: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for what starts a pool's workers, which are no participants: what they are given is."""

    def adjust(pool: ThreadPoolExecutor) -> Any:
        participant = current_participant()
        if participant is None:
            return before(pool)
        with participant.on_real_time():
            return before(pool)

    return adjust


def shutdown(before: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for `ThreadPoolExecutor.shutdown`."""

    def shutdown(pool: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> Any:
        participant = current_participant()
        if participant is None or not wait:
            return before(pool, wait, cancel_futures=cancel_futures)
        before(pool, wait=False, cancel_futures=cancel_futures)
        participant.simulation.wait_for_pool(participant, pool)
        with participant.on_real_time():
            return before(pool, wait=True)

    return shutdown


# trio


def refuse(before: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for what begins a run of trio, which no thread of virtual time can."""

    def setup_runner(*args: Any, **kwargs: Any) -> Any:
        if current_participant() is not None:
            raise VirtualTimeError(_TRIO)
        return before(*args, **kwargs)

    return setup_runner


# All of them

FUNCTIONS: dict[Any, Any] = {
    _sleep: sleep,
    asyncio_loop._sleep: asyncio_loop.sleep,
    **{original: _clock(name, original) for name, original in originals.TELLING.items()},
}
CLASSES = ((threading.Lock, locks.Lock), (threading.RLock, locks.RLock), (queue.SimpleQueue, locks.SimpleQueue))
METHODS: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
    (threading, BEGIN, begin),
    (threading.Thread, "join", join),
    (pools._WorkItem, "__init__", given),
    (ThreadPoolExecutor, "_adjust_thread_count", adjust),
    (ThreadPoolExecutor, "shutdown", shutdown),
    (BaseEventLoop, "_run_once", asyncio_loop.run_once),
    (BaseSelectorEventLoop, "_write_to_self", asyncio_loop.write_to_self),
)


@contextmanager
def replaced() -> Iterator[None]:
    """Put all replacements in their places, also where modules imported the originals by name; then undo it."""
    replacements = Replacements()
    for owner, name, make in METHODS:
        replacements.put(owner, name, make)
    trio = sys.modules.get("trio._core._run")
    if hasattr(trio, "setup_runner"):
        replacements.put(trio, "setup_runner", refuse)
    for name in ("Lock", "_allocate_lock"):  # by the latter, `Condition.wait` makes what it waits for
        replacements.put(threading, name, lambda _: locks.Lock)
    replacements.put(threading, "RLock", lambda _: locks.RLock)
    functions = [*FUNCTIONS.items(), *_around_wrappers(), *CLASSES]
    try:
        with rebound(functions, _is_spared):
            yield
    finally:
        replacements.take_out()


def _around_wrappers() -> Iterator[tuple[Any, Any]]:
    """Return the wrappers that others have put around the functions, with what stands in for each.

    As pairs: a proxy of wrapt is equal to what it wraps.
    """
    inner = {*map(id, FUNCTIONS), *map(id, FUNCTIONS.values())}
    for replacement in FUNCTIONS.values():
        holder = sys.modules["time" if replacement.__module__ == __name__ else "asyncio"]
        now: Any = getattr(holder, replacement.__name__)
        if id(now) not in inner and id(_unwrapped(now, inner)) in inner:
            yield now, _around(now, replacement)


def _unwrapped(function: Any, known: set[int]) -> Any:
    try:
        return inspect.unwrap(function, stop=lambda each: id(each) in known)
    except ValueError:  # it wraps itself
        return None


def _around(wrapper: Any, replacement: Callable[..., Any]) -> Callable[..., Any]:
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        if current_participant() is None or is_real(sys._getframe(1).f_globals.get("__name__")):
            return wrapper(*args, **kwargs)
        return replacement(*args, **kwargs)

    stand_in.__wrapped__ = wrapper  # type: ignore[attr-defined]  # one that stays is known by it the next time
    return stand_in


def _is_spared(module: str, function: Any) -> bool:
    """Return whether a module keeps its own; `threading` has C's locks by other names, too, and needs them."""
    if is_real(module) or module.startswith("pytest_mlflow_traces.virtual_time"):
        return True
    return module.partition(".")[0] in _WITH_LOCKS_OF_C and any(function in pair for pair in CLASSES)
