"""The option `--mlflow-traces-coverage`: what a run exercises of what its tests, contracts and baselines expect.

Each process that runs tests keeps what those that passed asked of traces; a worker of pytest-xdist hands it to the
controller at its end, which tells and writes what came of all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.core.adequacy.coverage import Coverage
from pytest_mlflow_traces.core.adequacy.exercise import Exercise
from pytest_mlflow_traces.core.adequacy.names import kinds_in
from pytest_mlflow_traces.core.baselines.file_format import BaselineError
from pytest_mlflow_traces.core.runs.records import Chapter
from pytest_mlflow_traces.files import baselines
from pytest_mlflow_traces.files.atomic import replacing
from pytest_mlflow_traces.plugin.contracts import CONTRACTS
from pytest_mlflow_traces.plugin.stash import COVERAGE, COVERAGE_FLOOR
from pytest_mlflow_traces.plugin.unused_baselines import baseline_folders
from pytest_mlflow_traces.reports import coverage as told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.baselines.file_format import Section
    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.plugin.run_report import RunReport
    from pytest_mlflow_traces.plugin.test_result import Asked, Result

_OUTPUT = "mlflow_traces_coverage"  # of a worker


class CoverageOfRun:
    """What the tests of a session exercise; without a report of the run, on a worker, to be handed on."""

    def __init__(self, config: pytest.Config, run_report: RunReport | None) -> None:
        self._config = config
        self._run_report = run_report
        self._coverage = Coverage()
        self._exercise = Exercise(self._coverage)
        path = config.getoption(COVERAGE)
        self._path = Path(path).absolute() if isinstance(path, str) and run_report is not None else None
        self._failure: str | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Remove what an earlier run left: of one that dies, it would be taken for the result."""
        if self._path is not None and self._path.is_file() and not self._config.option.collectonly:
            self._path.unlink()

    def take(self, item: pytest.Item, result: Result | None, asked: Asked) -> None:
        """Take in what a test asked that has passed, and what it traced."""
        questions = asked.questions
        self._exercise.asked(questions, (str(item.path), (item.location[1] or 0) + 1))
        traces = [
            *(() if result is None else result.traces or ()),
            *(t for each in questions.asked for t in each.traces),
        ]
        for table in {trace.id: trace.whole.table for trace in traces}.values():
            self._coverage.ran.update(kinds_in(table))
        if result is not None and result.baselines is not None:
            for section, shown in result.baselines.held():
                self._baseline(result.baselines.path, section, shown)

    def _expect_the_rest(self) -> None:
        """Add what is expected and may not have been asked: contracts of the suite, and baselines."""
        for contract in self._config.stash[CONTRACTS].all if CONTRACTS in self._config.stash else ():
            self._exercise.held(contract, (), (str(self._config.inipath or self._config.rootpath), 1))
        for folder in baseline_folders(self._config):
            for path in sorted(folder.rglob(f"*{baselines.SUFFIX}")):
                self._expect_sections(path)

    def _expect_sections(self, path: Path) -> None:
        try:
            text = baselines.load(path)
        except BaselineError:
            return  # whoever compares with it is told
        for section in text.sections if text is not None else ():
            self._baseline(path, section, ())

    def _baseline(self, path: Path, section: Section, shown: Sequence[Trace]) -> None:
        home = str(path), section.first
        self._exercise.baseline(section.name, home, section.body, section.text, shown)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist knows."""
        said = getattr(node, "workeroutput", {}).get(_OUTPUT)
        if said is not None:
            self._coverage.merge(said)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._config.option.collectonly:
            return
        self._expect_the_rest()
        if self._run_report is None:
            self._config.workeroutput[_OUTPUT] = self._coverage.to_data()  # type: ignore[attr-defined]  # of a worker
            return
        root = self._config.rootpath
        said, *lines = told.lines(self._coverage, root)
        self._run_report.chapters.append(Chapter("Coverage of what is expected", said, tuple(lines)))
        self._failure = told.falls_short(self._coverage, self._config.getoption(COVERAGE_FLOOR))
        self._write(root)
        if self._failure is not None:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _write(self, root: Path) -> None:
        if self._path is None:
            return
        try:
            with replacing(self._path) as stream:
                stream.write(told.data(self._coverage, root).encode())
        except OSError as error:
            self._failure = f"{self._path} was not written: {error}"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._config.option.collectonly:
            return
        terminalreporter.write_sep("=", "MLflow trace coverage")
        most = None if self._config.get_verbosity() > 0 else told.LISTED
        for line in told.lines(self._coverage, self._config.rootpath, most):
            terminalreporter.write_line(line)
        if self._failure is not None:
            terminalreporter.write_line(f"FAILED: {self._failure}", red=True)
