"""What a run did to baselines, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.spans.records import escaped

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.runs.records import Run

_LINES = 20  # of one file; the rest is in the diff of the version control
_WORDS = {"refused": "left alone"}


def change_lines(run: Run) -> list[str]:
    """Return a line for each file, its changed lines below it, and what is to be known of others."""
    lines = []
    for change in run.baseline_changes:
        lines.append(f"{_WORDS.get(change.kind, change.kind)}: {escaped(change.file)}")
        lines += [f"    {escaped(line)}" for line in change.lines[:_LINES]]
        more = len(change.lines) - _LINES
        lines += [f"    ... {more} more lines"] if more > 0 else []
    return lines + [escaped(note) for note in run.notes]
