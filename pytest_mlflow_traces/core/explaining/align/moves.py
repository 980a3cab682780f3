"""What is missing in one place and unexpected in another is the same thing, moved.

Each missing pattern, and each span pattern inside one, is compared with each unexpected span and the spans below it
that have its name; what matches is a pair, the largest first, those below one parent before others. Below the same
parent, the move is a matter of order. In O(missing x namesakes) questions to the matcher, up to a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.explaining.align.edits import Disordered, Displaced, Missing, Moved, Unexpected
from pytest_mlflow_traces.core.explaining.align.subtree_hashes import positions_in
from pytest_mlflow_traces.core.patterns.nodes import OneOf, Pattern, SpanPattern, alternatives_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.spans.table import SpanTable

_LOOKED_AT = 5_000  # spans and patterns inside what is unexpected and missing
_ASKED = 20_000  # pairs that the matcher is asked about


# a pattern, and the missing span that it belongs below
_Part: TypeAlias = "tuple[Pattern, SpanPattern | None]"
# how it ranks; what is missing, the part of it that is meant, what is unexpected if all of it is meant, and the span
_Candidate: TypeAlias = "tuple[tuple[bool, int, bool, int], Missing, _Part, Unexpected | None, int]"


def with_moves(
    edits: Sequence[Edit], table: SpanTable, matcher: Matcher, meant: Sequence[tuple[Missing, Unexpected]] = ()
) -> list[Edit]:
    """Return `edits` with each missing and unexpected pair that match told as one, and those that are `meant` to."""
    gone = {id(edit) for pair in meant for edit in pair}  # edits that are told as part of a move
    missing = [edit for edit in edits if isinstance(edit, Missing) and is_whole(edit) and id(edit) not in gone]
    unexpected = [edit for edit in edits if isinstance(edit, Unexpected) and not edit.wrapper and id(edit) not in gone]
    taken: list[int] = []  # the spans that a move is about
    found: list[tuple[Missing, _Part, int]] = [(lost, (lost.pattern, lost.holder), there.span) for lost, there in meant]
    for _, edit, part, home, i in _candidates(missing, unexpected, table, matcher):
        if id(edit) in gone or any(k < table.stops[i] and i < table.stops[k] for k in taken):
            continue
        if part[0] is edit.pattern:
            gone.add(id(edit))
        taken.append(i)
        if home is not None:
            gone.add(id(home))
        found.append((edit, part, i))
    moved: list[Edit] = []
    displaced: dict[int, dict[int, Displaced]] = {}
    place = {id(edit): number for number, edit in enumerate(edits)}
    for edit, (pattern, holder), i in found:
        if pattern is edit.pattern and table.parents[i] == edit.parent:
            displaced.setdefault(edit.parent, {})[place[id(edit)]] = Displaced(i, edit.before)
        else:
            moved.append(Moved(pattern, i, edit.parent, edit.before, holder))
    moved += [_disordered(parent, told, table) for parent, told in displaced.items()]
    return [edit for edit in edits if id(edit) not in gone] + moved


def is_whole(edit: Missing) -> bool:
    """Return whether one span is missing with all that belongs below it."""
    return not edit.lifted and edit.count == 1


def _disordered(parent: int, found: dict[int, Displaced], table: SpanTable) -> Disordered:
    """Tell the spans in the order in which they belong, each before one that stays."""
    spans = {each.span for each in found.values()}
    stop = table.stops[parent] if parent >= 0 else len(table)
    told = []
    for _, each in sorted(found.items()):
        before = each.before
        while before in spans and before < stop:
            before = table.stops[before]
        told.append(Displaced(each.span, before))
    return Disordered(parent, tuple(told))


def _candidates(
    missing: list[Missing], unexpected: list[Unexpected], table: SpanTable, matcher: Matcher
) -> list[_Candidate]:
    by_name: dict[str, list[tuple[int, Unexpected | None]]] = {}
    seen = 0
    for extra in unexpected:
        for i in range(extra.span, table.stops[extra.span]):
            by_name.setdefault(table.names[i], []).append((i, extra if i == extra.span else None))
            seen += 1
            if seen > _LOOKED_AT:
                break
    found: list[_Candidate] = []
    asked = 0
    for edit, pattern, holder in _within(missing):
        whole = pattern is edit.pattern
        for name in _names(pattern, by_name):
            for i, home in by_name.get(name, ()):
                if not whole and home is None:
                    continue  # something inside what is missing, inside what is unexpected: no news
                asked += 1
                if asked > _ASKED:
                    return sorted(found, key=lambda each: each[0])
                if matcher.matches(pattern, i):
                    size = table.stops[i] - i
                    near = table.parents[i] == edit.parent
                    found.append(((not whole, -size, not near, i), edit, (pattern, holder), home, i))
    return sorted(found, key=lambda each: each[0])


def _within(missing: list[Missing]) -> Iterator[tuple[Missing, Pattern, SpanPattern | None]]:
    """Yield what is missing, and the parts of it that are worth looking for, each with what it belongs below."""
    seen = 0
    for edit in missing:
        todo: list[_Part] = [(edit.pattern, edit.holder)]
        while todo and seen < _LOOKED_AT:
            pattern, holder = todo.pop()
            seen += 1
            if pattern is edit.pattern or (isinstance(pattern, SpanPattern) and isinstance(pattern.name, str)):
                yield edit, pattern, holder
            if not (isinstance(pattern, OneOf) and pattern is edit.pattern):
                above = pattern if isinstance(pattern, SpanPattern) else holder
                todo.extend((each, above) for each in reversed(list(positions_in(pattern))))


def _names(pattern: Pattern, by_name: dict[str, list[tuple[int, Unexpected | None]]]) -> list[str]:
    names = []
    for each in alternatives_of(pattern):
        if not isinstance(each, SpanPattern) or not isinstance(each.name, str):
            return list(by_name)
        names.append(each.name)
    return names
