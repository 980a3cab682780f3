"""What was asked of traces, asked again: a yes or no, without the reasons that a failure of a test would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.budgets.budget import Budget
from pytest_mlflow_traces.core.contracts import Contract, parts_of, seen_by
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.order.rule import Rule
from pytest_mlflow_traces.core.patterns.nodes import Pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.questions import Question
    from pytest_mlflow_traces.core.trace import Trace


def answer(question: Question, number: int, mutant: Trace) -> bool:
    """Return what a question comes to where another trace stands in one place, what was seen of it derived anew."""
    traces = list(question.traces)
    traces[number] = traces[number].seen_again(mutant)
    if question.kind == "is":
        return bool(traces[number] == question.expected)
    if question.kind == "in":
        return any(question.expected in trace for trace in traces)
    if question.kind == "calls":
        return bool(question.expected(traces[number]))
    is_strict = question.kind == "holds" and isinstance(question.expected, Contract)
    if is_strict and not any(map(question.expected.applies, [traces[number], *traces])):
        return False  # nothing passes on absence
    changed = [number] if question.answer else range(len(traces))  # what held of the others holds of them still
    return all(_holds(question.expected, traces[k], traces[:k] + traces[k + 1 :]) for k in changed)


def _holds(expectation: Any, trace: Trace, others: Sequence[Trace]) -> bool:
    """Return whether `verdicts` has nothing to say against a trace, and the others together with it."""
    if isinstance(expectation, Pattern):
        return bool(trace == expectation)
    if isinstance(expectation, Has):
        return expectation.pattern in trace
    if isinstance(expectation, Contract):
        return _contract_holds(expectation, trace, others)
    return not (expectation.check_all([trace, *others]) if _looks_at_all(expectation) else expectation.check(trace))


def _looks_at_all(expectation: Any) -> bool:
    """Return whether an expectation can say more of several traces than of each by itself."""
    if isinstance(expectation, Rule):
        return expectation.terms.per != "trace"
    return "p95_of" in expectation.said if isinstance(expectation, Budget) else hasattr(expectation, "check_all")


def _contract_holds(contract: Contract, trace: Trace, others: Sequence[Trace]) -> bool:
    parts = parts_of(contract)
    beside: list[Trace] = []
    if others and any(isinstance(each, Contract) or _looks_at_all(each) for each in parts):
        beside = [seen_by(contract, each) for each in others if contract.applies(each)]
    if contract.applies(trace):
        seen = seen_by(contract, trace)
        return all(_holds(each, seen, beside) for each in parts)
    # the others may have leant on it
    return not beside or all(_holds(each, beside[0], beside[1:]) for each in parts)
