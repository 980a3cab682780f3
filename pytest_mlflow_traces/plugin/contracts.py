"""Contracts that hold for every captured trace of a suite: the ini option `mlflow_traces_contract`.

A contract that applied to no trace of the whole run has guarded nothing, so the run says so at its end. Workers of
pytest-xdist tell the controller by the reports of their tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.core.contracts import Contract, error_of, verdicts
from pytest_mlflow_traces.files.expectations import loaded_expectation
from pytest_mlflow_traces.plugin.run_report import is_whole_suite
from pytest_mlflow_traces.plugin.stash import APPLIED_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mlflow_traces.core.trace import Trace


class SuiteContracts:
    """The contracts of a suite."""

    def __init__(self, names: Iterable[str]) -> None:
        self._contracts = {name: _loaded(name) for name in names}

    def applying(self, traces: Sequence[Trace]) -> dict[str, bool]:
        """Return which contracts, those inside others too, have a say about some of the traces, hold or not."""
        found: dict[str, bool] = {}
        waiting = [(name, each, list(traces)) for name, each in self._contracts.items()]
        while waiting:
            name, each, given = waiting.pop(0)
            its = [trace for trace in given if _applies(each, trace)]
            found[name] = bool(its)
            inside = each.expectations if isinstance(each, Contract) else ()
            waiting += [(f"{name} > {inner.name}", inner, its) for inner in inside if isinstance(inner, Contract)]
        return found

    def check(self, traces: Sequence[Trace]) -> None:
        """Raise a TraceAssertionError where a contract does not hold, with every finding of all."""
        found = [
            verdict
            for each in self._contracts.values()
            for verdict in verdicts([trace for trace in traces if _applies(each, trace)], each)
        ]
        if found:
            raise error_of(found)


def _applies(expectation: Any, trace: Trace) -> bool:
    return not isinstance(expectation, Contract) or expectation.applies(trace)


def _loaded(name: str) -> Any:
    """Import `module:NAME`; raise a UsageError that says what is wrong with it."""
    try:
        return loaded_expectation(name)
    except ValueError as error:
        raise pytest.UsageError(f"mlflow_traces_contract = {name}: {error}") from None


CONTRACTS: pytest.StashKey[SuiteContracts] = pytest.StashKey()


def suite_contracts(config: pytest.Config) -> SuiteContracts:
    """Return the contracts of the suite, imported when some test traces: they may import a whole agent.

    Raises:
        pytest.UsageError: for a contract that cannot be imported.
    """
    if CONTRACTS not in config.stash:
        config.stash[CONTRACTS] = SuiteContracts(config.getini("mlflow_traces_contract"))
    return config.stash[CONTRACTS]


class UnappliedContracts:
    """The contracts that applied to no trace of the run: what guards nothing must not look green."""

    def __init__(self, config: pytest.Config, names: Iterable[str]) -> None:
        self._config = config
        self._applied = dict.fromkeys(names, False)

    @property
    def _unused(self) -> list[str]:
        return [name for name, applied in self._applied.items() if not applied]

    def pytest_runtest_logreport(self, report: Any) -> None:
        for name, applied in getattr(report, APPLIED_ATTRIBUTE, {}).items():
            self._applied[name] = applied or self._applied.get(name, False)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unused and self._config.getini("mlflow_traces_strict") and is_whole_suite(self._config):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._unused or self._config.option.collectonly:
            return
        terminalreporter.write_sep("=", "MLflow trace contracts")
        for name in self._unused:
            terminalreporter.write_line(f"{name} applied to no trace of this run")
