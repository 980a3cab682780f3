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
_NAME = "{name}"  # the place for it
_LISTED = 5  # of what was lost; what went wrong is the same for the rest
RUNNING_TEST = "PYTEST_CURRENT_TEST"
JOIN = (
    "join or await it before that capture closes; make what serves several tests before all captures, in a fixture of"
    " the session, or give it its work with contextvars.copy_context().run"
)


@dataclass(frozen=True)
class Missed:
    """Why spans that ran in the time of a capture, or are of its code, are not in it."""

    rule: str
    expected: str
    why: str  # as said behind their names
    bypass: str  # as said where nothing else was captured, around one of the names
    hint: str | None = None

    def finding(self, names: Counter[str]) -> Finding:
        """Return the finding for spans of these names."""
        counted = [what if count == 1 else f"{what} x{count}" for what, count in list(names.items())]
        actual = f"{_some(counted, ', ') or 'nothing that was seen'}, {self.why}"
        return Finding(self.rule, "this capture", self.expected, actual, self.hint)


def _late(why: str, hint: str) -> Missed:
    bypass = f"what was traced meanwhile is not of this test: {_NAME} was {why}"
    return Missed("capture.late", "only its own spans meanwhile", why, bypass, hint)


BELOW = _late(
    "started below a span from before this capture",
    "begin the trace inside: a span that was open before takes no children along",
)
AFTERWARDS = _late("started by a thread or task of it after it had closed", JOIN)
DISABLED = Missed(
    "capture.untraced",
    "tracing on all the time",
    "run while it was off: the code under test called mlflow.tracing.disable()",
    f"tracing was disabled when {_NAME} ran: the code under test called mlflow.tracing.disable()",
)


def left_behind(origin: Capture, test: str | None) -> Missed:
    """What a thread or task traced that has outlived its capture, in the time of a capture of another test."""
    of = f", of {origin.test}," if origin.test is not None and origin.test != test else ","
    return _late(f"started by a thread or task of an earlier capture{of} which has closed", JOIN)


def sampled(sampler: str) -> Missed:
    """What a sampler dropped that is not ours to replace."""
    whose = "the sampler of the application's OpenTelemetry provider"
    return Missed(
        "capture.untraced", "every trace", f"dropped by {whose}: {sampler}", f"{whose} drops traces: {sampler}"
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
    missed: dict[Missed, Counter[str]] = field(default_factory=dict)  # the spans that are not in it
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

    def miss(self, why: Missed, *names: str) -> None:
        """Note spans that ran in its time, or are of its code, and are not in it."""
        self.missed.setdefault(why, Counter()).update(repr(visible(name)) for name in names)

    def why_missed(self) -> str | None:
        """Say of one of these why it is not here."""
        for why, names in list(self.missed.items()):
            return why.bypass.replace(_NAME, next(iter(names), "something"))
        return None

    def missing(self) -> list[Finding]:
        """All of these: a finding for each reason."""
        return [why.finding(names) for why, names in list(self.missed.items())]  # copies: threads trace on


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
    said = os.environ.get(RUNNING_TEST)
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
