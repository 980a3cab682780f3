"""Where the agent's time comes from: the system's clock, or one that a test moves."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Clock(Protocol):
    """What the agent asks of a clock; any object with these two methods will do.

    Every wait of the agent goes through `sleep`, so a test decides what waiting means. To make span times follow under
    time-machine, which moves the clock that OpenTelemetry reads:

        with time_machine.travel(0, tick=False) as traveller:
            orchestrator = stub_orchestrator(clock=VirtualClock(on_advance=traveller.shift))

    `VirtualClock` also gets parallel workers right: two that wait 1 s and 2 s at the same time take 2 s. A plain
    object whose `sleep` is `traveller.shift` and whose `time` is `time.time` works too, but adds such waits up to 3 s.
    """

    def time(self) -> float:
        """Return the seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait, or pretend to."""
        ...


class SystemClock:
    """The real one."""

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Suspend this task."""
        await asyncio.sleep(seconds)


class _Alarm(Protocol):
    def set(self) -> object: ...


class _TaskAlarm:
    """An event that any thread may set and a task waits for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def set(self) -> None:
        self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()


@dataclass(order=True)
class _Sleeper:
    until: float
    number: int
    # A counted sleeper is a worker that holds the clock while it is awake; the others come and go unnoticed.
    counted: bool = field(compare=False)
    alarm: _Alarm = field(compare=False)


_AnyAlarm = TypeVar("_AnyAlarm", bound=_Alarm)

# The clock at which the current thread or task has a seat.
_seated_at: contextvars.ContextVar[VirtualClock | None] = contextvars.ContextVar("_seated_at", default=None)


class VirtualClock:
    """A clock on which waiting costs nothing, and on which parallel waits overlap.

    It is a discrete event simulation: workers that took a seat (`thread_seats`, `task_seats`) run one at a time, and
    time jumps to the next alarm only when all of them sleep. Threads and asyncio tasks may share one clock. Because
    turns are taken, a run is repeatable, and two workers that wait at all are always seen side by side in a trace.
    Who has a seat must not wait for somebody else's end other than by sleeping: it would hold the clock for both.

        >>> clock = VirtualClock(start=100.0)
        >>> clock.sleep(30)
        >>> clock.time()
        130.0
    """

    def __init__(self, *, start: float | None = None, on_advance: Callable[[float], object] | None = None) -> None:
        self._now = time.time() if start is None else start
        self._on_advance = on_advance
        self._lock = threading.RLock()
        self._sleepers: list[_Sleeper] = []
        self._numbers = itertools.count()
        self._awake = 0

    def time(self) -> float:
        """Return the seconds since the epoch, as far as this clock is concerned."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wait until everybody else who has a seat sleeps at least as long."""
        alarm = threading.Event()
        self._fall_asleep(seconds, alarm)
        alarm.wait()

    async def asleep(self, seconds: float) -> None:
        """Do the same without blocking the event loop."""
        alarm = _TaskAlarm()
        sleeper = self._fall_asleep(seconds, alarm)
        try:
            await alarm.wait()
        except asyncio.CancelledError:
            self.interrupt(sleeper)
            raise

    def thread_seats(self, count: int) -> list[_ThreadSeat]:
        """Reserve places for threads that are about to start; time waits for all of them."""
        alarms = [threading.Event() for _ in range(count)]
        return [_ThreadSeat(self, *place) for place in self._reserve(alarms)]

    def task_seats(self, count: int) -> list[_TaskSeat]:
        """Reserve places for tasks that are about to start on the running event loop."""
        alarms = [_TaskAlarm() for _ in range(count)]
        return [_TaskSeat(self, *place) for place in self._reserve(alarms)]

    def leave(self, sleeper: _Sleeper) -> None:
        """Give up a seat, whether or not it was ever taken."""
        with self._lock:
            self.interrupt(sleeper)
            self._awake -= 1
            self._move()

    def interrupt(self, sleeper: _Sleeper) -> None:
        """Wake a sleeper before its time; one whose alarm went off already is awake as it is."""
        with self._lock:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)
                self._awake += sleeper.counted

    def _reserve(self, alarms: list[_AnyAlarm]) -> list[tuple[_Sleeper, _AnyAlarm]]:
        with self._lock:
            places = [(self._add(0.0, alarm, counted=True), alarm) for alarm in alarms]
            self._move()
        return places

    def _fall_asleep(self, seconds: float, alarm: _Alarm) -> _Sleeper:
        with self._lock:
            counted = _seated_at.get() is self
            sleeper = self._add(max(0.0, seconds), alarm, counted=counted)
            self._awake -= counted
            self._move()
        return sleeper

    def _add(self, seconds: float, alarm: _Alarm, *, counted: bool) -> _Sleeper:
        sleeper = _Sleeper(self._now + seconds, next(self._numbers), counted, alarm)
        heapq.heappush(self._sleepers, sleeper)
        return sleeper

    def _move(self) -> None:
        """Wake the next sleeper if no worker is awake, which may take time forward."""
        while self._awake == 0 and self._sleepers:
            sleeper = self._sleepers[0]
            step = sleeper.until - self._now
            if step > 0:
                if self._on_advance is not None:
                    self._on_advance(step)
                self._now = sleeper.until
            heapq.heappop(self._sleepers)
            self._awake += sleeper.counted
            sleeper.alarm.set()


class ThreadSeat(Protocol):
    """The place of a thread at a clock: entering it waits for its turn."""

    def __enter__(self) -> object: ...

    def __exit__(self, *error: object) -> object: ...

    def leave(self) -> None:
        """Let time go on without this worker."""
        ...


class TaskSeat(Protocol):
    """The same for an asyncio task."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(self, *error: object) -> object: ...

    def leave(self) -> None:
        """Let time go on without this worker."""
        ...


def thread_seats(clock: Clock, count: int) -> Sequence[ThreadSeat]:
    """Reserve places for threads that are about to start, at a clock that cares who waits on it."""
    reserve = getattr(clock, "thread_seats", None)
    return [_NoSeat()] * count if reserve is None else reserve(count)


def task_seats(clock: Clock, count: int) -> Sequence[TaskSeat]:
    """Do the same for tasks of the running event loop."""
    reserve = getattr(clock, "task_seats", None)
    return [_NoSeat()] * count if reserve is None else reserve(count)


class _Seat:
    """One worker's place at a `VirtualClock`; leaving it twice does no harm."""

    def __init__(self, clock: VirtualClock, sleeper: _Sleeper) -> None:
        self._clock = clock
        self._sleeper = sleeper
        self._left = False

    def leave(self) -> None:
        if not self._left:
            self._left = True
            self._clock.leave(self._sleeper)


class _ThreadSeat(_Seat):
    def __init__(self, clock: VirtualClock, sleeper: _Sleeper, alarm: threading.Event) -> None:
        super().__init__(clock, sleeper)
        self._alarm = alarm

    def __enter__(self) -> None:
        _seated_at.set(self._clock)
        self._alarm.wait()

    def __exit__(self, *_: object) -> None:
        _seated_at.set(None)
        self.leave()


class _TaskSeat(_Seat):
    def __init__(self, clock: VirtualClock, sleeper: _Sleeper, alarm: _TaskAlarm) -> None:
        super().__init__(clock, sleeper)
        self._alarm = alarm

    async def __aenter__(self) -> None:
        _seated_at.set(self._clock)
        await self._alarm.wait()

    async def __aexit__(self, *_: object) -> None:
        _seated_at.set(None)
        self.leave()


class _NoSeat:
    def leave(self) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...
