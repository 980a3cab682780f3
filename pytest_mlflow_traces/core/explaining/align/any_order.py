"""Which span stands for which item of a group in any order: an assignment instead of an alignment.

First as many exact matches as possible, by augmenting paths; what is left over is then assigned by price, what saves
the most first, where there is little of it, and by name or else by place where there is much.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.align.context import price
from pytest_mlflow_traces.core.explaining.align.costs import BELONGS_ELSEWHERE, SLIGHT, STANDS_ELSEWHERE, named
from pytest_mlflow_traces.core.explaining.align.edits import Aligned, Apart, Missing, Seated, Unexpected
from pytest_mlflow_traces.core.explaining.align.graph import slots_of
from pytest_mlflow_traces.core.matching.bipartite import BipartiteMatching
from pytest_mlflow_traces.core.matching.content_model import models_of
from pytest_mlflow_traces.core.matching.matcher import overlap
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern, alternatives_of, span_patterns_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from pytest_mlflow_traces.core.explaining.align.context import Context, Question
    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.explaining.align.graph import Slot

_PRICED = 144  # as many pairs of what is left over are priced; of more, those of one name or else of one place
_ENDS, _FEW_ENDS = 48, 2  # as many ends of a group are tried where others follow it; in haste


class Candidates:
    """The slots of a group that a span matches, looked for only where its name does not rule them out."""

    def __init__(self, slots: Sequence[Slot], context: Context) -> None:
        self._slots = slots
        self._context = context
        self._hashed: dict[int, int] = {}  # by kind of subtree, as bits
        self._named: dict[str, list[int]] = {}
        self._any: list[int] = []
        for number, slot in enumerate(slots):
            names = {each.name if isinstance(each, SpanPattern) else None for each in alternatives_of(slot.unit)}
            kind = context.costs.hashes.hash_of(slot.unit)
            if kind is not None:
                self._hashed[kind] = self._hashed.get(kind, 0) | 1 << number
            elif all(isinstance(name, str) for name in names):
                for name in names:
                    self._named.setdefault(str(name), []).append(number)
            else:
                self._any.append(number)
        self._known: dict[int, int] = {}

    def of(self, span: int) -> int:
        """Return the set of the slots whose pattern matches the span at `span`, as bits."""
        known = self._known.get(span)
        if known is None:
            known = self._hashed.get(self._context.costs.hashes.prints[span], 0)
            for number in (*self._named.get(self._context.table.names[span], ()), *self._any):
                if self._context.matcher.matches(self._slots[number].unit, span):
                    known |= 1 << number
            self._known[span] = known
        return known


def matched(slots: Sequence[Slot], spans: Sequence[int], candidates: Candidates) -> BipartiteMatching:
    """Give as many of `spans` as can be a slot that they match, at first so that no slot lacks one needlessly."""
    matching = BipartiteMatching([slot.low for slot in slots], candidates.of)
    waiting = [span for span in spans if not matching.insert(span)]
    matching.widen([len(spans) + slot.low if slot.high is None else slot.high for slot in slots])
    for span in waiting:
        matching.insert(span)
    return matching


@dataclass(slots=True)
class _Rest:
    """What exact matches leave over: spans without a slot, and how many spans each slot lacks or could still take."""

    spans: list[int]
    lacking: dict[int, int]
    spare: dict[int, int]
    seats: dict[int, Pattern]
    edits: list[Edit] = field(default_factory=list)
    cost: float = 0.0


def windows(
    slots: Sequence[Slot], spans: Sequence[int], context: Context, *, gap: bool, last: bool
) -> Iterator[tuple[int, float]]:
    """Yield how many of `spans` the group may take, each with the least that it can cost."""
    if last:
        yield len(spans), 0.0
        return
    matching = BipartiteMatching(_room(slots, len(spans)), Candidates(slots, context).of)
    needed = sum(slot.low for slot in slots)
    found = [(0, 0)]
    for taken, span in enumerate(spans, start=1):
        found.append((taken, found[-1][1] + matching.insert(span)))
    bounds = [
        (n, max(0.0 if gap else BELONGS_ELSEWHERE * (n - fit), STANDS_ELSEWHERE * (needed - n))) for n, fit in found
    ]
    most = _FEW_ENDS if context.is_hurried else _ENDS
    if len(bounds) > most:
        bounds = sorted(bounds, key=lambda bound: (bound[1], -bound[0]))[:most]
    yield from bounds


def assigned(
    slots: Sequence[Slot], spans: Sequence[int], context: Context, *, gap: bool, parent: int, before: int
) -> Generator[Question, float, tuple[float, list[Edit]]]:
    """Assign `spans` to `slots`; return what it costs, and what is then missing, unexpected or different."""
    candidates = Candidates(slots, context)
    matching = matched(slots, spans, candidates)
    room = _room(slots, len(spans))
    seats = {span: slots[number].unit for span, number in matching.slot_of.items()}
    rest = _Rest([span for span in spans if span not in seats], {}, {}, seats)
    for number, slot in enumerate(slots):
        sitting = len(matching.held[number])
        if sitting < slot.low:
            rest.lacking[number] = slot.low - sitting
        elif sitting < room[number]:
            rest.spare[number] = room[number] - sitting
    yield from _pair(rest, slots, context, gap=gap, namesakes=True)
    if rest.spans and not gap:
        _lift(rest, slots, context, parent, before)
    yield from _pair(rest, slots, context, gap=gap, namesakes=False)
    for span in () if gap else rest.spans:
        rest.edits.append(Unexpected(span))
        rest.cost += context.costs.unexpected(span)
    for number, count in rest.lacking.items():
        least = max(1, slots[number].low)
        rest.edits.append(Missing(slots[number].unit, parent, before, count, least=least))
        rest.cost += context.costs.missing(slots[number].unit, count, gap=gap)
    for apart in _apart(slots, matching, context, parent):
        rest.edits.append(apart)
        rest.cost += SLIGHT
    return rest.cost, [Seated(spans, rest.seats), *rest.edits]


def _lift(rest: _Rest, slots: Sequence[Slot], context: Context, parent: int, before: int) -> None:
    """Look among the unexpected spans for what belongs below one that is not there, in any order."""
    costs = context.costs
    for number in [*rest.lacking, *rest.spare]:
        unit = slots[number].unit
        inner = slots_of(models_of(unit.children or ())) if isinstance(unit, SpanPattern) else None
        if not inner or not isinstance(unit, SpanPattern):
            continue
        matching = matched(inner, rest.spans, Candidates(inner, context))
        there = [span for span in rest.spans if span in matching.slot_of]
        lacking = [(slot, slot.low - len(matching.held[n])) for n, slot in enumerate(inner)]
        lost = [Missing(slot.unit, parent, before, count, holder=unit) for slot, count in lacking if count > 0]
        price = context.costs.shell + sum(costs.missing(each.pattern, each.count) for each in lost)
        saved = sum(map(costs.unexpected, there)) + (costs.missing(unit) if number in rest.lacking else 0.0)
        if there and price < saved:
            rest.spans = [span for span in rest.spans if span not in there]
            rest.edits += [Missing(unit, parent, before, lifted=True), *lost]
            rest.cost += price
            _fill(rest.lacking, number)


def _pair(
    rest: _Rest, slots: Sequence[Slot], context: Context, *, gap: bool, namesakes: bool
) -> Generator[Question, float, None]:
    """Let spans that match nothing stand for items that nothing matches, where that is cheaper."""
    open_slots = [*rest.lacking, *rest.spare]
    names = context.table.names
    few = not namesakes and len(rest.spans) * len(open_slots) <= _PRICED
    saved: dict[tuple[int, int], float] = {}
    meant: dict[tuple[int, int], SpanPattern] = {}
    namely: dict[str, list[int]] = {}
    unsure = []  # slots that may be of many names
    for number in open_slots:
        said = {each.name for each in span_patterns_of(slots[number].unit)}
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
            both = _apart_cost(rest, slots, context, span, number, gap=gap)
            cost, which = yield from price(slots[number].unit, span, float("inf") if gap else both)
            if gap and context.costs.is_like(which, span, cost):
                cost = min(cost, 0.9 * both)
            if cost < both:
                saved[span, number] = both - cost
                meant[span, number] = which
    for span, number in _assigned(saved, {**rest.lacking, **rest.spare}).items():
        rest.spans.remove(span)
        rest.cost += _apart_cost(rest, slots, context, span, number, gap=gap) - saved[span, number]
        rest.seats[span] = slots[number].unit
        rest.edits.append(Aligned(meant[span, number], span))
        _fill(rest.lacking, number)


def _assigned(saved: dict[tuple[int, int], float], room: dict[int, int]) -> dict[int, int]:
    """Let each span have the slot that saves the most, as far as there is room."""
    taken: dict[int, int] = {}
    for span, number in sorted(saved, key=lambda pair: -saved[pair]):
        if span not in taken and room[number]:
            taken[span] = number
            room[number] -= 1
    return taken


def _room(slots: Sequence[Slot], count: int) -> list[int]:
    return [count + slot.low if slot.high is None else slot.high for slot in slots]


def _apart_cost(rest: _Rest, slots: Sequence[Slot], context: Context, span: int, number: int, *, gap: bool) -> float:
    """What it costs that the span and the slot have nothing to do with each other."""
    lost = context.costs.missing(slots[number].unit, gap=gap) if number in rest.lacking else 0.0
    return lost + (0.0 if gap else context.costs.unexpected(span))


def _is_named(unit: Pattern, name: str) -> bool:
    return any(named(each, name) for each in span_patterns_of(unit))


def _fill(lacking: dict[int, int], number: int) -> None:
    if number in lacking:
        lacking[number] -= 1
        if not lacking[number]:
            del lacking[number]


def _apart(slots: Sequence[Slot], matching: BipartiteMatching, context: Context, parent: int) -> list[Apart]:
    """Return two spans that do not overlap, for each group that is to run in parallel."""
    held: dict[int, list[int]] = {}
    for number, slot in enumerate(slots):
        for group in slot.together:
            held.setdefault(id(group), []).extend(matching.held[number])
    starts, ends = context.table.starts, context.table.ends
    found = []
    for spans in held.values():
        spans.sort()
        pairs = ((one, two) for place, two in enumerate(spans) for one in spans[:place])
        for one, two in pairs:
            if not overlap(starts[one], ends[one], starts[two], ends[two]):
                found.append(Apart(parent, one, two))
                break
    return found
