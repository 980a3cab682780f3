"""Contracts that hold for every captured trace of a suite: the ini option `mlflow_traces_contract`.

A contract that applied to no trace of the whole run has guarded nothing, so the run says so at its end. Workers of
pytest-xdist tell the controller by the reports of their tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces._loading import loaded_expectation
from pytest_mlflow_traces._stashes import APPLIED_ATTRIBUTE
from pytest_mlflow_traces.core.contracts import Contract, Verdict, verdicts
from pytest_mlflow_traces.core.findings import TraceAssertionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces.core.tree import Trace


class SuiteContracts:
    """Hold the contracts of a suite, and judge traces by them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._contracts = {name: _loaded(name) for name in names}

    def check(self, traces: Iterable[Trace]) -> list[str]:
        """Return the names of the contracts that applied to some trace.

        Raises:
            TraceAssertionError: where one does not hold, with every finding of all.
        """
        traces = list(traces)
        found: list[Verdict] = []
        applied = set()
        for name, expectation in self._contracts.items():
            if isinstance(expectation, Contract) and not any(map(expectation.applies, traces)):
                continue
            if traces:
                applied.add(name)
            found += verdicts(traces, expectation)
        if found:
            findings = [finding for verdict in found for finding in verdict.findings]
            raise TraceAssertionError("\n\n".join(verdict.text for verdict in found), findings)
        return sorted(applied)


def _loaded(name: str) -> Any:
    """Import `module:NAME`; raise a UsageError that says what is wrong with it."""
    try:
        return loaded_expectation(name)
    except ValueError as error:
        raise pytest.UsageError(f"mlflow_traces_contract = {name}: {error}") from None


class VacuityGuard:
    """Say at the end which contracts applied to no trace of the run: what guards nothing must not look green."""

    def __init__(self, config: pytest.Config, names: Iterable[str]) -> None:
        self._config = config
        self._unused = dict.fromkeys(names)

    def pytest_runtest_logreport(self, report: Any) -> None:
        for name in getattr(report, APPLIED_ATTRIBUTE, ()):
            self._unused.pop(name, None)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unused and self._config.getini("mlflow_traces_strict") and is_whole_run(self._config):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._unused or self._config.option.collectonly:
            return
        terminalreporter.write_sep("=", "MLflow trace contracts")
        for name in self._unused:
            terminalreporter.write_line(f"{name} applied to no trace of this run")


def is_whole_run(config: pytest.Config) -> bool:
    """Return whether the run is of the whole suite: nothing selected, nothing left out, not only what failed last."""
    selecting = ("keyword", "markexpr", "deselect", "lf", "last_failed", "stepwise", "maxfail", "ignore", "ignore_glob")
    return not any(config.getoption(name, None) for name in selecting) and not any("::" in arg for arg in config.args)
