"""Which span stands for which item of a group in any order: an assignment instead of an alignment.

First as many exact matches as possible, by augmenting paths (Kuhn 1955; iteratively, and keeping every filled item
filled); what is left over is then assigned by price, again by augmenting paths along the cheapest (the Hungarian
method), where there is little of it, and by name or else by place where there is much.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.align.bipartite import (
    BipartiteMatching,
    Candidates,
    CheapestAssignment,
    alternatives,
)
from pytest_mlflow_traces.core.explaining.align.costs import BELONGS_ELSEWHERE, SLIGHT, STANDS_ELSEWHERE, named
from pytest_mlflow_traces.core.explaining.align.edits import Aligned, Apart, Missing, Unexpected
from pytest_mlflow_traces.core.explaining.align.graph import slots_of
from pytest_mlflow_traces.core.matching.matcher import overlap
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from pytest_mlflow_traces.core.explaining.align.aligner import Aligner, Question
    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.explaining.align.graph import Slot

_PRICED = 144  # as many pairs of what is left over are priced; of more, those of one name or else of one place
_ENDS, _FEW_ENDS = 48, 2  # as many ends of a group are tried where others follow it; in haste


@dataclass(slots=True)
class _Rest:
    """What exact matches leave over: spans without a slot, and how many spans each slot lacks or could still take."""

    spans: list[int]
    lacking: dict[int, int]
    spare: dict[int, float]
    edits: list[Edit] = field(default_factory=list)
    cost: float = 0.0


def windows(
    slots: Sequence[Slot], spans: Sequence[int], aligner: Aligner, *, gap: bool, last: bool
) -> Iterator[tuple[int, float]]:
    """Yield how many of `spans` the group may take, each with the least that it can cost."""
    if last:
        yield len(spans), 0.0
        return
    seating = BipartiteMatching(Candidates(slots, aligner), len(slots))
    room = [float("inf") if slot.high is None else slot.high for slot in slots]
    needed = sum(slot.low for slot in slots)
    found = [(0, 0)]
    for taken, span in enumerate(spans, start=1):
        found.append((taken, found[-1][1] + seating.seated(span, room)))
    bounds = [
        (n, max(0.0 if gap else BELONGS_ELSEWHERE * (n - fit), STANDS_ELSEWHERE * (needed - n))) for n, fit in found
    ]
    most = _FEW_ENDS if aligner.is_hurried else _ENDS
    if len(bounds) > most:
        bounds = sorted(bounds, key=lambda bound: (bound[1], -bound[0]))[:most]
    yield from bounds


def assigned(
    slots: Sequence[Slot], spans: Sequence[int], aligner: Aligner, *, gap: bool, parent: int, before: int
) -> Generator[Question, float, tuple[float, list[Edit]]]:
    """Assign `spans` to `slots`; return what it costs, and what is then missing, unexpected or different."""
    takers = Candidates(slots, aligner)
    seating = BipartiteMatching(takers, len(slots))
    waiting = [span for span in spans if not seating.seated(span, [slot.low for slot in slots])]
    room = [float("inf") if slot.high is None else slot.high for slot in slots]
    rest = _Rest([span for span in waiting if not seating.seated(span, room)], {}, {})
    for number, slot in enumerate(slots):
        sitting = len(seating.sitting[number])
        if sitting < slot.low:
            rest.lacking[number] = slot.low - sitting
        elif sitting < room[number]:
            rest.spare[number] = room[number] - sitting
    yield from _pair(rest, slots, aligner, gap=gap, namesakes=True)
    if rest.spans and not gap:
        _unwrap(rest, slots, takers, aligner)
    if rest.spans and not gap:
        _lift(rest, slots, aligner, parent, before)
    yield from _pair(rest, slots, aligner, gap=gap, namesakes=False)
    for span in () if gap else rest.spans:
        rest.edits.append(Unexpected(span))
        rest.cost += aligner.costs.unexpected(span)
    for number, count in rest.lacking.items():
        least = max(1, slots[number].low)
        rest.edits.append(Missing(slots[number].unit, parent, before, count, least=least))
        rest.cost += aligner.costs.missing(slots[number].unit, count, gap=gap)
    for apart in _apart(slots, seating, aligner, parent):
        rest.edits.append(apart)
        rest.cost += SLIGHT
    return rest.cost, rest.edits


def _unwrap(rest: _Rest, slots: Sequence[Slot], takers: Candidates, aligner: Aligner) -> None:
    """Look for what is missing below spans that are unexpected."""
    for span in list(rest.spans):
        inside: dict[int, int] = {}  # span: slot
        children = aligner.table.children(span)
        if not children or _lacks_namesake(rest, slots, aligner, span):
            continue
        for child in children:
            taken = list(inside.values())
            free = [n for n in takers.of(child) if taken.count(n) < rest.lacking.get(n, 0) + rest.spare.get(n, 0)]
            if free:
                inside[child] = free[0]
        others = [child for child in children if child not in inside]
        price = aligner.costs.shell + sum(map(aligner.costs.unexpected, others))
        saved = aligner.costs.unexpected(span) + sum(
            aligner.costs.missing(slots[n].unit) for n in inside.values() if n in rest.lacking
        )
        if inside and price < saved:
            rest.spans.remove(span)
            rest.edits += [Unexpected(span, wrapper=True), *map(Unexpected, others)]
            rest.cost += price
            for number in inside.values():
                _fill(rest.lacking, number)


def _lift(rest: _Rest, slots: Sequence[Slot], aligner: Aligner, parent: int, before: int) -> None:
    """Look among the unexpected spans for what belongs below one that is not there, in any order."""
    costs = aligner.costs
    for number in [*rest.lacking, *rest.spare]:
        unit = slots[number].unit
        items = unit.children if isinstance(unit, SpanPattern) else None
        inner = (
            slots_of(AnyOrder(tuple(item for item in items if isinstance(item, Pattern)))) if items else None
        ) or ()
        seating = BipartiteMatching(Candidates(inner, aligner), len(inner))
        room = [float("inf") if slot.high is None else slot.high for slot in inner]
        there = [span for span in rest.spans if seating.seated(span, room)] if inner else []
        lacking = [(slot, slot.low - len(seating.sitting[n])) for n, slot in enumerate(inner)]
        lost = [Missing(slot.unit, parent, before, count) for slot, count in lacking if count > 0]
        price = aligner.costs.shell + sum(costs.missing(each.pattern, each.count) for each in lost)
        saved = sum(map(costs.unexpected, there)) + (costs.missing(unit) if number in rest.lacking else 0.0)
        if there and price < saved:
            rest.spans = [span for span in rest.spans if span not in there]
            rest.edits += [Missing(unit, parent, before, lifted=True), *lost]
            rest.cost += price
            _fill(rest.lacking, number)


def _pair(
    rest: _Rest, slots: Sequence[Slot], aligner: Aligner, *, gap: bool, namesakes: bool
) -> Generator[Question, float, None]:
    """Let spans that match nothing stand for items that nothing matches, where that is cheaper."""
    open_slots = [*rest.lacking, *rest.spare]
    names = aligner.table.names
    few = not namesakes and len(rest.spans) * len(open_slots) <= _PRICED
    saved: dict[tuple[int, int], float] = {}
    meant: dict[tuple[int, int], SpanPattern] = {}
    namely: dict[str, list[int]] = {}
    unsure = []  # slots that may be of many names
    for number in open_slots:
        said = {each.name for each in alternatives(slots[number].unit) if isinstance(each, SpanPattern)}
        if not all(isinstance(name, str) for name in said):
            unsure.append(number)
            continue
        for name in said:
            namely.setdefault(str(name), []).append(number)
    for place, span in enumerate(rest.spans):
        name = names[span]
        candidates = open_slots
        if not few:
            candidates = namely.get(name, []) + [n for n in unsure if _is_named(slots[n].unit, name)]
        if not candidates and not namesakes and not gap:
            candidates = open_slots[place : place + 1]  # the order is free, yet most often it is that of the pattern
        for number in candidates[:12]:
            both = _apart_cost(rest, slots, aligner, span, number, gap=gap)
            price, which = yield from aligner.price(slots[number].unit, span, float("inf") if gap else both)
            if gap and aligner.costs.is_like(which, span, price):
                price = min(price, 0.9 * both)
            if price < both:
                saved[span, number] = both - price
                meant[span, number] = which
    room = {**{n: float(count) for n, count in rest.lacking.items()}, **rest.spare}
    for span, number in CheapestAssignment(saved, room).taken.items():
        rest.spans.remove(span)
        rest.cost += _apart_cost(rest, slots, aligner, span, number, gap=gap) - saved[span, number]
        rest.edits.append(Aligned(meant[span, number], span))
        _fill(rest.lacking, number)


def _apart_cost(rest: _Rest, slots: Sequence[Slot], aligner: Aligner, span: int, number: int, *, gap: bool) -> float:
    """What it costs that the span and the slot have nothing to do with each other."""
    lost = aligner.costs.missing(slots[number].unit, gap=gap) if number in rest.lacking else 0.0
    return lost + (0.0 if gap else aligner.costs.unexpected(span))


def _lacks_namesake(rest: _Rest, slots: Sequence[Slot], aligner: Aligner, span: int) -> bool:
    name = aligner.table.names[span]
    return any(_is_named(slots[number].unit, name) for number in rest.lacking)


def _is_named(unit: Pattern, name: str) -> bool:
    return any(isinstance(each, SpanPattern) and named(each, name) for each in alternatives(unit))


def _fill(lacking: dict[int, int], number: int) -> None:
    if number in lacking:
        lacking[number] -= 1
        if not lacking[number]:
            del lacking[number]


def _apart(slots: Sequence[Slot], seating: BipartiteMatching, aligner: Aligner, parent: int) -> list[Apart]:
    """Return two spans that do not overlap, for each group that is to run in parallel."""
    members: dict[int, list[int]] = {}
    groups = {id(group): group for slot in slots for group in slot.together}
    for number, slot in enumerate(slots):
        for group in slot.together:
            members.setdefault(id(group), []).extend(seating.sitting[number])
    starts, ends = aligner.table.starts, aligner.table.ends
    found = []
    for key, spans in members.items():
        spans.sort()
        pairs = ((one, two) for place, two in enumerate(spans) for one in spans[:place])
        for one, two in pairs:
            if not overlap(starts[one], ends[one], starts[two], ends[two]):
                found.append(Apart(groups[key], parent, one, two))
                break
    return found
