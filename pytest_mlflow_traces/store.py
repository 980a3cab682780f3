"""The entry point through which MLflow finds the scheme `memory://`.

MLflow loads it while it is itself being imported, so this module imports nothing: an error here, or a cycle, would
break `import mlflow` for everyone who has the plugin installed.
"""

from __future__ import annotations

from typing import Any


def memory_store(store_uri: str, artifact_uri: str | None = None) -> Any:  # noqa: ARG001  # MLflow passes both by name
    """Build a store for a process that was told `memory://` by a capture in its parent; what it traces goes nowhere."""
    from pytest_mlflow_traces.capture.log import TraceLog
    from pytest_mlflow_traces.capture.store.memory import MemoryStore

    return MemoryStore(TraceLog())
