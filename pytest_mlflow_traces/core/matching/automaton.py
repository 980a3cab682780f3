"""Run a content model over siblings: from the set of places where it may start to the set where it may end.

A place is a number from 0 to the number of siblings. Sets of places are the bits of an integer, so that every part of
a model is a function on sets: a gap reaches all later places, a run the places as far as its spans match (no unrolling:
`min=10**9` costs nothing), a loop applies its item to the places that are new. Single spans at both ends are compared
one by one first. All is O(siblings x model) outside loops in loops, where the answers of the inner loop are kept for
each start, and inside groups (see `any_order` and `interleave`).

Models may nest thousands deep, so what is nested is a generator that yields the part and the starts it wants followed;
one loop runs them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_mlflow_traces.core.matching import interleave
from pytest_mlflow_traces.core.matching.any_order import Assignment, rows_of
from pytest_mlflow_traces.core.matching.bitsets import Intervals, between, lowest, members
from pytest_mlflow_traces.core.matching.content_model import (
    Choice,
    Gap,
    Group,
    Loop,
    Run,
    longest,
    models_of,
    parts_of,
    shortest,
)
from pytest_mlflow_traces.core.matching.siblings import Units

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from pytest_mlflow_traces.core.matching.content_model import Model
    from pytest_mlflow_traces.core.matching.siblings import Siblings
    from pytest_mlflow_traces.core.patterns.nodes import Item, SpanPattern

Walking: TypeAlias = "Generator[tuple[Model, int], Any, int]"


class Automaton:
    """The content model of one list of children, ready to run."""

    def __init__(self, items: Iterable[Item]) -> None:
        models = models_of(items)
        head = _leading_singles(models)
        tail = _leading_singles(models[: len(head) - 1 if head else None : -1])
        self._head, self._tail = head, tail[::-1]
        self._middle = models[len(head) : len(models) - len(tail)]
        self.shortest, self._longest = shortest(models), longest(models)
        within = [part for model in models for part in (parts_of(model) if isinstance(model, Group) else (model,))]
        self.required = [part.units for part in within if isinstance(part, Run) and part.low]  # some, not all that is
        every = _every(models)
        self.timed = any(isinstance(model, Group) and model.overlapping for model in every)
        units = [model.units for model in every if isinstance(model, Run)]
        self.patterns = Units(units).patterns  # all one-span patterns in it
        self._assignments: dict[int, list[Assignment] | None] = {}  # of each group, made once

    def accepts(self, siblings: Siblings) -> bool:
        """Return whether `siblings` are what the list of children says."""
        count, first = len(siblings), len(self._head)
        if count < self.shortest or (self._longest is not None and count > self._longest):
            return False
        if not count:
            return True  # nothing is long enough, so nothing is asked for
        stop = count - len(self._tail)
        if not all(siblings.matches(run.units, k) for k, run in enumerate(self._head)):
            return False
        if not all(siblings.matches(run.units, k) for k, run in enumerate(self._tail, stop)):
            return False
        places = 1
        walk = _Walk(siblings.part(first, stop), self._assignments)
        for model in self._middle:
            places = walk.ends(model, places)
            if not places:
                return False
        return bool(places >> (stop - first) & 1)


def content_of(pattern: SpanPattern) -> Automaton:
    """Return the content of the children of a pattern, which keeps it for the next trace that it is compared with."""
    content: Automaton | None = getattr(pattern, "_content", None)
    if content is None:
        content = Automaton(pattern.children or ())
        object.__setattr__(pattern, "_content", content)
    return content


def _every(models: list[Model]) -> list[Model]:
    """Return the models and all that they are made of, each once."""
    found: dict[int, Model] = {}
    stack = list(models)
    while stack:
        model = stack.pop()
        if id(model) not in found:
            found[id(model)] = model
            stack += parts_of(model)
    return list(found.values())


def _leading_singles(models: list[Model]) -> list[Run]:
    singles: list[Run] = []
    for model in models:
        if not (isinstance(model, Run) and model.low == model.high == 1):
            break
        singles.append(model)
    return singles


class _Walk:
    """The run of models over one list of siblings."""

    def __init__(self, siblings: Siblings, assignments: dict[int, list[Assignment] | None]) -> None:
        self._siblings = siblings
        self._assignments = assignments
        self._loops = 0  # how many loops are being followed, one inside the other
        self._known: dict[tuple[int, int], int] = {}

    def ends(self, model: Model, starts: int) -> int:
        """Return the set of places where `model` may end that starts in the set `starts`, which is not empty."""
        stack: list[Walking] = []
        answer = self._follow(model, starts, stack)
        while stack:
            try:
                part, places = stack[-1].send(answer)
            except StopIteration as done:  # noqa: PERF203  # this is how a generator returns
                stack.pop()
                answer = done.value
            else:
                answer = self._follow(part, places, stack)
        return answer or 0

    def _follow(self, model: Model, starts: int, stack: list[Walking]) -> int | None:
        """Return the ends, or `None` where the answer is now at the top of `stack`."""
        if isinstance(model, Run):
            return self._run(model, starts)
        if isinstance(model, Gap):
            return between(lowest(starts), len(self._siblings))
        if isinstance(model, Choice):
            stack.append(self._choice(model, starts))
        elif isinstance(model, Loop):
            stack.append(self._inner_loop(model, starts) if self._loops else self._loop(model, starts))
        else:
            return self._group(model, starts)
        return None

    def _run(self, run: Run, starts: int) -> int:
        count, found = len(self._siblings), Intervals()
        reached = 0  # the spans from the latest start up to here match
        for start in members(starts):
            first, last = start + run.low, count if run.high is None else min(start + run.high, count)
            if first > count:
                break
            reached = max(reached, start)
            while reached < last and self._siblings.matches(run.units, reached):
                reached += 1
            if first <= reached:
                found.add(first, min(reached, last))
        return found.bits()

    def _group(self, group: Group, starts: int) -> int:
        if id(group) not in self._assignments:
            rows = rows_of(group)
            self._assignments[id(group)] = None if rows is None else [Assignment(row) for row in rows]
        assignments = self._assignments[id(group)]
        if assignments is None:
            return interleave.ends(group, self._siblings, starts)
        found = 0
        for assignment in assignments:
            found |= assignment.ends(self._siblings, starts)
        return found

    def _choice(self, choice: Choice, starts: int) -> Walking:
        found = 0
        for option in choice.options:
            found |= yield option, starts
        return found

    def _loop(self, loop: Loop, starts: int) -> Walking:
        if lowest(starts) + loop.shortest > len(self._siblings):
            return 0
        self._loops += 1
        copies = 0
        while starts and copies < loop.low:
            starts = yield loop.item, starts
            copies += 1
        found = starts
        while starts and (loop.high is None or copies < loop.high):
            ends: int = yield loop.item, starts
            starts = ends & ~found  # a place reached by fewer copies has no more to learn
            found |= starts
            copies += 1
        self._loops -= 1
        return found

    def _inner_loop(self, loop: Loop, starts: int) -> Walking:
        """Follow a loop inside a loop from each start once, or the time would be exponential in their depth."""
        found = 0
        for start in members(starts):
            key = id(loop), start
            if key not in self._known:
                self._known[key] = yield from self._loop(loop, 1 << start)
            found |= self._known[key]
        return found
