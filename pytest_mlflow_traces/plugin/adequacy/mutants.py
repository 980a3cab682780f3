"""Would the tests notice? What a test asks is noted while it runs, and asked again of mutants when it has passed.

The process that runs a test judges it, and its last report carries what came of that to the one that reports.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.core.adequacy.judging import MutantJudge
from pytest_mlflow_traces.core.adequacy.survivors import Survivors
from pytest_mlflow_traces.files.atomic import replacing
from pytest_mlflow_traces.plugin.report import test_id
from pytest_mlflow_traces.plugin.run_report import is_whole_suite
from pytest_mlflow_traces.plugin.stash import MUTANTS_ATTRIBUTE, MUTATE, MUTATE_FLOOR, MUTATE_JSON
from pytest_mlflow_traces.reports.adequacy import falls_short, survivor_lines

if TYPE_CHECKING:
    from pytest_mlflow_traces.plugin.run_report import RunReport
    from pytest_mlflow_traces.plugin.test_result import Asked, Result


_JUDGE: pytest.StashKey[MutantJudge] = pytest.StashKey()


def judge(report: pytest.TestReport, item: pytest.Item, result: Result | None, asked: Asked) -> None:
    """Say what a test noticed that has passed, on its last report."""
    # the judge of this process knows what its tests so far have noticed
    judge = item.config.stash.setdefault(_JUDGE, MutantJudge(item.config.getoption(MUTATE)))
    captured = () if result is None or result.traces is None else result.traces
    said = judge.judge(asked.questions.asked, captured)
    setattr(report, MUTANTS_ATTRIBUTE, said | {"test": test_id(item), "of_spans": asked.questions.of_spans})


class MutantReport:
    """What the mutants of a run come to, in the process that reports."""

    def __init__(self, config: pytest.Config, run_report: RunReport) -> None:
        self._config = config
        self._survivors = run_report.survivors = Survivors(config.getoption(MUTATE))
        self._floor: float | None = config.getoption(MUTATE_FLOOR)
        json_path = config.getoption(MUTATE_JSON)
        self._json = None if json_path is None else Path(json_path).absolute()
        self._error: str | None = None

    def pytest_runtest_logreport(self, report: Any) -> None:
        said = vars(report).pop(MUTANTS_ATTRIBUTE, None)  # pytest keeps all reports, in memory
        if said is not None:
            self._survivors.add(said["test"], said, getattr(report, "worker_id", ""))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._config.option.collectonly:
            return
        try:
            self._write()
        except OSError as error:
            self._error = f"the mutants were not written: {error}"
        if self._error is not None or falls_short(self._survivors, self._floor):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _write(self) -> None:
        if self._json is not None:
            with replacing(self._json) as stream:
                stream.write(json.dumps(self._survivors.data(), indent=2).encode() + b"\n")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._config.option.collectonly:
            return
        terminalreporter.write_sep("=", "MLflow trace mutants")
        notes = [] if is_whole_suite(self._config) else ["of the tests that ran: this is not the whole suite"]
        for line in survivor_lines(self._survivors, self._floor, notes):
            terminalreporter.write_line(line)
        if self._error is not None:
            terminalreporter.write_line(self._error)
