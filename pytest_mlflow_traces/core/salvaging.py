"""Lines that no span stands for any more, kept for the spans that turn up elsewhere: what moved keeps its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.nodes import SpanPattern
from pytest_mlflow_traces.core.outlines import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.core.matching import Matcher

_LOOKED_AT = 50  # lines of one name


class Salvage:
    """Keep what was lost, by name."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._by_name: dict[str, list[Entry]] = {}
        self._above: dict[int, Entry | None] = {}
        self._gone: set[int] = set()  # the lines that stand elsewhere now, in whole or in part
        self._taken: set[int] = set()

    def lose(self, entry: Entry) -> Entry:
        """Take in a line and all below it; return what keeps its place until it is clear what becomes of it."""
        stack: list[tuple[Entry, Entry | None]] = [(entry, None)]
        while stack:
            each, above = stack.pop()
            self._above[id(each)] = above
            if isinstance(each.unit, SpanPattern) and isinstance(each.unit.name, str):
                self._by_name.setdefault(each.unit.name, []).append(each)
            stack += [(below, each) for below in reversed(each.below) if not each.is_demand]
        return Entry("", lost=entry)

    def take(self, name: str, i: int, is_mendable: Callable[[Entry], bool]) -> Entry | None:
        """Return the line that is to stand for the span at `i`, best one that matches it."""
        there = [each for each in self._by_name.get(name, ()) if id(each) not in self._gone][:_LOOKED_AT]
        # what is inside of something is better kept for the whole, which may turn up yet
        there.sort(key=lambda each: self._above[id(each)] is not None)
        found = next((each for each in there if self._holds(each, i)), None)
        if found is None:
            larger = (each for each in there if each.below or self._above[id(each)] is None)
            found = next(filter(is_mendable, larger), None)
        if found is not None:
            self._taken.add(id(found))
            above: Entry | None = found
            while above is not None:
                self._gone.add(id(above))
                above = self._above[id(above)]
            stack = list(found.below)
            while stack:
                each = stack.pop()
                self._gone.add(id(each))
                stack += each.below
        return found

    def _holds(self, entry: Entry, i: int) -> bool:
        return entry.unit is not None and self._matcher.matches(entry.unit, i)

    def settle(self, top: Entry) -> None:
        """Let go of the places of what was lost; the comments above a line stay, above the next one."""
        stack = [top]
        while stack:
            entry = stack.pop()
            kept: list[Entry] = []
            comments: list[str] = []
            for each in entry.below:
                if each.lost is None:
                    each.before = [*comments, *each.before]
                    comments = []
                    kept.append(each)
                    stack.append(each)
                elif id(each.lost) not in self._taken:
                    comments += [line for line in each.lost.before if line.strip()]
            entry.below = kept
            entry.after += comments
