"""Locks and simple queues that are made in virtual time: who waits for one is seen to wait, and times out in time.

What the standard library has is written in C, waits where nobody sees it, and cannot be given another method. So what
is made inside is of these classes. Each is what it stands for, with a list of participants that wait; other threads
wait for real, and either may wake the other. When virtual time is over, they go on as the original would.
"""

from __future__ import annotations

import _thread
import queue
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.virtual_time.deadlock import note_asking
from pytest_mlflow_traces.virtual_time.participants import Outcome, Wait
from pytest_mlflow_traces.virtual_time.simulation import current_participant

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.virtual_time.participants import Participant


class _Waiting:
    """The participants that wait for the same thing."""

    def __init__(self) -> None:
        self._waits: deque[Wait] = deque()

    def until(self, participant: Participant, is_done: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until `is_done`, which tries, and return whether it was."""
        simulation = participant.simulation
        within_ns = None if timeout is None else simulation.span_of(timeout)
        until_ns = None if within_ns is None else simulation.elapsed_ns + within_ns
        while True:
            if is_done():
                return True
            wait = Wait(participant)
            self._waits.append(wait)
            has_got: list[bool] = []

            def has_it(got: list[bool] = has_got) -> bool:
                if is_done():
                    got.append(True)
                return bool(got)

            try:
                left_ns = None if until_ns is None else max(until_ns - simulation.elapsed_ns, 0)
                outcome = simulation.wait(wait, left_ns, unless=has_it)
            except BaseException:
                self._leave(wait, pass_on=wait.is_roused)
                raise
            self._leave(wait, pass_on=False)
            if has_got or is_done():
                return True
            if outcome is not Outcome.ROUSED:
                return False

    def wake(self) -> None:
        """Have the first of them try."""
        if self._waits:
            try:
                wait = self._waits.popleft()
            except IndexError:  # another thread was faster
                return
            wait.participant.simulation.rouse(wait)

    def _leave(self, wait: Wait, *, pass_on: bool) -> None:
        try:
            self._waits.remove(wait)
        except ValueError:
            if pass_on:
                self.wake()


class _AnyLock:
    """What the two kinds of locks have in common."""

    _make: Any

    def __init__(self) -> None:
        self._lock = self._make()
        self._waiting = _Waiting()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        participant = current_participant()
        frame = sys._getframe(1)
        if not blocking and participant and frame.f_code.co_name == "wait" and frame.f_globals is vars(threading):
            note_asking(participant, frame)  # `Condition.wait(0)` asks whether its time is over
            blocking, timeout = True, 0
        if participant is None or not blocking or (timeout < 0 and timeout != -1):
            return bool(self._lock.acquire(blocking, timeout))  # also what is refused
        if self._waiting.until(participant, lambda: self._lock.acquire(False), None if timeout == -1 else timeout):
            return True
        return timeout == -1 and bool(self._lock.acquire())  # virtual time is over, and this wait goes on

    def release(self) -> None:
        self._lock.release()
        self._waiting.wake()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return repr(self._lock)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._lock.__reduce_ex__(protocol)  # refuses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


class Lock(_AnyLock):
    """Stand in for `threading.Lock`."""

    _make = staticmethod(_thread.allocate_lock)


class RLock(_AnyLock):
    """Stand in for `threading.RLock`."""

    _make = staticmethod(_thread.RLock)

    def _release_save(self) -> Any:
        state = self._lock._release_save()
        self._waiting.wake()
        return state

    def _acquire_restore(self, state: Any) -> None:
        for _ in range(state[0]):
            self.acquire()


class SimpleQueue(queue.SimpleQueue):  # type: ignore[type-arg]  # it is a class of C's
    """Stand in for `queue.SimpleQueue`."""

    def __init__(self) -> None:
        self._waiting = _Waiting()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002  # there is room
        super().put(item)
        self._waiting.wake()

    def put_nowait(self, item: Any) -> None:
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        participant = current_participant()
        if participant is None or not block or (timeout is not None and timeout < 0):
            return super().get(block, timeout)
        got: list[Any] = []
        take = super().get

        def has_item() -> bool:
            try:
                got.append(take(False))
            except queue.Empty:
                return False
            return True

        if self._waiting.until(participant, has_item, timeout):
            return got[0]
        if timeout is None:  # virtual time is over, and this wait goes on
            return take()
        raise queue.Empty
