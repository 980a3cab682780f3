"""Read the text form of a pattern, line by line, with a stack in place of recursion.

Every line becomes a node that waits for the lines below it; a line that is not deeper closes it, and makes its pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.notation.lines import Head, read_head
from pytest_mlflow_traces.core.notation.literals import ReadingError
from pytest_mlflow_traces.core.notation.words import ANY_ORDER, GAP, GROUPS, HAS, LACKS, ONE_OF, PARALLEL, SPAN, word_at
from pytest_mlflow_traces.core.patterns.constructors import any_order, is_one_span, one_of, parallel, repeat, span
from pytest_mlflow_traces.core.patterns.written import NOTING
from pytest_mlflow_traces.core.spans.records import escaped

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.patterns.nodes import Item, Pattern

__tracebackhide__ = True  # a failure points at the test, not in here

INDENTED_LEVELS = 24
_DEPTH = re.compile(r"\(depth ([0-9]{1,12})\) ")


class NotationError(ValueError):
    """The place where a text is not a pattern (`line` and `column` count from 1), and what was expected there.

    >>> from pytest_mlflow_traces.core import notation
    >>> try:
    ...     notation.parse("agent TOOL TOOL")
    ... except notation.NotationError as error:
    ...     error.line, error.column
    (1, 12)
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line, self.column = line, column


@dataclass(slots=True, eq=False)
class Line:
    """What one line of a parsed text stands for, together with the lines below it.

    `pattern` is `None` for `has:` and `lacks:`, and for a group that is part of the group above it. The lines that
    belong to it are those up to, and without, the one at index `stop`. While it is read, `items` is where the patterns
    below it go.
    """

    number: int
    text: str
    start: int
    depth: int
    head: Head
    parent: Line | None = None
    items: list[Item] = field(default_factory=list)
    has: list[Item] = field(default_factory=list)
    lacks: list[Item] = field(default_factory=list)
    is_merged: bool = False  # into the line above
    items_before: int = 0
    pattern: Item | None = None
    stop: int = 0


def parse_lines(text: str) -> list[Line]:
    """Return the lines of a text that are neither blank nor comments; the first stands for the whole pattern.

    Raises:
        NotationError: as `parse` does.
    """
    nodes: list[Line] = []
    above: list[Line] = []  # the node at each depth that the next line may stand below
    for number, line in enumerate(text.split("\n"), 1):  # splitlines() would split at U+2028, too
        line = line.rstrip(" \t\r")
        if not line or line.lstrip(" \t").startswith("#"):
            continue
        try:
            indent = len(line) - len(line.lstrip(" "))
            depth, start = _depth(line, indent)
            _check_depth(depth, indent, len(above), first=not nodes)
            _close(above, depth, len(nodes))
            node = Line(number, line, start, depth, read_head(line, start))
            _join(node, above[-1] if above else None)
        except ReadingError as error:
            raise _located(error, number, line) from None
        nodes.append(node)
        above.append(node)
    if not nodes:
        raise NotationError("the text has no pattern: expected a line with a span or a group", 1, 1)
    _close(above, 0, len(nodes))
    return nodes


def indented(text: str, depth: int) -> str:
    """Return what stands at a depth as a line."""
    marker = f"(depth {depth}) " if depth > INDENTED_LEVELS else ""
    return f"{'  ' * min(depth, INDENTED_LEVELS)}{marker}{text}"


def _depth(line: str, indent: int) -> tuple[int, int]:
    """Return the depth of a line, and where what it says begins."""
    if line[indent] == "\t":
        raise ReadingError(indent, "an indent of two spaces a level, not a tab")
    if indent % 2:
        raise ReadingError(indent, "an indent of two spaces a level")
    marker = _DEPTH.match(line, indent)
    if not marker:
        return indent // 2, indent
    depth = int(marker[1])
    if depth <= INDENTED_LEVELS or indent != 2 * INDENTED_LEVELS:
        raise ReadingError(indent, f"a depth above {INDENTED_LEVELS}, after {2 * INDENTED_LEVELS} spaces")
    return depth, marker.end()


def _check_depth(depth: int, indent: int, deepest: int, *, first: bool) -> None:
    if first and depth:
        raise ReadingError(indent, "the first line without an indent")
    if not first and not depth:
        raise ReadingError(indent, "an indent: a text has one pattern", "; several roots stand below `any order`")
    if depth > deepest:
        most = f"a depth of at most {deepest}" if depth > indent // 2 else f"an indent of at most {2 * deepest} spaces"
        raise ReadingError(indent, f"{most}, one level below the line before")


def _join(node: Line, parent: Line | None) -> None:
    """Put a new node below its parent, where it can stand there."""
    kind, node.parent = node.head.kind, parent
    if parent is None:
        if kind not in (SPAN, *GROUPS):
            raise ReadingError(node.start, "a span or a group")
        return
    over = parent.head.kind
    if over == GAP:
        raise ReadingError(node.start, "nothing below `...`")
    if kind in (HAS, LACKS) and over != SPAN:
        raise ReadingError(node.start, f"a span: `{kind}` stands below a span")
    if kind == GAP and over in (ONE_OF, HAS, LACKS):
        raise ReadingError(node.start, "a span: `...` stands below a span, `any order` or `parallel`")
    if over in (HAS, LACKS) and (kind not in (SPAN, ONE_OF) or node.head.quantifiers):
        raise ReadingError(node.start, f"one span below `{over}`, or `one of` spans, without a quantifier")
    if parent.head.unchecked and kind not in (HAS, LACKS):
        raise ReadingError(node.start, f"no children, as line {parent.number} leaves them unchecked with its `...`")
    if kind in (HAS, LACKS):
        node.items, node.is_merged = parent.has if kind == HAS else parent.lacks, True
    elif kind == over and kind in (ANY_ORDER, ONE_OF) and not node.head.quantifiers:
        # what nests so is one group to the language, too, and merging lists level by level would be quadratic
        node.items, node.is_merged = parent.items, True
    node.items_before = len(node.items)


def _close(above: list[Line], depth: int, stop: int) -> None:
    """Make the patterns of the nodes at `depth` and below it, which no further line belongs to."""
    while len(above) > depth:
        node = above.pop()
        try:
            _finish(node)
        except ReadingError as error:
            raise _located(error, node.number, node.text) from None
        node.stop = stop


def _finish(node: Line) -> None:
    kind, parent = node.head.kind, node.parent
    if kind not in (SPAN, GAP) and len(node.items) == node.items_before:
        raise ReadingError(node.start, f"a line below `{kind}`, indented by two more spaces", got=False)
    if node.is_merged:
        return
    NOTING.line = node.number
    try:
        node.pattern = _made(node)
    except (TypeError, ValueError) as error:
        raise ReadingError(node.start, "a pattern that can match", f"; {error}", got=False) from None
    if parent is not None:
        if parent.head.kind in (HAS, LACKS) and not is_one_span(node.pattern):
            raise ReadingError(node.start, f"`one of` spans below `{parent.head.kind}`, and of nothing else", got=False)
        parent.items.append(node.pattern)


def _made(node: Line) -> Item:
    kind, items = node.head.kind, node.items
    if kind == GAP:
        return ...
    pattern: Pattern
    if kind == SPAN:
        below = {"has": node.has or None, "lacks": node.lacks or None}
        pattern = span(**node.head.said, **below)  # type: ignore[arg-type]  # no gaps, by `_join`
        pattern = pattern if node.head.unchecked else pattern[tuple(items)]
    else:
        make = {ANY_ORDER: any_order, PARALLEL: parallel, ONE_OF: one_of}[kind]
        pattern = make(*items)  # type: ignore[arg-type]  # `_join` keeps gaps away from one_of
    for least, most in node.head.quantifiers:
        pattern = repeat(pattern, least, most)
    return pattern


def _located(error: ReadingError, number: int, line: str) -> NotationError:
    """Say where the error is, with the line and a caret below what was not expected."""
    at = error.at
    word = word_at(line, at)
    got = f", got `{escaped(word[:40])}{'...' if len(word) > 40 else ''}`" if word else ", got the end of the line"
    begin = max(at - 60, 0)
    before = f"{'...' if begin else ''}{escaped(line[begin:at])}"
    after = f"{escaped(line[at : at + 40])}{'...' if len(line) > at + 40 else ''}"
    return NotationError(
        f"line {number}, column {at + 1}: expected {error.expected}{got if error.got else ''}{error.hint}\n"
        f"    {before}{after}\n"
        f"    {' ' * len(before)}^",
        number,
        at + 1,
    )
