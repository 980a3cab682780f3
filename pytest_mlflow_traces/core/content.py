"""Run a content model over siblings: from the set of places where it may start to the set where it may end.

A place is a number from 0 to the number of siblings. Sets of places are the bits of an integer, so that every part of
a model is a function on sets: a gap reaches all later places, a run the places as far as its spans match (no unrolling:
`min=10**9` costs nothing), a loop applies its item to the places that are new. Single spans at both ends are compared
one by one first. All is O(siblings x model) outside loops in loops, where the answers of the inner loop are kept for
each start, and inside groups (see `assignment` and `shuffles`).

Models may nest thousands deep, so what is nested is a generator that yields the part and the starts it wants followed;
one loop runs them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_mlflow_traces.core import assignment, shuffles
from pytest_mlflow_traces.core.assignment import Run
from pytest_mlflow_traces.core.bitsets import Intervals, between, lowest, members
from pytest_mlflow_traces.core.models import Choice, Gap, Loop

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_mlflow_traces.core.models import Content, Group, Model
    from pytest_mlflow_traces.core.siblings import Siblings

Walking: TypeAlias = "Generator[tuple[Model, int], Any, int]"


def accepts(content: Content, siblings: Siblings) -> bool:
    """Return whether `siblings` are what `content` says."""
    count, head, tail = len(siblings), content.head, content.tail
    if count < content.shortest or (content.longest is not None and count > content.longest):
        return False
    stop = count - len(tail)
    if not all(siblings.matches(run.units, k) for k, run in enumerate(head)):
        return False
    if not all(siblings.matches(run.units, k) for k, run in enumerate(tail, stop)):
        return False
    walk = _Walk(siblings.part(len(head), stop))
    places = 1
    for model in content.middle:
        places = walk.ends(model, places)
        if not places:
            return False
    return bool(places >> (stop - len(head)) & 1)


class _Walk:
    """Follow models over one list of siblings."""

    def __init__(self, siblings: Siblings) -> None:
        self._siblings = siblings
        self._loops = 0  # how many loops are being followed, one inside the other
        self._known: dict[tuple[int, int], int] = {}

    def ends(self, model: Model, starts: int) -> int:
        """Return the set of places where `model` may end that starts in the set `starts`."""
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
            return between(lowest(starts), len(self._siblings)) if starts else 0
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
        if not starts:
            return 0
        if group.rows is None:
            return shuffles.ends(group, self._siblings, starts)
        found = 0
        for row in group.rows:
            found |= assignment.ends(row, self._siblings, starts)
        return found

    def _choice(self, choice: Choice, starts: int) -> Walking:
        found = 0
        for option in choice.options:
            found |= yield option, starts
        return found

    def _loop(self, loop: Loop, starts: int) -> Walking:
        if not starts or lowest(starts) + loop.shortest > len(self._siblings):
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
