"""The hooks around tests of a run in which something is traced; `plugin` registers this module when that is so."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.assertion import util

from pytest_mlflow_traces.files.pages import NEEDS, can_make_pages
from pytest_mlflow_traces.plugin import marker
from pytest_mlflow_traces.plugin.run_report import RunReport
from pytest_mlflow_traces.plugin.stash import (
    ASKED,
    COVERAGE,
    COVERAGE_FLOOR,
    FAILED_COMPARISONS,
    MUTATE,
    MUTATE_FLOOR,
    MUTATE_JSON,
    PLAN,
    RESULT,
    SECTION,
)
from pytest_mlflow_traces.plugin.unused_baselines import UnusedBaselines

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_mlflow_traces.capture.traces import CapturedTraces
    from pytest_mlflow_traces.plugin.test_result import Asked, Result

TREE = "pytest_mlflow_traces.core.trace"  # loaded by the first who needs a trace
_REPEAT = "mlflow-traces-repeat"
_COVERAGE_OF_RUN = "mlflow-traces-coverage"
_MISUSE: pytest.StashKey[pytest.UsageError] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    run_report = None
    if not hasattr(config, "workerinput"):
        if config.getoption("--mlflow-traces-html") is not None and not can_make_pages():
            raise pytest.UsageError(f"--mlflow-traces-html {NEEDS}")
        for option in (MUTATE_FLOOR, MUTATE_JSON):
            if config.getoption(option) is not None and config.getoption(MUTATE) is None:
                raise pytest.UsageError(f"{option} is about mutants, and there are none: add {MUTATE}")
        if config.getoption(COVERAGE_FLOOR) is not None and config.getoption(COVERAGE) is None:
            raise pytest.UsageError(f"{COVERAGE_FLOOR} is about coverage, and there is none: add {COVERAGE}")
        names = config.getini("mlflow_traces_contract")
        if names:
            from pytest_mlflow_traces.plugin.contracts import UnappliedContracts

            config.pluginmanager.register(UnappliedContracts(config, names), "mlflow-traces-unapplied-contracts")
        # each after those that may yet fail the run, or have something to say of it
        run_report = RunReport(config)
        config.pluginmanager.register(UnusedBaselines(config, run_report), "mlflow-traces-unused-baselines")
        if config.getoption(MUTATE) is not None:
            from pytest_mlflow_traces.plugin.adequacy.mutants import MutantReport

            config.pluginmanager.register(MutantReport(config, run_report), "mlflow-traces-mutants")
    if config.getoption(COVERAGE) is not None:
        from pytest_mlflow_traces.plugin.adequacy.coverage import CoverageOfRun

        config.pluginmanager.register(CoverageOfRun(config, run_report), _COVERAGE_OF_RUN)
    if run_report is not None:
        config.pluginmanager.register(run_report, "mlflow-traces-run-report")


def prepare(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Read what the tests ask, at collection, where a misuse ends the run."""
    for item in items:
        misuse = _misuse_of(item)
        if misuse is not None:
            if not hasattr(config, "workerinput"):
                raise misuse
            item.stash[_MISUSE] = misuse  # a worker of pytest-xdist that raises here ends in an internal error
    if any(PLAN in item.stash for item in items) and not config.pluginmanager.has_plugin(_REPEAT):
        from pytest_mlflow_traces.plugin import repeat

        config.pluginmanager.register(repeat, _REPEAT)


def _misuse_of(item: pytest.Item) -> pytest.UsageError | None:
    """Prepare one test; return what is wrong with what it asks."""
    try:
        marker.prepare(item)
        if marker.is_captured(item):
            _load_contracts(item.config)
    except pytest.UsageError as error:
        return error
    return None


def _load_contracts(config: pytest.Config) -> None:
    if config.getini("mlflow_traces_contract"):
        from pytest_mlflow_traces.plugin.contracts import suite_contracts

        suite_contracts(config)


def begin(item: pytest.Item) -> None:
    """Have a test open a capture that was marked after the collection, by another plugin."""
    misuse = item.stash.get(_MISUSE, None)
    if misuse is None and item.get_closest_marker(marker.MARKER) is not None and not marker.is_captured(item):
        misuse = _misuse_of(item)
    if misuse is not None:
        pytest.fail(str(misuse), pytrace=False)


def note_capture(item: pytest.Item, traces: CapturedTraces) -> None:
    """Note that a test has opened a capture."""
    from pytest_mlflow_traces.plugin.test_result import Result

    item.stash.setdefault(RESULT, Result()).traces = traces.with_cleared()
    with _misuse_fails():
        _load_contracts(item.config)  # a test may ask for the fixture by name alone, at run time


@contextmanager
def _misuse_fails() -> Generator[None]:
    """Let a test fail where a misuse comes up too late to end the run."""
    try:
        yield
    except pytest.UsageError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    if RESULT in item.stash:
        del item.stash[RESULT]  # of an earlier run of the same test: some plugins run tests again
    if any(item.config.getoption(option) is not None for option in (MUTATE, COVERAGE)):
        from pytest_mlflow_traces.plugin.test_result import Asked

        item.stash[ASKED] = Asked()
    with _comparisons(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with _comparisons(item):
        return (yield)


pytest_runtest_teardown = pytest_runtest_call


@contextmanager
def _comparisons(item: pytest.Item) -> Generator[None]:
    """Have failed assertions on traces print whole, and keep what explains those of one phase: fixtures assert too.

    pytest cuts what a plugin explains to eight lines without `-vv`, and has no public way round that.
    """
    asked = item.stash.get(ASKED, None)
    with nullcontext() if asked is None else asked.questions.listening(), _whole_comparisons(item):
        yield


@contextmanager
def _whole_comparisons(item: pytest.Item) -> Generator[None]:
    failed = item.stash[FAILED_COMPARISONS] = []
    shortened: Any = getattr(util, "_reprcompare", None)
    if shortened is None:
        yield
        return

    def whole(op: str, left: object, right: object) -> Any:
        comparison = None
        if TREE in sys.modules:  # before, there is nothing to explain
            from pytest_mlflow_traces.plugin.assertrepr import explained

            comparison = explained(item.config, op, left, right)
        if comparison is None:
            return shortened(op, left, right)
        failed.append(comparison)
        text = "\n~".join(line.replace("\n", "\\n") for line in comparison.lines)
        return text.replace("%", "%%") if item.config.getvalue("assertmode") == "rewrite" else text

    util._reprcompare = whole
    try:
        yield
    finally:
        util._reprcompare = shortened


def finish(item: pytest.Item) -> None:
    """Check what a test traced that has passed; one that failed keeps its own error."""
    if getattr(item, "_excinfo", None):
        return  # a `unittest.TestCase` that did not pass: pytest keeps that for the report
    result = item.stash.get(RESULT, None)
    with _misuse_fails():
        demand = marker.final_demand(item, None if result is None else result.traces)
    if result is not None:
        from pytest_mlflow_traces.plugin.checks import check

        check(item, result, demand)


def finish_late(item: pytest.Item) -> None:
    """Check what the fixtures of a test traced after it was checked, by the contracts of the suite."""
    result = item.stash.get(RESULT, None)
    if result is not None and result.checked is not None:
        from pytest_mlflow_traces.plugin.checks import check_late

        check_late(item, result, result.checked)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    result = item.stash.get(RESULT, None)
    if result is not None:
        from pytest_mlflow_traces.plugin.report import complete

        complete(report, item, call, result)
    asked = item.stash.get(ASKED, None)
    if asked is not None:
        asked.has_passed &= report.passed
        if call.when == "teardown" and asked.has_passed:
            _take(report, item, result, asked)
    if call.when == "teardown":
        keys: tuple[pytest.StashKey[Any], ...] = RESULT, ASKED  # pytest keeps its items to the end of the run
        for key in keys:
            if key in item.stash:
                del item.stash[key]
    return report


def _take(report: pytest.TestReport, item: pytest.Item, result: Result | None, asked: Asked) -> None:
    """Have those who want to know what a test asks of traces look at one that has passed."""
    if item.config.getoption(MUTATE) is not None:
        from pytest_mlflow_traces.plugin.adequacy.mutants import judge

        judge(report, item, result, asked)
    coverage: Any = item.config.pluginmanager.get_plugin(_COVERAGE_OF_RUN)
    if coverage is not None:
        coverage.take(item, result, asked)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.getoption("--mlflow-traces-show") != "all":
        return
    trees = [
        (report.nodeid, text)
        for outcome in ("passed", "xfailed", "xpassed")
        for report in terminalreporter.getreports(outcome)
        for name, text in report.sections
        if name == SECTION
    ]
    if trees:
        terminalreporter.write_sep("=", "MLflow traces")
    for test, text in trees:
        terminalreporter.write_sep("_", test)
        terminalreporter.write_line(text)
