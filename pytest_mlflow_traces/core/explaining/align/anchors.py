"""A long list of children cut into pieces at what matches beyond doubt, so that each piece can be searched by itself.

What matches at both ends is left out. Of a list that still is long, a longest common subsequence of items and spans
that match each other is found by bits: one addition of whole numbers a span, O(items x spans / word size) (Maxime
Crochemore et al., "A fast and practical bit-vector algorithm for the longest common subsequence problem", 2001). It is
cut where a match is the only one of its kind, or one of several in a row. Matches that are neither may be accidents,
and are left to the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.patterns.nodes import SpanPattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.align.aligner import Aligner
    from pytest_mlflow_traces.core.explaining.align.graph import ContentGraph
    from pytest_mlflow_traces.core.patterns.nodes import Pattern

_LONG = 64  # items and spans
_BITS = 200_000_000  # of the table: 25 MB
_ASKED = 50_000  # pairs of items and spans that the matcher is asked about
_ROW = 3


class Piece(NamedTuple):
    """Items and spans that belong to each other, the last of each excluded."""

    item: int
    item_stop: int
    span: int
    span_stop: int


def pieces(content: ContentGraph, spans: Sequence[int], aligner: Aligner) -> list[Piece]:
    """Return the pieces of the list that do not match, in order."""
    matches = aligner.matcher.matches
    units = [step.unit for step in content.steps or () if step.unit is not None]
    start, stop, first, last = 0, len(units), 0, len(spans)
    while start < stop and first < last and content.is_sure(units[start]) and matches(units[start], spans[first]):
        start, first = start + 1, first + 1
    while (
        start < stop and first < last and content.is_sure(units[stop - 1]) and matches(units[stop - 1], spans[last - 1])
    ):
        stop, last = stop - 1, last - 1
    if start == stop and first == last:
        return []
    whole = Piece(start, stop, first, last)
    if stop - start + last - first <= _LONG or (stop - start) * (last - first) > _BITS:
        return [whole]
    found, item, span = [], start, first
    for j, k in [*_certain(units[start:stop], spans[first:last], aligner), (stop - start, last - first)]:
        if item < start + j or span < first + k:
            found.append(Piece(item, start + j, span, first + k))
        item, span = start + j + 1, first + k + 1
    return found


def _certain(units: Sequence[Pattern], spans: Sequence[int], aligner: Aligner) -> list[tuple[int, int]]:
    """Return pairs of items and spans that match beyond doubt, in order."""
    rows = _matching(units, spans, aligner)
    taken_by: dict[int, int] = {}  # how many spans match the item
    for row in rows:
        while row:
            low = row & -row
            item = low.bit_length() - 1
            taken_by[item] = taken_by.get(item, 0) + 1
            row ^= low
            if len(rows) > _LONG and row.bit_count() > _LONG:
                break  # it is one of many anyhow
    pairs = _common(rows, len(units))
    chosen = []
    for place, (item, k) in enumerate(pairs):
        left = right = place
        while left > 0 and pairs[left - 1] == (item - place + left - 1, k - place + left - 1) and place - left < _ROW:
            left -= 1
        while (
            right + 1 < len(pairs)
            and pairs[right + 1] == (item - place + right + 1, k - place + right + 1)
            and right - place < _ROW
        ):
            right += 1
        alone = taken_by.get(item) == 1 and rows[k].bit_count() == 1
        if alone or right - left + 1 >= _ROW:
            chosen.append((item, k))
    return chosen


def _matching(units: Sequence[Pattern], spans: Sequence[int], aligner: Aligner) -> list[int]:
    """Return for each span the items that match it, as bits."""
    hashes, names = aligner.costs.hashes, aligner.table.names
    strict: dict[int, int] = {}
    loose: dict[str, list[int]] = {}
    for item, unit in enumerate(units):
        kind = hashes.hash_of(unit)
        if kind is not None:
            strict[kind] = strict.get(kind, 0) | 1 << item
        elif isinstance(unit, SpanPattern) and isinstance(unit.name, str):
            loose.setdefault(unit.name, []).append(item)
    asked, rows = 0, []
    for span in spans:
        row = strict.get(hashes.prints[span], 0)
        for item in loose.get(names[span], ()):
            asked += 1
            if asked <= _ASKED and aligner.matcher.matches(units[item], span):
                row |= 1 << item
        rows.append(row)
    return rows


def _common(rows: Sequence[int], count: int) -> list[tuple[int, int]]:
    """Return a longest common subsequence, (item, span) in order."""
    full = (1 << count) - 1  # bit j of a row of the table says that item j adds nothing to what was common before
    table = [full]
    for row in rows:
        state = table[-1]
        both = state & row
        table.append(((state + both) | (state - both)) & full)
    pairs = []
    k, item = len(rows), count
    while k and item:
        bit = 1 << (item - 1)
        if table[k] & bit:
            item -= 1
        else:
            k -= 1
            if table[k] & bit:
                item -= 1
                pairs.append((item, k))
    return pairs[::-1]
