"""What a failed `assert` on a trace prints: the explanation in place of two reprs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mlflow_traces.capture.selection import SelectedTraces
from pytest_mlflow_traces.capture.traces import CapturedTraces
from pytest_mlflow_traces.core.explanations import FailedComparison, absent_in, matched, mismatch_of, present_in
from pytest_mlflow_traces.core.patterns.nodes import Pattern, short
from pytest_mlflow_traces.core.questions import one_question
from pytest_mlflow_traces.core.trace import Span, Trace
from pytest_mlflow_traces.plugin.baseline import TraceBaseline

if TYPE_CHECKING:
    from collections.abc import Sequence

_SO_FAR = "this trace has not ended: that is how far it went"


@one_question()
def explained(config: pytest.Config, op: str, left: object, right: object) -> FailedComparison | None:
    """Explain a comparison of a trace, a span or a capture with a pattern; `None` for any other.

    pytest asks about comparisons that hold, too: those under `not`, and those beside one that failed in an `and`. So
    what is said goes by what is so, and what holds is not called wrong.
    """
    verbose = config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS) >= 2  # -vv: the user asked for all of it
    if op in {"in", "not in"}:
        if not isinstance(left, Pattern) or not isinstance(right, Trace | CapturedTraces | SelectedTraces):
            return None
        traces, in_progress = ([right], ()) if isinstance(right, Trace) else (list(right), right.in_progress)
        return _sought(left, traces, in_progress, wanted=op == "in", verbose=verbose)
    if op not in {"==", "!="}:
        return None
    shown, expected = (left, right) if isinstance(right, Pattern | TraceBaseline) else (right, left)
    if isinstance(expected, TraceBaseline) and isinstance(shown, Trace):
        return expected.explained(shown, verbose=verbose)
    if not isinstance(expected, Pattern) or not isinstance(shown, Trace | Span):
        return None
    if shown == expected:
        return FailedComparison([matched(shown, expected, wrong=op == "!=")])
    said = mismatch_of(shown, expected)
    wrong = op == "=="
    marks = (said.marks,) if wrong and said.marks is not None else ()
    return FailedComparison(said.lines(verbose), said.findings if wrong else (), marks)


def _sought(
    pattern: Pattern, finished: list[Trace], in_progress: Sequence[Trace], *, wanted: bool, verbose: bool
) -> FailedComparison:
    """Say where a pattern is, or why it is nowhere; `wanted` is whether it was to be somewhere."""
    traces = [*finished, *in_progress]
    those = [trace for trace in traces if pattern in trace]
    wrong = bool(those) is not wanted
    shown = those or traces
    said = [present_in(each, pattern, wrong=wrong) if those else absent_in(each, pattern) for each in shown]
    findings = tuple(finding for each in said for finding in each.findings) if wrong else ()
    marks = tuple(each.marks for each in said if each.marks is not None) if wrong else ()
    told = [
        [
            *each.lines(verbose),
            *([_SO_FAR] if trace in in_progress else []),
        ]
        for trace, each in zip(shown, said, strict=True)
    ]
    if len(told) == 1:
        return FailedComparison(told[0], findings, marks)
    lines = [f"{short(pattern)} is in {len(those) or 'none'} of {len(traces)} traces"]
    most = len(said) if verbose else 3
    for each in told[:most]:
        lines += ["", *each]
    lines += [f"... {len(said) - most} more traces, -vv shows all"] if len(said) > most else []
    return FailedComparison(lines, findings, marks)
