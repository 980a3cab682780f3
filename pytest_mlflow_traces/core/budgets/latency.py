"""Percentiles of few numbers, by nearest rank: always a number that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.patterns.nodes import short
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.durations import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.trace import Trace

__tracebackhide__ = True  # a failure points at the test, not in here

ENOUGH_FOR_P95 = 20  # with fewer, the nearest rank of a p95 is the maximum under another name


def rank(percent: int, count: int) -> int:
    """Return where the percentile stands among `count` sorted numbers, from 0: the nearest rank, ceil(p * n)."""
    return -(-percent * count // 100) - 1


@dataclass(frozen=True, slots=True)
class LatencyStatistics:
    """How long some spans took, in milliseconds; percentiles are by nearest rank.

    Made by `CapturedTraces.latency()`, which refuses to measure nothing.

    >>> import mlflow, time
    >>> from pytest_mlflow_traces import capture_traces, span
    >>> from pytest_mlflow_traces.clock import virtual_time
    >>> with virtual_time(), capture_traces() as traces:
    ...     for seconds in (1, 2, 6):
    ...         with mlflow.start_span("search"):
    ...             time.sleep(seconds)
    >>> traces.latency(span("search"))
    <latency in ms: count=3, min=1000.0, median=2000.0, max=6000.0>
    """

    samples_ns: tuple[int, ...]
    what: str

    @classmethod
    def of(cls, traces: Sequence[Trace], pattern: Pattern) -> LatencyStatistics:
        """Measure the spans that match in all of `traces`.

        Raises:
            TraceAssertionError: for no such span, one that never ended, that ended before it started, or that waited in
                real time while time was virtual.
        """
        what = short(pattern)
        spans = [span for trace in traces for span in trace.find(pattern)]
        if not spans:
            names = ", ".join(dict.fromkeys(visible(trace.name) for trace in traces))
            many = counted(len(traces), "trace")
            text = f"no span in {many} is {what}: there is no latency to tell\nthe traces: {names:.200}"
            raise TraceAssertionError(text, [Finding("budget.absent", what, actual=f"no such span in {many}")])
        unfinished = [span for span in spans if span.end_ns is None]
        backwards = [span for span in spans if span.end_ns is not None and span.end_ns < span.start_ns]
        waiting = [
            span
            for trace in traces
            for span in trace.find(pattern)
            if trace.real_waits.get(trace.table.records[span._position].span_id)
        ]
        for rule, wrong, is_wrong in (
            ("budget.unfinished", unfinished, "never ended"),
            ("budget.latency", backwards, "ended before they started"),
            ("budget.real_time", waiting, "waited in real time, which virtual time leaves out"),
        ):
            if wrong:
                paths = "".join(f"\n  {span.path}" for span in wrong[:10])
                text = f"{len(wrong)} of {len(spans)} spans like {what} {is_wrong}:{paths}"
                raise TraceAssertionError(text, [Finding(rule, wrong[0].path, actual=is_wrong)])
        return cls(tuple(sorted(span.end_ns - span.start_ns for span in spans if span.end_ns is not None)), what)

    @property
    def count(self) -> int:
        """How many spans there were."""
        return len(self.samples_ns)

    @property
    def min(self) -> float:
        """The shortest."""
        return self.samples_ns[0] / NS_PER_MS

    @property
    def median(self) -> float:
        """The one in the middle; of an even number, the shorter of the two."""
        return self._percentile(50)

    @property
    def p95(self) -> float:
        """The one that at most 5 % exceed.

        Raises:
            TraceAssertionError: for fewer than 20 spans, of which it would be the maximum.
        """
        if self.count < ENOUGH_FOR_P95:
            expected = f"at least {ENOUGH_FOR_P95} samples for a p95"
            finding = Finding("budget.samples", self.what, expected, str(self.count), "of fewer it is the maximum")
            raise TraceAssertionError(f"expected {expected} of {self.what}, got {self.count}", [finding])
        return self._percentile(95)

    @property
    def max(self) -> float:
        """The longest."""
        return self.samples_ns[-1] / NS_PER_MS

    def _percentile(self, percent: int) -> float:
        return self.samples_ns[rank(percent, self.count)] / NS_PER_MS

    def __repr__(self) -> str:
        p95 = f", p95={self.p95}" if self.count >= ENOUGH_FOR_P95 else ""
        return f"<latency in ms: count={self.count}, min={self.min}, median={self.median}{p95}, max={self.max}>"
