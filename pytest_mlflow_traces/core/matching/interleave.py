"""`any_order` of what is not a run, such as a repeated group: by partial derivatives.

The derivative of a model by a span is the set of models that say what may come after that span (Brzozowski, Antimirov;
for interleave: James Clark, "An algorithm for RELAX NG validation", 2002). Models here are terms, made once each and
known by their number, so that equal ones meet again; a group is the sorted tuple of what its items still ask for. The
terms that are alive after each span are the states of an automaton that is built while it reads.

The number of terms can be exponential in the number of items that one span could go to. Past `_MOST_STEPS` it is a
`PatternTooComplexError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_mlflow_traces.core.matching.bitsets import members
from pytest_mlflow_traces.core.matching.content_model import Choice, Group, Loop, Run, parts_of
from pytest_mlflow_traces.core.matching.siblings import PatternTooComplexError
from pytest_mlflow_traces.core.patterns.folding import built
from pytest_mlflow_traces.core.spans.overlaps import overlap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces.core.matching.content_model import Model
    from pytest_mlflow_traces.core.matching.siblings import Siblings, Units

_MOST_STEPS = 100_000
_MOST_STEPS_PER_SPAN = 300

# What may follow a span, and whether a pattern (not a gap) matched that span.
Following: TypeAlias = "set[tuple[int, bool]]"


class _Run(NamedTuple):
    units: tuple[int, ...]  # the ids of the patterns
    low: int
    high: int | None


class _Loop(NamedTuple):
    item: int
    low: int
    high: int | None


class _Choice(NamedTuple):
    options: tuple[int, ...]


class _Sequence(NamedTuple):
    first: int
    then: int


class _Shuffle(NamedTuple):
    items: tuple[int, ...]
    gap: bool


class _Ring(NamedTuple):
    item: int
    latest_start: int | None
    earliest_end: int | None


Term: TypeAlias = "_Run | _Loop | _Choice | _Sequence | _Shuffle | _Ring"


def ends(group: Group, siblings: Siblings, starts: int) -> int:
    """Return the set of the ends of the windows that `group` says and that start in the set `starts`."""
    terms = _Terms(siblings, group)
    model: Model = group
    opening = built(model, parts_of, terms.of_model)
    begin = set(members(starts))
    alive: set[int] = set()
    found = 0
    for k in range(min(begin), len(siblings) + 1):
        if k in begin:
            alive.add(opening)
        if any(terms.shortest[term] == 0 for term in alive):
            found |= 1 << k
        if k < len(siblings):
            alive = terms.following(alive, k)
    return found


class _Terms:
    """Each term by one number, with the least number of spans that it takes; the derivatives by a list of siblings."""

    def __init__(self, siblings: Siblings, group: Group) -> None:
        self._siblings, self._group = siblings, group
        self._starts, self._ends = siblings.starts(), siblings.ends()
        self._steps, self._most = 0, _MOST_STEPS + _MOST_STEPS_PER_SPAN * len(siblings)
        self.terms: list[Term] = []
        self.shortest: list[int] = []
        self.units: dict[tuple[int, ...], Units] = {}
        self._numbers: dict[tuple[type, Term], int] = {}
        self.empty = self._number(_Shuffle((), gap=False), 0)

    def _number(self, term: Term, shortest: int) -> int:
        key = type(term), term  # named tuples of two types may be equal
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.terms)
            self.terms.append(term)
            self.shortest.append(shortest)
        return number

    def run(self, units: tuple[int, ...], low: int, high: int | None) -> int:
        return self.empty if high == 0 else self._number(_Run(units, low, high), low)

    def loop(self, item: int, low: int, high: int | None) -> int:
        return self.empty if high == 0 else self._number(_Loop(item, low, high), low * self.shortest[item])

    def choice(self, options: Iterable[int]) -> int:
        distinct = tuple(sorted(set(options)))
        return self._number(_Choice(distinct), min(self.shortest[option] for option in distinct))

    def sequence(self, first: int, then: int) -> int:
        if self.empty in (first, then):
            return then if first == self.empty else first
        return self._number(_Sequence(first, then), self.shortest[first] + self.shortest[then])

    def shuffle(self, items: Iterable[int], *, gap: bool) -> int:
        flat: list[int] = []
        for item in items:
            term = self.terms[item]
            if isinstance(term, _Shuffle):
                flat += term.items
                gap = gap or term.gap
            else:
                flat.append(item)
        if len(flat) == 1 and not gap:
            return flat[0]
        return self._number(_Shuffle(tuple(sorted(flat)), gap), sum(self.shortest[item] for item in flat))

    def ring(self, item: int, latest_start: int | None, earliest_end: int | None) -> int:
        if isinstance(term := self.terms[item], _Shuffle) and not term.items:
            return item  # nothing is left that has to overlap
        return self._number(_Ring(item, latest_start, earliest_end), self.shortest[item])

    def of_model(self, model: Model, parts: list[int]) -> int:
        if isinstance(model, Run):
            units = tuple(map(id, model.units.patterns))
            self.units[units] = model.units
            return self.run(units, model.low, model.high)
        if isinstance(model, Loop):
            return self.loop(parts[0], model.low, model.high)
        if isinstance(model, Choice):
            return self.choice(parts)
        if isinstance(model, Group):
            shuffle = self.shuffle(parts, gap=model.gap)
            return self.ring(shuffle, None, None) if model.overlapping else shuffle
        return self.shuffle((), gap=True)

    def following(self, alive: set[int], k: int) -> set[int]:
        """Return the terms that say what may follow the span at `k`, one of `alive` having come before it."""
        shortest, left = self.shortest, len(self._siblings) - k - 1
        done: dict[int, Following] = {}
        stack = list(alive)
        while stack:
            top = stack[-1]
            missing = [part for part in self._needed(top) if part not in done]
            if missing:
                stack.extend(missing)
                continue
            if top not in done:
                found = self._derivative(top, k, done)
                self._count(len(found))
                done[top] = {after for after in found if shortest[after[0]] <= left}  # whatever is around asks for more
            stack.pop()
        return {after for term in alive for after, _ in done[term]}

    def _count(self, steps: int) -> None:
        self._steps += 1 + steps
        if self._steps > self._most:
            raise PatternTooComplexError(
                f"any_order(...) of {len(self._group.items)} items with groups inside groups, over "
                f"{len(self._siblings)} siblings: there are too many ways to share the spans out. Say more about the "
                "spans inside the groups (their names), so that each fits fewer of them; or take the repeated group "
                "out of any_order; or write its spans as single items, any_order(repeat(span('a')), repeat(span('b')))"
            )

    def _needed(self, number: int) -> tuple[int, ...]:
        term = self.terms[number]
        if isinstance(term, _Loop | _Ring):
            return (term.item,)
        if isinstance(term, _Choice):
            return term.options
        if isinstance(term, _Sequence):
            return (term.first, term.then) if self.shortest[term.first] == 0 else (term.first,)
        return term.items if isinstance(term, _Shuffle) else ()

    def _derivative(self, number: int, k: int, done: dict[int, Following]) -> Following:
        term = self.terms[number]
        if isinstance(term, _Run | _Loop):
            low, high = max(term.low - 1, 0), None if term.high is None else term.high - 1
        if isinstance(term, _Run):
            is_one = self._siblings.matches(self.units[term.units], k)
            return {(self.run(term.units, low, high), True)} if is_one else set()
        if isinstance(term, _Loop):
            rest = self.loop(term.item, low, high)
            return {(self.sequence(after, rest), taken) for after, taken in done[term.item]}
        if isinstance(term, _Choice):
            return set().union(*(done[option] for option in term.options))
        if isinstance(term, _Sequence):
            found = {(self.sequence(after, term.then), taken) for after, taken in done[term.first]}
            return found | done[term.then] if self.shortest[term.first] == 0 else found
        if isinstance(term, _Shuffle):
            return self._shuffled(number, term, done)
        return self._overlapping(term, k, done[term.item])

    def _shuffled(self, number: int, term: _Shuffle, done: dict[int, Following]) -> Following:
        found: Following = {(number, False)} if term.gap else set()
        for at, item in enumerate(term.items):
            if at and item == term.items[at - 1]:
                continue  # they are sorted: the same again
            others = (*term.items[:at], *term.items[at + 1 :])
            for after, taken in done[item]:
                found.add((self.shuffle((*others, after), gap=term.gap), taken))
                self._count(len(others) // 16)
        return found

    def _overlapping(self, ring: _Ring, k: int, inside: Following) -> Following:
        start, end = self._starts[k], self._ends[k]
        latest, earliest = ring.latest_start, ring.earliest_end
        meets = latest is None or overlap(start, end, latest, earliest)
        later = start if latest is None else max(latest, start)
        earlier = end if earliest is None else earliest if end is None else min(earliest, end)
        found: Following = set()
        for after, taken in inside:
            if not taken:
                found.add((self.ring(after, latest, earliest), False))
            elif meets:
                found.add((self.ring(after, later, earlier), True))
        return found
