"""A place for traces that leaves nothing behind."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTINGS = {
    # Read when MLflow is first imported.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A file store needs no migrations, which take longer than everything else; MLflow wants to be asked for one.
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    # Or the cost of a trace would be looked up in a price list on the network.
    "MLFLOW_MODEL_CATALOG_URI": "",
}


@contextmanager
def temporary_tracking() -> Iterator[None]:
    """Track to a temporary directory, whatever the environment says, and put everything back.

    It is for a program of its own: an experiment that was made active before does not exist here.
    """
    with tempfile.TemporaryDirectory(prefix="health-monitor-") as directory, _environment(_SETTINGS):
        import mlflow

        before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None  # type: ignore[no-untyped-call]  # so it is
        mlflow.set_tracking_uri(f"file://{directory}/traces")
        try:
            yield
        finally:
            mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None is how it is unset


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Replace every setting of MLflow and OpenTelemetry."""
    before = {name: value for name, value in os.environ.items() if name.startswith(("MLFLOW_", "OTEL_"))}
    _swap(set(before), settings)
    try:
        yield
    finally:
        _swap({name for name in os.environ if name.startswith(("MLFLOW_", "OTEL_"))}, before)


def _swap(old: set[str], new: dict[str, str]) -> None:
    for name in old:
        del os.environ[name]
    os.environ.update(new)
