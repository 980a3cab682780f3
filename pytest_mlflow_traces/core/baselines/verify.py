"""Whether what was asked for is asked for still: the last look at a text that was changed, before anybody gets it.

What a line stands for is found by heuristics, and a text that the trace matches may have lost the very line that a span
was there for. So each line that asked for a span, and stands for none now or for one of another name, is put to the
test: would the new text match the same siblings without those that the line was about? Then nothing asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.line_tree import Entry, all_below, by_hand, holds, name_of
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Repeat, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.baselines.lost_lines import LostLines
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.notation.parser import Line
    from pytest_mlflow_traces.core.patterns.nodes import Item
    from pytest_mlflow_traces.core.spans.table import SpanTable


class DemandError(ValueError):
    """Which demand that was made by hand does not hold, and where it stands."""

    def __init__(self, entry: Entry, demand: str, span: str) -> None:
        super().__init__(f"line {entry.number}: {demand} does not hold for {span}")
        self.line, self.demand, self.span = entry.number, demand, span


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A line below `home` that said `said`; it was about the spans `about`, some of the siblings `spans`."""

    home: Entry
    entry: Entry
    name: str | None
    said: str
    about: Sequence[int]
    spans: Sequence[int]


class Survival:
    """The lines that are in doubt, and what they said."""

    def __init__(self, table: SpanTable, matcher: Matcher) -> None:
        self._table, self._matcher = table, matcher
        self._doubts: list[_Doubt] = []

    def doubt(self, entry: Entry, home: Entry, spans: Sequence[int]) -> None:
        """Note that a line below `home`, whose children are `spans`, stands for none of them, or for another one."""
        name = name_of(entry)
        names = self._table.names
        about = [i for i in spans if (holds(self._matcher, entry, i) if name is None else names[i] == name)]
        if about:
            self._doubts.append(_Doubt(home, entry, name, entry.text, about, spans))

    def check(self, top: Entry, found: Sequence[Line], lost: LostLines) -> None:
        """Raise a `DemandError` where the new text, `found`, asks no more for what is there.

        Args:
            top: The first line of the new text, with all below it.
            found: The lines of the new text.
            lost: What became of the lines that were lost.
        """
        if not self._doubts:
            return
        lines = zip(all_below(top), found, strict=True)
        patterns = {id(entry): line.pattern for entry, line in lines if line.pattern is not None}
        asked: dict[int, set[str]] = {}
        for each in self._doubts:
            if lost.is_left(each.entry):
                self._check_by_hand(each.entry, each.about)
            unit = Entry("", patterns.get(id(each.home))).unit  # the roots have no line above them
            items = (unit.children or ()) if isinstance(unit, SpanPattern) else (patterns[id(top)],)
            if id(each.home) not in asked:
                asked[id(each.home)] = _names_asked_for(items)
            rest = [i for i in each.spans if i not in each.about]
            # most lines are there again, which is seen at a glance; the matcher has the last word on the others
            if each.name not in asked[id(each.home)] and self._matcher.accepts(items, rest):
                above = self._table.parents[each.about[0]]
                raise DemandError(
                    each.entry, f"`{each.said}`", self._table.path(above if above >= 0 else each.about[0])
                )

    def _check_by_hand(self, entry: Entry, about: Sequence[int]) -> None:
        """Raise where what is demanded by hand on a line that is gone holds for none of the spans of its name."""
        unit = entry.unit
        demands = [by_hand(self._matcher, unit, i) if isinstance(unit, SpanPattern) else None for i in about]
        if demands[0] is not None and None not in demands:
            raise DemandError(entry, demands[0], self._table.path(about[0]))


def _names_asked_for(items: Sequence[Item]) -> set[str]:
    """Return names of which one span at least must be there, whatever else is."""
    found: set[str] = set()
    stack = list(items)
    while stack:
        item = stack.pop()
        if isinstance(item, SpanPattern):
            found |= {item.name} if isinstance(item.name, str) else set()
        elif isinstance(item, AnyOrder) or (isinstance(item, Repeat) and item.min > 0):
            stack += item.parts
    return found
