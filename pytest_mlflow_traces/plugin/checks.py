"""What the traces of a test that passed on its own say against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.tags.portability import SecretTagWarning, portability, secret_texts
from pytest_mlflow_traces.plugin.stash import APPLIED, JUDGED
from pytest_mlflow_traces.warnings import MlflowTracesWarning

if TYPE_CHECKING:
    from pytest_mlflow_traces.capture.traces import CapturedTraces
    from pytest_mlflow_traces.plugin.baseline import BaselineFile
    from pytest_mlflow_traces.plugin.contracts import SuiteContracts
    from pytest_mlflow_traces.plugin.marker import Demand


# mypy knows `fail.Exception` as an attribute of a function only
class _FailureError(TraceAssertionError, pytest.fail.Exception):  # type: ignore[misc, name-defined]
    """A failure that is told by its text alone: there is no line of the test to point at."""

    __module__ = TraceAssertionError.__module__
    __qualname__ = TraceAssertionError.__qualname__  # what the short summary prints

    def __init__(self, error: TraceAssertionError) -> None:
        pytest.fail.Exception.__init__(self, str(error), pytrace=False)
        self.args = (str(error),)
        self.findings = error.findings


def judge(item: pytest.Item, traces: CapturedTraces, demand: Demand | None, contracts: SuiteContracts | None) -> None:
    """Fail the test where its marker or a contract does not hold, or, in strict mode, where a trace is not whole."""
    item.stash[JUDGED] = {trace.id for trace in traces}
    if contracts is not None:
        item.stash[APPLIED] = contracts.applying(traces)  # first: one that does not hold has applied all the same
    try:
        if demand is not None:
            demand.check(traces)
        if contracts is not None:
            contracts.check(traces)
        _check_whole(item, traces)
    except TraceAssertionError as error:
        raise _FailureError(error) from None


def judge_late(item: pytest.Item, traces: CapturedTraces, contracts: SuiteContracts) -> None:
    """Fail a test whose fixtures traced, after its verdict, what breaks a contract of the suite."""
    late = [trace for trace in traces if trace.id not in item.stash[JUDGED]]
    for name, applied in contracts.applying(late).items():
        item.stash[APPLIED][name] |= applied
    try:
        contracts.check(late)
    except TraceAssertionError as error:
        raise _FailureError(error) from None


def check_compared(home: BaselineFile) -> None:
    """Fail a test that asked for its baseline and compared nothing with it, as a loop over no traces does."""
    if not home.used:
        finding = Finding("baseline.unused", home.shown_path, "a trace compared with it", "none")
        text = "nothing was compared with trace_baseline: write `assert trace == trace_baseline` for each trace"
        raise _FailureError(TraceAssertionError(text, [finding]))


def _check_whole(item: pytest.Item, traces: CapturedTraces) -> None:
    wrong = list(traces.lost)
    wrong += [Finding("trace.unfinished", span.path, actual="never ended") for span in traces.unfinished]
    wrong += [
        Finding("trace.problem", f"trace {visible(t.name)!r}", actual=text) for t in traces for text in t.problems
    ]
    hint = "log_metric starts one where none is active: every later trace is linked to it"
    wrong += [
        Finding("trace.open_run", f"run {visible(run)!r}", actual="never ended", hint=hint) for run in traces.open_runs
    ]
    if not item.config.getini("mlflow_traces_strict"):
        for finding in wrong:
            item.warn(MlflowTracesWarning(str(finding)))
        return
    for text in (text for trace in traces for text in secret_texts(trace)):
        item.warn(SecretTagWarning(text))
    wrong += [finding for trace in traces for finding in portability(trace)]
    if wrong:
        text = "\n".join(["the traces of this test are not whole (mlflow_traces_strict):", *map(str, wrong)])
        raise TraceAssertionError(text, wrong)
