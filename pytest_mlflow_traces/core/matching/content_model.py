"""Automaton models: what a list of children says, in a normal form that can be run.

A model is a set of words over sibling spans. The forms of the pattern language become

- `Run`: a number of consecutive spans, each of which one of some one-span patterns matches. `optional`, `repeat` and
  `one_of` of single spans all are runs, however deep they nest, as long as the possible numbers have no hole.
- `Gap`: any number of any spans.
- `Loop`, `Choice`: `repeat` and `one_of` of what is not a run.
- `Group`: `any_order` and `parallel`; nested bare groups merge (shuffling is associative, a gap inside frees all).

Everything here is a loop over a stack, since patterns may be nested thousands deep.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.matching.siblings import Units
from pytest_mlflow_traces.core.patterns.folding import built
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, OneOf, Pattern, Repeat, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Item

Model: TypeAlias = "Run | Gap | Loop | Choice | Group"
_MOST_MERGED = 100  # options of a loop in a loop; merging them level by level is quadratic in the depth


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """`low` to `high` spans (`None`: no limit), each matched by one of `units`."""

    units: Units
    low: int
    high: int | None

    @property
    def shortest(self) -> int:
        """The least number of spans."""
        return self.low

    @property
    def longest(self) -> int | None:
        """The greatest number of spans."""
        return self.high


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """Any number of any spans."""

    shortest: int = 0
    longest: int | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Loop:
    """`low` to `high` copies of `item`, one after the other; `low` is 0 where a copy may be empty."""

    item: Model
    low: int
    high: int | None
    shortest: int
    longest: int | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Choice:
    """One of `options`."""

    options: tuple[Model, ...]
    shortest: int
    longest: int | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Group:
    """All of `items`, their spans in any order; with `gap`, other spans between; `overlapping` pairwise in time."""

    items: tuple[Model, ...]
    gap: bool
    overlapping: bool
    shortest: int
    longest: int | None


_EMPTY = Run(Units(()), 0, 0)
_GAP = Gap()


def models_of(items: Iterable[Item]) -> list[Model]:
    """Return the models that a list of children stands for, one after the other."""
    return [model for _, model in ranked_models_of(items)]


def ranked_models_of(items: Iterable[Item]) -> list[tuple[int, Model]]:
    """Return the same, each with the place of its item in the list."""
    models: list[tuple[int, Model]] = []
    made: dict[int, Model] = {}
    for rank, item in enumerate(items):
        model = _GAP if isinstance(item, EllipsisType) else built(item, _items_of, _assembled, made)
        if model is not _EMPTY and not (model is _GAP and models and models[-1][1] is _GAP):
            models.append((rank, model))
    return models


def has_gap(model: Model) -> bool:
    """Return whether `model` takes spans that it says nothing of."""
    return isinstance(model, Gap) or (isinstance(model, Group) and model.gap)


def parts_of(model: Model) -> tuple[Model, ...]:
    """Return the models that `model` is made of."""
    if isinstance(model, Loop):
        return (model.item,)
    if isinstance(model, Choice):
        return model.options
    return model.items if isinstance(model, Group) else ()


def shortest(models: Sequence[Model]) -> int:
    """Return the least number of spans that all of `models` take together."""
    return sum(model.shortest for model in models)


def longest(models: Sequence[Model]) -> int | None:
    """Return the greatest number of spans that all of `models` take together, `None` for no limit."""
    return None if any(model.longest is None for model in models) else sum(model.longest or 0 for model in models)


def _items_of(pattern: Pattern) -> list[Pattern]:
    return [] if isinstance(pattern, SpanPattern) else [part for part in pattern.parts if isinstance(part, Pattern)]


def _assembled(pattern: Pattern, parts: list[Model]) -> Model:
    if isinstance(pattern, SpanPattern):
        return Run(Units((pattern,)), 1, 1)
    if isinstance(pattern, Repeat):
        return _loop(parts[0], pattern.min, pattern.max)
    if isinstance(pattern, OneOf):
        return _choice(parts)
    if isinstance(pattern, AnyOrder):
        return _group(parts, gap=pattern.gap, overlapping=pattern.overlapping)
    raise AssertionError("unreachable: there are no other patterns")


def _loop(item: Model, low: int, high: int | None) -> Model:
    if high == 0 or item.longest == 0:
        return _EMPTY
    if item.shortest == 0 and (low, high) != (1, 1):
        low = 0
    while isinstance(item, Run | Loop) and (merged := _multiplied(item.low, item.high, low, high)):
        low, high = merged
        if isinstance(item, Run):
            return Run(item.units, low, high)
        item = item.item
    if (low, high) == (1, 1):
        return item
    if high is None and low <= 1:
        item, low = _without_inner_loops(item, low)
        if isinstance(item, Run) and item.low == item.high == 1:
            return Run(item.units, low, None)
    most = None if high is None or item.longest is None else high * item.longest
    return Loop(item, low, high, low * item.shortest, most)


def _multiplied(low: int, high: int | None, least: int, most: int | None) -> tuple[int, int | None] | None:
    """Return the numbers that `least` to `most` numbers from `low` to `high` add up to, where they have no hole."""
    if least != most and (low > 1 and least == 0 if high is None else low - 1 > least * (high - low)):
        return None  # from `least` to one more copy there is a hole; later ones are no wider
    return low * least, None if high is None or most is None else high * most


def _without_inner_loops(item: Model, low: int) -> tuple[Model, int]:
    """Return `item` and `low` of an endless loop with the endless loops directly inside gone: (a | b*)* is (a | b)*."""
    options: list[Model] = []
    for option in item.options if isinstance(item, Choice) else (item,):
        inner = parts_of(option.item) if isinstance(option, Loop) and isinstance(option.item, Choice) else ()
        if isinstance(option, Loop) and option.high is None and option.low <= 1 and len(inner) < _MOST_MERGED:
            low = min(low, option.low)
            options += inner or (option.item,)
        elif isinstance(option, Run) and option.low <= 1 and option.high != 0:
            low = min(low, option.low)
            options.append(Run(option.units, 1, 1))
        else:
            options.append(option)
    return _choice(options), low


def _choice(options: list[Model]) -> Model:
    singles: list[Run] = []
    distinct: dict[int, Model] = {}
    for option in options:
        if isinstance(option, Run) and option.high in (0, 1):
            singles.append(option)
        else:
            distinct[id(option)] = option
    models = list(distinct.values())
    if len(singles) > 1:
        units = Units(single.units for single in singles)
        singles = [Run(units, min(single.low for single in singles), max(single.high or 0 for single in singles))]
    models[:0] = singles
    if len(models) == 1:
        return models[0]
    most = None if any(model.longest is None for model in models) else max(model.longest or 0 for model in models)
    return Choice(tuple(models), min(model.shortest for model in models), most)


def _group(parts: list[Model], *, gap: bool, overlapping: bool) -> Model:
    items: list[Model] = []
    for part in parts:
        if isinstance(part, Group) and (overlapping or not part.overlapping):
            items += part.items
            gap = gap or part.gap
        elif part is _GAP:
            gap = True
        elif part is not _EMPTY:
            items.append(part)
    if not items:
        return _GAP if gap else _EMPTY
    if len(items) == 1 and not gap and (not overlapping or items[0].longest == 1):
        return items[0]
    return Group(tuple(items), gap, overlapping, shortest(parts), None if gap else longest(parts))
