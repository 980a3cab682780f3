"""What one capture collected: a sequence of finished traces, and what it says when that is not what was asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, overload

from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.nodes import Pattern
from pytest_mlflow_traces.core.operands import UNSAID, Unsaid
from pytest_mlflow_traces.core.patterns import checked_one_span
from pytest_mlflow_traces.core.spans import visible
from pytest_mlflow_traces.core.spelling import listed, nearest, unknown_keywords
from pytest_mlflow_traces.core.statistics import LatencyStatistics
from pytest_mlflow_traces.core.tree import Span, Trace

if TYPE_CHECKING:
    from pytest_mlflow_traces._trace_log import TraceLog

__tracebackhide__ = True  # a failure points at the test, not in here

_STATES = ("OK", "ERROR", "IN_PROGRESS")
_LISTED = 20  # traces or spans, in a message
_CRITERIA = ("name", "session_id", "user_id", "status", "tags")


class CapturedTraces(Sequence[Trace]):
    """Show the finished traces of one capture in the order in which they started.

    Traces whose root has not ended, or has ended before one of its children, are not among them: `unfinished` has
    their open spans.

    >>> import mlflow
    >>> from pytest_mlflow_traces import capture_traces, span
    >>> with capture_traces() as traces:
    ...     for name in ("plan", "answer"):
    ...         with mlflow.start_span(name):
    ...             pass
    >>> [trace.name for trace in traces], traces.one(name="plan").status
    (['plan', 'answer'], 'OK')
    >>> span("delete_table") in traces
    False
    >>> traces.unfinished, traces.open_runs
    ((), ())
    >>> traces.clear()
    >>> len(traces)
    0
    """

    def __init__(
        self,
        log: TraceLog,
        *,
        open_traces: Callable[[], list[Trace]],
        open_runs: Callable[[], list[str]],
        bypass: Callable[[], str | None],
    ) -> None:
        self._log = log
        self._open_traces = open_traces
        self._open_runs = open_runs
        self._bypass = bypass

    @property
    def unfinished(self) -> tuple[Span, ...]:
        """The spans that have not ended."""
        return tuple(span for trace in self._open_traces() for span in trace.spans if span.end_ns is None)

    @property
    def open_runs(self) -> tuple[str, ...]:
        """The names of the MLflow runs that were started and not ended: every later trace is linked to them."""
        return tuple(self._open_runs())

    def one(self, **where: Any) -> Trace:
        """Return the one trace there is, or the one of which all of `where` holds.

        Args:
            **where: What `where()` takes.

        Raises:
            TraceAssertionError: where there is not exactly one, saying why or listing what there is.
        """
        found = self.where(**where) if where else self._log.traces()
        if len(found) == 1:
            return found[0]
        asked = f" with {', '.join(f'{key}={value!r}' for key, value in where.items())}" if where else ""
        if not len(self._log):
            self.fail_empty(f"expected one trace{asked}")
        actual = f"{len(found)} traces" if found else "no such trace"
        rule = "capture.several" if found else "capture.missing"
        finding = Finding(rule, "this capture", expected=f"one trace{asked}", actual=actual)
        hint = ""
        if not found and self.unfinished:
            hint = f"\nnot among them, since these spans never ended:{self._unfinished_paths()}"
        elif found and not where:
            hint = f"{_stray(found)}\nname the one you mean: one(name=...), or iterate"
        shown = self._listed(found or None)
        raise TraceAssertionError(f"expected one trace{asked}, got {actual}:\n{shown}{hint}", [finding])

    def where(
        self,
        *,
        name: str | re.Pattern[str] | Unsaid = UNSAID,
        session_id: object = UNSAID,
        user_id: object = UNSAID,
        status: str | Unsaid = UNSAID,
        tags: Mapping[str, object] | Unsaid = UNSAID,
        **unknown: Any,
    ) -> tuple[Trace, ...]:
        """Return the traces of which all that is said holds, in start order; values compare with `==`.

        Args:
            name: The trace's name, or a compiled regex that matches all of it.
            session_id: The session; `None` for the traces without one.
            user_id: The user; `None` for the traces without one.
            status: "OK", "ERROR" or "IN_PROGRESS".
            tags: What each named tag equals; an absent tag is not `None`.

        Raises:
            TypeError: for an unknown keyword, or for none at all.
            ValueError: for a status that does not exist, or for no tags.
        """
        if unknown:
            raise unknown_keywords("where()", unknown, _CRITERIA)
        said: dict[str, object] = {
            "name": name,
            "session_id": session_id,
            "user_id": user_id,
            "status": status,
            "tags": tags,
        }
        if all(value is UNSAID for value in said.values()):
            raise TypeError(f"where() takes at least one of {listed(_CRITERIA)}; for all traces, iterate")
        if isinstance(status, str) and status not in _STATES:
            raise ValueError(f"where(): unknown status {status!r} (legal: {listed(_STATES)}){nearest(status, _STATES)}")
        wanted = said["tags"]
        if wanted is not UNSAID and not (isinstance(wanted, Mapping) and wanted):
            raise ValueError(f"where(): tags maps names to values, got {wanted!r}")
        return tuple(trace for trace in self._log.traces() if _holds(trace, said))

    def clear(self) -> None:
        """Drop the finished traces, here and from what MLflow's own searches find."""
        self._log.clear()

    def __len__(self) -> int:
        return len(self._log)

    @overload
    def __getitem__(self, index: int) -> Trace: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Trace, ...]: ...
    def __getitem__(self, index: int | slice) -> Trace | tuple[Trace, ...]:
        traces = self._log.traces()
        if isinstance(index, int) and not -len(traces) <= index < len(traces):
            if not traces:
                self.fail_empty(f"expected a trace at [{index}]")
            raise IndexError(f"no trace at [{index}]; there are {len(traces)}:\n{self.listing()}")
        return traces[index]

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._log.traces())

    def __contains__(self, pattern: object) -> bool:
        """Return whether any span of any trace matches; of no trace that is an error, else `not in` passes falsely."""
        if isinstance(pattern, Trace):
            return any(trace is pattern for trace in self._log.traces())
        checked = checked_one_span(pattern, "`in`")
        traces = self._log.traces()
        if not traces:
            self.fail_empty(f"looked for {checked!r}")
        return any(checked in trace for trace in traces)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Pattern):
            raise TypeError("compare one trace: mlflow_traces.one() == pattern; or ask pattern in mlflow_traces")
        return True if self is other else NotImplemented  # a baseline refuses it, with the cure

    __hash__ = object.__hash__

    def count(self, value: object) -> int:
        """Return how often a trace is there; for spans, ask each trace.

        Raises:
            TypeError: for a pattern.
        """
        if isinstance(value, Pattern):
            raise TypeError("count spans trace by trace: sum(trace.count(pattern) for trace in mlflow_traces)")
        return super().count(value)

    def latency(self, pattern: Pattern) -> LatencyStatistics:
        """Return how long the spans that match took, in all traces together: count, min, median, p95 and max.

        Raises:
            TraceAssertionError: for no such span, one that never ended or that ended before it started.
        """
        checked = checked_one_span(pattern, "latency()")
        traces = self._log.traces()
        if not traces:
            self.fail_empty(f"expected spans like {checked!r}")
        return LatencyStatistics.of(traces, checked)

    def fail_empty(self, what: str) -> NoReturn:
        """Raise the error that says why nothing was captured."""
        self.fail_lost(what)
        reason = "nothing was traced: the code under test started no MLflow span"
        if self._log.was_cleared:
            reason = "nothing was traced since clear()"
        raise _empty("capture.empty", what, reason)

    def fail_lost(self, what: str) -> None:
        """Raise the error that says why what was traced is not here, if it was: no capture of nothing shows that."""
        reason = self._bypass()
        if reason is not None:
            raise _empty("capture.bypassed", what, reason)
        if self.unfinished:
            raise _empty("capture.unfinished", what, f"these spans never ended:{self._unfinished_paths()}")

    def listing(self) -> str:
        """Return a line for each trace: its place, name, status, size, id and session; and which lost its context."""
        return self._listed() + _stray(list(self))

    def _listed(self, some: Sequence[Trace] | None = None) -> str:
        numbered = [(number, trace) for number, trace in enumerate(self) if some is None or trace in some]
        lines = []
        for number, trace in numbered[:_LISTED]:
            size = "1 span" if len(trace.forest) == 1 else f"{len(trace.forest)} spans"
            session = "" if trace.session_id is None else f"  session {visible(str(trace.session_id))}"
            lines.append(f"  [{number}] {visible(trace.name)}  {trace.status}  {size}  {trace.id}{session}")
        return "\n".join(lines) + (f"\n  ... {len(numbered) - _LISTED} more" if len(numbered) > _LISTED else "")

    def _unfinished_paths(self) -> str:
        spans = self.unfinished
        more = f"\n  ... {len(spans) - _LISTED} more" if len(spans) > _LISTED else ""
        return "".join(f"\n  {span.path}" for span in spans[:_LISTED]) + more

    def __repr__(self) -> str:
        count = len(self._log)
        return f"<CapturedTraces {count} {'trace' if count == 1 else 'traces'}>" + (
            f"\n{self._listed()}" if count else ""
        )


def _empty(rule: str, what: str, reason: str) -> TraceAssertionError:
    return TraceAssertionError(f"{what}, but {reason}", [Finding(rule, "this capture", expected=what, actual=reason)])


def _stray(traces: Sequence[Trace]) -> str:
    """Say which trace began while another ran: most often spans that should be part of it, and lost its context."""
    last, until = 0, 0  # of those so far, the one that ends last
    for number, trace in enumerate(traces):
        if trace.start_ns is not None and trace.start_ns < until:
            one, other = (f"[{i}] {visible(traces[i].name)}" for i in (number, last))
            return f"\n{one} began while {other} ran: if it is part of it, its thread or task did not get the context"
        end = max((span.end_ns or 0 for span in trace.roots), default=0)
        last, until = (number, end) if end > until else (last, until)
    return ""


def _holds(trace: Trace, said: Mapping[str, Any]) -> bool:
    for key, expected in said.items():
        if expected is UNSAID:
            continue
        if key == "tags":
            if not all(name in trace.tags and trace.tags[name] == value for name, value in expected.items()):
                return False
        elif isinstance(expected, re.Pattern):
            actual = getattr(trace, key)
            if not isinstance(actual, str) or not expected.fullmatch(actual):
                return False
        elif not getattr(trace, key) == expected:  # noqa: SIM201  # `!=` need not be the opposite of a matcher's `==`
            return False
    return True
