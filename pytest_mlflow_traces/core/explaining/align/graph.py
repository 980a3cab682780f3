"""The content model of a list of children as a graph: what may come next at each point, for an alignment to walk.

The graph is the textbook automaton of a regular expression (Ken Thompson, "Regular Expression Search Algorithm", CACM
1968) with two things of its own: a repeated span keeps a count instead of copies, so that `min=10**9` costs nothing,
and a group in any order is one step over several spans. It is as large as the list and made without recursion.

What this graph does not say is for the explainer to notice: a repeated *group* counts only as none, one or many,
inside a group in any order every item is flattened to single spans with limits, and of a list that shares its parts so
often that it would have more than `_STEPS` steps, the rest is a gap. The graph accepts more than the pattern there,
never less.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.explaining.align.subtree_hashes import names_in
from pytest_mlflow_traces.core.matching.content_model import (
    Choice,
    Gap,
    Group,
    Loop,
    Run,
    has_gap,
    parts_of,
    ranked_models_of,
)
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern, alternatives_of, span_patterns_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mlflow_traces.core.matching.content_model import Model
    from pytest_mlflow_traces.core.patterns.nodes import Item, Pattern


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
    together: tuple[Group, ...] = ()


@dataclass(slots=True, eq=False)
class Step:
    """One point of a list of children: what it takes, and the steps after it."""

    kind: Kind
    rank: int  # the place in the list of the item that it belongs to
    holder: SpanPattern | None = (
        None  # the missing span that it stands inside of, its items being looked for in its place
    )
    then: list[Step] = field(default_factory=list)
    unit: Pattern | None = None
    units: tuple[SpanPattern, ...] = ()  # one of which is the unit
    low: int = 0
    high: int | None = None
    slots: tuple[Slot, ...] = ()
    gap: bool = False
    again: bool = False  # it may be taken any number of times
    below: dict[int, Step] = field(default_factory=dict)  # by id of a pattern it takes: the first item below that


Point: TypeAlias = "tuple[Step, int, int]"  # a step, a place in the trace, and how many spans a repeated step has taken


class ContentGraph:
    """The graph of one list of children."""

    def __init__(self, items: tuple[Item, ...]) -> None:
        self.items = items
        models = ranked_models_of(items)
        self.names = _names(models)
        self.has_gap = any(has_gap(model) for _, model in models)
        self.end = Step(Kind.END, len(items))
        entries = _graph(models, self.end, None)
        self.first = entries[0]
        # the steps one by one, where the list is nothing but single spans
        self.steps = entries if all(step.kind in (Kind.SPAN, Kind.END) for step in entries) else None

    @cached_property
    def expected(self) -> set[str] | None:
        """The names of the items and of what is next below them, `None` where they may be any."""
        return names_in(self.items)

    def is_sure(self, unit: Pattern) -> bool:
        """Return whether what matches `unit` could hardly be meant for another item of the list."""
        for each in alternatives_of(unit):
            if not isinstance(each, SpanPattern) or not isinstance(each.name, str):
                return False
            if each.children is None and (self.names is None or self.names.get(each.name, 0) > 1):
                return False
        return True


def _names(models: Sequence[tuple[int, Model]]) -> Mapping[str, int] | None:
    names: dict[str, int] = defaultdict(int)
    todo = [model for _, model in models]
    seen: set[int] = set()
    while todo:
        model = todo.pop()
        if isinstance(model, Gap):
            return None
        if isinstance(model, Run):
            for pattern in model.units.patterns:
                if not isinstance(pattern.name, str):
                    return None
                names[pattern.name] += 1
        elif id(model) not in seen:
            seen.add(id(model))
            todo.extend(parts_of(model))
    return names


def entered(step: Step, pattern: SpanPattern) -> Step:
    """Return the first step of the items below `pattern`, one that `step` takes; they lead to what follows it."""
    below = step.below.get(id(pattern))
    if below is None:
        joint = Step(Kind.FORK, step.rank, step.holder, then=step.then)
        models = ranked_models_of(pattern.children or ())
        below = step.below[id(pattern)] = _graph(models, joint, pattern)[0]
    return below


def _graph(models: Sequence[tuple[int, Model]], end: Step, holder: SpanPattern | None) -> list[Step]:
    # inside a missing span, all belongs to the place of that span
    entries = [*(Step(Kind.FORK, rank if holder is None else end.rank, holder) for rank, _ in models), end]
    todo = [(model, entries[k], entries[k + 1], False) for k, (_, model) in enumerate(models)]
    made = -len(models)
    while todo:
        model, entry, target, looped = todo.pop()
        entry.then = [target]
        made += 1
        slots = slots_of((model,)) if isinstance(model, Group) else ()
        if isinstance(model, Gap) or made > _STEPS or slots is None:
            entry.kind = Kind.GAP
        elif isinstance(model, Run):
            entry.kind = Kind.SPAN if model.low == model.high == 1 else Kind.MANY
            entry.unit, entry.low, entry.high = model.units.pattern, model.low, model.high
            entry.units = model.units.patterns
        elif isinstance(model, Group):
            entry.kind, entry.gap, entry.slots, entry.again = Kind.GROUP, model.gap, slots, looped
        elif isinstance(model, Loop):
            body = Step(Kind.FORK, entry.rank, holder)
            again = Step(Kind.FORK, entry.rank, holder, then=[body, target])
            entry.then = [body] if model.low else [body, target]
            once = model.high == 1
            todo.append((model.item, body, target if once else again, looped or not once))
        else:
            entry.then = [Step(Kind.FORK, entry.rank, holder) for _ in model.options]
            branches = zip(model.options, entry.then, strict=True)
            todo.extend((option, branch, target, looped) for option, branch in branches)
    return entries


def slots_of(models: Sequence[Model]) -> tuple[Slot, ...] | None:
    """Return the single spans that some models in any order are about, groups flattened; `None` if too many."""
    found: list[Slot] = []
    todo: list[tuple[Model, int, int | None, tuple[Group, ...]]] = [(model, 1, 1, ()) for model in reversed(models)]
    made = -len(models)
    while todo:
        model, low, high, together = todo.pop()
        made += 1
        if made > _STEPS:
            return None
        if isinstance(model, Run):
            found.append(Slot(model.units.pattern, low * model.low, _times(high, model.high), together))
        elif isinstance(model, Loop):
            most = _times(high, model.high)
            apart = together if most is not None and most <= 1 else ()  # each round overlaps by itself
            todo.append((model.item, low * model.low, most, apart))
        elif isinstance(model, Choice):
            todo.extend((option, 0, high, together) for option in reversed(model.options))
        elif isinstance(model, Group):
            inner = (*together, model) if model.overlapping and high == 1 else together
            todo.extend((item, low, high, inner) for item in reversed(model.items))
    return _merged(found)


def _times(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one * other


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
