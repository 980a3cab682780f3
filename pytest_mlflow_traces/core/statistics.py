"""Percentiles of few numbers, by nearest rank: always a number that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.durations import NS_PER_MS
from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError

if TYPE_CHECKING:
    from collections.abc import Sequence

__tracebackhide__ = True  # a failure points at the test, not in here

ENOUGH_FOR_P95 = 20  # with fewer, the nearest rank of a p95 is the maximum under another name


def rank(percent: int, count: int) -> int:
    """Return where the percentile stands among `count` sorted numbers, from 0: the nearest rank, ceil(p * n)."""
    return -(-percent * count // 100) - 1


@dataclass(frozen=True, slots=True)
class LatencyStatistics:
    """State how long some spans took, in milliseconds; percentiles are by nearest rank.

    Made by `CapturedTraces.latency()`. There are no `count` of 0 and no unfinished spans: these were refused.
    """

    samples_ns: tuple[int, ...]
    what: str = "spans"

    @classmethod
    def of(cls, samples_ns: Sequence[int], what: str) -> LatencyStatistics:
        """Make it of durations in any order; `what` names the spans in errors."""
        return cls(tuple(sorted(samples_ns)), what)

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
            text = f"a p95 takes at least {ENOUGH_FOR_P95} samples, got {self.count} of {self.what}: run it more often"
            expected = f"at least {ENOUGH_FOR_P95} samples for a p95"
            raise TraceAssertionError(text, [Finding("budget.samples", self.what, expected, str(self.count))])
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
