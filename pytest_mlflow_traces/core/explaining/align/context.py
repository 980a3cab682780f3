"""What every part of an alignment knows: the trace, the matcher, what differences cost, and how much was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.patterns.nodes import SpanPattern, span_patterns_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_mlflow_traces.core.explaining.align.costs import Costs
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable

# what does this span cost as that pattern, as far as it is below this limit? Whoever runs the generator answers
Question: TypeAlias = "tuple[SpanPattern, int, float]"

POINTS = 60_000


@dataclass(slots=True)
class Context:
    """What the alignment of one pattern with one trace stands on."""

    table: SpanTable
    matcher: Matcher
    costs: Costs
    work: int = 0  # points of all searches so far

    @property
    def is_hurried(self) -> bool:
        """Whether so much has been looked at that the rest is to come to an end."""
        return self.work > POINTS


def price(unit: Pattern, i: int, limit: float) -> Generator[Question, float, tuple[float, SpanPattern]]:
    """Return what the span at `i` costs as `unit`, and as which of its alternatives."""
    first, *others = span_patterns_of(unit)
    best = (yield first, i, limit), first
    for each in others:
        cost = yield each, i, min(limit, best[0])
        if cost < best[0]:
            best = cost, each
    return best
