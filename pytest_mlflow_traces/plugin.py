"""The door to pytest: options, the marker, the fixture, the trees of failed tests. Thin, and light until it is used.

Nothing here imports MLflow, OpenTelemetry or pydantic at the top: a plugin is loaded by every pytest run of the
environment, used or not, and importing MLflow alone takes ten times as long as such a run.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces._run_keeping import RunKeeper
from pytest_mlflow_traces._stashes import (
    APPLIED,
    CAPTURED,
    CONTRACTS,
    DEMAND,
    HEARD,
    MISUSE,
    PART,
    PARTS_INPUT,
    SECTION,
    forget,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pytest_mlflow_traces.captured import CapturedTraces
    from pytest_mlflow_traces.clock import VirtualTime

MARKER = "mlflow_traces"
SHOW = ("failed", "all", "none")
TREE = "pytest_mlflow_traces.core.tree"  # loaded by the first who needs a trace; before, there is nothing to explain


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mlflow-traces", "traces of AI agents (pytest-mlflow-traces)")
    group.addoption(
        "--mlflow-traces-show",
        type=_shown,
        default="failed",
        metavar="{failed,all,none}",
        help="which tests print the span trees they made: failed (default), all, or none",
    )
    group.addoption(
        "--mlflow-traces-save",
        metavar="PATH",
        help="write every captured trace to PATH, as JSON Lines of MLflow's Trace.to_dict()",
    )
    group.addoption(
        "--mlflow-traces-summary",
        metavar="PATH",
        help="write what the traces of the run came to as Markdown to PATH; $GITHUB_STEP_SUMMARY gets it by itself",
    )
    parser.addini(
        "mlflow_traces_strict",
        "fail a test that leaves spans unfinished, makes a malformed trace or sets a tag that servers do not keep,"
        " instead of warning; fail a run in which a contract applied to no trace",
        type="bool",
        default=False,
    )
    parser.addini(
        "mlflow_traces_contract",
        "contracts that hold for every captured trace of the suite, each as module:NAME",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(expect=..., count=...): capture the MLflow traces of the test, and check each of them (expect)"
        " and their number (count: a number or (min, max); without it, at least one)",
    )
    parts = getattr(config, "workerinput", {}).get(PARTS_INPUT)
    if not hasattr(config, "workerinput"):
        names = config.getini("mlflow_traces_contract")
        if names:
            from pytest_mlflow_traces._suite_contracts import VacuityGuard

            config.pluginmanager.register(VacuityGuard(config, names), "mlflow-traces-vacuity-guard")
        # after the guard, which may yet fail the run
        keeper = RunKeeper(config)
        config.pluginmanager.register(keeper, "mlflow-traces-run-keeper")
        parts = keeper.parts
    if parts is not None:
        from pytest_mlflow_traces._saving import PartFile

        config.stash[PART] = PartFile(Path(parts), f"{os.getpid()}.jsonl")
        config.add_cleanup(config.stash[PART].close)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        _prepare(item, config)


def _prepare(item: pytest.Item, config: pytest.Config) -> None:
    """Read what the markers of a test ask, and have a marked test open a capture."""
    try:
        names = getattr(item, "fixturenames", [])
        if item.get_closest_marker(MARKER) is not None:
            from pytest_mlflow_traces._marker import demand_of

            item.stash[DEMAND] = demand_of(item)
            if "mlflow_traces" not in names:
                names.insert(0, "mlflow_traces")
        if "mlflow_traces" in names:
            if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                from pytest_mlflow_traces._marker import refuse_examples

                refuse_examples(item)
            _load_contracts(config)
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        item.stash[MISUSE] = error  # a worker of pytest-xdist that raises here ends the run in an internal error


def _load_contracts(config: pytest.Config) -> None:
    """Import the contracts of the suite, once, and only where some test traces: they may import a whole agent."""
    names = config.getini("mlflow_traces_contract")
    if names and CONTRACTS not in config.stash:
        from pytest_mlflow_traces._suite_contracts import SuiteContracts

        config.stash[CONTRACTS] = SuiteContracts(names)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    misuse = item.stash.get(MISUSE, None)
    if misuse is not None:
        pytest.fail(str(misuse), pytrace=False)
    forget(item)


@pytest.fixture
def mlflow_traces(request: pytest.FixtureRequest) -> Iterator[CapturedTraces]:
    """Capture the MLflow traces of this test in memory; nothing leaves the process."""
    from pytest_mlflow_traces.capture import capture_traces

    with capture_traces() as traces:
        request.node.stash[CAPTURED] = traces
        yield traces


@pytest.fixture
def virtual_time() -> Iterator[VirtualTime]:
    """Have time stand still in this test, and pass only where something waits for it; waiting takes no real time."""
    from pytest_mlflow_traces.clock import virtual_time as entered

    with entered() as clock:
        yield clock


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    if TREE in sys.modules:
        from pytest_mlflow_traces._assertions import whole_comparisons

        heard: list[Any] = []
        item.stash[HEARD] = heard
        with whole_comparisons(item.config, heard):
            result = yield
    else:
        result = yield
    # only after a test that passed: one that failed keeps its own error
    traces = item.stash.get(CAPTURED, None)
    if traces is not None:
        from pytest_mlflow_traces._verdicts import judged

        contracts = item.config.stash.get(CONTRACTS, None)
        item.stash[APPLIED] = judged(item, traces, item.stash.get(DEMAND, None), contracts)
    return result


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    if TREE not in sys.modules:
        return None
    from pytest_mlflow_traces._assertions import compared, is_verbose

    explained = compared(op, left, right, verbose=is_verbose(config))
    return None if explained is None else explained.lines


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    traces = item.stash.get(CAPTURED, None)
    if traces is None:
        return (yield)
    from pytest_mlflow_traces._reporting import tell, tell_junit

    if call.when == "call":
        tell_junit(item, traces, failed=call.excinfo is not None)
    report = yield
    tell(item, call, report, traces)
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.getoption("--mlflow-traces-show") != "all":
        return
    shown = False
    for outcome in ("passed", "xfailed", "xpassed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in report.sections:
                if name == SECTION:
                    if not shown:
                        terminalreporter.write_sep("=", "MLflow traces")
                    shown = True
                    terminalreporter.write_sep("_", report.nodeid)
                    terminalreporter.write_line(text)


def _shown(value: str) -> str:
    if value not in SHOW:
        from pytest_mlflow_traces.core.spelling import listed, nearest

        raise argparse.ArgumentTypeError(f"unknown value {value!r} (legal: {listed(SHOW)}){nearest(value, SHOW)}")
    return value
