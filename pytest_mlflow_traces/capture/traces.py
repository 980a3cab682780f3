"""What one capture collected: a sequence of finished traces, and what it says when that is not what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, overload

from pytest_mlflow_traces.capture.selection import (
    SelectedTraces,
    checked_criteria,
    empty,
    found_in,
    holds,
    is_in,
    meant,
    refuse_pattern,
    slice_text,
)
from pytest_mlflow_traces.core.budgets.latency import LatencyStatistics
from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.patterns.constructors import checked_one_span
from pytest_mlflow_traces.core.patterns.operands import UNSAID, Unsaid
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import capped, counted
from pytest_mlflow_traces.core.trace import Span, Trace

if TYPE_CHECKING:
    import re

    from pytest_mlflow_traces.capture.install import InstalledCapture
    from pytest_mlflow_traces.core.patterns.nodes import Pattern

__tracebackhide__ = True  # a failure points at the test, not in here

_LISTED = 20  # traces or spans, in a message


class CapturedTraces(Sequence[Trace]):
    """The finished traces of one capture in the order in which they started.

    Traces whose root has not ended, or has ended before one of its children, are not among them: `in_progress` has
    them as they are now, and `unfinished` their open spans. `in` looks into those, too: what ran there, ran.

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
    >>> traces.unfinished, traces.open_runs, traces.lost
    ((), (), ())
    >>> traces.clear()
    >>> len(traces), len(traces.with_cleared())
    (0, 2)
    """

    def __init__(self, capture: InstalledCapture, *, with_cleared: bool = False) -> None:
        self._capture = capture
        self._with_cleared = with_cleared

    def with_cleared(self) -> CapturedTraces:
        """Return all of the same capture, what `clear()` has hidden among them."""
        return CapturedTraces(self._capture, with_cleared=True)

    def _finished(self) -> tuple[Trace, ...]:
        return self._capture.log.traces(with_cleared=self._with_cleared)

    @property
    def in_progress(self) -> tuple[Trace, ...]:
        """The traces of which spans have not ended, as they are now.

        >>> import mlflow
        >>> from pytest_mlflow_traces import capture_traces, span
        >>> with capture_traces() as traces, mlflow.start_span("stream"):
        ...     with mlflow.start_span("delete_table"):
        ...         pass
        ...     len(traces), [trace.name for trace in traces.in_progress], span("delete_table") in traces
        (0, ['stream'], True)
        """
        return tuple(self._capture.open_traces())

    @property
    def unfinished(self) -> tuple[Span, ...]:
        """The spans that have not ended."""
        return tuple(span for trace in self.in_progress for span in trace.spans if span.end_ns is None)

    @property
    def open_runs(self) -> tuple[str, ...]:
        """The names of the MLflow runs that were started and not ended: every later trace is linked to them."""
        return tuple(self._capture.open_runs())

    @property
    def lost(self) -> tuple[Finding, ...]:
        """What was traced meanwhile and is in no capture, with why: what an earlier test left running, for instance."""
        return tuple(self._capture.lost())

    def one(self, **where: Any) -> Trace:
        """Return the one trace there is, or the one of which all of `where` holds.

        Args:
            **where: What `where()` takes.

        Raises:
            TraceAssertionError: where there is not exactly one, saying why or listing what there is.
        """
        found = self.where(**where) if where else self._finished()
        if len(found) == 1:
            return found[0]
        asked = f" with {', '.join(f'{key}={value!r}' for key, value in where.items())}" if where else ""
        if not self._finished():
            self.fail_empty(f"expected one trace{asked}")
        actual = f"{len(found)} traces" if found else "no such trace"
        rule = "capture.several" if found else "capture.missing"
        finding = Finding(rule, "this capture", expected=f"one trace{asked}", actual=actual)
        hint = ""
        if not found:
            hint = f"{self._not_among_them()}{meant(self, where)}"
        elif not where:
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
        """Return the traces of which all that is said holds, in start order.

        Values compare with `==`; a compiled regex stands for the texts that it matches all of. A pattern is in what is
        returned where it is anywhere in one of these traces; where there is none, to ask is an error.

        Args:
            name: The trace's name.
            session_id: The session; `None` for the traces without one.
            user_id: The user; `None` for the traces without one.
            status: "OK", "ERROR" or "IN_PROGRESS".
            tags: What each named tag equals; an absent tag is not `None`.

        Raises:
            TypeError: for an unknown keyword, for none at all, or for a value that no trace can have.
            ValueError: for a status that does not exist, or for no tags.
        """
        given = {"name": name, "session_id": session_id, "user_id": user_id, "status": status, "tags": tags}
        said = checked_criteria({**given, **unknown})
        found, in_progress = (
            [trace for trace in traces if holds(trace, said)] for traces in (self._finished(), self.in_progress)
        )
        asked = ", ".join(f"{key}={value!r}" for key, value in said.items())
        return SelectedTraces.of(found, f"where({asked})", lambda: self._why_none(said), in_progress)

    def clear(self) -> None:
        """Hide the traces that have finished so far, from here and from MLflow's own searches.

        What is asked of the test as a whole goes for them all the same: its marker, the contracts of the suite, and
        what is saved and reported of it.
        """
        self._capture.log.clear()

    def __len__(self) -> int:
        return len(self._finished())

    @overload
    def __getitem__(self, index: int) -> Trace: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Trace, ...]: ...
    def __getitem__(self, index: int | slice) -> Trace | tuple[Trace, ...]:
        traces = self._finished()
        if isinstance(index, int) and not -len(traces) <= index < len(traces):
            if not traces:
                self.fail_empty(f"expected a trace at [{index}]")
            raise IndexError(f"no trace at [{index}]; there are {len(traces)}:\n{self.listing()}")
        if isinstance(index, slice):
            return SelectedTraces.of(traces[index], slice_text(index), self._why_none)
        return traces[index]

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._finished())

    def __contains__(self, pattern: object) -> bool:
        return is_in(pattern, self, self.in_progress, self.fail_empty)

    def __eq__(self, other: object) -> bool:
        refuse_pattern(other, "mlflow_traces")
        return True if self is other else NotImplemented  # a baseline refuses it, with the cure

    __hash__ = object.__hash__

    def find(self, pattern: Pattern) -> tuple[Span, ...]:
        """Return the spans that match, of all traces, and last those of the ones that have not ended.

        Raises:
            TypeError: for anything but a pattern of one span.
            TraceAssertionError: where nothing was captured.
        """
        return found_in(pattern, "find()", self, self.in_progress, self.fail_empty)

    def count(self, pattern: object) -> int:
        """Return how many spans match, in all traces, those that have not ended too; of a trace, how often it is there.

        >>> import mlflow
        >>> from pytest_mlflow_traces import capture_traces, span
        >>> with capture_traces() as traces:
        ...     for _ in range(2):
        ...         with mlflow.start_span("agent"), mlflow.start_span("search"):
        ...             pass
        >>> traces.count(span("search")), traces.count(span("delete_table"))
        (2, 0)

        Raises:
            TypeError: for anything else.
            TraceAssertionError: where nothing was captured.
        """
        if isinstance(pattern, Trace):
            return super().count(pattern)
        return len(found_in(pattern, "count()", self, self.in_progress, self.fail_empty))

    def latency(self, pattern: Pattern) -> LatencyStatistics:
        """Return how long the spans that match took, in all traces together: count, min, median, p95 and max.

        Raises:
            TraceAssertionError: for no such span, one that never ended or that ended before it started.
        """
        checked = checked_one_span(pattern, "latency()")
        traces = self._finished()
        if not traces:
            self.fail_empty(f"expected spans like {checked!r}")
        return LatencyStatistics.of(traces, checked)

    def fail_empty(self, what: str) -> NoReturn:
        """Raise the error that says why nothing was captured."""
        rule, reason = self._why_empty()
        raise empty(rule, what, reason)

    def fail_lost(self, what: str) -> None:
        """Raise the error that says why what was traced is not here, if it was: no capture of nothing shows that."""
        lost = self._why_lost()
        if lost is not None:
            raise empty(lost[0], what, lost[1])

    def _why_lost(self) -> tuple[str, str] | None:
        reason = self._capture.why_bypassed()
        if reason is not None:
            return "capture.bypassed", reason
        if self.unfinished:
            return "capture.unfinished", f"these spans never ended:{self._unfinished_paths()}"
        return None

    def _why_empty(self) -> tuple[str, str]:
        reason = "nothing was traced: the code under test started no MLflow span"
        if self._capture.log.was_cleared:
            reason = "nothing was traced since clear()"
        return self._why_lost() or ("capture.empty", reason)

    def _why_none(self, said: Mapping[str, Any] = MappingProxyType({})) -> tuple[str, str]:
        """Say why none of the traces is what was asked for."""
        if not self._finished():
            return self._why_empty()
        return (
            "capture.missing",
            f"no captured trace is that:\n{self.listing()}{self._not_among_them()}{meant(self, said)}",
        )

    def listing(self) -> str:
        """Return a line for each trace: its place, name, status, size, id and session; and which lost its context."""
        return self._listed() + _stray(list(self))

    def _listed(self, some: Sequence[Trace] | None = None) -> str:
        numbered = [(number, trace) for number, trace in enumerate(self) if some is None or trace in some]
        lines = []
        for number, trace in numbered:
            size = counted(len(trace.table), "span")
            session = "" if trace.session_id is None else f"  session {visible(str(trace.session_id))}"
            lines.append(f"  [{number}] {visible(trace.name)}  {trace.status}  {size}  {trace.id}{session}")
        return "\n".join(capped(lines, _LISTED, "  ... {} more"))

    def _not_among_them(self) -> str:
        if not self.unfinished:
            return ""
        return f"\nnot among them, since these spans never ended:{self._unfinished_paths()}"

    def _unfinished_paths(self) -> str:
        return "".join(capped([f"\n  {span.path}" for span in self.unfinished], _LISTED, "\n  ... {} more"))

    def __repr__(self) -> str:
        return f"<CapturedTraces {counted(len(self), 'trace')}>" + (f"\n{self._listed()}" if len(self) else "")


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
