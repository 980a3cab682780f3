"""Loosen the text of a pattern by as little as lets it match one more trace: what it accepted, it accepts still.

From the root down, each list of lines is joined with the list of children that came (`chains`), and of each line that
stands for a span with another type or status, that is given up. Whatever the order in which runs come, and however
often, the text is the same in the end. What nothing varies in keeps every character.

What was demanded by hand (`has:`, `lacks:`, `within`, `error`, values) is never given up: where it does not hold, there
is a `DemandError`. A list with a gap, `parallel`, or a group that repeats, has no least chain: there, minima are
lowered where spans are absent, and if that is not enough, there is a `DemandError`, too. The result is matched before
it is returned.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.line_tree import (
    Entry,
    all_below,
    by_hand,
    is_by_hand,
    members,
    outline_text,
    read_outline,
)
from pytest_mlflow_traces.core.baselines.verify import DemandError
from pytest_mlflow_traces.core.matching.matcher import Matcher
from pytest_mlflow_traces.core.notation.words import ANY_ORDER
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern
from pytest_mlflow_traces.core.patterns.recorded import overlapping, recorded, renewable
from pytest_mlflow_traces.core.variants.canonical import canonical
from pytest_mlflow_traces.core.variants.chains import Joined, Place, joined
from pytest_mlflow_traces.core.variants.compress import comment, comments_of, compress, quantified
from pytest_mlflow_traces.core.variants.lists import UnclearError, chains_of, fits, free_spans
from pytest_mlflow_traces.core.variants.rebuild import Rebuilt

if TYPE_CHECKING:
    from collections.abc import Container, Hashable, Sequence

    from pytest_mlflow_traces.core.spans.table import SpanTable

_HAND = ("inputs", "outputs", "attributes", "error", "within_ns", "has", "lacks")


def loosened(text: str, table: SpanTable, unordered: Container[int] = ()) -> tuple[str, list[str]]:
    """Return the text of a pattern that the trace is, too, and what was given up for that, a line for each thing.

    Args:
        text: The text of a pattern, as somebody may have changed it; of an empty one, the trace is recorded.
        table: The spans of the trace.
        unordered: The positions of spans whose children are in any order.

    Raises:
        NotationError: where `text` is not a pattern.
        DemandError: where something does not hold that was demanded by hand, or no least change is known.
    """
    top, after = read_outline(text or notation.format(canonical(recorded(table, unordered))))
    loosening = _Loosening(table, unordered)
    found = outline_text(loosening.run(top), after)
    if not Matcher(table).accepts((notation.parse(found),), table.roots()):
        raise loosening.unclear or DemandError(top, "the pattern", table.path(0))
    return found, loosening.notes if text else []


class _Loosening:
    """The loosening of one tree of lines, list by list."""

    def __init__(self, table: SpanTable, unordered: Container[int]) -> None:
        self._table, self._matcher, self._unordered = table, Matcher(table), unordered
        self._free = free_spans(table, unordered)
        self._todo: list[tuple[Entry, list[Entry], list[int], str]] = []
        self._homes: list[Entry] = []
        self._rebuilt = Rebuilt(table, unordered)
        self.notes: list[str] = []
        self.unclear: DemandError | None = None  # what to say where it turns out that no least change is known

    def run(self, top: Entry) -> Entry:
        """Return the entry of the first line when all is done."""
        home = Entry("", below=[top])
        roots = self._table.roots()
        is_held = isinstance(top.pattern, Pattern) and self._matcher.accepts((top.pattern,), roots)
        if not is_held or len(roots) > 1 or self._free:
            self._join_lists(home, [], [roots], "", is_held=is_held and len(roots) == 1)
        while self._todo:
            self._join_line(*self._todo.pop())
        for each in reversed(self._homes):
            compress(each)
        first, *others = home.below
        if not others:
            return first
        return Entry(ANY_ORDER, below=home.below)

    def _join_line(self, line: Entry, others: Sequence[Entry], spans: Sequence[int], where: str) -> None:
        """Let a line stand for all that other lines stand for, and for some spans."""
        unit = line.unit
        if not isinstance(unit, SpanPattern):
            raise TypeError("unreachable: the lines of a chain stand for one span each")
        units = [each.unit for each in others if isinstance(each.unit, SpanPattern) and each.unit != unit]
        same = [each for each in others if each.unit not in units]
        others = [each for each in others if each.unit in units]
        comment(line, [said for each in same for said in comments_of(each)])
        comment(line, [said for each in others for said in each.before])
        if not others and all(i not in self._free and self._matcher.matches(unit, i) for i in spans):
            return
        self._check_by_hand(line, unit, others, spans)
        where = f"{where} > {unit.label}" if where else unit.label
        now = self._head(unit, units, spans, where)
        lists = [each for each in (unit, *units) if each.children is None]
        if lists and unit.children is not None:
            now = replace(now, children=None)
            self.notes.append(f"{where}: what is below it is not looked at any more")
            self._drop(line, spans)
        if now != unit:
            quantified(line, now, *line.limits)
        if lists:
            return
        runs = [self._table.children(i) for i in spans]
        is_held = not others and all(self._matcher.accepts(unit.children or (), run) for run in runs)
        if not is_held or not self._free.isdisjoint(spans):
            is_ordered = all(len(overlapping(self._table, run)) == len(run) for run in runs)
            is_ordered &= not any(i in self._unordered for i in spans)
            self._join_lists(line, others, runs, where, is_held=is_held and is_ordered)

    def _check_by_hand(self, line: Entry, unit: SpanPattern, others: Sequence[Entry], spans: Sequence[int]) -> None:
        for i in spans:
            demand = by_hand(self._matcher, unit, i)
            if demand is not None:
                raise DemandError(line, demand, self._table.path(i))
        for each in others:
            if any(getattr(each.unit, field) != getattr(unit, field) for field in _HAND):
                demand = f"what is asked for by hand here, or on line {each.number}, which would be one"
                raise DemandError(line, demand, self._table.path(spans[0] if spans else 0))

    def _drop(self, line: Entry, spans: Sequence[int]) -> None:
        """Let go of what stands below a line, where nothing of it was demanded by hand."""
        gone = [each for each in line.below if not each.is_demand]
        for each in (below for entry in gone for below in all_below(entry)):
            if each.is_demand or (isinstance(each.unit, SpanPattern) and is_by_hand(each.unit)):
                path = self._table.path(spans[0] if spans else 0)
                raise DemandError(each, "what is asked for by hand, where another line leaves it open,", path)
        line.below = [each for each in line.below if each.is_demand]
        comment(line, [said for each in gone for said in comments_of(each)])

    def _head(self, unit: SpanPattern, units: Sequence[SpanPattern], spans: Sequence[int], where: str) -> SpanPattern:
        """Return what a line says by itself, without what varies."""
        failed = {field for i in spans for field in self._matcher.local_failures(unit, i)}
        varying = {
            field
            for field in ("type", "status")
            if getattr(unit, field) is not None
            and (field in failed or any(getattr(each, field) != getattr(unit, field) for each in units))
        }
        for field in sorted(varying):
            self.notes.append(f"{where}: any {field}, not {getattr(unit, field)} alone")
        kept = {field: None if field in varying else getattr(unit, field) for field in ("type", "status")}
        now = replace(unit, type=kept["type"], status=kept["status"])
        if "name" in failed:
            names = [renewable(self._table, i, ()).name for i in spans]
            regex = next(name for name in names if name is not None and not isinstance(name, str))
            self.notes.append(f"{where}: the name is /{regex.pattern}/ now, as a part of it is another in each run")
            now = replace(now, name=regex)
        return now

    def _join_lists(
        self, home: Entry, others: Sequence[Entry], runs: Sequence[Sequence[int]], where: str, *, is_held: bool
    ) -> None:
        """Let the lines below `home` be those for what stands below other lines, and for some lists of siblings.

        Where these hold already, and nothing of them is in any order, only what is below each of them is joined.
        """
        lists = [[each for each in line.below if not each.is_demand] for line in (home, *others)]
        try:
            chains = chains_of(lists, self._table, runs, self._unordered)
        except UnclearError as error:
            self._lower(home, lists, runs, where, error.entry)
            return
        found = joined(chains)
        if is_held:
            pairs = [each for block in found for place in block.places for each in _pairs(place)]
            self._todo += [(line, [], spans, where) for line, spans in pairs]
            self._homes.append(home)
            return
        if not home.text:
            found = [_flat(found)]
        demands = [each for each in home.below if each.is_demand]
        lines, todo, notes = self._rebuilt.lines(lists, found, where)
        home.below = [*demands, *lines]
        self._todo += [(*each, where) for each in todo]
        self.notes += notes
        self._homes.append(home)

    def _lower(
        self,
        home: Entry,
        lists: Sequence[Sequence[Entry]],
        runs: Sequence[Sequence[int]],
        where: str,
        unclear: Entry,
    ) -> None:
        """Lower what a list asks for that has no least chain, where spans of a name are absent."""
        path = self._table.path(max(self._table.parents[next((i for run in runs for i in run), 0)], 0))
        if len(lists) == 1 and self._are_accepted(lists[0], runs, is_root=not home.text):
            return
        error = DemandError(unclear, f"what stands beside `{unclear.text}`", path)
        if len(lists) > 1:
            raise error
        self.unclear = self.unclear or error
        lines = [line for each in lists[0] for line in (_items(each) if each.is_group else [each])]
        counts = Counter(each.unit.name for each in lines if isinstance(each.unit, SpanPattern))
        known: list[tuple[Entry, list[int]]] = []
        for line in lines:
            unit = line.unit
            if not isinstance(unit, SpanPattern) or unit.name is None or counts[unit.name] > 1:
                continue
            named = [[i for i in run if fits(unit.name, self._table, i)] for run in runs]
            low, high = line.limits
            least = min([low, *map(len, named)])
            if least < low:
                if not least and _is_beside_a_gap(line, lists[0]):
                    raise DemandError(line, f"`{line.text}`, which would ask for nothing beside `...`,", path)
                quantified(line, unit, least, high)
                self.notes.append(f"{where} > {unit.label}: at least {least}, not {low}")
            known.append((line, [i for each in named for i in each]))
        if not self._are_accepted(lists[0], runs, is_root=not home.text):
            self._todo += [(line, [], spans, where) for line, spans in known if spans]

    def _are_accepted(self, lines: Sequence[Entry], runs: Sequence[Sequence[int]], *, is_root: bool) -> bool:
        """Return whether lists of siblings are as some lines say now."""
        pattern = notation.parse(outline_text(lines[0] if is_root else Entry("*", below=list(lines))))
        items = pattern.children if isinstance(pattern, SpanPattern) and not is_root else (pattern,)
        return all(self._matcher.accepts(items or (), run) for run in runs)


def _is_beside_a_gap(line: Entry, lines: Sequence[Entry]) -> bool:
    """Return whether a gap takes what a line is about, so that the line says nothing once it may be absent."""
    place = next(number for number, each in enumerate(lines) if each is line or line in _items(each))
    if lines[place] is not line:
        return any(each.is_gap for each in _items(lines[place]))
    for some in (lines[place + 1 :], lines[:place][::-1]):
        beside = next((each for each in some if each.limits[0] or each.is_gap), None)
        if beside is not None and beside.is_gap:
            return True
    return False


def _pairs(place: Place) -> list[tuple[Entry, list[int]]]:
    """Return the lines of a place, each with the spans that may be its."""
    spans = [each for each in place.sources.values() if isinstance(each, int)]
    return [(each, spans) for each in place.sources.values() if isinstance(each, Entry)]


def _items(group: Entry) -> list[Entry]:
    return [each for _, each in members(group)]


def _flat(found: Sequence[Joined]) -> Joined:
    """Return one block of several, of roots: there is no sequence of them."""
    places: dict[Hashable, Place] = {}
    for each in (place for block in found for place in block.places):
        known = places.setdefault(each.key, Place(each.key, 0, 0))
        high = None if known.high is None or each.high is None else known.high + each.high
        places[each.key] = Place(each.key, known.low + each.low, high, known.sources | each.sources)
    return found[0] if len(found) == 1 else Joined([*places.values()])
