"""One run of one test: its traces and baselines, how its phases ended, and the record that is made of it.

The record travels on the report of the teardown, which every run of a test has, also one that is rerun; what comes
later for the same test takes its place.
"""

from __future__ import annotations

import linecache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explanations import FailedComparison
from pytest_mlflow_traces.core.findings import TraceAssertionError
from pytest_mlflow_traces.core.questions import Questions
from pytest_mlflow_traces.core.runs.records import FAILED, TracedTest, TraceRecord
from pytest_mlflow_traces.core.text.counts import capped
from pytest_mlflow_traces.reports.html.entries import Entry
from pytest_mlflow_traces.reports.sections import section

if TYPE_CHECKING:
    import pytest

    from pytest_mlflow_traces.capture.traces import CapturedTraces
    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.runs.records import BaselineChange
    from pytest_mlflow_traces.plugin.baseline import BaselineFile

_LINES = 60  # of one failure; the rest is in the log of the run


class Asked:
    """What one run of a test asks of traces, and whether it has passed so far."""

    def __init__(self) -> None:
        self.questions = Questions()
        self.has_passed = True


class Result:
    """What one run of a test has come to so far."""

    def __init__(self) -> None:
        self.traces: CapturedTraces | None = None
        self.baselines: BaselineFile | None = None
        self.applied: dict[str, bool] = {}  # the contracts of the suite, and whether they applied to a trace
        self.checked: set[str] | None = None  # the ids of the traces that were checked
        self.has_open_sessions = False  # a later trace may make right what is wrong with a session
        self.changes: list[BaselineChange] = []
        self._outcome = "passed"
        self._findings: list[Finding] = []
        self._failures: list[str] = []
        self._explained: list[FailedComparison] = []
        self._source: str | None = None  # the path and the line of the first failure

    @property
    def has_passed(self) -> bool:
        """Whether no phase and no subtest so far ended otherwise."""
        return self._outcome in ("passed", "xpassed")

    def note(
        self, report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None], failed: list[FailedComparison]
    ) -> None:
        """Take in how one phase ended; `failed` explains the comparisons with traces that failed in it."""
        expected = hasattr(report, "wasxfail")
        if report.failed:
            if self._outcome != "failed":
                self._outcome = "failed" if report.when == "call" else "error"
            self._fail(report, call, failed)
            self._source = self._source or _source_of(report, item, call)
        elif report.skipped:
            self._outcome = "xfailed" if expected else "skipped"
        elif expected and report.when == "call":
            self._outcome = "xpassed"

    def _fail(self, report: pytest.TestReport, call: pytest.CallInfo[None], failed: list[FailedComparison]) -> None:
        error = call.excinfo.value if call.excinfo is not None else None
        text = str(error) if error is not None else report.longreprtext
        if isinstance(error, TraceAssertionError):
            self._findings += error.findings
            self._explained.append(FailedComparison([], error.findings, error._marks))
        elif error is not None:
            # a test may have caught the error of another comparison
            explained = [each for each in failed if each.lines[0] in text]
            self._explained += explained
            self._findings += [finding for each in explained for finding in each.findings]
            texts = ["\n".join(each.lines) for each in explained] or [f"{type(error).__name__}: {text}"]
            text = "\n\n".join(texts)
        self._failures.append(text)

    def record(self, test: str) -> TracedTest:
        """Return what is known when the test is over."""
        known = () if self.traces is None else tuple(self.traces)
        records = tuple(map(TraceRecord.of, known))
        found = tuple(self._findings), self._message(), tuple(self.changes)
        place = next((each.place for each in self._explained if each.place), None)
        return TracedTest(test, self._outcome, records, *found, self._source, place)

    def entry(self, test: str, root: Path) -> Entry:
        """Return the same for a page, with the traces, those that have not ended among them; paths are below `root`."""
        traces = self.traces
        compared = [(each.baseline, each.accept) for each in self._explained if each.baseline is not None]
        compared += [(each.where, each.hint) for each in self._findings if each.rule == "baseline.missing"]
        baseline, accept = compared[0] if compared else (None, None)
        return Entry(
            test,
            self._outcome,
            () if traces is None else (*traces, *traces.in_progress),
            failed=self._outcome in FAILED,
            findings=self._findings,
            marks=[marks for each in self._explained for marks in each.marks],
            message=self._message(),
            source=_shown_source(self._source, root),
            baseline=baseline,
            accept=accept,
        )

    def _message(self) -> str | None:
        traces = self.traces
        texts = list(self._failures)
        if texts and not self._findings and traces is not None:
            texts.append(section(tuple(traces), traces.unfinished, traces.lost))
        return "\n".join(capped("\n\n".join(texts).split("\n"), _LINES)) if texts else None


def _source_of(report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None]) -> str | None:
    """Return the path and the line of what failed; of the test, where that is not a line of this project."""
    crash = getattr(report.longrepr, "reprcrash", None)
    error = None if call.excinfo is None else call.excinfo.value
    if crash is not None and getattr(error, "pytrace", True) and Path(crash.path).is_relative_to(item.config.rootpath):
        return f"{crash.path}:{crash.lineno}"
    line = item.location[1]
    return None if line is None else f"{item.path}:{line + 1}"


def _shown_source(source: str | None, root: Path) -> tuple[str, str] | None:
    """Return where a failure stands, as a person writes it, and what the line says."""
    if source is None:
        return None
    name, _, line = source.rpartition(":")
    path = Path(name)
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else name
    return f"{shown}:{line}", linecache.getline(name, int(line)).strip()
