"""`--html PATH` of the commands: what they tell of traces as a page, too."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_mlflow_traces.core.runs.compare import SAME, paired
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.files.pages import NEEDS, Pages, can_make_pages
from pytest_mlflow_traces.files.spool import Spool
from pytest_mlflow_traces.reports.html.entries import OLD, Entry
from pytest_mlflow_traces.reports.html.page import Head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.runs.compare import Comparison
    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.core.verdicts import Verdict
    from pytest_mlflow_traces.files.traces import StoredTrace

_HOLDING = 1_000  # traces against which there is nothing to say

html_option = click.option(
    "--html", metavar="PATH", help="Write it as one page of HTML to PATH, too; needs pytest-mlflow-traces[html]."
)


class PageFile:
    """The page that a command writes, or none."""

    def __init__(self, path: str | None, spool: Spool) -> None:
        self._path = path
        self._pages = Pages(spool)
        self._count = self._holding = 0

    def add(self, stored: StoredTrace, outcome: str, *, failed: bool, said: Sequence[Verdict] = ()) -> None:
        """Add a stored trace; of those against which nothing is said, no more than anybody looks at."""
        if self._path is None:
            return
        self._holding += not failed
        if failed or self._holding <= _HOLDING:
            self._put(
                Entry(
                    stored.test or f"trace {visible(stored.trace.name)}, {stored.where}",
                    outcome,
                    [stored.trace],
                    failed=failed,
                    findings=[finding for verdict in said for finding in verdict.findings],
                    marks=[verdict.marks for verdict in said if verdict.marks is not None],
                    message="\n\n".join(verdict.text for verdict in said) or None,
                    source=(stored.where, ""),
                )
            )

    def add_comparison(self, comparison: Comparison, old: Sequence[Trace], new: Sequence[Trace]) -> None:
        """Add both sides of a comparison."""
        if self._path is None:
            return
        pairs = paired(old, new) if len(old) == len(new) else [(each,) for each in (*old, *new)]
        traces = [trace for pair in pairs for trace in pair]
        said = [*([comparison.reason] if comparison.reason else []), *comparison.texts]
        self._put(
            Entry(
                comparison.test,
                comparison.verdict,
                traces,
                failed=comparison.verdict != SAME,
                labels=[OLD if trace in old else "new" for trace in traces],
                findings=[*comparison.findings, *comparison.soft],
                marks=comparison.marks,
                message="\n\n".join(said) or None,
            )
        )

    def _put(self, entry: Entry) -> None:
        self._count += 1
        key = entry.name, f"{self._count:09}"
        self._pages.put(key, entry.parts(), failed=entry.failed, has_findings=bool(entry.findings))

    def finish(self, title: str, *, failed: bool, notes: Sequence[str] = ()) -> None:
        """Write the page, where there is to be one."""
        if self._path is None:
            return
        more = self._holding - _HOLDING
        left = [f"Left out: {more:,} more traces against which there is nothing to say."] if more > 0 else []
        try:
            self._pages.write(Path(self._path).absolute(), Head(f"MLflow traces: {title}", "", failed, [*notes, *left]))
        except OSError as error:
            raise _UnwrittenError(f"the page was not written: {error}") from None
        click.echo(f"page written to {self._path}", err=True)


class _UnwrittenError(click.ClickException):
    """The error for a page that cannot be written: the question is answered, yet not where it was to be."""

    exit_code = 2


@contextmanager
def page_file(path: str | None) -> Iterator[PageFile]:
    """Keep what is added for a page, if there is to be one.

    Raises:
        click.UsageError: where what makes pages is not installed, or the path is empty.
    """
    if path is not None and not path.strip():
        raise click.UsageError("--html: the path is empty, as where a variable of a CI is not set")
    if path is not None and not can_make_pages():
        raise click.UsageError(f"--html {NEEDS}")
    spool = Spool()
    try:
        yield PageFile(path, spool)
    finally:
        spool.close()
