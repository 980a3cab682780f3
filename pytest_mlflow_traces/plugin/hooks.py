"""The hooks around tests of a run in which something is traced; `plugin` registers this module when that is so."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.plugin.marker import MARKER, TOO_LATE
from pytest_mlflow_traces.plugin.run_report import RunReport
from pytest_mlflow_traces.plugin.stash import (
    APPLIED,
    BASELINES,
    CAPTURED,
    COLLECTOR,
    CONTRACTS,
    FAILED_COMPARISONS,
    JUDGED,
    MISUSE,
    PART,
    PARTS_INPUT,
    SECTION,
    forget,
)
from pytest_mlflow_traces.plugin.untruncated import untruncated_comparisons
from pytest_mlflow_traces.plugin.unused_baselines import BaselineOwners, UnusedBaselines

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from pytest_mlflow_traces.capture.traces import CapturedTraces


def pytest_configure(config: pytest.Config) -> None:
    parts = getattr(config, "workerinput", {}).get(PARTS_INPUT)
    if not hasattr(config, "workerinput"):
        names = config.getini("mlflow_traces_contract")
        if names:
            from pytest_mlflow_traces.plugin.contracts import UnappliedContracts

            config.pluginmanager.register(UnappliedContracts(config, names), "mlflow-traces-vacuity-guard")
        # each after those that may yet fail the run, or have something to say of it
        keeper = RunReport(config)
        config.pluginmanager.register(UnusedBaselines(config, keeper), "mlflow-traces-baseline-keeper")
        config.pluginmanager.register(keeper, "mlflow-traces-run-keeper")
        parts = keeper.parts
    if parts is not None:
        from pytest_mlflow_traces.files.atomic import PartFile

        config.stash[PART] = PartFile(Path(parts), f"{os.getpid()}.jsonl")
        config.add_cleanup(config.stash[PART].close)


def prepare(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Read what the tests ask, at collection."""
    for item in items:
        with nullcontext() if not hasattr(config, "workerinput") else _misuse_noted(item):
            _prepare(item)


def _prepare(item: pytest.Item) -> None:
    """Read what the markers of a test ask, and have a marked test open a capture."""
    if item.get_closest_marker(MARKER) is not None:
        from pytest_mlflow_traces.plugin.marker import demand_of, open_capture

        demand_of(item)  # what it does not take is said before any test runs
        open_capture(item)
    if MARKER in getattr(item, "fixturenames", ()):
        if is_examples(item):
            from pytest_mlflow_traces.plugin.marker import refuse_examples

            refuse_examples(item)
        _load_contracts(item.config)


def _load_contracts(config: pytest.Config) -> None:
    """Import the contracts of the suite, once, and only where some test traces: they may import a whole agent."""
    names = config.getini("mlflow_traces_contract")
    if names and CONTRACTS not in config.stash:
        from pytest_mlflow_traces.plugin.contracts import SuiteContracts

        config.stash[CONTRACTS] = SuiteContracts(names)


def keep(config: pytest.Config, folder: Path) -> None:
    """Note a folder of baselines, and watch from now on who uses them."""
    collector = config.stash.get(COLLECTOR, None)
    if collector is None:
        collector = config.stash[COLLECTOR] = BaselineOwners(config)
        config.pluginmanager.register(collector, "mlflow-traces-baseline-collector")
    collector.folders.append(folder)


def captures(item: pytest.Item, traces: CapturedTraces) -> None:
    """Note that a test has opened a capture."""
    item.stash[CAPTURED] = traces
    with _misuse_fails():
        _load_contracts(item.config)  # a test may ask for the fixture by name alone, at run time


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with _heard(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    with _heard(item):
        return (yield)


def _heard(item: pytest.Item) -> AbstractContextManager[None]:
    """Listen to the comparisons that fail in one phase of a test: fixtures assert too."""
    item.stash[FAILED_COMPARISONS] = []
    return untruncated_comparisons(item.config, item.stash[FAILED_COMPARISONS])


def begin(item: pytest.Item) -> None:
    """Begin a test anew, and have one open a capture that was marked after the collection, by another plugin."""
    misuse = item.stash.get(MISUSE, None)
    if misuse is not None:
        pytest.fail(str(misuse), pytrace=False)
    forget(item)
    if item.get_closest_marker(MARKER) is not None and MARKER not in getattr(item, "fixturenames", ()):
        with _misuse_fails():
            _prepare(item)


@contextmanager
def _misuse_noted(item: pytest.Item) -> Generator[None]:
    """Keep a misuse for the test: a worker of pytest-xdist that raises at collection ends in an internal error."""
    try:
        yield
    except pytest.UsageError as error:
        item.stash[MISUSE] = error


@contextmanager
def _misuse_fails() -> Generator[None]:
    """Let a test fail where a misuse comes up too late to end the run."""
    try:
        yield
    except pytest.UsageError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with _heard(item):
        return (yield)


def finish(item: pytest.Item) -> None:
    """Judge what a test traced that has passed; one that failed keeps its own error."""
    if getattr(item, "_excinfo", None):
        return  # a `unittest.TestCase` that did not pass: pytest keeps that for the report
    traces = item.stash.get(CAPTURED, None)
    demand = None
    if item.get_closest_marker(MARKER) is not None:
        from pytest_mlflow_traces.plugin.marker import demand_of

        with _misuse_fails():
            demand = demand_of(item)  # anew: a fixture may have marked the test
        if traces is None:
            pytest.fail(f"{item.nodeid}: {TOO_LATE}", pytrace=False)
    if traces is not None:
        from pytest_mlflow_traces.plugin.checks import judge

        if traces and is_examples(item):
            from pytest_mlflow_traces.plugin.marker import refuse_mixed

            with _misuse_fails():
                refuse_mixed(item)
        judge(item, traces, demand, item.config.stash.get(CONTRACTS, None))
    if BASELINES in item.stash:
        from pytest_mlflow_traces.plugin.checks import check_compared

        check_compared(item.stash[BASELINES])


def finish_late(item: pytest.Item, traces: CapturedTraces) -> None:
    """Judge what the fixtures of a test traced after its verdict, by the contracts of the suite."""
    contracts = item.config.stash.get(CONTRACTS, None)
    if contracts is not None and JUDGED in item.stash:
        from pytest_mlflow_traces.plugin.checks import judge_late

        judge_late(item, traces, contracts)


def is_examples(item: pytest.Item) -> bool:
    """Return whether a test runs for many examples of Hypothesis."""
    return bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    traces = item.stash.get(CAPTURED, None)
    if traces is None and BASELINES not in item.stash:
        return (yield)
    from pytest_mlflow_traces.plugin.report import tell, tell_junit

    report = yield
    if traces is not None and call.when == "call":
        tell_junit(item, report, traces)
        contracts = item.config.stash.get(CONTRACTS, None)
        if report.failed and contracts is not None and APPLIED not in item.stash:
            item.stash[APPLIED] = contracts.applying(traces)  # what failed by itself was not judged, yet is not absence
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
