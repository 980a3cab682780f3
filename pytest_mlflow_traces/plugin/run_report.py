"""What the process that reports a session keeps: the records of its tests, and the files that are made from them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.core.runs.records import FAILED
from pytest_mlflow_traces.core.spans.records import escaped
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.files.pages import Pages
from pytest_mlflow_traces.files.spool import Spool
from pytest_mlflow_traces.plugin.stash import EXPORT, MUTATE_JSON, PAGE_ATTRIBUTE, RECORD_ATTRIBUTE, SAVED_ATTRIBUTE

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.adequacy.survivors import Survivors
    from pytest_mlflow_traces.core.runs.records import BaselineChange, Chapter, Run
    from pytest_mlflow_traces.files.spool import Slice

Key = tuple[str, str]
# settings that decide what is a test; given by `-o`, they are for this run alone
_COLLECTING = frozenset(
    ("testpaths", "norecursedirs", "python_files", "python_classes", "python_functions", "collect_imported_tests")
)


class RunReport:
    """The records of all tests, the last of each, and the files that are written from them at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        save = config.getoption("--mlflow-traces-save")
        self._save = None if save is None else Path(save).absolute()
        html = config.getoption("--mlflow-traces-html")
        self._html = None if html is None else Path(html).absolute()
        self._spool = Spool()
        config.add_cleanup(self._spool.close)
        self._records: dict[Key, dict[str, Any]] = {}
        self._traces: dict[Key, Slice] = {}
        self._pages = Pages(self._spool)
        self._failed: set[str] = set()
        self._lines: list[str] = []
        self._stopped: str | None = None
        self.changes: list[BaselineChange] = []
        self.notes: list[str] = []
        self.chapters: list[Chapter] = []
        self.survivors: Survivors | None = None  # where traces are edited

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Remove what an earlier run left where this one writes: of one that dies, it would be taken for the result."""
        asked = (self._config.getoption(name) for name in ("--mlflow-traces-summary", MUTATE_JSON))
        paths = [self._save, self._html, *(path and Path(path).absolute() for path in asked)]
        for path in [] if self._config.option.collectonly else paths:
            with suppress(OSError):  # it is told when the file is written
                if path and path.is_file():
                    path.resolve().unlink()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self._failed.add(report.nodeid)
        record = getattr(report, RECORD_ATTRIBUTE, None)
        if record is None:
            return
        key = record["test"], getattr(report, "worker_id", "")
        self._records[key] = record
        # pytest keeps all reports, in memory
        self._traces[key] = self._spool.put(vars(report).pop(SAVED_ATTRIBUTE, ""))
        parts = vars(report).pop(PAGE_ATTRIBUTE, None)
        if parts is not None:
            failed, has_findings = record["outcome"] in FAILED, bool(record["findings"])
            self._pages.put(key, parts, failed=failed, has_findings=has_findings)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note what ends the run; with `pytest.exit(..., returncode=0)` its exit status does not tell."""
        self._stopped = str(excinfo.value) or "interrupted"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        written = [self._save is None or self._write_traces(self._save)]
        if self._stopped is not None:
            self._stopped = f"{self._progress(session.testscollected)}{self._stopped}"
        if self._html is not None and not self._config.option.collectonly:
            written.append(self._write_page(self.run(int(session.exitstatus)), self._html))
        for path, mode in self._summaries():
            written.append(self._write_summary(self.run(int(session.exitstatus)), path, mode))
        if not all(written):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        if not self._config.pluginmanager.has_plugin("terminalreporter"):
            from pytest_mlflow_traces.plugin.export import StandardError

            self._export(StandardError())

    def run(self, exit_status: int) -> Run:
        """Return what was learned."""
        from pytest_mlflow_traces.core.runs.records import Run, TracedTest

        # by name: the order of a run depends on its workers, and on who shuffles
        tests = tuple(TracedTest.from_dict(self._records[key]) for key in sorted(self._records))
        others = len(self._failed - {name for name, _ in self._records})
        changes, notes = tuple(self.changes), tuple(self.notes)
        uncollected, chapters = self._uncollected(), tuple(self.chapters)
        return Run(tests, exit_status, others, changes, notes, uncollected, self._stopped, self.survivors, chapters)

    def _reports(self) -> list[Any]:
        """Return all reports that pytest keeps: this object may be here only since some test asked for a trace."""
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        return [] if terminal is None else [report for each in terminal.stats.values() for report in each]

    def _uncollected(self) -> tuple[str, ...]:
        failed = (each.nodeid for each in self._reports() if isinstance(each, pytest.CollectReport) and each.failed)
        return tuple(sorted(set(failed)))

    def _progress(self, collected: int) -> str:
        ended = {each.nodeid for each in self._reports() if getattr(each, "when", None) == "teardown"}
        return f"{len(ended):,} of {collected:,} tests ran, " if ended else ""

    def _saved(self, key: Key) -> bytes:
        """Return the traces of a test, as lines of JSON."""
        return self._spool.get(self._traces[key]).encode()

    def _write_traces(self, path: Path) -> bool:
        from pytest_mlflow_traces.files.atomic import replacing

        try:
            with replacing(path) as stream:
                for key in sorted(self._traces):
                    stream.write(self._saved(key))
        except OSError as error:
            self._lines.append(f"the traces were not saved: {error}")
            return False
        count = sum(len(record["traces"]) for record in self._records.values())
        self._lines.append(f"{counted(count, 'trace')} saved to {self._shown(path)}")
        return True

    def _summaries(self) -> list[tuple[str, str]]:
        """Return the files that a summary goes to, each with the mode to open it in."""
        if self._config.option.collectonly:
            return []
        asked, github = self._config.getoption("--mlflow-traces-summary"), os.environ.get("GITHUB_STEP_SUMMARY")
        files = [(asked, "w")] if asked else []
        # what a step of GitHub wrote before stays, and a suite without traces adds nothing unasked
        return [*files, *([(github, "a")] if github and self._records and github != asked else [])]

    def _write_summary(self, run: Run, path: str, mode: str) -> bool:
        from pytest_mlflow_traces.reports.markdown import summary

        target = Path(path).absolute()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open(mode, encoding="utf-8", newline="\n") as stream:
                stream.write(summary(run))
        except OSError as error:
            self._lines.append(f"the summary was not written: {error}")
            return False
        if mode == "w":
            self._lines.append(f"summary written to {self._shown(target)}")
        return True

    def _write_page(self, run: Run, path: Path) -> bool:
        from pytest_mlflow_traces.reports.headlines import page_head

        try:
            self._pages.write(path, page_head(run))
        except OSError as error:
            self._lines.append(f"the page was not written: {error}")
            return False
        self._lines.append(f"page written to {self._shown(path)}")
        return True

    def _shown(self, path: Path) -> str:
        inside = path.is_relative_to(self._config.invocation_params.dir)
        return str(path.relative_to(self._config.invocation_params.dir) if inside else path)

    def _export(self, reporter: Any) -> None:
        target = self._config.getoption(EXPORT)
        if target is None or self._config.option.collectonly:
            return
        from pytest_mlflow_traces.plugin.export import Export

        tests = [
            {**{word: self._records[key][word] for word in ("test", "outcome", "findings")}, "traces": self._saved(key)}
            for key in sorted(self._traces)
        ]
        said, is_sent = Export(target).send(tests, reporter)
        reporter.write_line(f"mlflow traces: {said}", yellow=not is_sent)

    def _annotate(self, reporter: Any) -> None:
        from pytest_mlflow_traces.reports.annotations import annotation_lines

        root = Path(os.environ.get("GITHUB_WORKSPACE") or self._config.rootpath)
        for line in annotation_lines(self.run(0), root):
            reporter.ensure_newline()  # a runner obeys at the start of a line alone
            reporter.write_line(line)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if any(record["changes"] for record in self._records.values()) or self.changes or self.notes:
            from pytest_mlflow_traces.reports.headlines import change_lines

            terminalreporter.write_sep("=", "MLflow trace baselines")
            for line in change_lines(self.run(0)):
                terminalreporter.write_line(line)
        rates = [
            f"{escaped(name)}: {said['rate']}" for (name, _), said in sorted(self._records.items()) if said["rate"]
        ]
        if rates and self._config.get_verbosity() >= 0:
            terminalreporter.write_sep("=", "MLflow trace rates")
            for line in rates:
                terminalreporter.write_line(line)
        lines = self._lines
        if self._records and self._config.get_verbosity() >= 0:
            from pytest_mlflow_traces.reports.headlines import totals

            lines = [totals(self.run(0)), *lines]
        for line in lines:
            terminalreporter.write_line(f"mlflow traces: {line}")
        self._export(terminalreporter)
        if os.environ.get("GITHUB_ACTIONS"):
            self._annotate(terminalreporter)


def is_whole_run(config: pytest.Config) -> bool:
    """Return whether the run is of the whole suite: nothing selected, nothing left out, not only what failed last."""
    given = {each.partition("=")[0].strip() for each in config.getoption("override_ini", None) or ()}
    if not given.isdisjoint(_COLLECTING):
        return False
    return not _selects(config) and not config.getoption("maxfail") and _is_of_folders(config)


def is_whole_suite(config: pytest.Config) -> bool:
    """Return the same for a run that has passed, which no limit of failures has ended, and of files in `testpaths`.

    What `addopts` leaves out (`-m "not slow"`) is no matter of this run, but another run may select it.
    """
    named = config.args_source is config.ArgsSource.TESTPATHS or _is_of_folders(config)
    return named and not _selects(config)


def _selects(config: pytest.Config) -> bool:
    selecting = ("keyword", "markexpr", "deselect", "lf", "last_failed", "stepwise", "ignore", "ignore_glob")
    return any(config.getoption(name, None) for name in selecting)


def _is_of_folders(config: pytest.Config) -> bool:
    return all((config.invocation_params.dir / arg).is_dir() for arg in config.args)
