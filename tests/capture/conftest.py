"""Every test here runs without network, in an empty directory, and must leave MLflow as it found it."""

from __future__ import annotations

import gc
import socket
import tempfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces import capture_traces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mlflow_traces import CapturedTraces


@pytest.fixture(autouse=True)
def connections() -> Iterator[list[Any]]:
    """The addresses that something tried to reach; none may, and none should have tried."""
    tried: list[Any] = []
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refusing(real: Any) -> Any:
        def refused(self: socket.socket, address: Any) -> Any:
            if self.family == socket.AF_UNIX:
                return real(self, address)
            tried.append(address)
            raise ConnectionRefusedError(f"no network in tests: {address}")

        return refused

    def unresolved(host: Any, *args: Any, **kwargs: Any) -> Any:
        tried.append(host)
        raise socket.gaierror(f"no network in tests: {host}")

    with pytest.MonkeyPatch.context() as patch:  # not the test's own, which it would undo after this
        patch.setattr(socket.socket, "connect", refusing(connect))
        patch.setattr(socket.socket, "connect_ex", refusing(connect_ex))
        patch.setattr(socket, "getaddrinfo", unresolved)
        yield tried

    assert tried == []


@pytest.fixture(autouse=True)
def nothing_left(connections: list[Any], tmp_path: Path) -> Iterator[None]:
    """Compare everything that a capture might leave behind with what was there before."""
    from pytest_mlflow_traces.capture.mlflow_internals import InMemoryTraceManager, State
    from tests.support.mlflow_state import comparable

    directory, temporary = tmp_path / "cwd", tmp_path / "tmp"
    directory.mkdir()
    temporary.mkdir()
    threads = set(threading.enumerate())
    before = comparable(State())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("TMPDIR", str(temporary))  # of child processes
        patch.setattr(tempfile, "tempdir", str(temporary))
        yield

    assert comparable(State()) == before
    manager = InMemoryTraceManager.get_instance()
    assert dict(manager._traces) == {}
    assert manager._otel_id_to_mlflow_trace_id == {}
    assert [path.name for path in directory.iterdir()] == []
    assert [path.name for path in temporary.iterdir() if path.name.startswith("pytest-mlflow-traces")] == []
    left = set(threading.enumerate()) - threads
    if left:
        gc.collect()  # ends the threads of pools that nobody refers to
    for thread in left:
        if thread.name != "TTLCacheExpireLoop":
            thread.join(timeout=10)
    # MLflow's own loop, where the environment asks for timeouts, which its trace manager keeps; and that of tqdm, whose
    # bars MLflow shows where it is installed
    assert {thread.name for thread in left if thread.is_alive()} <= {"TTLCacheExpireLoop", "tqdm_monitor"}


@pytest.fixture(params=["isolated", "unified"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """MLflow's two provider modes."""
    monkeypatch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", "true" if request.param == "isolated" else "false")
    return request.param


@pytest.fixture
def traces(nothing_left: None) -> Iterator[CapturedTraces]:
    with capture_traces() as captured:
        yield captured
