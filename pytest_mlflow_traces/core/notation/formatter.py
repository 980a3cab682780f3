"""The text form of a pattern, one span a line: `format` and `parse`, exact inverses.

    # the agent that answers questions about cost
    orchestrator_invoke AGENT
      classify_intent CLASSIFIER ...
      query_agents AGENT
        any order
          cost_agent AGENT OK
            genie_query TOOL {1,3}
          security_agent AGENT ? ...
      ...
      save_context MEMORY

Two spaces an indent. A line with nothing below it is a span without children; ` ...` at its end leaves the children
unchecked; a line `...` is a gap; `any order`, `parallel`, `one of`, `has:` and `lacks:` stand over the lines that they
are about. Below 24 indents, a line says its depth, as `(depth 25) name`, lest a deep tree becomes a text of quadratic
size. `lines` has what one line says. Nothing recurses; formatting and parsing take time linear in the text.
"""

from __future__ import annotations

from types import EllipsisType
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.notation.lines import quantifier, span_line
from pytest_mlflow_traces.core.notation.parser import indented, parse_lines
from pytest_mlflow_traces.core.notation.words import ANY_ORDER, GAP, HAS, LACKS, ONE_OF, PARALLEL
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, Repeat, SpanPattern

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.patterns.nodes import Item

__tracebackhide__ = True  # a failure points at the test, not in here


def format(pattern: Pattern) -> str:  # noqa: A001  # the design's word; `notation.format` reads well
    """Return the text of a pattern, its lines joined by newlines.

    >>> from pytest_mlflow_traces import span
    >>> print(format(span("agent", type="AGENT")[span("plan"), ...]))
    agent AGENT
      plan ...
      ...

    Raises:
        TypeError: for anything but a pattern.
        ValueError: for a pattern that compares with something that is not a literal, as a matcher object.
    """
    if not isinstance(pattern, Pattern):
        raise TypeError(f"format() takes a pattern such as span('name'), got {pattern!r}")
    return "\n".join(format_lines(pattern))


def format_lines(pattern: Item, depth: int = 0) -> list[str]:
    """Return the lines of a pattern that stands at `depth` of a text; the first is its own."""
    lines: list[str] = []
    stack: list[tuple[int, Item | str]] = [(depth, pattern)]
    while stack:
        depth, item = stack.pop()
        quantifiers = []
        while isinstance(item, Repeat):
            quantifiers.append(quantifier(item.min, item.max))
            item = item.item
        text, below = _line(item, " ".join(reversed(quantifiers)))
        lines.append(indented(text, depth))
        stack.extend((depth + 1 + down, each) for down, each in reversed(below))
    return lines


def _line(item: Item | str, quantifiers: str) -> tuple[str, list[tuple[int, Item | str]]]:
    """Return what `item` says on its line, and what stands below it, how much deeper."""
    if isinstance(item, str):
        return item, []
    if isinstance(item, EllipsisType):
        return GAP, []
    below: list[tuple[int, Item | str]] = []
    if isinstance(item, SpanPattern):
        for head, patterns in ((HAS, item.has), (LACKS, item.lacks)):
            below += [(0, head), *((1, each) for each in patterns)] if patterns else []
        below += [(0, each) for each in item.children or ()]
        return span_line(item, quantifiers), below
    below = [(0, each) for each in item.parts]
    head = ONE_OF
    if isinstance(item, AnyOrder):
        head = PARALLEL if item.overlapping else ANY_ORDER
        below += [(0, ...)] if item.gap else []
    return f"{head} {quantifiers}".rstrip(), below


def parse(text: str) -> Pattern:
    """Return the pattern of a text.

    >>> parse("agent AGENT ...")
    span('agent', type='AGENT')

    Raises:
        NotationError: for a text that is not a pattern, naming line, column and what was expected there.
    """
    pattern = parse_lines(text)[0].pattern
    if not isinstance(pattern, Pattern):
        raise AssertionError("unreachable: the first line is checked to be a span or a group")
    return pattern
