"""The door to time-machine: deterministic time, in which waiting takes no time.

Inside `virtual_time()` the clocks stand still, `time.time` and `datetime` (and so the times of spans) as well as
`time.monotonic`; only waiting moves them. `time.sleep`, `asyncio.sleep`, time-outs of tasks, threads and pools jump to
the moment they wait for as soon as there is nothing else to do, so that a time-out of 30 s is seen to the millisecond
and costs none.

What takes part are the thread that entered, the threads that it starts (and those that they start), work that these
hand to thread pools of any age, and event loops in any of them. Other threads wait for real.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.text.durations import NS_PER_MS, parse_duration
from pytest_mlflow_traces.virtual_time.asyncio_loop import Loops, check_loop
from pytest_mlflow_traces.virtual_time.deadlock import note_asking
from pytest_mlflow_traces.virtual_time.participants import VirtualTimeError
from pytest_mlflow_traces.virtual_time.patches import replaced
from pytest_mlflow_traces.virtual_time.real_waits import Lookout
from pytest_mlflow_traces.virtual_time.simulation import (
    NS_PER_S,
    Simulation,
    current_participant,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["START", "VirtualTime", "VirtualTimeError", "virtual_time"]

__tracebackhide__ = True  # a failure points at the test, not in here

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""The time with which virtual time begins, unless you say otherwise.

>>> with virtual_time() as clock:
...     clock.now == START
True
"""
_OTHER_SCHEDULERS = frozenset({"eventlet", "gevent"})
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class VirtualTime:
    """The time inside `virtual_time()`, which a test can read and move.

    >>> with virtual_time() as clock:
    ...     clock.advance("1.5s")
    ...     clock.elapsed_ms, clock.now.isoformat()
    (1500.0, '2026-01-01T00:00:01.500000+00:00')
    >>> clock.now_ns == clock.now.timestamp() * 1e9
    True
    """

    def __init__(self, simulation: Simulation, start_ns: int) -> None:
        self._simulation = simulation
        self._start_ns = start_ns

    @property
    def now(self) -> datetime:
        """The time in UTC, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.now_ns // 1_000)

    @property
    def now_ns(self) -> int:
        """The time in nanoseconds since the epoch, as spans have it."""
        return self._start_ns + self._simulation.elapsed_ns

    @property
    def elapsed_ms(self) -> float:
        """The milliseconds since virtual time began."""
        return self._simulation.elapsed_ns / NS_PER_MS

    def advance(self, duration: str | timedelta) -> None:
        """Let time pass, as work of this duration would: "800ms", "30s" or a `timedelta`.

        Other threads that are due meanwhile go on, each at its time. Tasks of the event loop of this thread do not,
        for they cannot while it works; `await asyncio.sleep()` lets them.

        Raises:
            VirtualTimeError: in a thread that virtual time does not rule, or after its end.
        """
        nanoseconds = parse_duration(duration, "advance()")
        participant = current_participant()
        if participant is None or participant.simulation is not self._simulation:
            why = (
                "virtual time is over" if self._simulation.is_closed else "this thread was started before virtual time"
            )
            raise VirtualTimeError(f"advance(): {why}")
        self._simulation.sleep(participant, nanoseconds)

    def __repr__(self) -> str:
        return f"<VirtualTime {self.now.isoformat(sep=' ')}>"


@contextmanager
def virtual_time(*, start: datetime | None = None, io_grace: str | timedelta | None = None) -> Iterator[VirtualTime]:
    """Have time stand still, and pass only where something waits for it; then put every clock back.

    >>> import time
    >>> with virtual_time() as clock:
    ...     time.sleep(30)
    ...     clock.advance("800ms")
    ...     clock.elapsed_ms
    30800.0

    Inside itself it is the same time again. A thread that still sleeps when it ends is ended there; what waits without
    a limit, or in an event loop, goes on for real.

    Args:
        start: The time to begin with, which has a time zone; 2026-01-01 UTC unless you say otherwise.
        io_grace: How long, in real time, an event loop that watches real sockets or pipes is given to hear from them
            before time passes without it. Unless you say so, time does not, and after ten seconds that is an error.

    Raises:
        ModuleNotFoundError: without the extra `time`.
        VirtualTimeError: where another thread has one already, or the event loop keeps its own time.
    """
    participant = current_participant()
    if participant is not None:
        if start is not None or io_grace is not None:
            raise VirtualTimeError("virtual_time() inside itself goes on with the same time: it takes no arguments")
        yield participant.simulation.owner
        return
    if Simulation.active is not None:
        raise VirtualTimeError("another thread has virtual time already; a process has one time of day")
    _check_patched()
    _check_running_loop()
    start_ns = _checked_start(START if start is None else start)
    grace_s = None if io_grace is None else parse_duration(io_grace, "virtual_time(): io_grace") / NS_PER_S
    travel = _time_machine().travel(start_ns // NS_PER_S, tick=False)
    # In this order: time-machine looks the clocks up when it begins and ends, and has to find the originals; threads
    # that go on for real afterwards are to find the real time.
    with _simulation(grace_s) as simulation, travel as traveller, replaced(), Lookout(simulation).looking() as lookout:
        _shift(traveller, start_ns % NS_PER_S)
        _note_asking(traveller)
        simulation.on_move = partial(_shift, traveller)
        simulation.owner = VirtualTime(simulation, start_ns)
        simulation.explain = lookout.explain
        try:
            yield simulation.owner
        except BaseException as error:
            lookout.explain(error)
            raise


@contextmanager
def _simulation(io_grace_s: float | None) -> Iterator[Simulation]:
    simulation = Simulation()
    simulation.loops = Loops(simulation, io_grace_s)
    simulation.join(threading.current_thread().name, threading.get_ident())
    Simulation.active = simulation
    try:
        yield simulation
    finally:
        Simulation.active = None
        simulation.close()
        simulation.loops.release()


def _time_machine() -> Any:
    try:
        import time_machine
    except ModuleNotFoundError as error:
        if error.name != "time_machine":
            raise
        raise ModuleNotFoundError(
            "virtual time needs time-machine: pip install 'pytest-mlflow-traces[time]'", name="time_machine"
        ) from None
    return time_machine


def _checked_start(start: object) -> int:
    if not isinstance(start, datetime):
        raise TypeError(f"virtual_time(): start is a datetime, got {start!r}")
    if start.tzinfo is None:
        raise ValueError(f"virtual_time(): start needs a time zone, such as timezone.utc, got {start!r}")
    return (start - _EPOCH) // timedelta(microseconds=1) * 1_000


def _shift(traveller: Any, nanoseconds: int) -> None:
    seconds, rest = divmod(nanoseconds, NS_PER_S)
    traveller.shift(seconds)
    if rest:
        traveller.shift((rest + 0.25) / NS_PER_S)  # whether it is then cut or rounded, it is `rest`


def _note_asking(traveller: Any) -> None:
    """Note who asks for the time of day, too: who does so over and over waits for it to pass."""
    tell = traveller.time_ns

    def time_ns() -> int:
        participant = current_participant()
        if participant is not None:
            note_asking(participant, sys._getframe(1))
        told: int = tell()
        return told

    traveller.time_ns = time_ns


def _check_patched() -> None:
    package = str(getattr(time.sleep, "__module__", None)).partition(".")[0]
    if package in _OTHER_SCHEDULERS:
        raise VirtualTimeError(f"{package} has patched time.sleep, and keeps its own time: virtual_time cannot rule it")


def _check_running_loop() -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    check_loop(loop)
