"""A long list of single spans cut at what is there once on both sides, so that each part can be searched by itself.

The cuts are the longest run of such pairs that is in order, found by piles as in the card game (Aldous and Diaconis,
"Longest increasing subsequences: from patience sorting to the Baik-Deift-Johansson theorem", 1999), O(n log n).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.align.subtree_hashes import SubtreeHashes
    from pytest_mlflow_traces.core.patterns.nodes import Pattern

_LONG = 64  # items and spans


def anchors(units: Sequence[Pattern], spans: Sequence[int], first: int, hashes: SubtreeHashes) -> list[tuple[int, int]]:
    """Return pairs of an item and a span, by their places from `first` on, that match each other and nothing else."""
    if len(units) + len(spans) - 2 * first <= _LONG:
        return []
    kinds = {item: hashes.hash_of(units[item]) for item in range(first, len(units))}
    place = {hashes.prints[spans[k]]: k for k in range(first, len(spans))}
    wanted, there = Counter(kinds.values()), Counter(hashes.prints[span] for span in spans[first:])
    pairs = [(item, place[kind]) for item, kind in kinds.items() if kind in place and wanted[kind] == there[kind] == 1]
    return _longest_run(pairs)


def _longest_run(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    lasts: list[int] = []  # by length: the least place where a run of it ends
    tops: list[int] = []  # the pair that is there
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(lasts, place)
        lasts[length : length + 1] = [place]
        tops[length : length + 1] = [number]
        before.append(tops[length - 1] if length else -1)
    run, number = [], tops[-1] if tops else -1
    while number >= 0:
        run.append(pairs[number])
        number = before[number]
    return run[::-1]
