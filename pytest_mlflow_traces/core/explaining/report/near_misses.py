"""The spans that come nearest to a pattern which nothing in the trace matches, and what each of them fails.

All spans are ranked at a glance: those with the name that is asked for, then those with a name much like it, then those
of the type; the first of them are aligned, and the cheapest are shown. O(spans) and a fixed number of alignments.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.align.aligner import Aligner
from pytest_mlflow_traces.core.explaining.align.costs import named
from pytest_mlflow_traces.core.explaining.align.differences import within
from pytest_mlflow_traces.core.explaining.align.edits import Aligned
from pytest_mlflow_traces.core.patterns.nodes import span_patterns_of

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern
    from pytest_mlflow_traces.core.spans.table import SpanTable

_ALIGNED = 40


def nearest_spans(
    table: SpanTable, matcher: Matcher, pattern: Pattern, most: int
) -> tuple[list[tuple[int, list[Edit]]], int]:
    """Return up to `most` spans that come near to the one-span `pattern`, each with what is different in it.

    Also how many others have the name that is asked for.
    """
    aligner = Aligner(table, matcher, pattern)
    found: list[tuple[float, int, SpanPattern]] = []
    namesakes: set[int] = set()
    for each in span_patterns_of(pattern):
        ranked = _ranked(table, each)
        namesakes.update(i for i in ranked if named(each, table.names[i]))
        for i in ranked[:_ALIGNED]:
            cost, _ = aligner.priced(each, i, float("inf"))
            found.append((cost, i, each))
    found.sort(key=lambda candidate: candidate[:2])
    told: dict[int, list[Edit]] = {}
    for _, i, each in found:
        if i not in told and len(told) < most:
            told[i] = within(aligner, Aligned(each, i))
    return list(told.items()), len(namesakes.difference(told))


def _ranked(table: SpanTable, pattern: SpanPattern) -> list[int]:
    """Return the spans that share the name with `pattern`, or else a name much like it, or else the type."""
    positions = range(len(table))
    namesakes = [i for i in positions if named(pattern, table.names[i])] if pattern.name is not None else []
    if namesakes:
        return namesakes
    if isinstance(pattern.name, str):
        near = set(get_close_matches(pattern.name, set(table.names), n=5, cutoff=0.6))
        if near:
            return [i for i in positions if table.names[i] in near]
        return []
    if isinstance(pattern.type, str):
        return [i for i in positions if table.types[i] == pattern.type]
    return list(positions)
