"""One capture: where its traces go, what was so before it, where it stands among others, and what was lost to it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import capped

if TYPE_CHECKING:
    from pytest_mlflow_traces.capture.log import TraceLog
    from pytest_mlflow_traces.capture.mlflow_internals import State
    from pytest_mlflow_traces.capture.store.memory import MemoryStore
    from pytest_mlflow_traces.core.trace import Trace

FORGOTTEN = "MLflow had forgotten the trace"
_LISTED = 5  # of what was lost; what went wrong is the same for the rest
_BELOW = "started below a span from before this capture"
_ROOT = "begin the trace inside: a span that was open before takes no children along"
_JOIN = (
    "join or await it before that capture closes; make what serves several tests before all captures, in a fixture of"
    " the session, or give it its work with contextvars.copy_context().run"
)


@dataclass(eq=False)
class Capture:
    """One open capture: where its traces go, and what was so before it."""

    log: TraceLog
    store: MemoryStore
    before: State
    outer: Capture | None = None
    runs: list[str] = field(default_factory=list)
    is_open: bool = True
    left_over: list[Trace] = field(default_factory=list)
    bypass: str | None = None
    refusals: list[str] = field(default_factory=list)  # what MLflow dropped, and why
    strays: dict[str, Counter[str]] = field(default_factory=dict)  # what earlier captures left behind traced meanwhile
    test: str | None = field(default_factory=lambda: _running_test())
    place: tuple[int, int, int] = field(default_factory=lambda: _place())

    def nearest_open(self) -> Capture | None:
        """This capture, or the innermost one around it that is still open."""
        capture: Capture | None = self
        while capture is not None and not capture.is_open:
            capture = capture.outer
        return capture

    def is_within(self, other: Capture) -> bool:
        """Return whether this is the other one, or was opened inside of it."""
        capture: Capture | None = self
        while capture is not None and capture is not other:
            capture = capture.outer
        return capture is not None

    def note_stray(self, what: str, origin: Capture | None) -> None:
        """Note a span in no capture: its own, the origin, has closed; or, without one, its parent is from before."""
        said = _BELOW
        if origin is not None:
            test = f", of {origin.test}," if origin.test is not None and origin.test != self.test else ","
            said = f"started by a thread or task of an earlier capture{test} which has closed"
        self.strays.setdefault(said, Counter())[what] += 1

    def stray(self) -> str | None:
        """Say of one of these why it is not of this capture."""
        for said, names in list(self.strays.items()):
            return f"{next(iter(names))} was {said}"
        return None

    def late(self) -> list[Finding]:
        """All of these: a finding for each reason."""
        found = []
        for said, names in list(self.strays.items()):  # copies: threads trace on
            counted = [what if count == 1 else f"{what} x{count}" for what, count in list(names.items())]
            actual = f"{_some(counted, ', ')}, {said}"
            hint = _ROOT if said is _BELOW else _JOIN
            found.append(Finding("capture.late", "this capture", "only its own spans meanwhile", actual, hint))
        return found


def dropped(refusals: list[str]) -> list[Finding]:
    """What MLflow dropped of a capture, as a finding, if it did."""
    if not refusals:
        return []
    hint = _some(refusals, "; ")
    if any(FORGOTTEN in each for each in refusals):
        hint += "; it holds MLFLOW_TRACE_BUFFER_MAX_SIZE open traces, and each for MLFLOW_TRACE_BUFFER_TTL_SECONDS"
    return [Finding("capture.dropped", "this capture", "all that was traced", f"{len(refusals)} less", hint)]


def _some(texts: list[str], between: str) -> str:
    return between.join(capped(texts, _LISTED, "{} more"))


def _running_test() -> str | None:
    """The test that pytest runs, as it tells every process that a test starts."""
    said = os.environ.get("PYTEST_CURRENT_TEST")
    return None if said is None else visible(said.rpartition(" (")[0])


def is_stale(capture: Capture) -> bool:
    """Return whether a closed capture is still named here only because it was closed in another context."""
    return capture.place == _place()


def _place() -> tuple[int, int, int]:
    """Tell where code runs: the thread, the event loop and the task, as ids, which keep nothing alive."""
    thread = threading.get_ident()
    try:
        return thread, id(asyncio.get_running_loop()), id(asyncio.current_task())
    except RuntimeError:
        return thread, 0, 0
