"""What a run exercised of what is expected, as lines for a terminal and a summary, and as data for a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.adequacy.survivors import percent
from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.text.counts import capped, counted

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.adequacy.branches import Branch
    from pytest_mlflow_traces.core.adequacy.coverage import Coverage

FORMAT = 1
LISTED = 100  # of each kind; the rest is in the data


def falls_short(coverage: Coverage, floor: float | None) -> str | None:
    """Say that fewer branches were taken than asked for, where that is so."""
    if floor is None or coverage.percent >= floor:
        return None
    return f"{_percent(coverage):g} %: less than the {floor:g} % that were asked for"


def figure(coverage: Coverage) -> str:
    """Say in a line how much of what is expected was exercised."""
    count = len(coverage.branches)
    if not count:
        why = "nothing that is expected has branches" if coverage.held else "nothing was expected of a trace, and held"
        return f"{_percent(coverage):g} %: {why}"
    of = f"{count:,} branch{'' if count == 1 else 'es'}"
    return f"{_percent(coverage):g} %: {coverage.taken:,} of {of} taken, of all that is expected"


def missed_lines(coverage: Coverage, root: Path) -> list[str]:
    """Return a line for each branch that was not taken: `test_agent.py:12: optional(span('retry')): never present`."""
    return [
        f"{_place(branch, root)}: {escaped(branch.what)}: never {escaped(branch.way)}" for branch in coverage.missed
    ]


def unnamed_lines(coverage: Coverage) -> list[str]:
    """Return a line for each kind of span that ran and that nothing looks at: `web_search TOOL ran in 12 traces`."""
    return [
        f"{visible(name)} {visible(type_)} ran in {counted(count, 'trace')}"
        for (name, type_), count in coverage.unnamed.items()
    ]


def lines(coverage: Coverage, root: Path, most: int | None = LISTED) -> list[str]:
    """Return all of it: the figure, what was not taken, and what nothing looks at."""
    told = [figure(coverage)]
    for title, found in (
        ("never taken:", missed_lines(coverage, root)),
        ("nothing looks at:", unnamed_lines(coverage)),
    ):
        shown = (
            found if most is None else capped(found, most, "... {} more, in the file of --mlflow-traces-coverage=PATH")
        )
        told += [title, *(f"  {line}" for line in shown)] if found else []
    if coverage.intricate:
        told.append(
            f"{counted(coverage.intricate, 'comparison')} that held took too long to share out: no branch of"
            f" {'it' if coverage.intricate == 1 else 'them'} counts as taken"
        )
    return told


def data(coverage: Coverage, root: Path) -> str:
    """Return all of it as JSON; files are relative to `root`, where they are below it."""
    said = {
        "format": FORMAT,
        "percent": _percent(coverage),
        "taken": coverage.taken,
        "branches": [
            {
                "file": _shown(branch.file, root),
                "line": branch.line,
                "what": branch.what,
                "way": branch.way,
                "taken": is_taken,
            }
            for branch, is_taken in sorted(coverage.branches.items())
        ],
        "nothing_looks_at": [
            {"name": name, "type": type_, "traces": count} for (name, type_), count in coverage.unnamed.items()
        ],
        "intricate": coverage.intricate,
    }
    return json.dumps(said, indent=2) + "\n"


def _percent(coverage: Coverage) -> float:
    found = percent(coverage.taken, len(coverage.branches))
    return coverage.percent if found is None else found


def _place(branch: Branch, root: Path) -> str:
    return f"{escaped(_shown(branch.file, root))}:{branch.line}"


def _shown(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file
