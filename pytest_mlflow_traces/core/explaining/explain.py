"""Why a trace does not match: every difference, and the tree with the differences marked.

The cheapest alignment of pattern and trace says what differs (`align.aligner`, `align.search`), what is missing in one
place and unexpected in another is shown as moved (`align.moves`), and the words and the picture are made from that
(`report.messages`, `report.annotated_tree`). The matcher alone decides whether a trace matches: nothing
here is asked before it has said no, and then there is always at least one finding.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.align.differences import differences
from pytest_mlflow_traces.core.explaining.report.annotated_tree import AnnotatedTree, Marks, Note
from pytest_mlflow_traces.core.explaining.report.field_diffs import Hints
from pytest_mlflow_traces.core.explaining.report.messages import Messages
from pytest_mlflow_traces.core.explaining.report.near_misses import nearest_spans
from pytest_mlflow_traces.core.explaining.report.paths import Paths
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.matching.matcher import Matcher
from pytest_mlflow_traces.core.patterns.nodes import short, span_patterns_of
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.spans.render import span_label, span_notes
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable

_LINES = 25
_CANDIDATES = 3
_FOUND = 100
_WORDS = {
    "shape.missing": "missing",
    "shape.unexpected": "unexpected",
    "shape.different": "different",
    "shape.moved": "moved",
    "shape.order": "out of order",
    "shape.parallel": "not in parallel",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something does not match; `findings` is never empty."""

    findings: tuple[Finding, ...]
    headline: str
    _body: Callable[[int | None], list[str]] = field(repr=False, compare=False)
    marks: Marks | None = field(default=None, repr=False, compare=False)

    def lines(self, verbose: bool = False, room: int = _LINES) -> list[str]:
        """Return the message, about `room` lines of it unless `verbose`."""
        return [self.headline, "", *self._body(None if verbose else room - 2)]

    def text(self, verbose: bool = False) -> str:
        """Return the message as one text."""
        return "\n".join(self.lines(verbose))


def mismatch(table: SpanTable, pattern: Pattern, spans: Sequence[int], subject: str) -> Explanation:
    """Explain why the siblings at `spans` are not what `pattern` says; `subject` names them: "trace 'agent'"."""
    if not spans:
        return _empty(subject, pattern)
    matcher = Matcher(table)
    findings, notes = _told(Messages(table, matcher, subject), differences(table, matcher, pattern, spans))
    counts = Counter(_WORDS[finding.rule] for finding in findings)
    said = ", ".join(f"{counts[word]:,} {word}" for word in _WORDS.values() if counts[word])
    picture = AnnotatedTree(table, spans[0], table.stops[spans[-1]], notes)
    spelling = [f"hint: {each}" for each in dict.fromkeys(_spelling(findings))][:3]

    def body(most: int | None) -> list[str]:
        return [*_drawn(picture, None if most is None else most - len(spelling)), *spelling]

    return Explanation(findings, f"{subject} does not match: {said}", body, Marks(table, tuple(notes)))


def absent(table: SpanTable, pattern: Pattern, subject: str) -> Explanation:
    """Explain why no span is what the one-span `pattern` says: which come near, and what is wrong with each."""
    if not len(table):
        return _empty(subject, pattern)
    matcher = Matcher(table)
    messages = Messages(table, matcher, subject)
    near, others = nearest_spans(table, matcher, pattern, _CANDIDATES)
    hints = Hints(table)
    spelling = list(dict.fromkeys(hint for each in span_patterns_of(pattern) for hint in hints.of(each)))
    nearby = [f"nearest: {table.path(near[0][0])}"] if near else []
    hint = "; ".join([*spelling, *nearby]) or None
    finding = Finding("shape.missing", subject, expected=short(pattern), actual="no such span", hint=hint)

    marks = [replace(note, finding=finding) for _, edits in near[:1] for note in _told(messages, edits)[1]]

    def body(most: int | None) -> list[str]:
        lines = ["nearest:"] if near else [f"its spans are {messages.listed(list(dict.fromkeys(table.names)))}"]
        room = None if most is None else max(4, (most - len(spelling) - 2) // max(1, len(near)))
        for i, edits in near:
            lines += _near_miss(messages, table, i, edits, room)
        if others:
            lines.append(f"... {counted(others, 'more span')} of that name")
        return lines + [f"hint: {each}" for each in spelling]

    return Explanation((finding,), f"{subject} has no {short(pattern)}", body, Marks(table, tuple(marks)))


def _near_miss(messages: Messages, table: SpanTable, i: int, edits: list[Edit], most: int | None) -> list[str]:
    """Show a span that comes near: by itself where only that is different, or else with what is below it."""
    _, notes = _told(messages, edits)
    head = f"  {table.path(i)}  {visible(table.types[i])}"
    if all(note.span == i for note in notes):
        return [head, *(f"      {text}" for note in notes for text in note.notes)]
    picture = AnnotatedTree(table, i, table.stops[i], notes)
    return [head, *(f"    {line}" for line in _drawn(picture, None if most is None else most - 1))]


def present(table: SpanTable, pattern: Pattern, subject: str, *, wrong: bool = True) -> Explanation:
    """Say which spans are what the one-span `pattern` says; that is `wrong` where none is to be."""
    found = Matcher(table).find(pattern)
    expected = f"no {short(pattern)}"
    told, paths = found[:_FOUND], Paths(table)
    findings = [Finding("shape.unexpected", paths.of(i), expected, span_label(table, i)) for i in told]
    notes = [
        Note((i, 1), "+", [f"unexpected: {expected}"], span=i, finding=each)
        for i, each in zip(told, findings, strict=True)
    ]
    if len(found) > len(told) or not found:
        more = counted(len(found) - len(told), "more such span") if found else "such a span"
        findings.append(Finding("shape.unexpected", subject, expected, more))

    def body(most: int | None) -> list[str]:
        room = len(found) if most is None or len(found) <= most else most - 1
        lines = [f"  {paths.of(i)}  {visible(table.types[i])}  {span_notes(table, i)}" for i in found[:room]]
        return lines + ([f"... {len(found) - room:,} more, -vv shows all"] if room < len(found) else [])

    headline = f"{subject} has {counted(len(found), 'span')} like {short(pattern)}{', expected none' if wrong else ''}"
    return Explanation(tuple(findings), headline, body, Marks(table, tuple(notes)) if wrong else None)


def _empty(subject: str, pattern: Pattern) -> Explanation:
    finding = Finding("shape.missing", subject, expected=short(pattern), actual="no spans")
    return Explanation((finding,), f"{subject} has no spans", lambda _: [f"expected {short(pattern)}"])


def _told(messages: Messages, edits: list[Edit]) -> tuple[tuple[Finding, ...], list[Note]]:
    told = sorted((messages.told(edit) for edit in edits), key=lambda each: each[1][0].order)
    for finding, notes in told:
        for note in notes:
            note.finding = finding
    return tuple(finding for finding, _ in told), [note for _, notes in told for note in notes]


def _drawn(picture: AnnotatedTree, most: int | None) -> list[str]:
    lines, left_out = picture.lines(None if most is None else most - 1)
    if left_out:
        lines.append(f"... {counted(left_out, 'more difference')}, -vv shows all")
    return lines


def _spelling(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.hint for finding in findings if finding.hint and "did you mean" in finding.hint]
