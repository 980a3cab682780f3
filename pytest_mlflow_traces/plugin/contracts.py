"""Contracts that hold for every captured trace of a suite: the ini option `mlflow_traces_contract`.

A contract that applied to no trace of the whole run has guarded nothing, so the run says so at its end. Workers of
pytest-xdist tell the controller by the reports of their tests.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.core.contracts import Contract, error_of, excesses, parts_of, seen_by, split_by_scope
from pytest_mlflow_traces.core.questions import note, one_question
from pytest_mlflow_traces.core.verdicts import verdicts
from pytest_mlflow_traces.files.expectations import loaded_expectation
from pytest_mlflow_traces.plugin.run_report import is_whole_suite
from pytest_mlflow_traces.plugin.stash import APPLIED_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.core.verdicts import Verdict


class SuiteContracts:
    """The contracts of a suite."""

    def __init__(self, names: Iterable[str], rootdir: Path) -> None:
        self._contracts = {name: _loaded(name, rootdir) for name in names}

    @property
    def all(self) -> list[Any]:
        """The contracts, as they were named."""
        return list(self._contracts.values())

    @cached_property
    def _scopes(self) -> list[tuple[Any | None, Any | None]]:
        return [split_by_scope(each) for each in self._contracts.values()]

    @one_question()
    def applying(self, traces: Sequence[Trace]) -> dict[str, bool]:
        """Return which contracts, those inside others too, have a say about some of the traces, hold or not."""
        found: dict[str, bool] = {}
        waiting = [(name, each, list(traces)) for name, each in self._contracts.items()]
        while waiting:
            name, each, given = waiting.pop(0)
            its = [trace for trace in given if _applies(each, trace)]
            found[name] = bool(its)
            if isinstance(each, Contract):
                seen = [seen_by(each, trace) for trace in its]
                inside = [inner for inner in parts_of(each) if isinstance(inner, Contract)]
                waiting += [(f"{name} > {inner.name}", inner, seen) for inner in inside]
        return found

    def against(self, traces: Sequence[Trace], in_progress: Sequence[Trace] = ()) -> list[Verdict]:
        """Return what the contracts have to say against each of the traces by itself."""
        broken = [verdict for each in self._contracts.values() for verdict in excesses(in_progress, each)]
        return _against((alone for alone, _ in self._scopes), traces) + broken

    def against_sessions(self, traces: Sequence[Trace]) -> list[Verdict]:
        """Return what they have to say against all traces of a session together."""
        return _against((together for _, together in self._scopes), traces)


def _against(expectations: Iterable[Any | None], traces: Sequence[Trace]) -> list[Verdict]:
    found = []
    for each in expectations:
        if each is not None:
            with one_question():
                said = verdicts([trace for trace in traces if _applies(each, trace)], each)
            note("holds where it applies", each, traces, not said)
            found += said
    return found


def raise_where_any(found: Sequence[Verdict]) -> None:
    """Raise a TraceAssertionError with every finding of some verdicts, where there are any."""
    if found:
        raise error_of(found)


def _applies(expectation: Any, trace: Trace) -> bool:
    return not isinstance(expectation, Contract) or expectation.applies(trace)


def _loaded(name: str, rootdir: Path) -> Any:
    """Import `module:NAME`, or read a contract file; raise a UsageError that says what is wrong with it."""
    try:
        return loaded_expectation(name, [rootdir])
    except ValueError as error:
        raise pytest.UsageError(f"mlflow_traces_contract = {name}: {error}") from None


CONTRACTS: pytest.StashKey[SuiteContracts] = pytest.StashKey()


def suite_contracts(config: pytest.Config) -> SuiteContracts:
    """Return the contracts of the suite, imported when some test traces: they may import a whole agent.

    Raises:
        pytest.UsageError: for a contract that cannot be imported.
    """
    if CONTRACTS not in config.stash:
        config.stash[CONTRACTS] = SuiteContracts(config.getini("mlflow_traces_contract"), config.rootpath)
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
