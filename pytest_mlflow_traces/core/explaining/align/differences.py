"""Everything that is different between a pattern and a trace: pairs are aligned from the top, one list at a time.

What is found is told as few differences as can be. Where there are several, and looking again is cheap, some things are
taken for granted one after the other: that every span counts as much as any other, which is the tree edit distance,
that no span is wrapped around others or gone from around them, that what seems to be missing is the sibling of its
name, that a span has been moved from where the pattern has the like, that one is missing, or unexpected. The shortest
of the explanations is the one, of those as short the likeliest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.align.aligner import Aligner
from pytest_mlflow_traces.core.explaining.align.costs import Assumed
from pytest_mlflow_traces.core.explaining.align.edits import Aligned, Different, Missing, Moved, Unexpected, Unfit
from pytest_mlflow_traces.core.explaining.align.moves import is_whole, with_moves
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern, span_patterns_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable

_FEW = 8  # of more differences, another explanation would hardly make few
_LOOKED_AT = 5_000  # spans and points of searches that looking again may take
_SAME_KIND = 4  # places that one unexpected span may come from


def differences(table: SpanTable, matcher: Matcher, pattern: Pattern, spans: Sequence[int]) -> list[Edit]:
    """Return what is different between `pattern` and the siblings at `spans`."""
    aligner = Aligner(table, matcher, pattern)
    first = _aligned(aligner, pattern, spans)
    best = _shortest(first, aligner)
    spent = 0
    for least, assumed in _assumptions(first, best, aligner) if len(best) <= _FEW else ():
        spent += aligner.context.work + len(table)
        if spent > _LOOKED_AT or len(best) < least:
            break
        aligner = aligner.assuming(assumed)
        edits = _shortest(_aligned(aligner, pattern, spans), aligner)
        if _weight(edits, table) < _weight(best, table):
            best = edits
    return best


def _weight(edits: Sequence[Edit], table: SpanTable) -> int:
    """Count the differences; a span next to where one of its name is missing stands for all that is below the two.

    It is the span that seems to be missing: its siblings were opened below it, or what is below it has changed.
    """
    lost: dict[tuple[int, int, str], int] = {}
    for edit in edits:
        if isinstance(edit, Missing) and not edit.lifted:
            for each in span_patterns_of(edit.pattern):
                lost[edit.parent, edit.before, str(each.name)] = len(each.children or ())
    count = len(edits)
    for i in [edit.span for edit in edits if isinstance(edit, Unexpected)]:
        at = [(table.parents[i], before, table.names[i]) for before in (i, table.stops[i])]
        count += max((max(lost[each], len(table.children(i))) for each in at if each in lost), default=0)
    return count


def _shortest(edits: list[Edit], aligner: Aligner) -> list[Edit]:
    """Return `edits` with moves; what has changed below is told as moved, too, where that makes fewer of them."""
    table, matcher = aligner.context.table, aligner.context.matcher
    meant: list[tuple[Missing, Unexpected]] = []
    best = with_moves(edits, table, matcher)
    while 1 < len(best) <= _FEW:
        ways: list[tuple[int, int, list[Edit], list[Edit]]] = []
        pairs = _changed(edits, meant, aligner)
        for number, (lost, there) in enumerate(pairs):
            inside = aligner.below(lost.pattern, there.span) if isinstance(lost.pattern, SpanPattern) else []
            both = [*edits, *_resolved(inside, aligner)]
            told = with_moves(both, table, matcher, [*meant, (lost, there)])
            ways.append((_weight(told, table), number, told, both))
        if not ways or min(ways)[0] >= _weight(best, table):
            break
        _, number, best, edits = min(ways)
        meant.append(pairs[number])
    return best


def _changed(
    edits: Sequence[Edit], meant: Sequence[tuple[Missing, Unexpected]], aligner: Aligner
) -> list[tuple[Missing, Unexpected]]:
    """Return what is missing in one place and, by itself, unexpected in another, but for those that are `meant`."""
    gone = {id(edit) for pair in meant for edit in pair}
    rest = [edit for edit in edits if id(edit) not in gone]
    return [
        (lost, there)
        for lost in rest
        for there in rest
        if isinstance(lost, Missing)
        and isinstance(there, Unexpected)
        and is_whole(lost)
        and not there.wrapper
        and isinstance(lost.pattern, SpanPattern)
        and lost.pattern.children is not None
        and _agree(aligner, lost.pattern, there.span)
    ]


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


def _assumptions(edits: Sequence[Edit], told: Sequence[Edit], aligner: Aligner) -> Iterator[tuple[int, Assumed]]:
    """Yield what may be taken for granted, and of how many differences that may make fewer, `told` with moves."""
    table, matcher = aligner.context.table, aligner.context.matcher
    yield 2, Assumed(evenly=True)
    if any(isinstance(edit, Missing) and edit.lifted for edit in edits) or any(
        isinstance(edit, Unexpected) and edit.wrapper for edit in edits
    ):
        yield 2, Assumed(shells=False)
    yield from ((2, Assumed(shells=False, pair=pair)) for pair in _pairs(edits, told, aligner))
    parts: dict[str, list[SpanPattern]] = {}
    for each in aligner.context.costs.hashes.order[:-1]:
        if isinstance(each, SpanPattern) and isinstance(each.name, str):
            parts.setdefault(each.name, []).append(each)
    below = [i for i, parent in enumerate(table.parents) if parent >= 0]
    pairs = [(each, i) for i in below for each in parts.get(table.names[i], ())[:_SAME_KIND]]
    extra = {edit.span for edit in edits if isinstance(edit, Unexpected) and not edit.wrapper}
    yield from ((2, Assumed(each, i)) for each, i in pairs if i in extra and matcher.matches(each, i))
    yield from ((3, Assumed(each, i)) for each, i in pairs)
    yield from ((3, Assumed(each)) for same in parts.values() for each in same)
    yield from ((3, Assumed(span=i)) for i in below)


def _pairs(edits: Sequence[Edit], told: Sequence[Edit], aligner: Aligner) -> Iterator[tuple[SpanPattern, int]]:
    """Yield what is said to be missing with a sibling that says the same by itself and was taken for another.

    And, where something below it has been moved, with what is unexpected in its place.
    """
    table = aligner.context.table
    holders = {id(edit.holder) for edit in told if isinstance(edit, Moved)}
    lone = {edit.span for edit in edits if isinstance(edit, Unexpected) and not edit.wrapper}
    taken = {edit.span for edit in edits if isinstance(edit, Different | Unexpected)} - lone
    for edit in edits:
        if isinstance(edit, Missing) and isinstance(edit.pattern, SpanPattern):
            lost = edit.pattern
            beside = {i for i in lone if edit.before in (i, table.stops[i])} if id(lost) in holders else set()
            near = (i for i in sorted(taken | beside) if table.parents[i] == edit.parent)
            yield from ((lost, i) for i in near if i in beside or _agree(aligner, lost, i))


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
