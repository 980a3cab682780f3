"""One run of one test: its traces and baselines, how its phases ended, and the record that is made of it.

The record travels on the report of the teardown, which every run of a test has, also one that is rerun; what comes
later for the same test takes its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.findings import TraceAssertionError
from pytest_mlflow_traces.core.runs.records import TracedTest, TraceRecord
from pytest_mlflow_traces.core.text.counts import capped
from pytest_mlflow_traces.reports.sections import section

if TYPE_CHECKING:
    import pytest

    from pytest_mlflow_traces.capture.traces import CapturedTraces
    from pytest_mlflow_traces.core.explanations import FailedComparison
    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.runs.records import BaselineChange
    from pytest_mlflow_traces.plugin.baseline import BaselineFile

_LINES = 60  # of one failure; the rest is in the log of the run


class Result:
    """What one run of a test has come to so far."""

    def __init__(self) -> None:
        self.traces: CapturedTraces | None = None
        self.baselines: BaselineFile | None = None
        self.applied: dict[str, bool] = {}  # the contracts of the suite, and whether they applied to a trace
        self.checked: set[str] | None = None  # the ids of the traces that were checked
        self.changes: list[BaselineChange] = []
        self._outcome = "passed"
        self._findings: list[Finding] = []
        self._failures: list[str] = []

    @property
    def has_passed(self) -> bool:
        """Whether no phase and no subtest so far ended otherwise."""
        return self._outcome in ("passed", "xpassed")

    def note(self, report: pytest.TestReport, call: pytest.CallInfo[None], failed: list[FailedComparison]) -> None:
        """Take in how one phase ended; `failed` explains the comparisons with traces that failed in it."""
        expected = hasattr(report, "wasxfail")
        if report.failed:
            if self._outcome != "failed":
                self._outcome = "failed" if report.when == "call" else "error"
            self._fail(report, call, failed)
        elif report.skipped:
            self._outcome = "xfailed" if expected else "skipped"
        elif expected and report.when == "call":
            self._outcome = "xpassed"

    def _fail(self, report: pytest.TestReport, call: pytest.CallInfo[None], failed: list[FailedComparison]) -> None:
        error = call.excinfo.value if call.excinfo is not None else None
        text = str(error) if error is not None else report.longreprtext
        if isinstance(error, TraceAssertionError):
            self._findings += error.findings
        elif error is not None:
            # a test may have caught the error of another comparison
            explained = [each for each in failed if each.lines[0] in text]
            self._findings += [finding for each in explained for finding in each.findings]
            texts = ["\n".join(each.lines) for each in explained] or [f"{type(error).__name__}: {text}"]
            text = "\n\n".join(texts)
        self._failures.append(text)

    def record(self, test: str) -> TracedTest:
        """Return what is known when the test is over."""
        traces = self.traces
        known = () if traces is None else tuple(traces)
        texts = list(self._failures)
        if texts and not self._findings and traces is not None:
            texts.append(section(known, traces.unfinished, traces.lost))
        failure = "\n".join(capped("\n\n".join(texts).split("\n"), _LINES)) if texts else None
        records = tuple(map(TraceRecord.of, known))
        return TracedTest(test, self._outcome, records, tuple(self._findings), failure, tuple(self.changes))
