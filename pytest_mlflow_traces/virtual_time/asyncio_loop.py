"""asyncio's event loops on a simulation: when a loop has nothing to do, its thread waits like any other."""

from __future__ import annotations

import asyncio
import threading
from asyncio.selector_events import BaseSelectorEventLoop
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pytest_mlflow_traces.virtual_time import deadlock
from pytest_mlflow_traces.virtual_time.participants import VirtualTimeError, Wait
from pytest_mlflow_traces.virtual_time.simulation import NS_PER_S, Simulation, current_participant

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.virtual_time.participants import Participant

_write_to_self: Any = BaseSelectorEventLoop._write_to_self  # type: ignore[attr-defined]
_sleep = asyncio.sleep
_LISTEN_S = 0.01


class Loops:
    """The event loops that run on a simulation, and which of them are idle."""

    def __init__(self, simulation: Simulation, io_grace_s: float | None) -> None:
        self._simulation = simulation
        self._io_grace_s = io_grace_s
        self._idle: WeakKeyDictionary[Any, Wait] = WeakKeyDictionary()
        self._known: WeakKeyDictionary[Any, deadlock.Patience] = WeakKeyDictionary()  # with that for one that polls

    def pass_time(self, loop: Any, participant: Participant) -> None:
        """Wait until a loop has something to do: a callback, a timer that is due, or news from the real world."""
        check_loop(loop)
        patience = self._known.setdefault(loop, deadlock.Patience())
        if loop._ready and loop._scheduled and patience.is_over(self._simulation.news):
            raise VirtualTimeError(_restless(loop))
        if loop._ready or loop._stopping:
            return
        patience.begin_again()
        if loop._selector.select(0):
            return
        whens = [handle._when for handle in loop._scheduled if not handle._cancelled]
        left = min(whens) - loop.time() if whens else None
        if left is not None and left <= 0:
            return
        within_ns = None if left is None else self._simulation.span_of(left)
        if within_ns == 0 or (len(loop._selector.get_map()) > 1 and self._hears(loop, has_timer=bool(whens))):
            return
        wait = Wait(participant, lambda seconds: self._rest(loop, seconds), partial(_write_to_self, loop))
        self._idle[loop] = wait
        try:
            self._simulation.wait(wait, within_ns, unless=lambda: loop._ready)
        finally:
            del self._idle[loop]

    def wake(self, loop: Any) -> bool:
        """Rouse a loop that is idle, because it was handed a callback; return whether it was."""
        wait = self._idle.get(loop)
        if wait is not None:
            self._simulation.rouse(wait)
        return wait is not None

    def adopt(self, loop: Any) -> None:
        """Put a loop on the simulation that runs in a thread from before, since a thread of it now uses the loop."""
        ident = loop._thread_id
        if ident is None or ident in self._simulation.participants:
            return
        thread = threading._active.get(ident)  # type: ignore[attr-defined]  # threading.enumerate() is by no key
        self._simulation.join("an event loop" if thread is None else thread.name, ident)
        self._known[loop] = deadlock.Patience()
        _postpone(loop, self._simulation.monotonic_ns / NS_PER_S - deadlock.real_monotonic())

    def hear_the_world(self) -> bool:
        """Return whether an idle loop watches sockets or pipes, from which news may come."""
        return any(len(loop._selector.get_map()) > 1 for loop in list(self._idle))

    def release(self) -> None:
        """Leave the loops to real time: what they have yet to wait is as long as it was."""
        for loop in list(self._known):
            if not loop.is_closed():
                _postpone(loop, deadlock.real_monotonic() - self._simulation.monotonic_ns / NS_PER_S)

    def _rest(self, loop: Any, seconds: float) -> None:
        if loop._selector.select(seconds):
            wait = self._idle[loop]
            if not wait.is_granted:  # else it was knocked at
                self._simulation.rouse_at_once(wait)

    def _hears(self, loop: Any, *, has_timer: bool) -> bool:
        """Hold the clock while a loop watches sockets or pipes: nobody knows when the real world answers."""
        waited_s = 0.0
        while not loop._selector.select(_LISTEN_S):
            self._simulation.start_due()
            waited_s = waited_s + _LISTEN_S if has_timer or self._simulation.has_alarms else 0.0
            if self._io_grace_s is not None and waited_s >= self._io_grace_s:
                return False
            if waited_s > deadlock.PATIENCE_S:
                raise VirtualTimeError(_unheard(loop, waited_s))
        return True


def check_loop(loop: object) -> None:
    """Raise where an event loop keeps its own time."""
    if not isinstance(loop, BaseSelectorEventLoop):
        kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
        raise VirtualTimeError(f"{kind} keeps its own time; virtual_time works with asyncio's SelectorEventLoop")


def _unheard(loop: Any, waited_s: float) -> str:
    pipe = loop._ssock.fileno()  # its own, by which other threads wake it
    watched = [str(key.fileobj) for key in loop._selector.get_map().values() if key.fd != pipe]
    return (
        f"virtual time stands still: an event loop has waited {waited_s:.0f} s for real sockets or pipes, and the clock"
        f" does not know whether they will answer: {', '.join(watched)[:300]}\n"
        "close what is not needed, or say how long to wait for it: virtual_time(io_grace='50ms')"
    )


def _restless(loop: Any) -> str:
    running = [repr(handle)[:200] for handle in list(loop._ready)[:3]]
    return (
        f"virtual time stands still: an event loop had something to do at all times for {deadlock.PATIENCE_S:g} s, and"
        f" its timers wait for a moment when it has not: {', '.join(running)}\n"
        "a task that waits by asyncio.sleep(0), over and over, never lets time pass: wait for an event, or sleep longer"
    )


def _postpone(loop: Any, seconds: float) -> None:
    for handle in loop._scheduled:
        handle._when += seconds  # all alike, so their order stays


def run_once(before: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for `BaseEventLoop._run_once`: asyncio has no public hook for a loop that has nothing to do."""

    def run_once(loop: Any) -> None:
        participant = current_participant()
        if participant is not None:
            participant.simulation.loops.pass_time(loop, participant)
        before(loop)

    return run_once


def write_to_self(before: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for `BaseSelectorEventLoop._write_to_self`, by which other threads wake a loop."""

    def write_to_self(loop: Any) -> None:
        simulation = Simulation.active
        if simulation is not None:
            if simulation.loops.wake(loop):
                return
            if current_participant() is not None:
                simulation.loops.adopt(loop)
        before(loop)

    return write_to_self


async def sleep(delay: float, result: Any = None) -> Any:
    """Stand in for `asyncio.sleep`."""
    if current_participant() is not None:
        check_loop(asyncio.get_running_loop())
    return await _sleep(delay, result)
