"""Each difference in words: a finding for programs, and a note in the picture for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.align.edits import (
    Apart,
    Different,
    Disordered,
    Edit,
    Missing,
    Moved,
    Unexpected,
    Unfit,
)
from pytest_mlflow_traces.core.explaining.align.reorder import in_order
from pytest_mlflow_traces.core.explaining.align.subtree_hashes import positions_in
from pytest_mlflow_traces.core.explaining.report.annotated_tree import Note
from pytest_mlflow_traces.core.explaining.report.field_diffs import Hints, field_differences
from pytest_mlflow_traces.core.explaining.report.paths import Paths
from pytest_mlflow_traces.core.explaining.report.value_diffs import shortened
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.matching.matcher import overlap
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern, short, span_patterns_of
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.durations import readable_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.spans.table import SpanTable

_NAMES = 8


class Messages:
    """The differences of one trace in words; `subject` names the whole of it."""

    def __init__(self, table: SpanTable, matcher: Matcher, subject: str) -> None:
        self._table = table
        self._matcher = matcher
        self._subject = subject
        self.paths = Paths(table)
        self._hints = Hints(table)

    def told(self, edit: Edit) -> tuple[Finding, list[Note]]:
        """Return the finding and the notes of one difference."""
        if isinstance(edit, Missing):
            return self._missing(edit)
        if isinstance(edit, Unexpected):
            return self._unexpected(edit)
        if isinstance(edit, Different):
            return self._different(edit)
        if isinstance(edit, Moved):
            return self._moved(edit)
        if isinstance(edit, Disordered):
            return self._disordered(edit)
        if isinstance(edit, Apart):
            return self._apart(edit)
        if isinstance(edit, Unfit):
            return self._unfit(edit)
        raise AssertionError("unreachable: what is aligned has been resolved")

    def _path(self, i: int) -> str:
        return self.paths.of(i) if i >= 0 else self._subject

    def _name(self, i: int, number: str = "") -> str:
        return repr(visible(self._table.names[i]) + number) if i >= 0 else "the trace"

    def _missing(self, edit: Missing) -> tuple[Finding, list[Note]]:
        said, hint = "missing", None
        expected = short(edit.pattern)
        actual = None
        if edit.least > 1:
            said += f": expected at least {edit.least:,}, got {edit.least - edit.count:,}"
            expected, actual = f"at least {edit.least:,} of {expected}", f"{edit.least - edit.count:,}"
        if edit.lifted:
            said, hint = "missing; what belongs below it is here", "what belongs below it stands one level up"
        elif isinstance(edit.pattern, SpanPattern) and edit.count == 1:
            below = sum(isinstance(each, SpanPattern) for each in _inside(edit.pattern)) - 1
            said += f", with {counted(below, 'span')} below" if below else ""
        if edit.holder is not None:
            said += f"; belongs below {_missing_holder(edit.holder)}"
        spelling = [text for each in span_patterns_of(edit.pattern) for text in self._hints.of(each)]
        hint = "; ".join([*([hint] if hint else ()), *spelling]) or None
        finding = Finding("shape.missing", self._path(edit.parent), expected=expected, actual=actual, hint=hint)
        return finding, [self._line("-", edit, said)]

    def _line(self, mark: str, edit: Missing | Moved, said: str) -> Note:
        label = edit.pattern.label if isinstance(edit.pattern, SpanPattern) else short(edit.pattern, 56)
        order = edit.before, 0
        label = shortened(label, 56)
        note = Note(order, mark, [said], label=label, parent=edit.parent, before=edit.before, pattern=edit.pattern)
        note.folded = isinstance(edit, Missing) and edit.lifted
        return note

    def _unexpected(self, edit: Unexpected) -> tuple[Finding, list[Note]]:
        i = edit.span
        below = self._table.stops[i] - i - 1
        said = "unexpected" + (f", with {counted(below, 'span')} below" if below and not edit.wrapper else "")
        hint = None
        if edit.wrapper:
            said, hint = "unexpected; what is below belongs in its place", "what is below belongs in its place"
        label = f"{visible(self._table.names[i])} {visible(self._table.types[i])}"
        expected = None
        if edit.kind is not None:
            said, expected = f"{said}: more than {edit.most:,}", f"at most {edit.most:,} of {short(edit.kind)}"
        finding = Finding("shape.unexpected", self._path(i), expected=expected, actual=shortened(label), hint=hint)
        return finding, [Note((i, 1), "+", [said], span=i, folded=not edit.wrapper)]

    def _different(self, edit: Different) -> tuple[Finding, list[Note]]:
        i = edit.span
        fields = field_differences(self._table, self._matcher, edit.pattern, i)
        expected = "; ".join(f"{each.field}: {each.expected}" for each in fields if each.expected is not None)
        actual = "; ".join(f"{each.field}: {each.actual}" for each in fields)
        hint = "; ".join(self._hints.of(edit.pattern, edit.fields)) or None
        finding = Finding("shape.different", self._path(i), expected=expected, actual=actual, hint=hint)
        below = "has" in edit.fields or "lacks" in edit.fields
        return finding, [Note((i, 1), "~", [line for each in fields for line in each.lines()], span=i, unfit=below)]

    def _unfit(self, edit: Unfit) -> tuple[Finding, list[Note]]:
        table, parent = self._table, edit.parent
        what = "children" if parent >= 0 else "roots"
        items = ", ".join(short(each) if isinstance(each, Pattern) else "..." for each in edit.items)
        expected, actual = (
            shortened(f"[{items}]"),
            self._names(table.children(parent) if parent >= 0 else table.roots()),
        )
        finding = Finding("shape.different", self._path(parent), f"{what}: {expected}", f"{what}: {actual}")
        said = f"{what}: expected {expected}, got {actual}"
        span = parent if parent >= 0 else edit.first
        return finding, [Note((span, 1), "~", [said], span=span, unfit=True)]

    def _moved(self, edit: Moved) -> tuple[Finding, list[Note]]:
        i, home, here = edit.span, edit.parent, self._table.parents[edit.span]
        expected, actual = f"below {self._path(home)}", f"below {self._path(here)}"
        said = self._name(home)
        away = [self._line("<", edit, f"moved: is below {self._name(here)}")]
        if edit.holder is not None:  # there is no place to show where it belongs
            said, away = _missing_holder(edit.holder), []
            expected = f"below {said} {expected}"
        finding = Finding("shape.moved", self._path(i), expected=expected, actual=actual)
        there = Note((i, 1), ">", [f"moved: belongs below {said}"], span=i, folded=False, pattern=edit.holder)
        return finding, [*away, there]

    def _disordered(self, edit: Disordered) -> tuple[Finding, list[Note]]:
        table, parent = self._table, edit.parent
        spans = table.children(parent) if parent >= 0 else table.roots()
        order = in_order(spans, edit.displaced)
        places = {i: place for place, i in enumerate(order)}
        numbered: dict[int, str] = {}  # siblings as a path has them: of one name, from the second on by number
        count: Counter[str] = Counter()
        for i in spans:
            count[table.names[i]] += 1
            number = count[table.names[i]]
            numbered[i] = self._name(i, f"[{number}]" if number > 1 else "")
        notes = []
        hint = None
        for each in edit.displaced:
            at = places[each.span]
            goes_on = at + 1 == len(order) or (at > 0 and each.before > each.span)
            near = order[at - 1 if goes_on else at + 1]
            place = f"{'after' if goes_on else 'before'} {numbered[near]}" if each.before in numbered else "at the end"
            said = [f"out of order: belongs {place}"]
            if overlap(table.starts[each.span], table.ends[each.span], table.starts[near], table.ends[near]):
                hint = "they overlap in time: any_order(...) takes them as they come"
                said.append(f"{self._name(each.span)} and {numbered[near]} {hint.removeprefix('they ')}")
            notes.append(Note((each.span, 1), "^", said, span=each.span, parent=parent, before=each.before))
        expected, actual = self._names(order), self._names(spans)
        return Finding("shape.order", self._path(parent), expected, actual, hint), notes

    def _apart(self, edit: Apart) -> tuple[Finding, list[Note]]:
        table, one, two = self._table, *sorted((edit.first, edit.second), key=self._table.starts.__getitem__)
        late = readable_duration(table.starts[two] - (table.ends[one] or 0))
        expected = f"{self._name(one)} and {self._name(two)} to overlap in time"
        actual = f"{self._name(two)} {late} after the end of {self._name(one)}"
        finding = Finding("shape.parallel", self._path(edit.parent), expected=expected, actual=actual)
        said = f"not in parallel: starts {late} after the end of {self._name(one)}"
        return finding, [Note((two, 1), "~", [said], span=two)]

    def _names(self, spans: Sequence[int]) -> str:
        return self.listed([self._table.names[i] for i in spans])

    def listed(self, all_names: Sequence[str]) -> str:
        """Return names as a list, the middle left out where they are many."""
        names = [shortened(name, 30) for name in all_names]
        if len(names) > _NAMES:
            names = [*names[: _NAMES // 2], f"... {len(names) - _NAMES} more ...", *names[-_NAMES // 2 :]]
        return ", ".join(names) or "none"


def _missing_holder(pattern: SpanPattern) -> str:
    return f"{shortened(pattern.label)!r}, which is missing"


def _inside(pattern: Pattern) -> list[Pattern]:
    found: list[Pattern] = []
    todo = [pattern]
    while todo and len(found) < 100_000:
        each = todo.pop()
        found.append(each)
        todo.extend(positions_in(each))
    return found
