"""Noticing that a simulation stands still, and saying why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.virtual_time import originals
from pytest_mlflow_traces.virtual_time.participants import VirtualTimeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces.virtual_time.participants import Participant

LOOK_S = 0.5  # how often, in real time, a thread that waits looks whether anything stirs
PATIENCE_S = 10.0
BUSY_S = 60.0
real_monotonic = originals.monotonic


def stacks(participants: Iterable[Participant]) -> list[tuple[object, ...]]:
    """Return what changes while the threads of these participants do anything."""
    frames = sys._current_frames()
    held = [(participant.ident, frames.get(participant.ident or 0)) for participant in participants]
    return [(ident, id(frame), 0 if frame is None else frame.f_lasti) for ident, frame in held]


def error(participants: Iterable[Participant]) -> VirtualTimeError:
    """Build the error that says which threads hold the clock, and where they are."""
    frames = sys._current_frames()
    lines = []
    for participant in participants:
        frame = frames.get(participant.ident or 0)
        at = "has not started" if frame is None else f"is at {_place(frame)}"
        lines.append(f"  thread {participant.name!r} {at}")
    return VirtualTimeError(
        f"virtual time stands still: it moves only when every thread waits, and for {PATIENCE_S:g} s these did not"
        " (what the clock does not see as waiting: a lock, a socket, a queue.SimpleQueue, a process, a busy loop):\n"
        + "\n".join(lines)
    )


class Watch:
    """The notice that nothing goes on: nobody waits or wakes, and the threads that are awake do not move either.

    It adds up the time between looks and not the clock's, which goes on while the whole process is stopped.
    """

    def __init__(self) -> None:
        self._steps: object = None
        self._stacks: object = None
        self._without_step_s = self._still_s = 0.0

    def is_stuck(self, steps: object, stacks: object = None) -> bool:
        """Note what there is to be seen now, and return whether it has been the same for too long."""
        is_new_step = steps is None or steps != self._steps
        has_moved = stacks is None or stacks != self._stacks
        self._steps, self._stacks = steps, stacks
        self._without_step_s = 0.0 if is_new_step else self._without_step_s + LOOK_S
        self._still_s = 0.0 if has_moved else self._still_s + LOOK_S
        # threads that move and never wait are busy: for long with work, or for ever waiting for time to pass
        return self._still_s > PATIENCE_S or self._without_step_s > BUSY_S


def _place(frame: Any) -> str:
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}, in {frame.f_code.co_name}"
