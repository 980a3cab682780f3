"""What the traces of a test that passed on its own say against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError

if TYPE_CHECKING:
    from pytest_mlflow_traces._marker import Demand
    from pytest_mlflow_traces.captured import CapturedTraces


class MlflowTracesWarning(pytest.PytestWarning):
    """Warn of a trace that is not whole; `mlflow_traces_strict = true` makes it a failure."""


# mypy knows `fail.Exception` as an attribute of a function only
class _FailureError(TraceAssertionError, pytest.fail.Exception):  # type: ignore[misc, name-defined]
    """Fail a test with the text alone: there is no line of the test to point at."""

    __module__ = TraceAssertionError.__module__
    __qualname__ = TraceAssertionError.__qualname__  # what the short summary prints

    def __init__(self, error: TraceAssertionError) -> None:
        pytest.fail.Exception.__init__(self, str(error), pytrace=False)
        self.args = (str(error),)
        self.findings = error.findings


def judged(item: pytest.Item, traces: CapturedTraces, demand: Demand | None) -> None:
    """Fail the test where its marker asked for something else, or, in strict mode, where a trace is not whole."""
    try:
        if demand is not None:
            demand.check(traces)
        _check_whole(item, traces)
    except TraceAssertionError as error:
        raise _FailureError(error) from None


def _check_whole(item: pytest.Item, traces: CapturedTraces) -> None:
    wrong = [f"unfinished: span {span.path} never ended" for span in traces.unfinished]
    wrong += [f"trace {trace.name!r}: {problem}" for trace in traces for problem in trace.problems]
    if not wrong:
        return
    if item.config.getini("mlflow_traces_strict"):
        findings = [Finding("trace.problem", item.nodeid, actual=text) for text in wrong]
        raise TraceAssertionError("\n".join(["the traces of this test are not whole:", *wrong]), findings)
    for text in wrong:
        item.warn(MlflowTracesWarning(text))
