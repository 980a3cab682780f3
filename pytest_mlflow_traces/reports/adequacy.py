"""What nothing noticed, for a terminal, a summary, and whoever gates on the share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.adequacy.survivors import percent, sentence
from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.text.counts import capped, counted

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.adequacy.survivors import ShapeScore, Survivor, Survivors

LINES = 20  # of a terminal, in all
_SHAPES = 4


def falls_short(survivors: Survivors, floor: float | None) -> bool:
    """Return whether less was noticed than was asked; of nothing, nothing was noticed."""
    return floor is not None and (not survivors.total or 100 * survivors.noticed < floor * survivors.total)


def survivor_lines(survivors: Survivors, floor: float | None = None, *, is_part: bool = False) -> list[str]:
    """Return the shares, what nothing noticed, and what to know before trusting that: at most 20 lines."""
    notes = notes_of(survivors, is_part=is_part)
    if falls_short(survivors, floor):
        share = "nothing was edited" if survivors.percent is None else f"{survivors.percent:g} %"
        notes.append(f"{share}: less than the {floor:g} % that were asked for")
    shapes = [f"  {shape_line(each)}" for each in survivors.shapes]
    shapes = capped(shapes, _SHAPES, "  ... {} more shapes") if len(shapes) > 1 else []
    found = [found_line(each) for each in survivors.survivors()]
    room = LINES - 1 - len(shapes) - len(notes)
    if len(found) > room:
        found = capped(found, room - 1, "... {} more, all of them by --mlflow-traces-mutate-json=PATH")
    return [*map(escaped, [mutants_headline(survivors), *shapes, *found, *notes])]


def mutants_headline(survivors: Survivors) -> str:
    """Return the share of all mutants that were noticed."""
    classes = ", ".join(survivors.classes)
    if not survivors.total:
        return f"no mutants ({classes}): no whole trace of a test that passed"
    return f"{_share(survivors.noticed, survivors.total)} ({classes})"


def found_line(survivor: Survivor) -> str:
    """Return what nothing notices, and where."""
    where = f"{counted(survivor.traces, 'trace')}, {counted(survivor.tests, 'test')}"
    return f"{sentence(survivor)} ({where})"


def _share(noticed: int, total: int) -> str:
    return f"{noticed:,} of {counted(total, 'mutant')} noticed, {percent(noticed, total):g} %"


def shape_line(score: ShapeScore) -> str:
    """Return the share of the mutants of one shape."""
    size = f"{visible(score.name)}, {counted(len(score.names), 'span')}, shape {score.shape}"
    traces = f"{counted(sum(score.traces.values()), 'trace')} of {counted(len(score.tests), 'test')}"
    return f"{size}: {_share(len(score.noticed), len(score.known))} in {traces}"


def notes_of(survivors: Survivors, *, is_part: bool = False) -> list[str]:
    """Return what to know before trusting the share."""
    of_spans, unwhole, unstable = map(survivors.aside, ("of_spans", "unwhole", "unstable"))
    said = []
    if of_spans[0]:
        said.append(f"{counted(of_spans[1], 'test')} asked single spans, too (find, count, `span ==`): not asked again")
    if unwhole[0]:
        said.append(f"{counted(unwhole[0], 'trace')} not edited: not whole")
    if unstable[0]:
        said.append(f"{counted(unstable[0], 'question')} left out: asked again, the answer was another")
    return [*said, *(["of the tests that ran: this is not the whole suite"] if is_part else [])]
