"""A bar for what takes a while: on a terminal, and nowhere else."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mlflow_traces.cli.trace_sets import files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Show how far something is; what is printed meanwhile stands above the bar.

    The value takes what was done since it was called last. Of an unknown total, the bar only moves.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def size_of(sources: Sequence[str]) -> int | None:
    """Return the bytes in files and folders of traces; `None` where one is a tracking store or standard input."""
    try:
        return sum(Path(file).stat().st_size for source in sources for file in files_of(source))
    except (OSError, ValueError):  # what is not there is told of when it is read
        return None
