"""A list of children as a graph: what may come next at each point of it, for an alignment to walk.

The graph is the textbook automaton of a regular expression (Ken Thompson, "Regular Expression Search Algorithm", CACM
1968) with two things of its own: a repeated span keeps a count instead of copies, so that `min=10**9` costs nothing,
and a group in any order is one step over several spans. It is as large as the list and made without recursion.

What this graph does not say is for the explainer to notice: a repeated *group* counts only as none, one or many,
inside a group in any order every item is flattened to single spans with limits, and of a list that shares its parts so
often that it would have more than `_STEPS` steps, the rest is a gap. The graph accepts more than the pattern there,
never less.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from types import EllipsisType
from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.patterns.constructors import is_one_span
from pytest_mlflow_traces.core.patterns.nodes import (
    AnyOrder,
    OneOf,
    Pattern,
    Repeat,
    SpanPattern,
    alternatives_of,
    span_patterns_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Item


_STEPS = 20_000  # parts that share their parts may make a list of exponentially many


class Kind(Enum):
    """What a step of a list takes."""

    SPAN = "one span"
    MANY = "a number of spans alike"
    GAP = "any spans"
    GROUP = "spans in any order"
    FORK = "nothing: it leads to several steps"
    END = "nothing: the list is over"


@dataclass(frozen=True, slots=True)
class Slot:
    """One item of a group in any order: at least `low` and at most `high` spans; `together` lists its parallels."""

    unit: Pattern
    low: int
    high: int | None
    together: tuple[AnyOrder, ...] = ()


@dataclass(slots=True, eq=False)
class Step:
    """One point of a list of children: what it takes, and the steps after it."""

    kind: Kind
    rank: int  # the place in the list of the item that it belongs to
    inside: int = 0  # how many missing spans it stands inside of, its items being looked for in their place
    then: list[Step] = field(default_factory=list)
    unit: Pattern | None = None
    low: int = 0
    high: int | None = None
    slots: tuple[Slot, ...] = ()
    gap: bool = False
    again: bool = False  # it may be taken any number of times
    below: dict[int, Step] = field(default_factory=dict)  # by id of a pattern it takes: the first item below that


Point: TypeAlias = "tuple[Step, int, int]"  # a step, a place in the trace, and how many spans a repeated step has taken


class ContentGraph:
    """The graph of one list of children."""

    __slots__ = ("end", "first", "has_gap", "items", "names", "steps")

    def __init__(self, items: tuple[Item, ...]) -> None:
        self.items = items
        self.names = _names([item for item in items if isinstance(item, Pattern)])
        self.has_gap = any(
            isinstance(item, EllipsisType) or (isinstance(item, AnyOrder) and item.gap) for item in items
        )
        self.end = Step(Kind.END, len(items))
        entries = _graph(items, self.end, inside=0)
        self.first = entries[0]
        # the steps one by one, where the list is nothing but single spans
        self.steps = entries if all(step.kind in (Kind.SPAN, Kind.END) for step in entries) else None

    def is_sure(self, unit: Pattern) -> bool:
        """Return whether what matches `unit` could hardly be meant for another item of the list."""
        for each in alternatives_of(unit):
            if not isinstance(each, SpanPattern) or not isinstance(each.name, str):
                return False
            if each.children is None and (self.names is None or self.names[each.name] > 1):
                return False
        return True


def below(pattern: SpanPattern) -> Mapping[str, int] | None:
    """Return the names that the children of `pattern` may have and how often, `None` where that may be any."""
    return _names(pattern.children or ())


def _names(items: Sequence[Item]) -> Mapping[str, int] | None:
    names: Counter[str] = Counter()
    todo = list(items)
    seen: set[int] = set()
    while todo:
        item = todo.pop()
        if not isinstance(item, SpanPattern):
            if id(item) in seen:
                continue
            seen.add(id(item))
        if isinstance(item, EllipsisType):
            return None
        if isinstance(item, SpanPattern):
            if not isinstance(item.name, str):
                return None
            names[item.name] += 1
        else:
            todo.extend(item.parts)
    return names


def entered(step: Step, pattern: SpanPattern) -> Step:
    """Return the first step of the items below `pattern`, one that `step` takes; they lead to what follows it."""
    below = step.below.get(id(pattern))
    if below is None:
        joint = Step(Kind.FORK, step.rank, step.inside, then=step.then)
        below = step.below[id(pattern)] = _graph(pattern.children or (), joint, inside=step.inside + 1)[0]
    return below


def _graph(items: tuple[Item, ...], end: Step, inside: int) -> list[Step]:
    rank = end.rank
    fixed = rank if inside else None  # inside a missing span, all belongs to the place of that span
    entries = [Step(Kind.FORK, k if fixed is None else fixed, inside) for k in range(len(items))]
    entries.append(end)
    todo = [(item, entries[k], entries[k + 1], False) for k, item in enumerate(items)]
    made = -len(items)
    while todo:
        item, entry, target, looped = todo.pop()
        entry.then = [target]
        made += 1
        slots = slots_of(item) if isinstance(item, AnyOrder) else ()
        if isinstance(item, EllipsisType) or made > _STEPS or slots is None:
            entry.kind = Kind.GAP
        elif is_one_span(item):
            entry.kind, entry.unit = Kind.SPAN, item
        elif isinstance(item, Repeat) and is_one_span(item.item):
            entry.kind, entry.unit, entry.low, entry.high = Kind.MANY, item.item, item.min, item.max
        elif isinstance(item, Repeat) and isinstance(item.item, Repeat):
            most = None if item.max is None or item.item.max is None else item.max * item.item.max
            todo.append((Repeat(item.item.item, item.min * item.item.min, most), entry, target, looped))
        elif isinstance(item, AnyOrder):
            entry.kind, entry.gap, entry.slots, entry.again = Kind.GROUP, item.gap, slots, looped
        elif isinstance(item, Repeat):
            body = Step(Kind.FORK, entry.rank, inside)
            again = Step(Kind.FORK, entry.rank, inside, then=[body, target])
            entry.then = [body] if item.min else [body, target]
            once = item.max is not None and item.max <= 1
            todo.append((item.item, body, target if once else again, looped or not once))
        elif isinstance(item, OneOf):
            entry.then = [Step(Kind.FORK, entry.rank, inside) for _ in item.alternatives]
            branches = zip(item.alternatives, entry.then, strict=True)
            todo.extend((each, branch, target, looped) for each, branch in branches)
        else:
            raise AssertionError("unreachable: every other form of the language has had its turn")
    return entries


def slots_of(group: AnyOrder) -> tuple[Slot, ...] | None:
    """Return the single spans that a group in any order is about, groups inside it flattened; `None` if too many."""
    found: list[Slot] = []
    together: tuple[AnyOrder, ...] = (group,) if group.overlapping else ()
    todo: list[tuple[Pattern, int, int | None, tuple[AnyOrder, ...]]] = [
        (item, 1, 1, together) for item in reversed(group.items)
    ]
    made = -len(group.items)
    while todo:
        item, low, high, together = todo.pop()
        made += 1
        if made > _STEPS:
            return None
        if is_one_span(item):
            found.append(Slot(item, low, high, together))
        elif isinstance(item, Repeat):
            most = None if high is None or item.max is None else high * item.max
            many = most is None or most > 1
            apart = together if is_one_span(item.item) or not many else ()  # each round overlaps by itself
            todo.append((item.item, low * item.min, most, apart))
        elif isinstance(item, OneOf):
            todo.extend((each, 0, high, together) for each in reversed(item.alternatives))
        elif isinstance(item, AnyOrder):
            inner = (*together, item) if item.overlapping and high == 1 else together
            todo.extend((each, low, high, inner) for each in reversed(item.items))
        else:
            raise AssertionError("unreachable: every other form of the language has had its turn")
    return _merged(found)


def _merged(slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Let slots that say the same be one slot for so many."""
    merged: dict[tuple[Pattern, tuple[int, ...]], Slot] = {}
    for slot in slots:
        key = slot.unit, tuple(map(id, slot.together))
        other = merged.get(key)
        if other is None:
            merged[key] = slot
        else:
            high = None if slot.high is None or other.high is None else slot.high + other.high
            merged[key] = Slot(slot.unit, slot.low + other.low, high, slot.together)
    # those that say most come first, so that what says little is left for what fits nothing else
    return tuple(sorted(merged.values(), key=lambda slot: _says_little(slot.unit)))


def _says_little(unit: Pattern) -> bool:
    return any(each.children is None for each in span_patterns_of(unit))
