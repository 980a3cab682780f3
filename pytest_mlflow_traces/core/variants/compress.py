"""Neighbouring lines that say the same, as one line with a quantifier."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.line_tree import NEW, Entry, all_below, outline_text
from pytest_mlflow_traces.core.notation.lines import span_line
from pytest_mlflow_traces.core.patterns.nodes import Repeat, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable


def quantified(line: Entry, unit: SpanPattern, low: int, high: int | None) -> None:
    """Let a line stand for spans like `unit`, so many of them."""
    line.pattern = unit if low == high == 1 else Repeat(unit, low, high)
    line.requantify(low, high)


def compress(home: Entry) -> None:
    """Make one line of those below `home` that follow each other and say the same."""
    found: list[Entry] = []
    for name, run in groupby(home.below, _name):
        lines = [*run]
        if len(lines) == 1 or name is None:
            found += lines
        else:
            found += (_one([*alike]) for _, alike in groupby(lines, _said))
    home.below = found


def _one(lines: list[Entry]) -> Entry:
    first, *others = lines
    if others and isinstance(first.unit, SpanPattern):
        limits = [line.limits for line in lines]
        highs = [high for _, high in limits if high is not None]
        low, high = sum(low for low, _ in limits), sum(highs) if len(highs) == len(limits) else None
        quantified(first, first.unit, low, high)
        comment(first, [said for line in others for said in comments_of(line)])
    return first


def comment(line: Entry, comments: Iterable[str]) -> None:
    """Put comments above a line, below those that are there."""
    said = [each for each in comments if each.strip()]
    if said:
        line.before = [*line.before, *said]
        line.depth, line.raw = NEW, ""  # so that all of them get the indent of the line


def comments_of(line: Entry) -> list[str]:
    """Return the comments above a line and all below it."""
    return [said for each in all_below(line) for said in (*each.before, *each.after) if said.strip()]


def _name(line: Entry) -> Hashable:
    """Return what lines that are to be one have in common, `None` where a line stands for no single span."""
    unit = line.unit
    return span_line(replace(unit, children=()), "") if isinstance(unit, SpanPattern) and not line.is_demand else None


def _said(line: Entry) -> Hashable:
    """Return what a line says of each of its spans, with all that stands below it."""
    unit = line.unit
    text = span_line(unit, "") if isinstance(unit, SpanPattern) else line.text
    return notation.parse(outline_text(Entry(text, depth=NEW, below=line.below)))
