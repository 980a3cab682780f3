"""What the traces of a test that passed on its own say against it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_mlflow_traces.core.contracts import assert_trace
from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.tags.portability import SecretTagWarning, portability, secret_texts
from pytest_mlflow_traces.core.text.counts import capped
from pytest_mlflow_traces.plugin.contracts import raise_where_any, suite_contracts
from pytest_mlflow_traces.warnings import MlflowTracesWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mlflow_traces.capture.traces import CapturedTraces
    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.core.verdicts import Verdict
    from pytest_mlflow_traces.plugin.marker import Demand
    from pytest_mlflow_traces.plugin.test_result import Result

_LISTED = 8  # spans of a trace that has not ended


# mypy knows `fail.Exception` as an attribute of a function only
class _FailureError(TraceAssertionError, pytest.fail.Exception):  # type: ignore[misc, name-defined]
    """A failure that is shown by its text alone: there is no line of the test to point at."""

    __module__ = TraceAssertionError.__module__
    __qualname__ = TraceAssertionError.__qualname__  # what the short summary prints

    def __init__(self, error: TraceAssertionError) -> None:
        pytest.fail.Exception.__init__(self, str(error), pytrace=False)
        self.args = (str(error),)
        self.findings, self._marks = error.findings, error._marks


@contextmanager
def _shown_by_text() -> Iterator[None]:
    try:
        yield
    except TraceAssertionError as error:
        raise _FailureError(error) from None


@_shown_by_text()
def check(item: pytest.Item, result: Result, demand: Demand | None) -> None:
    """Fail the test where its marker or a contract does not hold, or, in strict mode, where a trace is not whole.

    So does one that asked for its baseline and compared nothing with it, as a loop over no traces does.
    """
    traces = result.traces
    if traces is not None:
        contracts = suite_contracts(item.config)
        result.checked = {trace.id for trace in traces}
        result.applied = contracts.applying(traces)  # first: one that does not hold has applied all the same
        if demand is not None:
            _check_demand(demand, traces)
        found = contracts.against_sessions(traces)
        settled = [] if traces.in_progress else [each for each in found if _is_settled(each)]
        result.has_open_sessions = len(settled) < len(found)
        raise_where_any([*contracts.against(traces, traces.in_progress), *settled])
        _check_whole(item, traces)
    if result.baselines is not None and not result.baselines.used:
        finding = Finding("baseline.unused", result.baselines.shown_path, "a trace compared with it", "none")
        text = "nothing was compared with trace_baseline: write `assert trace == trace_baseline` for each trace"
        raise TraceAssertionError(text, [finding])


@_shown_by_text()
def check_late(item: pytest.Item, result: Result, checked: set[str]) -> None:
    """Fail a test whose fixtures traced, after it was checked, what breaks a contract of the suite."""
    contracts = suite_contracts(item.config)
    late = [trace for trace in result.traces or () if trace.id not in checked]
    for name, applied in contracts.applying(late).items():
        result.applied[name] |= applied
    found = contracts.against(late)
    if late or result.has_open_sessions:
        found += contracts.against_sessions(result.traces or ())
    raise_where_any(found)


def _is_settled(verdict: Verdict) -> bool:
    """Return whether no trace that a fixture has yet to make, as one that ends a session, can make it right."""
    return not any(finding.rule in ("order.absent", "order.before") for finding in verdict.findings)


def _check_demand(demand: Demand, traces: CapturedTraces) -> None:
    count = len(traces)
    if not count and not demand.at_least:
        traces.fail_lost(f"expected {demand.count}")
    if count < demand.at_least or (demand.at_most is not None and count > demand.at_most):
        if not count:
            traces.fail_empty(f"expected {demand.count}")
        finding = Finding("capture.count", "this test", expected=demand.count, actual=str(count))
        raise TraceAssertionError(f"expected {demand.count}, got {count}:\n{traces.listing()}", [finding])
    if demand.expectations:
        assert_trace(traces, *demand.expectations)


def _unfinished(trace: Trace) -> Iterator[Finding]:
    """Name the spans that are open, and, with the first of them, what ended in a trace that no expectation sees."""
    ended = [span.path for span in trace.spans if span.end_ns is not None]
    hint = f"what ended in its trace: {', '.join(capped(ended, _LISTED, '{} more'))}" if ended else None
    for span in trace.spans:
        if span.end_ns is None:
            yield Finding("trace.unfinished", span.path, actual="never ended", hint=hint)
            hint = None


def _check_whole(item: pytest.Item, traces: CapturedTraces) -> None:
    hint = "log_metric starts one where none is active: every later trace is linked to it"
    wrong = [
        *traces.lost,
        *(finding for trace in traces.in_progress for finding in _unfinished(trace)),
        *(Finding("trace.problem", f"trace {visible(t.name)!r}", actual=text) for t in traces for text in t.problems),
        *(
            Finding("trace.open_run", f"run {visible(run)!r}", actual="never ended", hint=hint)
            for run in traces.open_runs
        ),
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
