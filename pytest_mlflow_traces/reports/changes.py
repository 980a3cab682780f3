"""What a run did to baselines, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.spans.records import escaped
from pytest_mlflow_traces.core.text.counts import capped

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.runs.records import Run

_LINES = 20  # of one file; the rest is in the diff of the version control


def change_lines(run: Run) -> list[str]:
    """Return a line for each file, its changed lines below it, and what is to be known of others."""
    lines = []
    for change in run.baseline_changes:
        lines.append(f"{'left alone' if change.kind == 'refused' else change.kind}: {escaped(change.file)}")
        lines += [f"    {escaped(line)}" for line in capped(change.lines, _LINES)]
    return lines + [escaped(note) for note in run.notes]
