"""What an expectation has to say against traces: findings, and the text for a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.explanations import mismatch_of
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.order.rule import Rule
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.spans.records import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.report.annotated_tree import Marks
    from pytest_mlflow_traces.core.trace import Trace

__tracebackhide__ = True  # a failure points at the test, not in here

_LISTED = 20  # findings of one expectation in a message; the error carries all of them


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one expectation that does not hold says: findings, and the text for a person."""

    findings: tuple[Finding, ...]
    text: str
    marks: Marks | None = field(default=None, repr=False, compare=False)


def verdicts(traces: Sequence[Trace], expectation: Any) -> list[Verdict]:
    """Return what one expectation has to say against some traces; nothing, where it holds."""
    if not traces:
        return []
    if hasattr(expectation, "verdicts"):  # a contract
        return expectation.verdicts(traces)  # type: ignore[no-any-return]  # as Contract says
    if isinstance(expectation, Pattern | Has):
        if isinstance(expectation, Has):
            explanations = expectation.explained(traces)
        else:
            explanations = [mismatch_of(trace, expectation) for trace in traces if not trace == expectation]  # noqa: SIM201  # a pattern has no `!=`
        return [Verdict(said.findings, said.text(), said.marks) for said in explanations]
    check_all = getattr(expectation, "check_all", None)
    if isinstance(expectation, Rule) and expectation.terms.per == "trace":
        check_all = None  # so each finding stands below the name of its trace
    if check_all is not None:
        return _told(expectation, traces, check_all(traces))
    return [verdict for trace in traces for verdict in _told(expectation, [trace], expectation.check(trace))]


def broken_already(trace: Trace, expectation: Any) -> list[Verdict]:
    """Return what of an expectation a trace that has not ended breaks for good."""
    check_open = getattr(expectation, "check_open", None)
    if check_open is None:
        return []
    return _told(expectation, [trace], check_open(trace), ", which has not ended")


def _told(expectation: Any, traces: Sequence[Trace], said: Any, more: str = "") -> list[Verdict]:
    findings = list(said) if isinstance(said, Iterable) else [said]
    if not findings:
        return []
    if not all(isinstance(each, Finding) for each in findings):  # a check that forgets to return would always pass
        raise TypeError(f"the check of {expectation!r:.80} returned {said!r:.80}: return a list of findings, or []")
    lines = [f"  {finding}" for finding in findings[:_LISTED]]
    if len(findings) > _LISTED:
        lines.append(f"  ... {len(findings) - _LISTED} more findings")
    subject = f"trace {visible(traces[0].name)!r}" if len(traces) == 1 else f"{len(traces)} traces"
    return [Verdict(tuple(findings), "\n".join([f"{subject}{more}:", *lines]))]
