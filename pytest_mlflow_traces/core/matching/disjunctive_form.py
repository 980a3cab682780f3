"""A group as alternatives that contain no choice any more: rows of runs in any order.

`any_order(one_of(A, B), c)` is one of `any_order(A, c)` and `any_order(B, c)`, and groups inside merge. What is no such
list, or too long a one, is left to `interleave`: a repeated group inside a group, mostly.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mlflow_traces.core.matching.content_model import Choice, Group, Loop, Model, Run, built, parts_of

_MOST_ROWS = 1_024
_MOST_RUNS = 30_000  # in all rows together


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Runs in any order: `free` ones, and `rings` of runs whose spans overlap pairwise; `gap` lets others between."""

    free: tuple[Run, ...] = ()
    rings: tuple[tuple[Run, ...], ...] = ()
    gap: bool = False

    @property
    def size(self) -> int:
        """The number of runs."""
        return len(self.free) + sum(map(len, self.rings))


def rows_of(group: Group) -> list[Row] | None:
    """Return the rows, any one of which is what `group` says; `None` where there is no such list."""
    root: Model = group
    return built(root, lambda model: [part for part in parts_of(model) if not isinstance(part, Run)], _rows)


def _rows(model: Model, made: list[list[Row] | None]) -> list[Row] | None:
    """Return the rows of `model`, given those of its parts that are not runs."""
    inner = [rows for rows in made if rows is not None]
    if len(inner) < len(made):
        return None
    runs = [part for part in parts_of(model) if isinstance(part, Run)]
    if isinstance(model, Group):
        return _shuffled(model, runs, inner)
    alternatives = [*(Row((run,)) for run in runs), *(row for rows in inner for row in rows)]
    if isinstance(model, Loop):
        if (model.low, model.high) != (0, 1):
            return None
        alternatives.append(Row())
    elif not isinstance(model, Choice):
        return [Row(gap=True)]
    return None if _too_many(len(alternatives), sum(row.size for row in alternatives)) else alternatives


def _shuffled(group: Group, runs: list[Run], inner: list[list[Row]]) -> list[Row] | None:
    """Return every way to choose one row of each item, as one row each."""
    rows = [Row(free=tuple(runs))]
    for more in inner:
        count = len(rows) * len(more)
        if _too_many(count, sum(row.size for row in rows) * len(more) + sum(row.size for row in more) * len(rows)):
            return None
        rows = [Row((*a.free, *b.free), (*a.rings, *b.rings), a.gap or b.gap) for a in rows for b in more]
    if group.overlapping:  # what a ring inside asks for, the ring outside asks for too
        rows = [Row((), ((*row.free, *(run for ring in row.rings for run in ring)),), row.gap) for row in rows]
    return [Row(row.free, row.rings, row.gap or group.gap) for row in rows]


def _too_many(rows: int, runs: int) -> bool:
    return rows > _MOST_ROWS or runs > _MOST_RUNS
