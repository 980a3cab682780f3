"""Spans that are asked for and not made: while tracing is off, by a sampler, or too late for any capture."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.capture.context import AFTERWARDS, DISABLED, JOIN, RUNNING_TEST, sampled
from pytest_mlflow_traces.capture.mlflow_internals import otel_trace, tracing_provider, tracking_utils
from pytest_mlflow_traces.capture.replacements import Replacements
from pytest_mlflow_traces.capture.router import router
from pytest_mlflow_traces.core.spans.records import visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_starts = Replacements()
_left_behind: list[str] = []


def watch() -> None:
    """Watch what MLflow is asked to start, from the first capture on: what a test leaves behind comes after it."""
    if not _starts:
        for start in ("start_span_in_context", "start_detached_span"):
            _starts.put(tracing_provider, start, _watched)


def _watched(start: Callable[..., Any]) -> Callable[..., Any]:
    """Note which spans MLflow does not make, and make none of what outlived its capture, once no capture is open."""

    @functools.wraps(start)
    def started(*args: Any, **kwargs: Any) -> Any:
        name = str(args[0] if args else kwargs.get("name"))
        if not router.stack and _is_left_behind(name):
            return otel_trace.INVALID_SPAN
        span = start(*args, **kwargs)
        if router.stack and not span.is_recording():
            if tracing_provider.is_tracing_enabled():
                sampler = getattr(tracing_provider.provider.get(), "sampler", None)
                router.unstarted(name, sampled("unknown" if sampler is None else sampler.get_description()))
            elif any(DISABLED in capture.missed for capture in router.stack):  # not by MLflow itself
                router.unstarted(name, DISABLED)
        return span

    return started


def _is_left_behind(name: str) -> bool:
    """Return whether a span is of code that outlived its capture, or the run: MLflow would export it, to a new file."""
    origin = router.origin()
    if origin is not None:
        origin.miss(AFTERWARDS, name)
        # a test that still runs finds it in `lost`
        if origin.test is None or os.environ.get(RUNNING_TEST) != f"{origin.test} (call)":
            whose = origin.test or "a capture"
            why = f"was started by a thread or task of {whose} after that had closed: it is dropped"
            _left_behind.append(f"{visible(name)!r} {why} ({JOIN})")
    elif not router.is_over or tracking_utils.is_tracking_uri_set():
        return False
    else:
        from pytest_mlflow_traces.warnings import MlflowTracesWarning  # with pytest, which a script need not have

        warnings.warn(
            MlflowTracesWarning(f"{visible(name)!r} was started when the run was over: it is dropped"), stacklevel=2
        )
    return True


def left_behind() -> list[str]:
    """Return what was dropped since this was asked, since its capture had closed, and no other one was open."""
    told, _left_behind[:] = list(dict.fromkeys(_left_behind)), []
    return told


def end_run() -> None:
    """Note that the run of pytest is over: what traces from now on, as handlers at the exit do, is of no test."""
    router.is_over = True


def note_disabled() -> None:
    """Note that `mlflow.tracing.disable()` turns tracing off, and not MLflow's own `trace_disabled` or `reset`."""
    names: set[str] = set()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == tracing_provider.__file__:
            names.add(frame.f_code.co_name)
        frame = frame.f_back
    if "disable" in names and "wrapper" not in names:
        for capture in router.stack:
            capture.miss(DISABLED)
