"""Expectations put to the test: one trace or many, one expectation or several, as findings or as one error."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.explanations import mismatch_of
from pytest_mlflow_traces.core.findings import NO_TRACE, Finding, TraceAssertionError
from pytest_mlflow_traces.core.order.rule import Rule, refuse_unsaid
from pytest_mlflow_traces.core.patterns.constructors import checked_one_span
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.suggestions import unknown_keywords
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.expectation import Expectation
    from pytest_mlflow_traces.core.explaining.report.annotated_tree import Marks

__tracebackhide__ = True

_LISTED = 20  # findings of one expectation in a message; the error carries all of them


@dataclass(frozen=True, slots=True, init=False)
class Contract:
    """Several expectations as one, for the traces whose tree contains `applies_to` (all, where that is `None`).

    A contract inside a contract has a say only about the traces that both apply to.

    >>> import mlflow
    >>> from pytest_mlflow_traces import Contract, capture_traces, span
    >>> answers = Contract("answers", span("agent")[..., span("guardrail"), ...], applies_to=span("agent"))
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     pass
    >>> answers.applies(traces.one())
    True
    >>> print(*answers.check(traces.one()))
    shape.missing at agent: expected span('guardrail')
    >>> answers.check_all(traces) == answers.check(traces.one())
    True

    Raises:
        TypeError: for what is not an expectation, or an `applies_to` that is not a pattern of one span.
        ValueError: for an empty name, or no expectations.
    """

    name: str
    expectations: tuple[Any, ...]
    applies_to: Pattern | None

    def __init__(
        self,
        name: str,
        *expectations: Pattern | Expectation | type,
        applies_to: Pattern | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise unknown_keywords("Contract()", unknown, ["applies_to"])
        if not isinstance(name, str):
            raise TypeError(f"Contract(): the first argument is its name, got {name!r:.80}")
        if not name.strip():
            raise ValueError("Contract(): the name is empty; reports call the contract by it")
        if not expectations:
            raise ValueError(f"Contract({name!r}) expects nothing: give it a pattern, a Budget or a TagSchema")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "expectations", tuple(checked_expectation(each) for each in expectations))
        checked = None if applies_to is None else checked_one_span(applies_to, "applies_to")
        object.__setattr__(self, "applies_to", checked)

    def applies(self, trace: Trace) -> bool:
        """Return whether this contract has a say about `trace`: not where no contract inside it has one."""
        return (self.applies_to is None or self.applies_to in trace) and any(
            not isinstance(each, Contract) or each.applies(trace) for each in self.expectations
        )

    def check(self, trace: Trace) -> list[Finding]:
        """Return the findings of all its expectations; none where it does not apply."""
        return self.check_all([trace])

    def check_all(self, traces: Sequence[Trace]) -> list[Finding]:
        """Return the findings of all its expectations on the traces that it applies to; no trace at all is one."""
        if not traces:
            return [NO_TRACE]
        return [finding for verdict in self.verdicts(traces) for finding in verdict.findings]

    def verdicts(self, traces: Sequence[Trace]) -> list[Verdict]:
        """Return what each of its expectations that does not hold has to say."""
        return verdicts_where_it_applies(self, [trace for trace in traces if self.applies(trace)])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one expectation that does not hold says: findings, and the text for a person."""

    findings: tuple[Finding, ...]
    text: str
    marks: Marks | None = field(default=None, repr=False, compare=False)


def checked_expectation(value: Any) -> Any:
    """Return `value` where it is an expectation; raise a TypeError that says what is one otherwise."""
    if isinstance(value, Pattern):
        return value
    check = getattr(value, "check", None)
    if not callable(check):
        cure = f": write span({value!r})" if isinstance(value, str) else ""
        cure = ": the traces come first, then what is expected of them" if isinstance(value, Trace) else cure
        raise TypeError(f"expected a pattern, Budget, TagSchema or Contract, got {value!r:.80}{cure}")
    if isinstance(value, type):
        if not inspect.ismethod(check):  # a method of its instances, not of the class
            raise TypeError(f"expected a {value.__name__}, got the class itself: call it")
    elif hasattr(value, "check_tags"):
        schema = type(value).__name__
        raise TypeError(f"expected the schema {schema} itself, got an instance: tags are compared with a schema")
    if isinstance(value, Rule):
        refuse_unsaid(value)
    return value


def split_by_scope(expectation: Any) -> tuple[Any | None, Any | None]:
    """Return what of an expectation looks at each trace by itself, and what at all of a session; `None` for nothing."""
    if not isinstance(expectation, Contract):
        is_per_session = isinstance(expectation, Rule) and expectation.terms.per == "session"
        return (None, expectation) if is_per_session else (expectation, None)
    halves = zip(*map(split_by_scope, expectation.expectations), strict=True)
    kept = ([each for each in half if each is not None] for half in halves)
    name, applies_to = expectation.name, expectation.applies_to
    alone, together = (Contract(name, *half, applies_to=applies_to) if half else None for half in kept)
    return alone, together


def check(traces: Any, *expectations: Pattern | Expectation | type) -> list[Finding]:
    """Return every finding of every expectation on one trace, or on each of several.

    No trace at all is a finding, and so is a contract that applies to none of them.

    Raises:
        TypeError: for no expectations, or for what is none.
    """
    return [finding for verdict in _judge(traces, expectations) for finding in verdict.findings]


def assert_trace(traces: Any, *expectations: Pattern | Expectation | type) -> None:
    """Assert that every expectation holds of one trace, or of each of several; works without pytest.

    Takes a `Trace`, MLflow's own trace, or any iterable of them, such as `mlflow_traces`.

    >>> from pytest_mlflow_traces import assert_trace, capture_traces, span
    >>> import mlflow
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     pass
    >>> assert_trace(traces, span("agent"))

    Raises:
        TraceAssertionError: with every finding of every expectation.
        TypeError: for no expectations, or for what is none.
    """
    verdicts = _judge(traces, expectations)
    if verdicts:
        raise error_of(verdicts)


def error_of(verdicts: Sequence[Verdict]) -> TraceAssertionError:
    """Return the error for what several expectations say."""
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    error = TraceAssertionError("\n\n".join(verdict.text for verdict in verdicts), findings)
    error._marks = tuple(verdict.marks for verdict in verdicts if verdict.marks is not None)
    return error


def _judge(given: Any, expectations: tuple[Any, ...]) -> list[Verdict]:
    if not expectations:
        raise TypeError("no expectation: give a pattern, a Budget, a TagSchema or a Contract to check")
    checked = [checked_expectation(each) for each in expectations]
    traces = _traces_of(given)
    if not traces:
        fail_empty = getattr(given, "fail_empty", None)
        if fail_empty is not None:  # a capture knows why it is empty
            try:
                fail_empty("expected at least one trace")
            except TraceAssertionError as error:
                return [Verdict(error.findings, str(error))]
        return [Verdict((NO_TRACE,), "expected at least one trace, got none: nothing passes on absence")]
    found: list[Verdict] = []
    for each in checked:
        if isinstance(each, Contract):
            applicable = [trace for trace in traces if each.applies(trace)]
            found += verdicts_where_it_applies(each, applicable) if applicable else [_unused(each, traces)]
        else:
            found += verdicts(traces, each)
    return found


def _unused(contract: Contract, traces: list[Trace]) -> Verdict:
    names = ", ".join(sorted({visible(trace.name) for trace in traces})[:5])
    text = f"contract {contract.name!r} applies to none of {len(traces)} trace(s) ({names}): no span matches"
    wanted = " or ".join(map(repr, dict.fromkeys(_wanted(contract, traces))))
    return Verdict((Finding("contract.unused", contract.name, wanted, "no such span"),), f"{text} {wanted}")


def _wanted(contract: Contract, traces: list[Trace]) -> list[Pattern]:
    """Return what the contract, or those inside it, looked for in vain."""
    asked = contract.applies_to
    left = [trace for trace in traces if asked is None or asked in trace]
    if asked is not None and not left:
        return [asked]
    return [each for inner in contract.expectations if isinstance(inner, Contract) for each in _wanted(inner, left)]


def verdicts(traces: Sequence[Trace], expectation: Any) -> list[Verdict]:
    """Return what one expectation has to say against some traces; nothing, where it holds."""
    if not traces:
        return []
    if isinstance(expectation, Contract):
        return expectation.verdicts(traces)
    if isinstance(expectation, Pattern):
        explanations = [mismatch_of(trace, expectation) for trace in traces if not trace == expectation]  # noqa: SIM201  # a pattern has no `!=`
        return [Verdict(said.findings, said.text(), said.marks) for said in explanations]
    check_all = getattr(expectation, "check_all", None)
    if isinstance(expectation, Rule) and expectation.terms.per == "trace":
        check_all = None  # so each finding stands below the name of its trace
    if check_all is not None:
        subject = _named(traces[0]) if len(traces) == 1 else f"{len(traces)} traces"
        return _told(expectation, subject, check_all(traces))
    return [verdict for trace in traces for verdict in _told(expectation, _named(trace), expectation.check(trace))]


def verdicts_where_it_applies(contract: Contract, traces: Sequence[Trace]) -> list[Verdict]:
    """Return what the expectations of a contract have to say against traces that it is known to apply to."""
    found = [verdict for each in contract.expectations for verdict in verdicts(traces, each)]
    return [replace(verdict, text=f"contract {contract.name!r}: {verdict.text}") for verdict in found]


def _told(expectation: Any, subject: str, said: Any) -> list[Verdict]:
    findings = list(said) if isinstance(said, Iterable) else [said]
    if not all(isinstance(each, Finding) for each in findings):  # a check that forgets to return would always pass
        raise TypeError(f"the check of {expectation!r:.80} returned {said!r:.80}: return a list of findings, or []")
    if not findings:
        return []
    lines = [f"  {finding}" for finding in findings[:_LISTED]]
    if len(findings) > _LISTED:
        lines.append(f"  ... {len(findings) - _LISTED} more findings")
    return [Verdict(tuple(findings), "\n".join([f"{subject}:", *lines]))]


def _named(trace: Trace) -> str:
    return f"trace {visible(trace.name)!r}"


def _traces_of(given: Any) -> list[Trace]:
    if isinstance(given, Trace):
        return [given]
    if hasattr(given, "info") and hasattr(given, "data"):
        return [Trace.from_mlflow(given)]
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise TypeError(f"expected a trace or several, got {given!r:.80}")
    return [each if isinstance(each, Trace) else Trace.from_mlflow(each) for each in given]
