"""What every expectation is: something that turns a trace into findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.trace import Trace


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
