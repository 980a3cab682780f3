"""Capture MLflow's traces in memory: nothing leaves the process, and afterwards everything is as it was.

MLflow is imported when the first capture opens, not before: importing this module costs nothing.
"""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.capture.traces import CapturedTraces
from pytest_mlflow_traces.mlflow_import import without_telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = RLock()


@contextmanager
def capture_traces() -> Iterator[CapturedTraces]:
    """Capture the traces that are made inside; captures nest, and each gets its own.

    For one Hypothesis example, a script or a notebook; in a test, the fixture `mlflow_traces` does the same.

    >>> import mlflow
    >>> with capture_traces() as traces:
    ...     with mlflow.start_span("answer", span_type="AGENT"):
    ...         pass
    >>> traces.one().name
    'answer'
    """
    install = _install()
    with _lock:
        capture = install.open_capture()
    try:
        yield CapturedTraces(capture)
    finally:
        with _lock:
            install.close(capture)


def _install() -> Any:
    """Import the part that touches MLflow, and MLflow itself where nobody has."""
    with without_telemetry():
        return importlib.import_module("pytest_mlflow_traces.capture.install")
