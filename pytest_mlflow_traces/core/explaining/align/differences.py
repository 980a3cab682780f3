"""Everything that is different between a pattern and a trace: pairs are aligned from the top, one list at a time.

What is found is told as few differences as can be. Where there are several, and looking again is cheap, some things are
taken for granted one after the other: that what is unexpected has been moved from where the pattern has the like, that
no span is wrapped around others or gone from around them, and that what seems to be missing is the sibling of its name.
The shortest of the explanations is the one; a wrapper that has the name of something missing makes one longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.align.aligner import Aligner
from pytest_mlflow_traces.core.explaining.align.costs import Assumed
from pytest_mlflow_traces.core.explaining.align.edits import Aligned, Different, Missing, Unexpected, Unfit
from pytest_mlflow_traces.core.explaining.align.moves import with_moves
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern, alternatives_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable

_AGAIN = 8  # as many other explanations are tried
_FEW = 8  # of more differences, another explanation would hardly make few
_LOOKED_AT = 5_000  # spans and points of searches that looking again may take
_SAME_KIND = 4  # places that one unexpected span may come from


def differences(table: SpanTable, matcher: Matcher, pattern: Pattern, spans: Sequence[int]) -> list[Edit]:
    """Return what is different between `pattern` and the siblings at `spans`."""
    aligner = Aligner(table, matcher, pattern)
    first = _aligned(aligner, pattern, spans)
    best = with_moves(first, table, matcher)
    spent = 0
    for assumed in _assumptions(first, aligner) if 1 < len(best) <= _FEW else ():
        spent += aligner.context.work + len(table)
        if spent > _LOOKED_AT or len(best) == 1:
            break
        aligner = Aligner(table, matcher, pattern, assumed)
        edits = with_moves(_aligned(aligner, pattern, spans), table, matcher)
        if _weight(edits, table) < _weight(best, table):
            best = edits
    return best


def _weight(edits: Sequence[Edit], table: SpanTable) -> int:
    """Count the differences; a wrapper that has the name of something missing stands for all that is below it.

    It is the span that seems to be missing, and its siblings were opened below it.
    """
    missing = [each for edit in edits if isinstance(edit, Missing) for each in alternatives_of(edit.pattern)]
    lost = {each.name for each in missing if isinstance(each, SpanPattern)}
    wrappers = [edit.span for edit in edits if isinstance(edit, Unexpected) and edit.wrapper]
    return len(edits) + sum(len(table.children(i)) for i in wrappers if table.names[i] in lost)


def within(aligner: Aligner, pair: Aligned) -> list[Edit]:
    """Return what is different in one span that is to stand for one pattern."""
    return with_moves(_resolved([pair], aligner), aligner.context.table, aligner.context.matcher)


def _aligned(aligner: Aligner, pattern: Pattern, spans: Sequence[int]) -> list[Edit]:
    table, first = aligner.context.table, spans[0]
    if len(spans) == 1 and isinstance(pattern, SpanPattern) and _agree(aligner, pattern, first):
        return _resolved([Aligned(pattern, first)], aligner)
    edits = aligner.aligned((pattern,), table.parents[first], first, table.stops[spans[-1]])
    return _resolved(edits, aligner) or [Unfit((pattern,), table.parents[first], first)]


def _agree(aligner: Aligner, pattern: SpanPattern, i: int) -> bool:
    return pattern.name == aligner.context.table.names[i] and aligner.context.costs.own(pattern, i) == 0.0


def _assumptions(edits: Sequence[Edit], aligner: Aligner) -> Iterator[Assumed]:
    count = 0
    if any(isinstance(edit, Missing) and edit.lifted for edit in edits) or any(
        isinstance(edit, Unexpected) and edit.wrapper for edit in edits
    ):
        yield Assumed(shells=False)
    yield from _namesakes(edits, aligner)
    parts: dict[str, list[SpanPattern]] = {}
    for each in aligner.context.costs.hashes.order:
        if isinstance(each, SpanPattern) and isinstance(each.name, str):
            parts.setdefault(each.name, []).append(each)
    for edit in edits:
        if isinstance(edit, Unexpected) and not edit.wrapper:
            same = [
                each
                for each in parts.get(aligner.context.table.names[edit.span], ())
                if aligner.context.matcher.matches(each, edit.span)
            ]
            for each in same[:_SAME_KIND]:
                count += 1
                if count > _AGAIN:
                    return
                yield Assumed(each, edit.span)


def _namesakes(edits: Sequence[Edit], aligner: Aligner) -> Iterator[Assumed]:
    """Pair what is said to be missing with a sibling that says the same by itself and was taken for another."""
    taken = {
        edit.span for edit in edits if isinstance(edit, Different) or (isinstance(edit, Unexpected) and edit.wrapper)
    }
    for edit in edits:
        if isinstance(edit, Missing) and isinstance(edit.pattern, SpanPattern):
            for i in sorted(taken):
                if aligner.context.table.parents[i] == edit.parent and _agree(aligner, edit.pattern, i):
                    yield Assumed(shells=False, pair=(edit.pattern, i))


def _resolved(edits: list[Edit], aligner: Aligner) -> list[Edit]:
    found: list[Edit] = []
    todo = edits[::-1]
    while todo:
        edit = todo.pop()
        if not isinstance(edit, Aligned):
            found.append(edit)
            continue
        pattern, i = edit.pattern, edit.span
        fields = tuple(aligner.context.matcher.local_failures(pattern, i))
        below = aligner.below(pattern, i) if pattern.children is not None else []
        if fields:
            found.append(Different(pattern, i, fields))
        elif not below:
            found.append(Unfit(pattern.children or (), i, i + 1))
        todo.extend(reversed(below))
    return found
