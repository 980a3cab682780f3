"""Each bug against a test that nobody wrote: the trace of its mended twin, pinned, fails on the bug."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest
from click.testing import CliRunner

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.cli import main
from pytest_mlflow_traces.files.atomic import trace_line
from tests.plugin import conftest  # noqa: F401  # it loads what must be there once, and not once for each run in process
from tests.support.pinning import fill_in

SIDE_BY_SIDE = (
    "import threading; barrier = threading.Barrier(3); quick = work; "
    "with_the_bug.__globals__.update(work=lambda name: (barrier.wait(9), quick(name)))"
)
# the calls of the twin and of the bug, as a person fills them in below `from <module> import *`
CALLS = {
    "booleans_as_python_prints_them": ("mended()", "with_the_bug()"),
    "cancelled_but_ok": ("agent(honest_worker)", "agent(quiet_worker)"),
    "crash_after_the_answer_was_saved": ("mended()", "with_the_bug()"),
    "decorator_on_a_factory": ("answered(factory, mlflow_traces)", "answered(traced_factory, mlflow_traces)"),
    "error_returned_instead_of_raised": ("agent(honest_query)", "agent(quiet_query)"),
    "model_call_counted_twice": ("agent('CHAIN')", "agent('LLM')"),
    "run_left_open": ("agent(honest)", "agent(quiet)"),
    "span_leaked_by_a_generator": ("agent(whole_stream)", "agent(leaking_stream)"),
    "tag_that_is_a_list": ("agent('cost,security')", "agent(['cost', 'security'])"),
    # each on a thread of its own at one time, as where they take a while
    "workers_in_a_bare_thread_pool": (f"{SIDE_BY_SIDE}; mended()", f"{SIDE_BY_SIDE}; with_the_bug()"),
}
BUGS = {path.stem.removeprefix("test_"): path for path in Path(__file__).parent.glob("test_*.py")}


def agent_of(bug):
    """Return the code of a bug's agent: the module of its test, or what that writes into another one."""
    code = BUGS[bug].read_text()
    if "SUITE = " in code:
        exec(code, space := {"__name__": bug})
        code = (
            dedent(space["SUITE"].partition("@pytest")[0]) + "test_it_is_caught = test_its_mended_twin_passes = None\n"
        )
    return code


def test_each_bug_is_pinned():
    assert set(CALLS) == set(BUGS) - {"pinned"}


@pytest.mark.parametrize("bug", CALLS)
def test_it_is_red_on_the_bug_and_green_on_its_mended_twin(pytester, monkeypatch, bug):
    if bug == "model_call_counted_twice":
        pytest.importorskip("langchain_core")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    twin, broken = CALLS[bug]
    module = ModuleType(f"agent_{bug}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(agent_of(bug), space := vars(module))
    with capture_traces() as space["mlflow_traces"]:
        exec(twin, space)
    trace = space["mlflow_traces"].one()
    Path("stored.jsonl").write_text(trace_line(trace, "production"))
    test = Path("test_it.py")
    test.write_text(f"from agent_{bug} import *\n\ndel test_it_is_caught, test_its_mended_twin_passes\n")
    for name, call in (("twin", twin), ("bug", broken)):
        said = CliRunner().invoke(main, ["pin", "stored.jsonl", "--id", trace.id, "--test", f"{test}::test_{name}"])
        assert said.exit_code == 0, said.output
        fill_in(test, call)

    result = pytester.runpytest_inprocess("-p", "pytest_mlflow_traces.plugin", "-p", "no:logging", "-v", "test_it.py")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["test_it.py::test_twin PASSED*", "test_it.py::test_bug FAILED*"])
