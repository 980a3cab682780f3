"""A real tracking server on loopback, with SQLite, for as long as a module of tests needs one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from importlib.metadata import distributions
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE_S = 120
needs_server = pytest.mark.skipif(
    not any(each.name == "mlflow" for each in distributions()) or not hasattr(os, "killpg"),
    reason="`mlflow server` needs the full mlflow, and is stopped with its workers as POSIX can",
)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def tracking_server(folder: Path, **environment: str) -> Iterator[str]:
    """Start `mlflow server` with its files in `folder`, and no jobs; the value is its URI."""
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts"]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    env = {key: value for key, value in os.environ.items() if "MLFLOW" not in key} | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        **environment,
    }
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, *store], cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait(server, uri, folder / "server.log")
            yield uri
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # with its workers
            server.wait()


def _wait(server: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{uri}/health", timeout=5).close()
        except OSError:
            try:
                server.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
            break
        else:
            return
    raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}")
