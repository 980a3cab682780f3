"""What the structure of a trace settles: of thousands of stored traces that are alike in it, the first alone is asked.

Patterns and rules that look at nothing else hold of all these traces where they hold of one. What does not hold is
asked of each, since each has its own story to tell.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.budgets.budget import Budget, without_settled_counts
from pytest_mlflow_traces.core.contracts import Contract, narrowed, parts_of, seen_by
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.matching import matcher
from pytest_mlflow_traces.core.order.rule import Rule
from pytest_mlflow_traces.core.patterns.nodes import Pattern, asks_structure_alone
from pytest_mlflow_traces.core.verdicts import verdicts

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.trace import Trace


def left_of(expectation: Any, trace: Trace) -> Any | None:
    """Return what of an expectation is to be asked of a trace, `None` where its structure has settled all."""
    answers, key = trace.table.answers, ("left", id(expectation))
    if answers is None:
        return expectation
    if key not in answers:
        trace.table.keep(key, expectation, _left(expectation, trace))
    return answers[key][1]


def applies_by_structure(contract: Contract) -> bool:
    """Return whether the structure of a trace alone decides if a contract has a say about it."""
    asked = [*contract.only, *([] if contract.applies_to is None else [contract.applies_to])]
    parts = parts_of(contract)
    inner = parts if all(isinstance(each, Contract) for each in parts) else ()
    return all(map(asks_structure_alone, asked)) and all(map(applies_by_structure, inner))


def _left(expectation: Any, trace: Trace) -> Any | None:
    if isinstance(expectation, Budget):
        return without_settled_counts(expectation, trace)
    if not isinstance(expectation, Contract):
        return None if _looks_at_structure(expectation, trace) and _holds(expectation, trace) else expectation
    if not all(map(asks_structure_alone, expectation.only)):
        return expectation
    seen, parts = seen_by(expectation, trace), parts_of(expectation)
    left = [_left(each, seen) for each in parts]
    return expectation if all(map(is_, left, parts)) else narrowed(expectation, left)


def _looks_at_structure(expectation: Any, trace: Trace) -> bool:
    if isinstance(expectation, Pattern):
        return asks_structure_alone(expectation)
    if isinstance(expectation, Has):
        return asks_structure_alone(expectation.pattern)
    if not isinstance(expectation, Rule) or expectation.terms.per != "trace":
        return False
    terms = expectation.terms
    patterns = [each for each in (terms.pattern, terms.other) if each is not None]
    if not terms.same and terms.relation in (None, "inside"):
        return all(map(asks_structure_alone, patterns))
    # before and after are matters of time, but not for spans that are not there
    return asks_structure_alone(terms.pattern) and not matcher.find(trace.table, terms.pattern)


def _holds(expectation: Any, trace: Trace) -> bool:
    try:
        return not verdicts([trace], expectation)
    except matcher.PatternTooComplexError:  # for whoever asks it of a trace
        return False
