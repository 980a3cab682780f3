"""Lines that no span stands for any more, kept for the spans that turn up elsewhere: what moved keeps its line."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.line_tree import (
    Entry,
    all_below,
    alternatives,
    by_hand,
    holds,
    is_by_hand,
    name_of,
)
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.baselines.pairs import Pairs
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.spans.table import SpanTable

_LOOKED_AT = 50  # lines of one name


class LostLines:
    """The lines that were lost, by name."""

    def __init__(self, table: SpanTable, matcher: Matcher, pairs: Pairs) -> None:
        self._table, self._matcher, self._pairs = table, matcher, pairs
        self._by_pattern: dict[int, Entry] = {}
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
            if each.patterns:
                self._by_pattern.setdefault(id(each.patterns[0]), each)  # a choice before its first alternative
                for name in dict.fromkeys(map(name_of, alternatives(each))):
                    (self._nameless if name is None else self._by_name.setdefault(name, [])).append(each)
            stack += [(below, each) for below in reversed(each.below) if not each.is_demand]
        return Entry("", lost=entry)

    def is_left(self, entry: Entry) -> bool:
        """Return whether a line was lost, and stands nowhere."""
        return id(entry) in self._above and id(entry) not in self._taken

    def exact(self, i: int) -> Entry | None:
        """Take the line that the alignment found for the span at `i`, or one that matches it."""
        meant = self._pairs.meant.get(i)
        known = None if meant is None else self._by_pattern.get(id(meant[0]))
        if known is not None and id(known) not in self._gone:
            return self._taken_out(known)
        wholes = (each for each in self._nameless if id(each) not in self._gone and self._above[id(each)] is None)
        those = chain(self._named(i), islice(wholes, _LOOKED_AT))
        return self._taken_out(next((each for each in those if holds(self._matcher, each, i)), None))

    def like(self, i: int) -> Entry | None:
        """Take a line of the name of the span at `i` that is to be changed for it: only where alike."""
        larger = (each for each in self._named(i) if each.below or self._above[id(each)] is None)
        return self._taken_out(next((each for each in larger if self._is_mendable(each, i)), None))

    def _named(self, i: int) -> list[Entry]:
        there = [each for each in self._by_name.get(self._table.names[i], ()) if id(each) not in self._gone]
        # what is inside of something is better kept for the whole, which may turn up yet
        return sorted(there[:_LOOKED_AT], key=lambda each: self._above[id(each)] is not None)

    def _is_mendable(self, line: Entry, i: int) -> bool:
        unit = line.unit
        if not isinstance(unit, SpanPattern) or by_hand(self._matcher, unit, i) is not None:
            return False
        return is_by_hand(unit) or self._pairs.is_alike(unit, i)

    def _taken_out(self, found: Entry | None) -> Entry | None:
        if found is None:
            return None
        self._taken.add(id(found))
        above: Entry | None = found
        while above is not None:
            self._gone.add(id(above))
            above = self._above[id(above)]
        self._gone.update(map(id, all_below(found)))
        return found

    def settle(self, top: Entry) -> None:
        """Let go of the places of what was lost; the comments above a line stay, above the next one."""
        for entry in reversed([*all_below(top)]):
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
