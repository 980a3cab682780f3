"""The lines of a list from what its chains were joined to: those that are there already rather than new ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.line_tree import Entry, all_below, members, read_outline
from pytest_mlflow_traces.core.notation.lines import quantifier
from pytest_mlflow_traces.core.notation.words import ANY_ORDER, ONE_OF
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern
from pytest_mlflow_traces.core.patterns.recorded import recorded_span
from pytest_mlflow_traces.core.variants.canonical import canonical
from pytest_mlflow_traces.core.variants.compress import comment, quantified
from pytest_mlflow_traces.core.variants.lists import key_of, name_of

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pytest_mlflow_traces.core.spans.table import SpanTable
    from pytest_mlflow_traces.core.variants.chains import Joined, Place

Task = tuple[Entry, list[Entry], list[int]]  # a line, and the other lines and the spans that it is to stand for, too


class Rebuilt:
    """The lines of joined lists."""

    def __init__(self, table: SpanTable, unordered: Container[int]) -> None:
        self._table, self._unordered = table, unordered

    def lines(
        self, lists: Sequence[Sequence[Entry]], found: Sequence[Joined], where: str
    ) -> tuple[list[Entry], list[Task], list[str]]:
        """Return the lines for what was found, what there is to do about them, and what was given up.

        Args:
            lists: The lists of lines that were joined, the first of which is changed.
            found: What they were joined to, with some lists of spans.
            where: The line above the list, for what is told.
        """
        group_of = {id(line): group for group in lists[0] for line in _inner(group)}
        taken: dict[int, Entry] = {}
        made: list[Entry] = []
        todo: list[Task] = []
        notes: list[str] = []
        for block in found:
            groups = [*{id(group): group for place in block.places for group in _groups(place, group_of)}.values()]
            tasks = [self._task(place, taken) for place in block.places]
            todo += tasks
            notes += _notes(block, tasks, groups, where)
            for place, (line, _, _) in zip(block.places, tasks, strict=True):
                limits = (1, 1) if block.is_choice else (place.low, place.high)
                if isinstance(line.unit, SpanPattern) and limits != line.limits:
                    quantified(line, line.unit, *limits)
            placed = _placed(block, [line for line, _, _ in tasks], groups)
            if len(lists) > 1 and len(tasks) > 1:  # which of them was first is chance
                placed.below.sort(key=lambda line: line.text)
            made.append(placed)
        return made, [(line, _absorbed(others, taken), spans) for line, others, spans in todo], notes

    def _task(self, place: Place, taken: dict[int, Entry]) -> Task:
        entries = [each for each in place.sources.values() if isinstance(each, Entry)]
        spans = [each for each in place.sources.values() if isinstance(each, int)]
        if not entries:
            new = canonical(recorded_span(self._table, spans[0], self._unordered))
            if (
                isinstance(new, SpanPattern) and key_of(new.name) != place.key
            ):  # one more of those that a regex is about
                new = replace(new, name=name_of(place.key))
            return read_outline(notation.format(new))[0], [], spans
        line = next((each for each in entries if id(each) not in taken), None)
        others = [each for each in entries if each is not line]
        if line is None:
            line, others = _copy(entries[0]), entries[1:]
        taken[id(line)] = line
        return line, others, spans


def _absorbed(others: Sequence[Entry], taken: dict[int, Entry]) -> list[Entry]:
    """Return lines that others stand for, too; of those that stand for themselves, the comments stay with them."""
    found = []
    for each in others:
        found.append(_copy(each) if id(each) in taken else each)
        taken[id(each)] = each
    return found


def _inner(group: Entry) -> list[Entry]:
    """Return the lines of a group or a choice."""
    if group.is_plain_group:
        return [each for _, each in members(group)]
    return [each for _, each in members(group, ONE_OF)] if group.text.startswith(ONE_OF) else []


def _groups(place: Place, group_of: dict[int, Entry]) -> list[Entry]:
    return [group_of[each] for each in place.sources if each in group_of]


def _copy(entry: Entry) -> Entry:
    """Return a line and all below it once more, without comments."""
    made: dict[int, Entry] = {}
    for each in reversed([*all_below(entry)]):
        made[id(each)] = replace(each, below=[made[id(line)] for line in each.below], before=[], after=[])
    return made[id(entry)]


def _ordered(lines: list[Entry], groups: Sequence[Entry]) -> list[Entry]:
    """Return the lines of a block as they stood, where these are all that did, or else by what they say."""
    if _is_the_same(groups, lines):
        stood = [id(line) for line in _inner(groups[0])]
        return sorted(lines, key=lambda line: stood.index(id(line)))
    return sorted(lines, key=lambda line: line.text)


def _placed(block: Joined, lines: list[Entry], groups: Sequence[Entry]) -> Entry:
    """Return the line of a block, or a group of its lines: the first group that was there, or a new one."""
    is_the_same = _is_the_same(groups, lines)
    for group in groups:
        if not is_the_same and group.below:  # it is another group now, or none: what was said of it is said of a line
            comment(_inner(group)[0], [*group.before, *group.after])
            group.before, group.after = [], []
    if len(lines) == 1:
        return lines[0]
    found = groups[0] if groups else Entry("")
    found.rewrite((ONE_OF if block.low else f"{ONE_OF} ?") if block.is_choice else ANY_ORDER)
    found.below = _ordered(lines, groups)
    return found


def _notes(block: Joined, tasks: Sequence[Task], groups: Sequence[Entry], where: str) -> list[str]:
    """Say what a list asks for no more."""
    above = f"{where} > " if where else ""
    notes = []
    labels = [line.unit.label if isinstance(line.unit, SpanPattern) else line.text for line, _, _ in tasks]
    for place, label, (line, _, _) in zip(block.places, labels, tasks, strict=True):
        said = quantifier(place.low, place.high)
        if not any(isinstance(each, Entry) for each in place.sources.values()):
            notes.append(f"{above}{label} {said}: it is new")
        elif (place.low, place.high) != line.limits and not block.is_choice:
            before = "once" if line.limits == (1, 1) else quantifier(*line.limits)
            notes.append(f"{above}{label} {said}: it was {before}")
    if len(tasks) > 1 and not _is_the_same(groups, [line for line, _, _ in tasks]):
        kind = "one of" if block.is_choice else "in any order"
        notes.append(f"{where or 'the roots'}: {kind}: {', '.join(sorted(labels))}")
    return notes


def _is_the_same(groups: Sequence[Entry], lines: Sequence[Entry]) -> bool:
    """Return whether these lines are all that stood in one group."""
    stood = {id(line) for group in groups for line in _inner(group)}
    return len(groups) == 1 and stood == {id(line) for line in lines}
