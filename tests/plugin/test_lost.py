"""What was traced and is in no capture lets no test pass, and it is told, also where something else arrived."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import INI

LEFT = """
import contextvars, threading, mlflow, pytest
from pytest_mlflow_traces import span

go_on, done = threading.Event(), threading.Event()

def background():
    go_on.wait(timeout=30)
    with mlflow.start_span("agent"), mlflow.start_span("delete_table"):
        pass
    done.set()

def test_leaves_a_thread(mlflow_traces):
    threading.Thread(target=START).start()
    with mlflow.start_span("agent"):
        pass
"""
VICTIM = """
def test_next(mlflow_traces):
    go_on.set()
    assert done.wait(timeout=30)
    assert span("delete_table") in mlflow_traces
"""
LATE = (
    "capture.late at this capture: expected only its own spans meanwhile, got 'agent', started by a thread or task of"
    " an earlier capture, of test_it.py::test_leaves_a_thread, which has closed (join or await it before that capture"
    " closes; *"
)
OTHERS = """
@pytest.mark.mlflow_traces(count=1)
def test_next(mlflow_traces):
    go_on.set()
    assert done.wait(timeout=30)
    with mlflow.start_span("answer"):
        pass
    assert span("delete_table") not in mlflow_traces
"""
STARTS = pytest.mark.parametrize("start", ["background", "lambda: context.run(background)"], ids=["bare", "context"])


def run(project, start, text, *, strict=False):
    left = LEFT.replace("    threading.Thread", "    context = contextvars.copy_context()\n    threading.Thread")
    project.makeini(f"{INI}mlflow_traces_strict = {strict}\n")
    project.makepyfile(test_it=left.replace("START", start) + text)
    return project.runpytest("-p", "no:randomly", "-W", "default")  # whatever the outer run makes of warnings


@STARTS
def test_a_test_does_not_pass_by_what_an_earlier_one_left_running(project, start):
    result = run(project, start, VICTIM)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*is not of this test: 'agent' was started by * of test_it.py::test_leaves_a_thread, which*",
            "lost:",
            f"  {LATE}",
        ]
    )


@STARTS
def test_late_traces_are_warned_of_though_others_arrived(project, start):
    result = run(project, start, OTHERS)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"*MlflowTracesWarning: {LATE}"])


@STARTS
def test_strict_mode_fails_a_test_in_whose_time_late_traces_came(project, start):
    result = run(project, start, OTHERS, strict=True)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["the traces of this test are not whole (mlflow_traces_strict):", LATE])


DROPPED = """
import mlflow, pytest

@pytest.mark.mlflow_traces(count=1000)
def test_many():
    for span in [mlflow.start_span_no_context(f"t{number}") for number in range(1001)]:
        span.end()
"""


@pytest.mark.parametrize("strict", [False, True])
def test_what_mlflow_drops_is_warned_of_and_fails_in_strict_mode(project, strict):
    project.makeini(f"{INI}mlflow_traces_strict = {strict}\n")
    project.makepyfile(DROPPED)

    result = project.runpytest("-W", "default")

    result.assert_outcomes(**({"failed": 1} if strict else {"passed": 1}))
    result.stdout.fnmatch_lines(["*capture.dropped at this capture: expected all that was traced, got 1 less (*'t0' *"])
