"""Seeing that a thread waits where virtual time does not: by a thread that looks, in real time, at those awake."""

from __future__ import annotations

import sys
import threading
from _thread import allocate_lock, start_new_thread
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.capture.real_time import real_time
from pytest_mlflow_traces.core.spans.real_waits import RealWait
from pytest_mlflow_traces.core.text.counts import capped
from pytest_mlflow_traces.virtual_time import deadlock, originals
from pytest_mlflow_traces.virtual_time.participants import VirtualTimeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mlflow_traces.virtual_time.participants import Participant
    from pytest_mlflow_traces.virtual_time.simulation import Simulation

LOOK_S = 0.02
EXPLAINED_NS = 1_000_000_000
_LISTED = 8
NOTICEABLE_S = 0.1  # what is shorter may be a machine that has other things to do
_TASKS = Path("/proc/self/task")
_LISTENING = ("selectors", "pytest_mlflow_traces.virtual_time.asyncio_loop")


@dataclass(slots=True)
class _Held:
    """Where a thread has been since it was there first."""

    place: tuple[int, int]
    last_s: float
    waited_s: float = 0.0
    own: RealWait | None = None
    wait: RealWait | None = None  # the same, as its spans have it


class Lookout:
    """What looks at the threads of a simulation that are awake, as long as it goes on."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._held: dict[Participant, _Held] = {}
        self._waits: list[RealWait] = []
        self._is_over, self._has_ended = allocate_lock(), allocate_lock()

    @contextmanager
    def looking(self) -> Iterator[Lookout]:
        """Look, in a thread of its own, that nobody else sees."""
        self._is_over.acquire()
        self._has_ended.acquire()
        real_time.is_on = True
        start_new_thread(self._look_on, ())
        try:
            yield self
        finally:
            real_time.is_on = False
            self._is_over.release()
            self._has_ended.acquire(True, 5)  # a forked process has no such thread

    def explain(self, error: BaseException) -> None:
        """Note on an error what waited in real time before: its own time-outs may have ended that, not virtual ones."""
        long = [wait for wait in self._waits if wait.nanoseconds >= EXPLAINED_NS]
        if isinstance(error, VirtualTimeError) or not long:
            return
        lines = [
            "this waited in real time, which virtual time does not see (a real time-out may have ended it):",
            *capped([f"  {wait}" for wait in long[::-1]], _LISTED, "  ... {} more"),
            "put a stub in its place that waits by time.sleep() or asyncio.sleep(), or leave virtual time out",
        ]
        # Python 3.10 has no add_note(), and pytest shows the notes all the same
        notes = vars(error).setdefault("__notes__", [])
        notes.append("\n".join(lines))

    def _look_on(self) -> None:
        try:
            while not self._is_over.acquire(True, LOOK_S):
                with suppress(RuntimeError):  # a dictionary changed size meanwhile
                    self._look()
        finally:
            self._has_ended.release()

    def _look(self) -> None:
        now, frames = originals.monotonic(), sys._current_frames()
        awake = list(self._simulation.awake)
        waiting = [each for each in awake if self._is_waiting(each, frames.get(each.ident or 0), now)]
        for gone in self._held.keys() - set(awake):
            del self._held[gone]
        for each in waiting:
            held = self._held[each]
            if held.own is None and held.waited_s >= NOTICEABLE_S:
                held.own = RealWait(deadlock.place(frames[each.ident or 0]), frozenset())
                self._waits.append(held.own)
            if held.own is not None and held.wait is None:
                held.wait = real_time.note(each.ident or 0, held.own.where, is_all=len(waiting) == len(awake))
            for wait in (held.own, held.wait):
                if wait is not None:
                    wait.nanoseconds = round(held.waited_s * 1e9)

    def _is_waiting(self, participant: Participant, frame: Any, now: float) -> bool:
        if frame is None or participant.ident is None:
            return False
        # one that listens in short pieces waits for its turn of the machine, too
        is_listening = frame.f_globals.get("__name__") in _LISTENING
        while frame.f_back is not None and _is_loop(frame):
            frame = frame.f_back
        place = id(frame), frame.f_lasti
        held = self._held.get(participant)
        is_still = held is not None and held.place == place and not deadlock.is_at_jump(frame)
        if held is None or not is_still or not (is_listening or _is_asleep(participant.ident)):
            self._held[participant] = _Held(place, now)
            return False
        held.waited_s += min(now - held.last_s, 1.0)  # the whole process may have been stopped
        held.last_s = now
        return True


def _is_loop(frame: Any) -> bool:
    """Return whether a frame is one of ours or of `selectors`, which wait for the real world in short pieces."""
    return str(frame.f_globals.get("__name__")).partition(".")[0] in {"pytest_mlflow_traces", "selectors"}


def _is_asleep(ident: int) -> bool:
    """Return whether a thread that is where it was does not compute, as far as this system tells."""
    thread = threading._active.get(ident)  # type: ignore[attr-defined]  # threading.enumerate() is by no key
    try:
        said = (_TASKS / str(thread.native_id) / "stat").read_bytes()
    except (OSError, AttributeError):
        return True
    return not said.rpartition(b")")[2].lstrip().startswith(b"R")
