"""A tree as lines of text: what failures, reports and the console script show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.durations import readable_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.spans.table import SpanTable

INDENTED_LEVELS = 24  # deeper rows stay at this indent and say their depth, else a chain prints O(n * depth) characters
_NOTES_COLUMN = 58  # one long name does not push the notes of all others further out than this


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a drawn tree, in pre-order; `more` are notes for lines of their own below it."""

    depth: int
    label: str
    notes: str = ""
    mark: str = ""
    more: tuple[str, ...] = ()


def draw(rows: Sequence[Row]) -> list[str]:
    """Return the rows with their branches drawn, marks in front where any row has one."""
    drawn: list[tuple[str, str]] = []  # each row, and what goes on below it to the left of its further notes
    more: list[bool] = []  # whether a later sibling stands below, for each level down to the row at hand
    for row in reversed(rows):
        depth = min(row.depth, INDENTED_LEVELS)
        has_children = len(more) > depth + 1 and more[depth + 1]
        del more[depth + 1 :]
        more.extend([False] * (depth + 1 - len(more)))
        guides = "".join("│  " if below else "   " for below in more[1:depth])
        branch = "" if row.depth == 0 else "├─ " if more[depth] else "└─ "
        level = f"(depth {row.depth}) " if row.depth > INDENTED_LEVELS else ""
        trunk = "" if row.depth == 0 else "│  " if more[depth] else "   "
        drawn.append((f"{guides}{branch}{level}{row.label}", f"{guides}{trunk}{'│' if has_children else ''}"))
        more[depth] = True
    drawn.reverse()
    column = min(max((len(text) for text, _ in drawn), default=0), _NOTES_COLUMN)
    margin = 2 if any(row.mark for row in rows) else 0
    lines = []
    for (text, below), row in zip(drawn, rows, strict=True):
        lines.append(
            f"{row.mark:<{margin}}{text:<{column}}  {row.notes}" if row.notes else f"{row.mark:<{margin}}{text}"
        )
        lines += [f"{'':<{margin}}{below:<{column}}  {note}" for note in row.more]
    return [line.rstrip() for line in lines]


def span_label(table: SpanTable, i: int) -> str:
    """The name and type of a span, as one line."""
    return f"{visible(table.names[i])}  {visible(table.types[i])}"


def span_notes(table: SpanTable, i: int) -> str:
    """The duration of a span, and what went wrong in it."""
    end = table.ends[i]
    notes = "unfinished" if end is None else readable_duration(end - table.starts[i])
    error = table.error(i)
    if error is None:
        return notes
    said = ": ".join(visible(str(part)) for part in (error.type, error.message) if part)
    status = table.statuses[i] if table.statuses[i] == "ERROR" else "exception"
    return f"{notes}  {status}{' ' if said else ''}{said if len(said) <= 80 else said[:77] + '...'}"


def tree_lines(table: SpanTable) -> list[str]:
    """Return the whole tree, one span a line."""
    depths: list[int] = []
    rows = []
    for i, parent in enumerate(table.parents):
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
        rows.append(Row(depths[i], span_label(table, i), span_notes(table, i)))
    return draw(rows) or ["(no spans)"]
