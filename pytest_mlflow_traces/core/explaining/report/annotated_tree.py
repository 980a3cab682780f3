"""The tree of a trace with its differences marked, everything else folded away as far as needed.

Marks: `-` missing, `+` unexpected, `~` different, `<` moved away from here, `>` moved to here, `^` out of order. Spans
that are as expected are folded into one line with what is below them; where that still is too much, their neighbours
are folded too, then levels without a fork; and where the differences themselves are too many, the first are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.report.value_diffs import shortened
from pytest_mlflow_traces.core.spans.render import Row, draw, span_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable

_LABEL = 40
_ENDS = 3  # levels shown at each end of a folded descent


@dataclass(slots=True)
class Note:
    """A mark on a span, or a line of its own in front of the span `before`, below `parent`."""

    order: tuple[int, int]
    mark: str
    notes: list[str]
    span: int = -1
    label: str = ""
    parent: int = -1
    before: int = -1
    folded: bool = False  # nothing below it is of interest
    unfit: bool = False  # what is below it is not as expected as a whole
    finding: Finding | None = None  # what it is part of
    pattern: Pattern | None = None  # what belongs on a line of its own; of what moved, the missing parent


@dataclass(frozen=True, slots=True)
class Marks:
    """The notes on the spans of `table` as data, for a picture other than this one."""

    table: SpanTable
    notes: tuple[Note, ...]


@dataclass(slots=True)
class _View:
    """How much of what is as expected is shown."""

    neighbours: int | None  # beside a difference, `None` for all
    levels: bool  # all levels of a long descent
    most: int  # lines, beyond which nobody looks at the result


class AnnotatedTree:
    """The picture of the spans from `first` up to `stop`, with notes."""

    def __init__(self, table: SpanTable, first: int, stop: int, notes: Sequence[Note]) -> None:
        self._table = table
        self._first = first
        self._stop = stop
        self._notes = sorted(notes, key=lambda note: note.order)

    def lines(self, most: int | None) -> tuple[list[str], int]:
        """Return at most about `most` lines, and how many notes they leave out."""
        if most is None:
            return draw(self._rows(self._notes, _View(1, levels=False, most=1 << 60)) or []), 0
        for view in (_View(None, levels=True, most=most), _View(1, levels=False, most=most)):
            rows = self._rows(self._notes, view)
            if rows is not None:
                return draw(rows), 0
        low, high = 1, len(self._notes)
        view = _View(0, levels=False, most=most)
        while low < high:
            middle = (low + high + 1) // 2
            if self._rows(self._notes[:middle], view) is None:
                high = middle - 1
            else:
                low = middle
        view.most = 1 << 60
        return draw(self._rows(self._notes[:low], view) or []), len(self._notes) - low

    def _rows(self, notes: Sequence[Note], view: _View) -> list[Row] | None:
        return _Rows(self._table, notes, self._notes, view).all(self._first, self._stop)


@dataclass(slots=True)
class _List:
    """A list of siblings that is being drawn."""

    parent: int
    entries: list[Row | int]
    depth: int
    quiet: bool = False  # the list stands inside something unexpected
    lone: int = 0  # how many levels up to here had nothing but the one span


class _Rows:
    def __init__(self, table: SpanTable, notes: Sequence[Note], everything: Sequence[Note], view: _View) -> None:
        self._table = table
        self._view = view
        self._on: dict[int, list[Note]] = {}
        self._between: dict[tuple[int, int], list[Note]] = {}
        self._open: set[int] = set()
        self._above: set[int] = set()  # the spans that have notes below, shown or not
        self._noted: set[int] = set()  # the spans that have notes
        for note in notes:
            if note.span >= 0:
                self._on.setdefault(note.span, []).append(note)
                self._up_from(table.parents[note.span], self._open)
            else:
                self._between.setdefault((note.parent, note.before), []).append(note)
                self._up_from(note.parent, self._open)
        for note in everything:
            self._up_from(table.parents[note.span] if note.span >= 0 else note.parent, self._above)
            self._noted.add(note.span)

    def _up_from(self, i: int, spans: set[int]) -> None:
        while i >= 0 and i not in spans:
            spans.add(i)
            i = self._table.parents[i]

    def all(self, first: int, stop: int) -> list[Row] | None:
        above = self._table.parents[first] if first < stop else -1
        rows: list[Row] = []
        stack = [self._list(above, first, stop, 0, quiet=False)]
        while stack:
            siblings = stack[-1]
            if not siblings.entries:
                stack.pop()
                continue
            entry = siblings.entries.pop()
            if isinstance(entry, Row):
                rows.append(entry)
            else:
                rows.append(self._row(entry, siblings.depth, root=siblings.parent == above))
                if entry in self._open:
                    stack.append(self._descended(entry, siblings, rows))
            if sum(1 + len(row.more) for row in rows[-1:]) + len(rows) > self._view.most:
                return None
        return rows

    def _descended(self, i: int, siblings: _List, rows: list[Row]) -> _List:
        """Go down from `i`; where levels are folded, down to the next level that says something."""
        quiet = siblings.quiet or any(note.mark == "+" and note.folded for note in self._on.get(i, ()))
        depth = siblings.depth + 1
        if not self._view.levels:
            descent = [i]
            while True:
                only = self._only(descent[-1])
                if only is None:
                    break
                descent.append(only)
            if len(descent) > 2 * _ENDS + 1:
                kept = descent[-_ENDS:]
                for each in descent[1:_ENDS]:
                    rows.append(self._row(each, depth, root=False))
                    depth += 1
                count = len(descent) - 2 * _ENDS
                rows.append(Row(depth, f"... {count:,} levels as expected ..."))
                depth += 1
                for each in kept:
                    rows.append(self._row(each, depth, root=False))
                    depth += 1
                i = descent[-1]
        return self._list(i, i + 1, self._table.stops[i], depth, quiet=quiet)

    def _only(self, i: int) -> int | None:
        """Return the child of `i` to go on with, where there is nothing else to be said on that level."""
        stop = self._table.stops[i]
        k, found = i + 1, None
        while k < stop:
            if k in self._on or k in self._noted or (i, k) in self._between or (k in self._open and found is not None):
                return None
            found = k if k in self._open else found
            k = self._table.stops[k]
        return None if (i, stop) in self._between else found

    def _list(self, parent: int, first: int, stop: int, depth: int, *, quiet: bool) -> _List:
        entries: list[Row | int] = []
        run: list[int] = []
        k = first
        while True:
            told = self._between.get((parent, k), ())
            if told or k >= stop or k in self._open or k in self._on:
                if not quiet:
                    self._fold(run, entries, depth, after=k < stop or bool(told))
                run = []
                for note in told:
                    notes = note.notes
                    entries.append(Row(depth, note.label, notes[0], note.mark, tuple(notes[1:])))
            if k >= stop:
                break
            if k in self._open or k in self._on:
                entries.append(k)
            else:
                run.append(k)
            k = self._table.stops[k]
        entries.reverse()
        return _List(parent, entries, depth, quiet)

    def _fold(self, run: list[int], entries: list[Row | int], depth: int, *, after: bool) -> None:
        """Add the siblings in `run`, all as expected, between what is already there and what comes `after`."""
        near = self._view.neighbours
        if near is None:
            entries.extend(run)
            return
        head = run[:near] if entries else []
        tail = run[max(len(head), len(run) - near) :] if after and near else []
        folded = run[len(head) : len(run) - len(tail)]
        entries.extend(head)
        if len(folded) > 1:
            below = sum(self._table.stops[k] - k for k in folded)
            more = f" ({below:,} with those below)" if below > len(folded) else ""
            fine = self._above.isdisjoint(folded) and self._noted.isdisjoint(folded)
            said = "spans as expected" if fine else "more spans"
            entries.append(Row(depth, f"... {len(folded):,} {said}{more}"))
        else:
            entries.extend(folded)
        entries.extend(tail)

    def _row(self, i: int, depth: int, *, root: bool) -> Row:
        table = self._table
        label = f"{shortened(table.names[i], _LABEL)}  {shortened(table.types[i], 30)}"
        notes = [text for note in self._on.get(i, ()) for text in note.notes]
        mark = next((note.mark for note in self._on.get(i, ())), "")
        below = table.stops[i] - i - 1
        if below and i not in self._open and not any(note.folded for note in self._on.get(i, ())):
            label += (
                f"  ({below:,} below)" if i in self._above or self._is_unfit(i) else f"  ({below:,} below as expected)"
            )
        if root:
            notes.insert(0, span_notes(table, i))
        return Row(depth, label, notes[0] if notes else "", mark, tuple(notes[1:]))

    def _is_unfit(self, i: int) -> bool:
        """Return whether it is what is below `i` as a whole that is not as expected."""
        return any(note.unfit for note in self._on.get(i, ()))
