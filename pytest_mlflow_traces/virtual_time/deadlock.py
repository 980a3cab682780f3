"""Noticing that a simulation stands still, and saying why."""

from __future__ import annotations

import ctypes
import dis
import sys
import threading
from collections import Counter
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
ASKED = 100  # how often a line asks for the time meanwhile, if it waits for time to pass
real_monotonic = originals.monotonic
_LIBRARY = Path(threading.__file__).parent  # of Python, in which others may be installed, too
_OURS = __name__.rpartition(".")[0]
# what asks for the time on behalf of whoever waits, and what notes it without waiting
_MIDDLEMEN = frozenset({"asyncio", "concurrent", "queue", "threading", "time_machine"})
_RECORDERS = frozenset({"langchain_core", "logging", "mlflow", "opentelemetry", "pytest_mlflow_traces"})


class Patience:
    """Real time in which nothing was heard. A stop in between, as in a debugger, counts no more than a second."""

    def __init__(self) -> None:
        self.begin_again()

    def begin_again(self) -> None:
        """Forget what was waited so far."""
        self._news: object = None
        self._waited_s = 0.0
        self._last: float | None = None

    def is_new(self, news: object) -> bool:
        """Return whether there are other news than the last time."""
        return news != self._news

    def is_over(self, news: object) -> bool:
        """Note the news that there are now, and return whether they have been the same for too long."""
        if news != self._news:
            self.begin_again()
            self._news = news
        now = real_monotonic()
        if self._last is not None:
            self._waited_s += min(now - self._last, 1.0)
        self._last = now
        return self._waited_s > PATIENCE_S


class Asking:
    """How often a thread asks for the time, while it is the same: who polls the clock waits for it for ever."""

    def __init__(self) -> None:
        self._patience = Patience()
        self._places: Counter[tuple[int, int]] = Counter()

    def note(self, news: object, frame: Any) -> None:
        """Note that the code of this frame asks; raise where it has done so for too long."""
        while frame is not None and _package(frame) in _MIDDLEMEN:
            frame = frame.f_back
        if frame is None or _package(frame) in _RECORDERS:
            return
        if self._patience.is_new(news):
            self._places.clear()
        place = id(frame.f_code), frame.f_lasti
        self._places[place] += 1
        if self._patience.is_over(news):
            count = self._places[place]
            self._places.clear()
            self._patience.begin_again()
            if count >= ASKED:
                raise VirtualTimeError(
                    f"virtual time stands still: this thread asks for the time over and over, at {_place(frame)}, and"
                    f" time moves only when it waits, which it has not for {PATIENCE_S:g} s\n"
                    "sleep in such a loop, by time.sleep() or a wait with a time-out above 0"
                )


def note_asking(participant: Participant, frame: Any) -> None:
    """Note that code asks for the time; raise the error where it polls a clock that stands still."""
    participant.raise_error()
    if participant.asking is None:
        participant.asking = Asking()
    participant.asking.note(participant.simulation.news, frame)


class Watch:
    """The notice that nothing goes on: there are no news, and the threads that are awake do nothing new.

    It adds up the time between looks and not the clock's, which goes on while the whole process is stopped.
    """

    def __init__(self) -> None:
        self._news: object = None
        self.begin_again()

    def begin_again(self) -> None:
        """Give it as much time again."""
        self._seen: set[object] = set()
        self._moments: set[object] = set()
        self._jumps = False  # the shortest of loops is only ever seen at its jump back, where nothing blocks
        self._without_news_s = self._known_s = 0.0
        self.holders: dict[Participant, None] = {}

    def is_stuck(self, news: object, awake: Iterable[Participant]) -> bool:
        """Note what there is to be seen now, and return whether it has been the same for too long."""
        if news is None or news != self._news:
            self._news = news
            self.begin_again()
        frames = sys._current_frames()
        held = {participant: frames.get(participant.ident or 0) for participant in awake}
        self.holders.update(dict.fromkeys(held))
        self._moments.add(tuple((id(frame), 0 if frame is None else frame.f_lasti) for frame in held.values()))
        self._jumps = self._jumps or any(is_at_jump(frame) for frame in held.values() if frame is not None)
        # the functions, not the lines: a loop is at few lines of few functions, work is at ever new ones
        stacks = tuple((id(participant), *_functions(frame)) for participant, frame in held.items())
        self._known_s = self._known_s + LOOK_S if stacks in self._seen else 0.0
        self._seen.add(stacks)
        self._without_news_s += LOOK_S
        return self._known_s > PATIENCE_S or self._without_news_s > BUSY_S

    def tell(self, waiting: Iterable[Participant]) -> None:
        """Have the error raised in threads that run and never wait; where that does not help, here."""
        holders = [each for each in self.holders if not each.is_over]
        told = error(holders, waiting)
        untold = [each for each in holders if each.error is None]
        has_moved = self._jumps or len(self._moments) > 1  # a thread that is awake runs, in place of being blocked
        self.begin_again()
        if not has_moved or not untold:
            raise told
        for each in untold:
            each.error = told
            raise_in(each)


def error(participants: Iterable[Participant], waiting: Iterable[Participant] = ()) -> VirtualTimeError:
    """Build the error that says which threads hold the clock, or which ones wait for each other, and where they are."""
    frames = sys._current_frames()
    holding = [_line(participant, frames) for participant in participants]
    if not holding:
        lines = [_line(participant, frames) for participant in waiting]
        return VirtualTimeError(
            "virtual time stands still: every thread waits for another, without a limit, and for"
            f" {PATIENCE_S:g} s none has ended a wait:\n" + "\n".join(lines)
        )
    return VirtualTimeError(
        f"virtual time stands still: it moves only when every thread waits, and for {PATIENCE_S:g} s these did not"
        " (what the clock does not see as waiting: a lock from before, a socket, a process, a busy loop):\n"
        + "\n".join(holding)
    )


def raise_in(participant: Participant) -> None:
    """Raise in a thread the error there is for it, unless it is in our own code, which looks for that by itself."""
    frame = sys._current_frames().get(participant.ident or 0)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_OURS):
            return
        frame = frame.f_back

    text = str(participant.error)

    def begin(error: VirtualTimeError) -> None:
        participant.error = None
        RuntimeError.__init__(error, text)

    kind = type("VirtualTimeError", (VirtualTimeError,), {"__init__": begin})  # Python wants a class, and calls that
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(participant.ident or 0), ctypes.py_object(kind))


def _line(participant: Participant, frames: dict[int, Any]) -> str:
    frame = frames.get(participant.ident or 0)
    return f"  thread {participant.name!r} {'has not started' if frame is None else f'is at {place(frame)}'}"


def place(frame: Any) -> str:
    """Return where a thread is: in code of neither Python's nor ours, and what that has called."""
    while frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    inner = frame
    while frame is not None and (_is_ours(frame) or _is_standard(frame)):
        frame = frame.f_back
    if frame is None or frame is inner:
        return _place(inner)
    return f"{_place(frame)} ({_place(inner)})"


def _is_standard(frame: Any) -> bool:
    name = frame.f_code.co_filename
    return name.startswith("<frozen") or (name.startswith(str(_LIBRARY)) and "-packages" not in name)


def _is_ours(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("pytest_mlflow_traces.")


def is_at_jump(frame: Any) -> bool:
    """Return whether a thread is where nothing blocks."""
    return frame.f_lasti >= 0 and "JUMP" in dis.opname[frame.f_code.co_code[frame.f_lasti]]


def _functions(frame: Any) -> Iterable[int]:
    while frame is not None:
        yield id(frame.f_code)
        frame = frame.f_back


def _package(frame: Any) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _place(frame: Any) -> str:
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}, in {frame.f_code.co_name}"
