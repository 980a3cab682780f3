"""What of a list of children is in order, and what is not.

Children that are all there, in another order than their list says, are told as that, and nothing else: the spans are
assigned to the items as if the list were in any order, and those outside a longest run that is in order are the
displaced ones (a longest non-decreasing subsequence, O(n * n), of no more than `_ITEMS`).

A long list of single spans is cut at what is there once on both sides, so that each part can be searched by itself. The
cuts are a longest run of such pairs that is in order, found by piles as in the card game (Aldous and Diaconis, "Longest
increasing subsequences: from patience sorting to the Baik-Deift-Johansson theorem", 1999), O(n log n).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.explaining.align.any_order import Candidates, matched
from pytest_mlflow_traces.core.explaining.align.costs import ORDER
from pytest_mlflow_traces.core.explaining.align.edits import Disordered, Displaced
from pytest_mlflow_traces.core.explaining.align.graph import Slot, slots_of
from pytest_mlflow_traces.core.explaining.align.rows import Row
from pytest_mlflow_traces.core.matching.content_model import has_gap, ranked_models_of
from pytest_mlflow_traces.core.matching.siblings import PatternTooComplexError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mlflow_traces.core.explaining.align.context import Context
    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.explaining.align.subtree_hashes import SubtreeHashes
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Item, Pattern

_ITEMS = 400
_LONG = 64  # items and spans of a list that is cut
_GAPS = 4  # gaps that are tried for all the spans that match no item


class Order(NamedTuple):
    """A list of children whose spans are all there, some of them out of order."""

    parent: int
    displaced: Sequence[Displaced]
    ranks: Mapping[int, int]  # of the item that each span belongs to
    units: Mapping[int, Pattern]

    def edits(self) -> list[Edit]:
        """Return what is different."""
        return [Disordered(self.parent, tuple(self.displaced))]

    def rows(self) -> list[Row]:
        """Return what stands for each span; the displaced ones are new where they are."""
        moving = {each.span for each in self.displaced}
        found: list[Row] = []
        rank = 0
        for span in sorted(self.ranks):
            rank = rank if span in moving else self.ranks[span]
            found.append(Row(rank, span, self.units.get(span), new=span in moving))
        return found


def order_of(
    items: tuple[Item, ...], spans: Sequence[int], parent: int, context: Context
) -> tuple[float, Order] | None:
    """Return which of `spans` are out of order and what that costs, where all that `items` ask for is there, only."""
    if not 1 < len(spans) <= _ITEMS:
        return None
    slots: list[Slot] = []
    ranks: list[int] = []
    models = ranked_models_of(items)
    for rank, model in models:
        found = slots_of((model,))
        if found is None:
            return None
        slots += found
        ranks += [rank] * len(found)
    gaps = [rank for rank, model in models if has_gap(model)]
    if not 1 < len(slots) <= _ITEMS or not _room(slots, len(spans), bool(gaps)):
        return None
    slot_of = _slots_of(slots, spans, context)
    if slot_of is None or (len(slot_of) < len(spans) and not gaps):
        return None
    rank_of = {span: ranks[slot] for span, slot in slot_of.items()}
    ways = [_ranked(spans, rank_of, gap) for gap in gaps[:_GAPS]] or [dict(rank_of)]
    ways.append(_among_gaps(spans, rank_of, gaps))
    shifts = [_displaced(spans, way, rank_of, context.table.stops[spans[-1]]) for way in ways]
    for (cost, told), way in sorted(zip(shifts, ways, strict=True), key=lambda each: each[0][0]):
        if told and _accepted(context.matcher, items, in_order(spans, told)):
            return cost, Order(parent, told, way, {span: slots[slot].unit for span, slot in slot_of.items()})
    return None


def _ranked(spans: Sequence[int], rank_of: Mapping[int, int], gap: int) -> dict[int, int]:
    """Let all the spans without a slot belong to one gap."""
    return {span: rank_of.get(span, gap) for span in spans}


def _among_gaps(spans: Sequence[int], rank_of: Mapping[int, int], gaps: Sequence[int]) -> dict[int, int]:
    """Let each span without a slot belong to the gap next to the spans with one around it."""
    ranks = dict(rank_of)
    lower = -1
    for span in spans if gaps else ():
        if span in rank_of:
            lower = rank_of[span]
        else:
            ranks[span] = next((gap for gap in gaps if gap >= lower), gaps[-1])
    return ranks


def _displaced(
    spans: Sequence[int], ranks: Mapping[int, int], seated: Mapping[int, int], stop: int
) -> tuple[float, list[Displaced]]:
    """Return the spans outside a longest run that is in order, and what it costs to tell them."""
    run = _longest_run([ranks[span] for span in spans])
    staying = {span for place, span in enumerate(spans) if place in run}
    told = []
    for span in sorted((each for each in spans if each not in staying), key=lambda each: (ranks[each], each)):
        before = next((each for each in spans if each in staying and ranks[each] > ranks[span]), stop)
        told.append(Displaced(span, before))
    # one that belongs nowhere but in a gap is unexpected here rather than out of order
    nowhere = sum(each.span not in seated for each in told)
    return ORDER + 3.0 * min(len(told) - 1, 10) + 5.0 * nowhere, told


def _slots_of(slots: list[Slot], spans: Sequence[int], context: Context) -> dict[int, int] | None:
    candidates = Candidates(slots, context)
    matching = matched(slots, spans, candidates)
    if any(len(held) < slot.low for held, slot in zip(matching.held, slots, strict=True)):
        return None
    return _untangled(matching.slot_of, candidates)


def in_order(spans: Sequence[int], displaced: Sequence[Displaced]) -> list[int]:
    """Return `spans` with the displaced ones where they belong."""
    moving = {each.span for each in displaced}
    order: list[int] = []
    for k in [span for span in spans if span not in moving]:
        order += [each.span for each in displaced if each.before == k]
        order.append(k)
    return order + [each.span for each in displaced if each.span not in order]


def _accepted(matcher: Matcher, items: tuple[Item, ...], spans: Sequence[int]) -> bool:
    try:
        return matcher.accepts(items, spans)
    except PatternTooComplexError:
        return False  # nobody else asked this


def _room(slots: list[Slot], count: int, gap: bool) -> bool:
    if sum(slot.low for slot in slots) > count:
        return False
    return gap or any(slot.high is None for slot in slots) or sum(slot.high or 0 for slot in slots) >= count


def _untangled(slot_of: Mapping[int, int], candidates: Candidates) -> dict[int, int]:
    """Let spans that match the same slots have them in the order of the slots, so that none seems displaced."""
    alike: dict[int, list[int]] = {}
    for span in sorted(slot_of):
        alike.setdefault(candidates.of(span), []).append(span)
    return {
        span: slot
        for spans in alike.values()
        for span, slot in zip(spans, sorted(slot_of[span] for span in spans), strict=True)
    }


def _longest_run(ranks: Sequence[int]) -> set[int]:
    """Return the places of a longest run that is in order; of several, one that is most where it would be in order."""
    at_home = {place for place, at in enumerate(sorted(range(len(ranks)), key=ranks.__getitem__)) if place == at}
    best: list[tuple[int, int]] = []  # by place: the length of the best run that ends there, and how much is at home
    before: list[int] = []
    for place, rank in enumerate(ranks):
        runs = [(best[k], k) for k in range(place) if ranks[k] <= rank]
        (length, home), k = max(runs, default=((0, 0), -1))
        best.append((length + 1, home + (place in at_home)))
        before.append(k)
    run: set[int] = set()
    place = max(range(len(best)), key=best.__getitem__, default=-1)
    while place >= 0:
        run.add(place)
        place = before[place]
    return run


def anchors(units: Sequence[Pattern], spans: Sequence[int], first: int, hashes: SubtreeHashes) -> list[tuple[int, int]]:
    """Return pairs of an item and a span, by their places from `first` on, that match each other and nothing else."""
    if len(units) + len(spans) - 2 * first <= _LONG:
        return []
    kinds = {item: hashes.hash_of(units[item]) for item in range(first, len(units))}
    place = {hashes.prints[spans[k]]: k for k in range(first, len(spans))}
    wanted, there = Counter(kinds.values()), Counter(hashes.prints[span] for span in spans[first:])
    pairs = [(item, place[kind]) for item, kind in kinds.items() if kind in place and wanted[kind] == there[kind] == 1]
    return _longest_ascent(pairs)


def _longest_ascent(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return a longest run of pairs in which both ascend, as the first do already."""
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
