"""Why a trace does not match: every difference, and the tree with the differences marked.

The cheapest alignment of pattern and trace says what differs (`explaining.aligning`, `explaining.searching`), what is
missing in one place and unexpected in another is told as moved (`explaining.moves`), and the words and the picture are
made from that (`explaining.telling`, `explaining.pictures`). The matcher alone decides whether a trace matches: nothing
here is asked before it has said no, and then there is always at least one finding.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.drawing import span_label, span_notes
from pytest_mlflow_traces.core.explaining.candidates import nearest_spans
from pytest_mlflow_traces.core.explaining.differences import differences
from pytest_mlflow_traces.core.explaining.fields import hints
from pytest_mlflow_traces.core.explaining.pictures import Note, Picture
from pytest_mlflow_traces.core.explaining.telling import Teller, alternatives
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.matching import Matcher
from pytest_mlflow_traces.core.nodes import short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces.core.explaining.edits import Edit
    from pytest_mlflow_traces.core.forest import Forest
    from pytest_mlflow_traces.core.nodes import Pattern

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
    """Say why something does not match; `findings` is never empty."""

    findings: tuple[Finding, ...]
    headline: str
    _body: Callable[[int | None], list[str]] = field(repr=False, compare=False)

    def lines(self, verbose: bool = False) -> list[str]:
        """Return the message, about 25 lines of it unless `verbose`."""
        return [self.headline, "", *self._body(None if verbose else _LINES - 2)]

    def text(self, verbose: bool = False) -> str:
        """Return the message as one text."""
        return "\n".join(self.lines(verbose))


def mismatch(forest: Forest, pattern: Pattern, spans: Sequence[int], subject: str) -> Explanation:
    """Explain why the siblings at `spans` are not what `pattern` says; `subject` names them: "trace 'agent'"."""
    if not spans:
        return _empty(subject, pattern)
    matcher = Matcher(forest)
    findings, notes = _told(Teller(forest, matcher, subject), differences(forest, matcher, pattern, spans))
    counts = Counter(_WORDS[finding.rule] for finding in findings)
    said = ", ".join(f"{counts[word]:,} {word}" for word in _WORDS.values() if counts[word])
    picture = Picture(forest, spans[0], forest.stops[spans[-1]], notes)
    spelling = [f"hint: {each}" for each in dict.fromkeys(_spelling(findings))][:3]

    def body(most: int | None) -> list[str]:
        return [*_drawn(picture, None if most is None else most - len(spelling)), *spelling]

    return Explanation(findings, f"{subject} does not match: {said}", body)


def absent(forest: Forest, pattern: Pattern, subject: str) -> Explanation:
    """Explain why no span is what the one-span `pattern` says: which come near, and what is wrong with each."""
    if not len(forest):
        return _empty(subject, pattern)
    matcher = Matcher(forest)
    teller = Teller(forest, matcher, subject)
    near = nearest_spans(forest, matcher, pattern, _CANDIDATES)
    spelling = list(dict.fromkeys(hint for each in alternatives(pattern) for hint in hints(forest, each)))
    nearby = f"nearest: {forest.path(near[0][0])}" if near else None
    hint = "; ".join([*spelling, *([nearby] if nearby else ())]) or None
    finding = Finding("shape.missing", subject, expected=short(pattern), actual="no such span", hint=hint)

    def body(most: int | None) -> list[str]:
        lines = []
        room = None if most is None else max(3, (most - len(near) - len(spelling)) // max(1, len(near)) - 1)
        for i, edits in near:
            _, notes = _told(teller, edits)
            picture = Picture(forest, i, forest.stops[i], notes)
            lines += [f"near miss: {forest.path(i)}", *(f"  {line}" for line in _drawn(picture, room))]
        if not near:
            lines += [f"{len(forest):,} spans, none of them comes near"]
        return lines + [f"hint: {each}" for each in spelling]

    return Explanation((finding,), f"{subject} has no {short(pattern)}", body)


def present(forest: Forest, pattern: Pattern, subject: str) -> Explanation:
    """Say which spans are what the one-span `pattern` says, where none is to be."""
    found = Matcher(forest).find(pattern)
    findings = [
        Finding("shape.unexpected", forest.path(i), expected=f"no {short(pattern)}", actual=span_label(forest, i))
        for i in found[:_FOUND]
    ]
    if len(found) > _FOUND or not found:
        findings.append(
            Finding(
                "shape.unexpected", subject, f"no {short(pattern)}", f"{len(found) - len(findings):,} more such spans"
            )
        )
    count = f"{len(found):,} span{'' if len(found) == 1 else 's'}"

    def body(most: int | None) -> list[str]:
        room = len(found) if most is None or len(found) <= most else most - 1
        lines = [f"{forest.path(i)}  {forest.types[i]}  {span_notes(forest, i)}" for i in found[:room]]
        return lines + ([f"... {len(found) - room:,} more, -vv shows all"] if room < len(found) else [])

    return Explanation(tuple(findings), f"{subject} has {count} like {short(pattern)}, expected none", body)


def _empty(subject: str, pattern: Pattern) -> Explanation:
    finding = Finding("shape.missing", subject, expected=short(pattern), actual="no spans")
    return Explanation((finding,), f"{subject} has no spans", lambda _: [f"expected {short(pattern)}"])


def _told(teller: Teller, edits: list[Edit]) -> tuple[tuple[Finding, ...], list[Note]]:
    told = sorted((teller.told(edit) for edit in edits), key=lambda each: each[1][0].order)
    return tuple(finding for finding, _ in told), [note for _, notes in told for note in notes]


def _drawn(picture: Picture, most: int | None) -> list[str]:
    lines, left_out = picture.lines(None if most is None else most - 1)
    if left_out:
        lines.append(f"... {left_out:,} more difference{'' if left_out == 1 else 's'}, -vv shows all")
    return lines


def _spelling(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.hint for finding in findings if finding.hint and "did you mean" in finding.hint]
