"""Lines that no span stands for any more, kept for the spans that turn up elsewhere: what moved keeps its line."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.line_tree import Entry, alternatives, name_of
from pytest_mlflow_traces.core.patterns.constructors import is_one_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.core.matching.matcher import Matcher

_LOOKED_AT = 50  # lines of one name


class Salvage:
    """The lines that were lost, by name."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._by_name: dict[str, list[Entry]] = {}
        self._nameless: list[Entry] = []  # of any name, of one that a regex matches, of one of several
        self._above: dict[int, Entry | None] = {}
        self._gone: set[int] = set()  # the lines that stand elsewhere now, in whole or in part
        self._taken: set[int] = set()

    def lose(self, entry: Entry) -> Entry:
        """Take in a line and all below it; return what keeps its place until it is clear what becomes of it."""
        stack: list[tuple[Entry, Entry | None]] = [(entry, None)]
        while stack:
            each, above = stack.pop()
            self._above[id(each)] = above
            if each.unit is not None and is_one_span(each.unit):
                for name in dict.fromkeys(map(name_of, alternatives(each))):
                    (self._nameless if name is None else self._by_name.setdefault(name, [])).append(each)
            stack += [(below, each) for below in reversed(each.below) if not each.is_demand]
        return Entry("", lost=entry)

    def is_left(self, entry: Entry) -> bool:
        """Return whether a line was lost, and stands nowhere."""
        return id(entry) in self._above and id(entry) not in self._taken

    def take(self, name: str, i: int, is_mendable: Callable[[Entry], bool]) -> Entry | None:
        """Return the line that is to stand for the span at `i`, best one that matches it."""
        there = [each for each in self._by_name.get(name, ()) if id(each) not in self._gone][:_LOOKED_AT]
        wholes = (each for each in self._nameless if id(each) not in self._gone and self._above[id(each)] is None)
        # what is inside of something is better kept for the whole, which may turn up yet
        there.sort(key=lambda each: self._above[id(each)] is not None)
        found = next((each for each in there if self._holds(each, i)), None)
        if found is None:
            larger = (each for each in there if each.below or self._above[id(each)] is None)
            found = next(filter(is_mendable, larger), None)
        if found is None:
            found = next((each for each in islice(wholes, _LOOKED_AT) if self._holds(each, i)), None)
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
        order = [top]
        for entry in order:
            order += [each for each in entry.below if each.lost is None]
        for entry in reversed(order):
            kept: list[Entry] = []
            comments: list[str] = []
            for each in entry.below:
                if each.lost is not None:
                    comments += [] if id(each.lost) in self._taken else _said_above(each.lost)
                    continue
                if each.is_group and all(below.is_gap for below in each.below):
                    # of a group whose lines are all lost, there is the gap, or nothing
                    comments += [*_said_above(each), *each.after]
                    kept += _with_comments(comments, each.below)
                    comments = [] if each.below else comments
                    continue
                kept += _with_comments(comments, [each])
                comments = []
            entry.below = kept
            entry.after += comments


def _said_above(entry: Entry) -> list[str]:
    return [line for line in entry.before if line.strip()]


def _with_comments(comments: list[str], entries: list[Entry]) -> list[Entry]:
    if entries:
        entries[0].before = [*comments, *entries[0].before]
    return entries
