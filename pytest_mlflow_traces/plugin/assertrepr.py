"""What a failed `assert` on a trace prints: the explanation in place of two reprs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_mlflow_traces.capture.selection import SelectedTraces
from pytest_mlflow_traces.capture.traces import CapturedTraces
from pytest_mlflow_traces.core.explanations import absent_in, matched, mismatch_of, present_in
from pytest_mlflow_traces.core.patterns.nodes import Pattern, short
from pytest_mlflow_traces.core.trace import Span, Trace
from pytest_mlflow_traces.plugin.baseline import TraceBaseline

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.findings import Finding


@dataclass(frozen=True, slots=True)
class FailedComparison:
    """Why a comparison failed."""

    lines: list[str]
    findings: tuple[Finding, ...] = ()


def compared(op: str, left: object, right: object, *, verbose: bool) -> FailedComparison | None:
    """Explain a comparison of a trace, a span or a capture with a pattern; `None` for any other.

    pytest asks about comparisons that hold, too: those under `not`, and those beside one that failed in an `and`. So
    what is said goes by what is so, and what holds is not called wrong.
    """
    if isinstance(left, TraceBaseline) or isinstance(right, TraceBaseline):
        return _compared_with_baseline(left, right, verbose=verbose)
    if op in {"==", "!="}:
        shown, pattern = (left, right) if isinstance(right, Pattern) else (right, left)
        if not isinstance(pattern, Pattern) or not isinstance(shown, Trace | Span):
            return None
        if shown == pattern:
            return FailedComparison([matched(shown, pattern, wrong=op == "!=")])
        said = mismatch_of(shown, pattern)
        return FailedComparison(said.lines(verbose), said.findings if op == "==" else ())
    if op not in {"in", "not in"} or not isinstance(left, Pattern):
        return None
    if not isinstance(right, Trace | CapturedTraces | SelectedTraces):
        return None
    traces = [right] if isinstance(right, Trace) else list(right)
    return _sought(left, traces, wanted=op == "in", verbose=verbose)


def _sought(pattern: Pattern, traces: list[Trace], *, wanted: bool, verbose: bool) -> FailedComparison:
    """Say where a pattern is, or why it is nowhere; `wanted` is whether it was to be somewhere."""
    those = [trace for trace in traces if pattern in trace]
    wrong = bool(those) is not wanted
    if those:
        told = [present_in(trace, pattern, wrong=wrong) for trace in those]
    else:
        told = [absent_in(trace, pattern) for trace in traces]
    findings = tuple(finding for each in told for finding in each.findings) if wrong else ()
    if len(told) == 1:
        return FailedComparison(told[0].lines(verbose), findings)
    most = len(told) if verbose else 3
    lines = [f"{short(pattern)} is in {len(those) or 'none'} of {len(traces)} traces"]
    for each in told[:most]:
        lines += ["", *each.lines(verbose)]
    lines += [f"... {len(told) - most} more traces, -vv shows all"] if len(told) > most else []
    return FailedComparison(lines, findings)


def _compared_with_baseline(left: object, right: object, *, verbose: bool) -> FailedComparison | None:
    trace, baseline = (left, right) if isinstance(right, TraceBaseline) else (right, left)
    if not isinstance(trace, Trace) or not isinstance(baseline, TraceBaseline):
        return None
    return FailedComparison(*baseline.explained(trace, verbose=verbose))


def is_verbose(config: pytest.Config) -> bool:
    """Return whether the user asked for all of it: `-vv`."""
    return config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS) >= 2
