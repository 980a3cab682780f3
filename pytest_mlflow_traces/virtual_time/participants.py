"""The parts of a simulation: who takes part, what each waits for, and what thread pools have to do."""

from __future__ import annotations

from _thread import allocate_lock
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class VirtualTimeError(RuntimeError):
    """The reason why virtual time cannot do what was asked.

    >>> from pytest_mlflow_traces.clock import START, virtual_time
    >>> with virtual_time(), virtual_time(start=START):
    ...     pass
    Traceback (most recent call last):
    VirtualTimeError: virtual_time() inside itself goes on with the same time: it takes no arguments
    """

    __module__ = "pytest_mlflow_traces.clock"


class EndedError(SystemExit):
    """The end of a thread that still sleeps when virtual time is over."""


class Outcome(Enum):
    """Why a wait is over."""

    ROUSED = "somebody ended it"
    DUE = "its time has come"
    CLOSED = "virtual time is over"


class Participant:
    """The place of a thread in a simulation."""

    __slots__ = ("asking", "error", "ident", "is_over", "joiners", "name", "pool", "real_depth", "simulation", "wait")

    def __init__(self, simulation: Any, name: str, pool: Pool | None = None) -> None:
        self.simulation = simulation  # a `Simulation`, which knows its participants
        self.name = name
        self.pool = pool
        self.ident: int | None = None  # known when the thread arrives
        self.wait: Wait | None = None  # what it waits for its first turn with
        self.joiners: list[Wait] = []
        self.is_over = False
        self.real_depth = 0
        self.error: VirtualTimeError | None = None  # for it to raise, when it next asks for the time or waits
        self.asking: Any = None  # a `deadlock.Asking`, which knows participants

    def raise_error(self) -> None:
        """Raise the error that somebody has for this thread."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    @contextmanager
    def on_real_time(self) -> Iterator[None]:
        """Let the waits of this thread be real ones, in which it stays awake."""
        self.real_depth += 1
        try:
            yield
        finally:
            self.real_depth -= 1


class Wait:
    """One wait of a participant. `rest` waits for real, a while or until `knock`."""

    __slots__ = ("is_granted", "is_roused", "knock", "order", "participant", "rest")

    def __init__(
        self,
        participant: Participant,
        rest: Callable[[float], object] | None = None,
        knock: Callable[[], object] | None = None,
    ) -> None:
        self.participant = participant
        self.order = -1  # of its entry in the queue; another entry is out of date
        self.is_granted = self.is_roused = False
        gate = allocate_lock()
        gate.acquire()
        self.rest = rest or (lambda seconds: gate.acquire(True, seconds))
        self.knock = knock or (lambda: gate.release() if gate.locked() else None)


class Pool:
    """The work of one thread pool in its order: the first `size` have a worker, the others wait for one."""

    __slots__ = ("size", "work")

    def __init__(self, size: int) -> None:
        self.size = size
        self.work: list[Participant] = []
