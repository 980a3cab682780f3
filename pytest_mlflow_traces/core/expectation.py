"""What every expectation is: something that turns a trace into findings."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_mlflow_traces.core.explanations import absent_in
from pytest_mlflow_traces.core.order.rule import Rule, refuse_unsaid
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.explain import Explanation
    from pytest_mlflow_traces.core.findings import Finding

__tracebackhide__ = True  # a failure points at the test, not in here


@runtime_checkable
class Expectation(Protocol):
    """What turns a trace into a list of findings; an empty list means that it holds.

    One that can say more of several traces than of each by itself (a percentile, for instance) also has
    `check_all(traces)`, which is then asked once instead. One that a trace can break before it has ended, for good,
    has `check_open(trace)`, which is asked of the traces of a capture that have not.

    >>> import mlflow
    >>> from pytest_mlflow_traces import Finding, assert_trace, capture_traces
    >>> class Shallow:
    ...     def check(self, trace):
    ...         deep = [span for span in trace.spans if span.depth > 3]
    ...         return [Finding("shape.deep", span.path, expected="at most 3 above") for span in deep]
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     pass
    >>> Shallow().check(traces.one())
    []
    >>> assert_trace(traces, Shallow())
    """

    def check(self, trace: Trace) -> list[Finding]:
        """Return every way in which `trace` is not what is expected."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Has:
    """The expectation that some span of a trace matches: what `has` says in a contract file."""

    pattern: Pattern

    def __repr__(self) -> str:
        return f"has({self.pattern!r})"

    def check(self, trace: Trace) -> list[Finding]:
        """Return what is missing, if it is."""
        return [finding for said in self.explained([trace]) for finding in said.findings]

    def explained(self, traces: Sequence[Trace]) -> list[Explanation]:
        """Return why those of the traces in which nothing matches have it not."""
        return [absent_in(trace, self.pattern) for trace in traces if self.pattern not in trace]


def checked_expectation(value: Any) -> Any:
    """Return `value` where it is an expectation; raise a TypeError that says what is one otherwise."""
    if isinstance(value, Pattern):
        return value
    check = getattr(value, "check", None)
    if not callable(check):
        cure = f": write span({value!r})" if isinstance(value, str) else ""
        cure = f": write Contract.read({str(value)!r})" if is_contract_file(value) else cure
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


def is_contract_file(given: object) -> bool:
    """Return whether `given` names a contract file: a path, or text that ends as the name of one."""
    return isinstance(given, os.PathLike) or (isinstance(given, str) and given.endswith(".toml"))
