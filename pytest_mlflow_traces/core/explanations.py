"""The explanation of a comparison of a trace or a span with a pattern, named as a reader knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining import explain
from pytest_mlflow_traces.core.patterns.nodes import short
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.trace import Span, Trace

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.explaining.explain import Explanation
    from pytest_mlflow_traces.core.explaining.report.annotated_tree import Marks
    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.patterns.nodes import Pattern


@dataclass(frozen=True, slots=True)
class FailedComparison:
    """Why a comparison failed, and, where it was with a baseline, where that stands and what accepts the change."""

    lines: list[str]
    findings: tuple[Finding, ...] = ()
    marks: tuple[Marks, ...] = ()
    baseline: str | None = None
    accept: str | None = None
    place: str | None = None  # the whole path of the baseline, and the line


def mismatch_of(shown: Trace | Span, pattern: Pattern) -> Explanation:
    """Explain a failed `shown == pattern`."""
    if isinstance(shown, Span):
        return explain.mismatch(shown._table, pattern, [shown._position], _subject(shown))
    return explain.mismatch(shown.table, pattern, shown.table.roots(), _subject(shown))


def absent_in(trace: Trace, pattern: Pattern) -> Explanation:
    """Explain a failed `pattern in trace`."""
    return explain.absent(trace.table, pattern, _subject(trace))


def present_in(trace: Trace, pattern: Pattern, *, wrong: bool = True) -> Explanation:
    """Explain a failed `pattern not in trace`, or, where that is not `wrong`, say which spans are in it."""
    return explain.present(trace.table, pattern, _subject(trace), wrong=wrong)


def matched(shown: Trace | Span, pattern: Pattern, *, wrong: bool = True) -> str:
    """Say what a failed `shown != pattern` found, or, where that is not `wrong`, what `shown == pattern` did."""
    return f"{_subject(shown)} is {short(pattern)}{', expected it not to be' if wrong else ''}"


def _subject(shown: Trace | Span) -> str:
    return f"trace '{visible(shown.name)}'" if isinstance(shown, Trace) else f"span {shown.path}"
