"""One capture: where its traces go, what was so before it, and where it stands among others."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_mlflow_traces._memory_store import MemoryStore
    from pytest_mlflow_traces._mlflow import State
    from pytest_mlflow_traces._trace_log import TraceLog
    from pytest_mlflow_traces.core.tree import Trace


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
    strays: dict[str, None] = field(default_factory=dict)  # what threads of closed captures traced in the meantime
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
