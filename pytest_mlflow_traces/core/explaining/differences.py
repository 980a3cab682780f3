"""Everything that is different between a pattern and a trace: pairs are aligned from the top, one list at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.aligning import Aligner
from pytest_mlflow_traces.core.explaining.edits import Aligned, Different
from pytest_mlflow_traces.core.explaining.moves import with_moves
from pytest_mlflow_traces.core.nodes import SpanPattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.edits import Edit
    from pytest_mlflow_traces.core.forest import Forest
    from pytest_mlflow_traces.core.matching import Matcher
    from pytest_mlflow_traces.core.nodes import Pattern


def differences(forest: Forest, matcher: Matcher, pattern: Pattern, spans: Sequence[int]) -> list[Edit]:
    """Return what is different between `pattern` and the siblings at `spans`."""
    aligner = Aligner(forest, matcher, pattern)
    first, stop = spans[0], forest.stops[spans[-1]]
    if len(spans) == 1 and isinstance(pattern, SpanPattern) and _agree(aligner, pattern, first):
        return within(aligner, Aligned(pattern, first))
    edits = aligner.aligned((pattern,), forest.parents[first], first, stop)
    return with_moves(_resolved(edits, aligner), forest, matcher)


def _agree(aligner: Aligner, pattern: SpanPattern, i: int) -> bool:
    return pattern.name == aligner.forest.names[i] and aligner.costs.own(pattern, i) == 0.0


def within(aligner: Aligner, pair: Aligned) -> list[Edit]:
    """Return what is different in one span that is to stand for one pattern."""
    return with_moves(_resolved([pair], aligner), aligner.forest, aligner.matcher)


def _resolved(edits: list[Edit], aligner: Aligner) -> list[Edit]:
    found: list[Edit] = []
    todo = edits[::-1]
    while todo:
        edit = todo.pop()
        if not isinstance(edit, Aligned):
            found.append(edit)
            continue
        pattern, i = edit.pattern, edit.span
        fields = tuple(aligner.matcher.local_failures(pattern, i))
        below = aligner.below(pattern, i) if pattern.children is not None else []
        if fields or not below:
            found.append(Different(pattern, i, fields))
        todo.extend(reversed(below))
    return found
