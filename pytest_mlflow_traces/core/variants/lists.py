"""Lists of lines and of spans as chains, with one key for a line and the spans that it stands for.

The key of a line is the name that it says, exactly or as a regex. A span belongs to the one line that its name fits;
where there is none, to a line of its own.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.line_tree import Entry, alternatives, members
from pytest_mlflow_traces.core.patterns.nodes import OneOf, SpanPattern, said_flags
from pytest_mlflow_traces.core.patterns.recorded import overlapping, volatile
from pytest_mlflow_traces.core.spans.records import UNNAMED
from pytest_mlflow_traces.core.variants.chains import Block, Item

if TYPE_CHECKING:
    from collections.abc import Container, Hashable, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Text
    from pytest_mlflow_traces.core.spans.table import SpanTable


class UnclearError(Exception):
    """A list is not a chain, or it is not clear which line a span belongs to: `entry` is the line that makes it so."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.text)
        self.entry = entry


def chains_of(
    lists: Sequence[Sequence[Entry]], table: SpanTable, runs: Sequence[Sequence[int]], unordered: Container[int]
) -> list[list[Block]]:
    """Return the chains of some lists of lines, then those of some lists of siblings.

    Raises:
        UnclearError: where one of them has none.
    """
    blocks = [[_read(entry) for entry in lines if not entry.is_demand] for lines in lists]
    lines = [line for each in blocks for block in each for line in block.lines]
    keys = _Keys(lines, table, [i for siblings in runs for i in siblings])
    for each in blocks:
        _check_order(each, keys)
    return [
        *([block.keyed(keys) for block in each] for each in blocks),
        *(_siblings(table, siblings, keys, unordered) for siblings in runs),
    ]


class _Lines:
    """The lines of one block, as they are read."""

    def __init__(self, lines: Sequence[Entry], *, is_choice: bool = False, low: int = 0) -> None:
        self.lines, self.is_choice, self.low = lines, is_choice, low

    def keyed(self, keys: _Keys) -> Block:
        return Block([Item(keys.of_line(each), *each.limits, (each,)) for each in self.lines], self.is_choice, self.low)


def _read(entry: Entry) -> _Lines:
    if isinstance(entry.unit, SpanPattern):
        return _Lines([entry])
    if entry.is_plain_group:
        found = _Lines([each for _, each in members(entry)])
    elif isinstance(entry.unit, OneOf) and entry.limits in ((0, 1), (1, 1)):
        found = _Lines(alternatives(entry), is_choice=True, low=entry.limits[0])
    else:
        raise UnclearError(entry)
    odd = next((each for each in found.lines if not isinstance(each.unit, SpanPattern)), None)
    if odd is not None or (found.is_choice and any(each.limits != (1, 1) for each in found.lines)):
        raise UnclearError(odd or entry)
    return found


def _check_order(blocks: Sequence[_Lines], keys: _Keys) -> None:
    """Refuse a list in which a name stands again after a line for some of that name: which one a span is, is open."""
    varying: set[Hashable] = set()
    for block in blocks:
        for line in block.lines:
            if keys.of_line(line) in varying:
                raise UnclearError(line)
        varying |= {keys.of_line(line) for line in block.lines if block.is_choice or line.limits[0] != line.limits[1]}


def _siblings(table: SpanTable, siblings: Sequence[int], keys: _Keys, unordered: Container[int]) -> list[Block]:
    above = table.parents[siblings[0]] if siblings else -1
    together = above < 0 or above in unordered
    groups = [list(siblings)] if together and siblings else overlapping(table, siblings)
    return [Block([Item(keys.of_span(i), 1, 1, (i,)) for i in group]) for group in groups]


def free_spans(table: SpanTable, unordered: Container[int]) -> set[int]:
    """Return the spans below which some siblings came in an order that the next run need not keep."""
    found: set[int] = set()
    for i in range(len(table) - 1, -1, -1):
        children = table.children(i)
        if len(children) > 1 and (i in unordered or len(overlapping(table, children)) < len(children)):
            found.add(i)
        if i in found and table.parents[i] >= 0:
            found.add(table.parents[i])
    return found


def key_of(name: Text | None) -> Hashable:
    """Return what tells a name, a regex and any name apart."""
    return ("regex", name.pattern, said_flags(name)) if isinstance(name, re.Pattern) else ("name", name)


def name_of(key: Hashable) -> Text | None:
    """Return the name, or the regex, that a key was made of."""
    if not isinstance(key, tuple):
        raise TypeError("unreachable: keys are made by `key_of`")
    kind, text, *flags = key
    return re.compile(text, reduce(or_, flags[0], re.RegexFlag(0))) if kind == "regex" else text


def fits(name: Text | None, table: SpanTable, i: int) -> bool:
    """Return whether what a line says of the name of a span holds for the span at `i`."""
    given = table.names[i]
    if name is None or given is UNNAMED:
        return name is None
    return name == given if isinstance(name, str) else name.fullmatch(given) is not None


class _Keys:
    """The keys of one list."""

    def __init__(self, lines: Sequence[Entry], table: SpanTable, spans: Sequence[int]) -> None:
        self._table = table
        regexes = {key_of(found): found for i in spans if (found := volatile(table, i)) is not None}
        self._renamed: dict[str, Hashable] = {}  # names that a record of today says as a regex
        self._lines: dict[Hashable, Entry] = {}
        self._loose: dict[Hashable, Entry] = {}  # of any name, or of all that a regex matches
        for line in lines:
            name = _name(line)
            if isinstance(name, str):
                key = next((key for key, regex in regexes.items() if regex.fullmatch(name)), None)
                if key is not None:
                    self._renamed[name] = key
            self._lines.setdefault(self.of_line(line), line)
            if not isinstance(name, str):
                self._loose.setdefault(key_of(name), line)

    def of_line(self, line: Entry) -> Hashable:
        name = _name(line)
        return self._renamed.get(name, key_of(name)) if isinstance(name, str) else key_of(name)

    def of_span(self, i: int) -> Hashable:
        regex = volatile(self._table, i)
        name = self._table.names[i]
        own = key_of(regex if regex is not None else None if name is UNNAMED else name)
        found = {key: line for key, line in self._loose.items() if fits(_name(line), self._table, i)}
        found |= {own: self._lines[own]} if own in self._lines else {}
        if len(found) > 1:
            raise UnclearError([*found.values()][-1])
        return next(iter(found), own)


def _name(line: Entry) -> Text | None:
    if not isinstance(line.unit, SpanPattern):
        raise TypeError("unreachable: the lines of a chain stand for one span each")
    return line.unit.name
