"""Tests whose body runs until the answer is sure: `@pytest.mark.mlflow_traces(repeat=20, at_least=0.9)`.

Each run is a whole one: its fixtures of function scope are set up before it and torn down after it, its capture is its
own, and its marker and the contracts of the suite are asked of it. pytest reports one test. A fixture that fails says
nothing of the agent, so it ends the test as an error.
"""

from __future__ import annotations

import bdb
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import pytest

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.rates.repetitions import Repetitions
from pytest_mlflow_traces.plugin.stash import FAILED_COMPARISONS, PLAN, REPEATING, RESULT
from pytest_mlflow_traces.plugin.test_result import Repeated, Result, explained_by, place_of

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.explanations import FailedComparison

_GIVEN_UP = (pytest.skip.Exception, pytest.xfail.Exception, SkipTest)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if PLAN not in item.stash or item.config.getoption("setuponly", False):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    item.stash[REPEATING] = True
    try:
        _Repeated(item, nextitem).run()
    finally:
        del item.stash[REPEATING]
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@dataclass(slots=True)
class _Run:
    """One run of the body, with what is needed to report it later."""

    call: pytest.CallInfo[None]
    failed: list[FailedComparison]  # comparisons
    result: Result
    sections: list[Any]  # what it printed

    @property
    def error(self) -> BaseException | None:
        """What it failed with."""
        return None if self.call.excinfo is None else self.call.excinfo.value


class _Repeated:
    """One test, and its runs."""

    def __init__(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        self._item: Any = item  # a Function, of which more is asked than is public
        self._nextitem = nextitem
        self._repetitions = Repetitions(item.stash[PLAN])
        self._runs: list[_Run] = []
        self._properties = list(item.user_properties)

    def run(self) -> None:
        """Run the body until the answer is sure, and report the test."""
        while self._set_up():
            run = self._called()
            if self._repetitions.verdict is not None or self._is_given_up(run):
                self._conclude()
                return self._tear_down()
            self._report(run.call)  # read by no one but plugins that wait for it
            if not self._put_away(run):
                return None
        return self._tear_down()

    def _set_up(self) -> bool:
        item = self._item
        if not item._request:  # as pytest's own protocol does it for a test that runs again
            item._initrequest()
        item.user_properties[:] = self._properties
        item._report_sections[:] = []
        call = self._phase("setup")
        result = item.stash.setdefault(RESULT, Result())
        result.before = self._runs[-1].result if self._runs else None
        report = self._report(call)
        if not (self._runs and report.passed):
            self._log(report, call)
        return bool(report.passed)

    def _called(self) -> _Run:
        """Run the body once, and count what came of it."""
        call = self._phase("call")
        error = None if call.excinfo is None else call.excinfo.value
        if self._runs and isinstance(error, _GIVEN_UP):  # pytest would take the whole test for one that is skipped
            text = f"given up in run {len(self._runs) + 1}: {type(error).__name__}: {error}"
            call = pytest.CallInfo.from_call(lambda: pytest.fail(text, pytrace=False), when="call")
        stash = self._item.stash
        run = _Run(call, stash[FAILED_COMPARISONS], stash[RESULT], list(self._item._report_sections))
        self._runs.append(run)
        if run.error is None:
            self._repetitions.hold()
        else:
            self._repetitions.fail(_findings_of(self._item, run, run.error))
        return run

    def _is_given_up(self, run: _Run) -> bool:
        """Return whether the test is one that is skipped, which its first run decides; a later one has failed."""
        return len(self._runs) == 1 and isinstance(run.error, _GIVEN_UP)

    def _put_away(self, run: _Run) -> bool:
        """End a run that is not the last one; fixtures of wider scope stay."""
        run.result.goes_on = True
        call = self._phase("teardown", nextitem=self._item.parent)
        report = self._report(call)
        self._item._request = False
        self._item.funcargs = None
        if not report.passed:
            self._log(report, call)
            self._tear_down_wider()
        return bool(report.passed)

    def _conclude(self) -> None:
        """Report the call: of a test that is red, its typical failure, with what all runs came to below it."""
        repetitions, last = self._repetitions, self._runs[-1]
        if self._is_given_up(last):
            self._log(self._report(last.call), last.call)
            return
        # a plan ends green with a run that held, and red with one that failed
        shown = self._runs[repetitions.typical - 1] if repetitions.verdict == "red" else last
        last.result.repeated = Repeated(repetitions, shown.result)
        self._item.stash[FAILED_COMPARISONS] = shown.failed
        self._item._report_sections[:] = shown.sections
        call = shown.call
        call.start, call.stop = self._runs[0].call.start, last.call.stop
        call.duration = sum(run.call.duration for run in self._runs)
        report = self._report(call)
        if report.failed:
            _tell(report, repetitions)
        self._log(report, call)

    def _tear_down(self) -> None:
        """End the last run, and the fixtures of wider scope that no test needs any more."""
        call = self._phase("teardown", nextitem=self._needing)
        self._log(self._report(call), call)
        self._item._request = False
        self._item.funcargs = None

    def _tear_down_wider(self) -> None:
        """End only what no test needs any more; plugins have seen the teardown of this one."""
        end = self._item.session._setupstate.teardown_exact
        call = pytest.CallInfo.from_call(lambda: end(self._needing), when="teardown", reraise=(pytest.exit.Exception,))
        report = self._report(call)
        if report.failed:
            self._log(report, call)

    @property
    def _needing(self) -> pytest.Item | None:
        """The test that comes next, which may need fixtures of wider scope."""
        session = self._item.session
        return None if session.shouldfail or session.shouldstop else self._nextitem

    def _phase(self, when: Any, **said: Any) -> pytest.CallInfo[None]:
        item = self._item
        hook = getattr(item.ihook, f"pytest_runtest_{when}")
        reraised = (pytest.exit.Exception, *(() if item.config.getoption("usepdb", False) else (KeyboardInterrupt,)))
        return pytest.CallInfo.from_call(lambda: hook(item=item, **said), when=when, reraise=reraised)

    def _report(self, call: pytest.CallInfo[None]) -> pytest.TestReport:
        report: pytest.TestReport = self._item.ihook.pytest_runtest_makereport(item=self._item, call=call)
        return report

    def _log(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        self._item.ihook.pytest_runtest_logreport(report=report)
        error = None if call.excinfo is None else call.excinfo.value
        if report.failed and error is not None and not isinstance(error, bdb.BdbQuit):
            self._item.ihook.pytest_exception_interact(node=self._item, call=call, report=report)


def _findings_of(item: pytest.Item, run: _Run, error: BaseException) -> list[Finding]:
    explained = explained_by(error, str(error), run.failed)
    found = [finding for each in explained for finding in each.findings]
    if found:
        return found
    first = str(error).split("\n")[0]
    return [Finding("test.failed", place_of(item, run.call), actual=f"{type(error).__name__}: {first:.200}")]


def _tell(report: pytest.TestReport, repetitions: Repetitions) -> None:
    """Say below the failure of one run what all came to, and in the line that stands for it."""
    text = f"{repetitions.text}\n  above is run {repetitions.typical}"
    add = getattr(report.longrepr, "addsection", None)
    if add is None:
        report.sections.append(("runs of this test", text))
    else:
        add("runs of this test", text, "-")
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = f"{repetitions.headline}: {crash.message}"
