"""Child processes of a capture write nothing and reach nobody; telemetry is off in a process that only captures."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from pytest_mlflow_traces import Trace, capture_traces, span
from tests.capture.programs import names, needs_full_mlflow, needs_installation, traced


def python(program: str, **environment: str) -> str:
    """Run a program in the working directory of the test; return what it printed."""
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        pytest.fail(run.stderr)
    return run.stdout.strip()


# -- children


@needs_full_mlflow  # the slim one cannot search where an experiment's id comes from the environment
@needs_installation
def test_a_child_process_writes_nothing_and_reads_what_it_traced(traces):
    """The app has set a URI of its own; the entry point of the child's store is loaded, and nothing else of ours."""
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment("/Shared/agents")
    told = python("""
import sys, mlflow
from mlflow.tracking._tracking_service.utils import _tracking_store_registry
assert "memory" in _tracking_store_registry._registry
print(sorted(name for name in sys.modules if name.startswith("pytest_mlflow_traces")))
with mlflow.start_span("child") as span:
    pass
mlflow.flush_trace_async_logging()
print(mlflow.get_tracking_uri())
print([trace.info.trace_id == span.trace_id for trace in mlflow.search_traces(return_type="list")])
""")

    assert told.splitlines() == ["['pytest_mlflow_traces', 'pytest_mlflow_traces.store']", "memory://", "[True]"]
    assert len(traces) == 0


def _trace_in_child(queue):
    with mlflow.start_span("child"):
        pass
    queue.put(mlflow.get_tracking_uri())


@needs_installation
@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_of_multiprocessing_writes_nothing_and_its_traces_stay_in_it(traces, method, monkeypatch):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this platform")
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_trace_in_child, args=[queue])
    traced("before")
    process.start()
    told = queue.get(timeout=120)
    process.join()
    queue.close()
    queue.join_thread()
    traced("after")

    assert (told, process.exitcode) == ("memory://", 0)
    assert names(traces) == ["before", "after"]


def _captured_in_child(queue):
    with capture_traces() as traces, mlflow.start_span("child"):
        pass
    queue.put(traces.one().raw.to_json())


@needs_installation
@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_can_hand_back_what_it_captured_itself(traces, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this platform")
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_captured_in_child, args=[queue])
    process.start()
    told = queue.get(timeout=120)
    process.join()
    queue.close()
    queue.join_thread()

    assert Trace.from_json(told) == span("child", status="OK")
    assert len(traces) == 0


@needs_full_mlflow
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_that_leaves_the_capture_leaves_its_files_to_the_parent():
    manager = capture_traces()
    manager.__enter__()
    with mlflow.start_run() as run:
        mlflow.log_metric("quality", 1)
    process = multiprocessing.get_context("fork").Process(target=manager.__exit__, args=[None, None, None])
    process.start()
    process.join()

    assert process.exitcode == 0
    assert mlflow.get_run(run.info.run_id).data.metrics == {"quality": 1}
    manager.__exit__(None, None, None)


@needs_full_mlflow
def test_a_capture_cut_short_by_the_end_of_the_process_leaves_no_directory():
    python("""
import sys, mlflow
from pytest_mlflow_traces import capture_traces, span
capture = capture_traces()
capture.__enter__()
mlflow.log_metric("quality", 1)
sys.exit(0)
""")


# -- telemetry

QUIET = """
import os, socket, sys, threading
for name in ("CI", "PYTEST_CURRENT_TEST", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "GITHUB_ACTIONS"):
    os.environ.pop(name, None)
def refused(self, address):
    raise ConnectionRefusedError(address)
socket.socket.connect = refused
def client():
    return sys.modules["mlflow.telemetry.client"]._MLFLOW_TELEMETRY_CLIENT
def threads():
    return [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
"""


def test_a_capture_that_imports_mlflow_first_keeps_its_telemetry_off_and_the_environment_as_it_was():
    """Here without pytest, as in a script."""
    told = python(f"""{QUIET}
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "false"
before = dict(os.environ)
from pytest_mlflow_traces import capture_traces, span
assert "mlflow" not in sys.modules and "opentelemetry" not in sys.modules
with capture_traces() as traces:
    import mlflow
    with mlflow.start_span("answer"):
        pass
    print(os.environ["MLFLOW_DISABLE_TELEMETRY"], client(), threads())
print(traces.one().name, client(), threads(), "pytest" in sys.modules, dict(os.environ) == before)
""")

    assert told.splitlines() == ["true None []", "answer None [] False True"]


def test_a_capture_after_mlflow_was_imported_silences_its_telemetry_and_gives_it_back():
    told = python(f"""{QUIET}
import mlflow
own = client()
before = dict(os.environ)
from pytest_mlflow_traces import capture_traces, span
with capture_traces() as traces:
    with mlflow.start_span("answer"):
        pass
    print(traces.one().name, mlflow.telemetry.client.get_telemetry_client())
print(own is not None, client() is own, dict(os.environ) == before)
""")

    assert told.splitlines() == ["answer None", "True True True"]


# -- failures


def test_an_exception_while_the_first_capture_opens_leaves_nothing_replaced(monkeypatch):
    from pytest_mlflow_traces.capture import install

    def broken(*args, **kwargs):
        raise RuntimeError("no provider today")

    monkeypatch.setattr(install, "_use_own_provider", broken)
    monkeypatch.setattr(install, "_reaches_us", lambda: False)
    with pytest.raises(RuntimeError, match="no provider today"), capture_traces():
        pass
    monkeypatch.undo()
    with capture_traces() as traces:
        traced("next")

    assert names(traces) == ["next"]
