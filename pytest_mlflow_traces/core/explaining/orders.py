"""Children that are all there, in another order than their list says: told as that, and nothing else.

The spans are assigned to the items as if the list were in any order; where that works out, those outside a longest run
that is in order are the displaced ones (a longest non-decreasing subsequence, by patience sorting, O(n log n)).
"""

from __future__ import annotations

from bisect import bisect_right
from types import EllipsisType
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.assigning import Seating, Takers
from pytest_mlflow_traces.core.explaining.contents import Slot, slots_of
from pytest_mlflow_traces.core.explaining.edits import Disordered, Displaced
from pytest_mlflow_traces.core.nodes import AnyOrder, Pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.aligning import Aligner
    from pytest_mlflow_traces.core.nodes import Item

_ITEMS = 400


def order_of(items: tuple[Item, ...], spans: Sequence[int], parent: int, aligner: Aligner) -> Disordered | None:
    """Return which of `spans` are out of order, where all that `items` ask for is there and nothing else."""
    slots: list[Slot] = []
    ranks: list[int] = []
    for rank, item in enumerate(items):
        if isinstance(item, Pattern):
            found = slots_of(AnyOrder((item,)))
            slots += found
            ranks += [rank] * len(found)
    gap = len(ranks) == 0 or any(isinstance(item, EllipsisType) for item in items)
    gap = gap or any(isinstance(item, AnyOrder) and item.gap for item in items)
    if not 1 < len(slots) <= _ITEMS or not 1 < len(spans) <= _ITEMS or not _room(slots, len(spans), gap):
        return None
    seating = Seating(Takers(slots, aligner), len(slots))
    lows, highs = [slot.low for slot in slots], [float("inf") if slot.high is None else slot.high for slot in slots]
    waiting = [span for span in spans if not seating.seated(span, lows)]
    if any(len(seating.sitting[n]) < low for n, low in enumerate(lows)):
        return None
    for span in waiting:
        if not seating.seated(span, highs) and not gap:
            return None
    _untangled(seating)
    seated = [span for span in spans if span in seating.seat]
    stays = _longest_run([ranks[seating.seat[span]] for span in seated])
    moving = [span for place, span in enumerate(seated) if place not in stays]
    if not moving:
        return None
    rank_of = {span: ranks[seating.seat[span]] for span in seated}
    staying = [span for span in seated if span not in moving]
    stop = aligner.forest.stops[spans[-1]]
    told = []
    for span in sorted(moving, key=lambda each: (rank_of[each], each)):
        before = next((each for each in staying if rank_of[each] > rank_of[span]), stop)
        told.append(Displaced(slots[seating.seat[span]].unit, span, before))
    return Disordered(parent, tuple(told))


def _room(slots: list[Slot], count: int, gap: bool) -> bool:
    if sum(slot.low for slot in slots) > count:
        return False
    return gap or any(slot.high is None for slot in slots) or sum(slot.high or 0 for slot in slots) >= count


def _untangled(seating: Seating) -> None:
    """Let spans that match the same slots sit in the order of the slots, so that none seems displaced."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for span in sorted(seating.seat):
        alike.setdefault(tuple(sorted(seating.takers.of(span))), []).append(span)
    for spans in alike.values():
        seats = sorted(seating.seat[span] for span in spans)
        seating.seat.update(zip(spans, seats, strict=True))


def _longest_run(ranks: list[int]) -> set[int]:
    tails: list[int] = []  # the smallest rank that ends a run of each length
    ends: list[int] = []  # the place of that
    before = [-1] * len(ranks)
    for place, rank in enumerate(ranks):
        length = bisect_right(tails, rank)
        before[place] = ends[length - 1] if length else -1
        tails[length : length + 1] = [rank]
        ends[length : length + 1] = [place]
    run: set[int] = set()
    place = ends[-1] if ends else -1
    while place >= 0:
        run.add(place)
        place = before[place]
    return run
