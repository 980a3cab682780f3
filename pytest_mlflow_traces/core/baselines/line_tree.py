"""The text of a pattern as a tree of lines, to be changed line by line: what is not touched stays as somebody wrote it.

An entry is a line with the entries below it and the comments above it. A line that keeps its depth keeps every
character; one that moves to another depth, with all below it, is indented anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import EllipsisType
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.matching.content_model import models_of, shortest
from pytest_mlflow_traces.core.notation.lines import quantifier, span_line
from pytest_mlflow_traces.core.notation.parser import INDENTED_LEVELS, indented, parse_lines
from pytest_mlflow_traces.core.notation.words import ANY_ORDER, HAS, LACKS, ONE_OF, PARALLEL
from pytest_mlflow_traces.core.patterns.constructors import is_one_span
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, Repeat, SpanPattern, span_patterns_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Item

NEW = -1
_RECORDED = frozenset({"name", "type", "status"})


@dataclass(slots=True, eq=False)
class Entry:
    """One line, the comments and blank lines above it, and what stands below it.

    `depth` is where the line stood when it was read, and `raw` how; a line that has not been there before is `NEW`.
    `pattern` is what the line, with those below it, stood for when it was read; `None` for `has:`, `lacks:`, groups
    that are part of the group above, and new lines.
    """

    text: str
    pattern: Item | None = None
    below: list[Entry] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    raw: str = ""
    depth: int = NEW
    number: int = 0
    span: int = -1  # of a line that was added: the span that it is to stand for
    lost: Entry | None = None  # this is not a line, but the place of one that no span stands for
    after: list[str] = field(default_factory=list)  # comments under the last line below this one

    @property
    def is_demand(self) -> bool:
        """Whether the line is `has:` or `lacks:`, which stand for no place in the tree."""
        return self.text in (HAS, LACKS)

    @property
    def unit(self) -> Pattern | None:
        """The pattern without its quantifier."""
        if isinstance(self.pattern, Repeat):
            return self.pattern.item
        return self.pattern if isinstance(self.pattern, Pattern) else None

    @property
    def patterns(self) -> tuple[SpanPattern, ...]:
        """What the spans are that the line stands for one by one; nothing where it stands for more at once."""
        unit = self.unit
        return span_patterns_of(unit) if unit is not None and is_one_span(unit) else ()

    @property
    def limits(self) -> tuple[int, int | None]:
        """How often it may stand there."""
        return (self.pattern.min, self.pattern.max) if isinstance(self.pattern, Repeat) else (1, 1)

    @property
    def is_gap(self) -> bool:
        """Whether the line is `...`."""
        return isinstance(self.pattern, EllipsisType)

    @property
    def is_group(self) -> bool:
        """Whether the line is `any order` or `parallel`, however often."""
        return self.text.startswith((ANY_ORDER, PARALLEL))

    @property
    def is_plain_group(self) -> bool:
        """Whether the line is `any order`, once."""
        return self.text == ANY_ORDER

    def become(self, other: Entry) -> None:
        """Be the line that `other` is, in another place."""
        self.text, self.pattern, self.below, self.before = other.text, other.pattern, other.below, other.before
        self.raw, self.depth, self.number, self.after = other.raw, other.depth, other.number, other.after

    def rewrite(self, text: str) -> None:
        """Let the line say something else."""
        if text != self.text:
            self.text, self.raw = text, ""

    def requantify(self, low: int, high: int | None) -> None:
        """Let the line stand for another number of spans."""
        limits = "" if low == high == 1 else quantifier(low, high)
        unit = self.unit
        self.rewrite(span_line(unit, limits) if isinstance(unit, SpanPattern) else f"{ONE_OF} {limits}".rstrip())


def read_outline(text: str) -> tuple[Entry, list[str]]:
    """Return the entry of the first line, with all below it, and the comments under the last line.

    Raises:
        NotationError: as `notation.parse` does.
    """
    raws = text.split("\n")
    entries: list[Entry] = []
    above: list[Entry] = []
    read = 0
    for line in parse_lines(text):
        before, raw = raws[read : line.number - 1], raws[line.number - 1]
        entry = Entry(line.text[line.start :], line.pattern, [], before, raw, line.depth, line.number)
        read = line.number
        del above[line.depth :]
        if above:
            above[-1].below.append(entry)
        above.append(entry)
        entries.append(entry)
    return entries[0], raws[read:]


def outline_text(entry: Entry, after: Iterable[str] = ()) -> str:
    """Return the text of an entry and all below it."""
    lines: list[str] = []
    stack: list[tuple[Entry | list[str], int]] = [(entry, 0)]
    while stack:
        each, depth = stack.pop()
        if isinstance(each, list):
            lines += (_indented(line.strip(), depth) for line in each)
            continue
        stays = each.depth == depth
        lines += each.before if stays else (_indented(line.strip(), depth) for line in each.before)
        lines.append(each.raw if stays and each.raw else _indented(each.text, depth))
        stack.append((each.after, depth + 1))
        stack.extend((below, depth + 1) for below in reversed(each.below))
    return "\n".join([*lines, *after])


def _indented(text: str, depth: int) -> str:
    return indented(text, min(depth, INDENTED_LEVELS) if text.startswith("#") else depth) if text else ""


def all_below(top: Entry) -> Iterator[Entry]:
    """Yield an entry and all below it, in their order."""
    stack = [top]
    while stack:
        each = stack.pop()
        yield each
        stack.extend(reversed(each.below))


def alternatives(entry: Entry) -> list[Entry]:
    """Return the entries of the spans that an entry chooses from."""
    return [entry] if isinstance(entry.unit, SpanPattern) else [each for _, each in members(entry, ONE_OF)]


def name_of(entry: Entry) -> str | None:
    """Return the name that a line of one span says; `None` for a regex, for any name, and for a choice."""
    unit = entry.unit
    return unit.name if isinstance(unit, SpanPattern) and isinstance(unit.name, str) else None


def members(entry: Entry, kind: str = ANY_ORDER) -> Iterator[tuple[list[Entry], Entry]]:
    """Yield the items of a group, each with the list that it stands in; nested ones are one to the language."""
    stack = [(entry.below, each) for each in reversed(entry.below)]
    while stack:
        home, each = stack.pop()
        if each.pattern is None and each.text == kind:
            stack.extend((each.below, inner) for inner in reversed(each.below))
        else:
            yield home, each


def holds(matcher: Matcher, line: Entry, i: int) -> bool:
    """Return whether a line of one span matches the span at `i`."""
    return line.unit is not None and matcher.matches(line.unit, i)


def by_hand(matcher: Matcher, pattern: SpanPattern, i: int) -> str | None:
    """Return what was demanded by hand and does not hold for a span, as a message says it."""
    failed = [field for field in matcher.local_failures(pattern, i) if field not in _RECORDED]
    return next((f"`{field}:`" if field in ("has", "lacks") else f"`{field}`" for field in failed), None)


def is_by_hand(pattern: SpanPattern) -> bool:
    """Return whether a line says more than what is recorded of a span."""
    plain = SpanPattern(pattern.name, pattern.type, pattern.status, children=pattern.children)
    return pattern != plain


def demanding(entry: Entry) -> Iterator[Entry]:
    """Yield the lines of an entry that each ask for one span or more: itself, or the items of a group."""
    if isinstance(entry.pattern, AnyOrder):
        for _, each in members(entry):
            yield from demanding(each)
    elif entry.patterns and entry.limits[0] > 0:
        yield entry


def may_be_absent(entry: Entry) -> bool:
    """Return whether a line holds where no span stands for it."""
    return entry.pattern is not None and not shortest(models_of((entry.pattern,)))
