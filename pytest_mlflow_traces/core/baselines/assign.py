"""Which span of a run stands for which line of a group in any order, at the least change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.align import ADDED, is_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.baselines.align import Fitter
    from pytest_mlflow_traces.core.baselines.line_tree import Entry


def seated(fitter: Fitter, items: Sequence[Entry], spans: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """Return the spans of each item, and the spans that none stands for.

    As many spans as can be stand for an item that they match, those that must be there first (by augmenting paths);
    of the others, each stands for the nearest item that still has room.
    """
    takers: dict[int, int] = {}  # the item of each span
    exact = {
        i: [number for number, item in enumerate(items) if is_unit(item) and fitter.cost(item, i) == 0] for i in spans
    }
    for rounds in (_needed(items), _room(items, len(spans))):
        for i in spans:
            if i not in takers:
                _augment(i, exact, takers, rounds)
    counts = [0] * len(items)
    for number in takers.values():
        counts[number] += 1
    room = _needed(items)
    near = sorted(
        (fitter.cost(item, i), place, number)
        for place, i in enumerate(spans)
        if i not in takers
        for number, item in enumerate(items)
        if is_unit(item) and not counts[number]
    )
    for cost, place, number in near:
        if cost < 2 * ADDED and spans[place] not in takers and counts[number] < max(room[number], 1):
            takers[spans[place]] = number
            counts[number] += 1
    found: list[list[int]] = [[] for _ in items]
    for i in spans:
        if i in takers:
            found[takers[i]].append(i)
    return found, [i for i in spans if i not in takers]


def _needed(items: Sequence[Entry]) -> list[int]:
    return [item.limits[0] for item in items]


def _room(items: Sequence[Entry], most: int) -> list[int]:
    return [most if item.limits[1] is None else item.limits[1] for item in items]


def _augment(i: int, exact: dict[int, list[int]], takers: dict[int, int], room: list[int]) -> bool:
    """Seat `i`, moving others where that makes room, breadth first."""
    came: dict[int, tuple[int, int]] = {}  # to each span that is moved: who takes its seat, and which seat that is
    queue = [i]
    seen: set[int] = set()
    for who in queue:
        for number in exact[who]:
            if number in seen:
                continue
            seen.add(number)
            sitting = [other for other, seat in takers.items() if seat == number]
            if len(sitting) < room[number]:
                _move(who, number, came, takers)
                return True
            for other in sitting:
                came[other] = who, number
                queue.append(other)
    return False


def _move(who: int, number: int, came: dict[int, tuple[int, int]], takers: dict[int, int]) -> None:
    while True:
        takers[who] = number
        if who not in came:
            return
        who, number = came[who]
