"""What nothing noticed, for a terminal, a summary, and whoever gates on the share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.adequacy.judging import MOST
from pytest_mlflow_traces.core.adequacy.survivors import percent, sentence
from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.text.counts import capped, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.adequacy.survivors import ShapeScore, Survivor, Survivors

LINES = 20  # of a terminal, in all
_SHAPES = 4
_REST = "--mlflow-traces-mutate-json=PATH"


def falls_short(survivors: Survivors, floor: float | None) -> bool:
    """Return whether less was noticed than was asked; of nothing, nothing was noticed."""
    return floor is not None and (not survivors.total or 100 * survivors.noticed < floor * survivors.total)


def survivor_lines(
    survivors: Survivors, floor: float | None = None, notes: Sequence[str] = (), most: int = LINES, rest: str = _REST
) -> list[str]:
    """Return the shares, what nothing noticed, and what to know before trusting that: at most so many lines."""
    notes = [*notes_of(survivors), *notes]
    if falls_short(survivors, floor):
        share = "nothing was edited" if survivors.percent is None else f"{survivors.percent:g} %"
        notes.append(f"{share}: less than the {floor:g} % that were asked for")
    shapes = [f"  {shape_line(each)}" for each in survivors.shapes]
    shapes = capped(shapes, _SHAPES, "  ... {} more shapes") if len(shapes) > 1 else []
    found = [found_line(each) for each in survivors.survivors()]
    room = most - 1 - len(shapes) - len(notes)
    if len(found) > room:
        found = capped(found, max(0, room - 1), f"... {{}} more, all of them by {rest}")
    return [*map(escaped, [mutants_headline(survivors), *shapes, *found, *notes])]


def mutants_headline(survivors: Survivors) -> str:
    """Return the share of all mutants that were noticed."""
    classes = ", ".join(survivors.classes)
    if not survivors.total:
        return f"no mutants ({classes}): nothing was edited"
    return f"{_share(survivors.noticed, survivors.total)} ({classes})"


def found_line(survivor: Survivor) -> str:
    """Return what nothing notices, and where."""
    return f"{sentence(survivor)} ({counted(survivor.traces, 'trace')}{_of_tests(', ', survivor.tests)})"


def _of_tests(before: str, tests: int) -> str:
    return f"{before}{counted(tests, 'test')}" if tests else ""  # of stored traces none may be known


def _share(noticed: int, total: int) -> str:
    return f"{noticed:,} of {counted(total, 'mutant')} noticed, {percent(noticed, total):g} %"


def shape_line(score: ShapeScore) -> str:
    """Return the share of the mutants of one shape."""
    size = f"{visible(score.name)}, {counted(len(score.names), 'span')}, shape {score.shape}"
    traces = f"{counted(sum(score.traces.values()), 'trace')}{_of_tests(' of ', len(score.tests))}"
    return f"{size}: {_share(len(score.noticed), len(score.known))} in {traces}"


def notes_of(survivors: Survivors) -> list[str]:
    """Return what to know before trusting the share."""
    of_spans, unwhole, large, unstable = map(survivors.aside, ("of_spans", "unwhole", "large", "unstable"))
    said = []
    if of_spans[0]:
        said.append(f"{counted(of_spans[1], 'test')} asked single spans, too (find, count, `span ==`): not asked again")
    if unwhole[0]:
        said.append(f"{counted(unwhole[0], 'trace')} not edited: not whole")
    if large[0]:
        said.append(f"{counted(large[0], 'trace')} not edited: more than {MOST:,} spans")
    if unstable[0]:
        said.append(f"{counted(unstable[0], 'question')} left out: asked again, the answer was another")
    return said
