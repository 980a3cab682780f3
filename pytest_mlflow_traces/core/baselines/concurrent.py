"""Lines for siblings that overlap: where some of them are new, their order is not for the next run to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.line_tree import Entry
from pytest_mlflow_traces.core.patterns.recorded import overlapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.spans.table import SpanTable

Made = tuple[Entry, tuple[int, ...]]  # a line, and the spans it stands for


def grouped(table: SpanTable, made: list[Made], spans: Sequence[int], *, everything: bool) -> list[Entry]:
    """Return the lines, those whose spans overlap (or `everything`) below `any order` where one of them is new."""
    runs = [list(spans)] if everything and spans else overlapping(table, spans)
    home = {i: number for number, (_, stood) in enumerate(made) for i in stood}
    lines: list[Entry] = []
    done = 0
    for run in runs:
        first, last = home[run[0]], home[run[-1]]
        part = made[first : last + 1]
        if first < done or last == first or not _may_merge(part, set(run)):
            continue
        lines += [entry for entry, _ in made[done:first]]
        lines.append(_merged([entry for entry, _ in part]))
        done = last + 1
    return [*lines, *(entry for entry, _ in made[done:])]


def _may_merge(part: Sequence[Made], run: set[int]) -> bool:
    """Return whether some line is new, and all can stand below `any order`."""
    return any(entry.span >= 0 for entry, _ in part) and all(
        entry.is_gap
        or entry.lost is not None
        or ((entry.span >= 0 or bool(entry.patterns) or entry.is_plain_group) and run.issuperset(stood))
        for entry, stood in part
    )


def _merged(entries: Sequence[Entry]) -> Entry:
    """Return one group of all these lines, a group that is there already rather than a new one."""
    group = next((entry for entry in entries if entry.is_plain_group), None)
    below: list[Entry] = []
    gaps: list[Entry] = []
    for entry in entries:
        for each in entry.below if entry.is_plain_group else [entry]:
            (gaps if each.is_gap else below).append(each)
    if group is None:
        group = Entry("any order")
    group.below = below + gaps[:1]
    return group
