"""The console script `pytest-mlflow-traces`: look at stored traces, check them, compare two sets of them."""

from __future__ import annotations

import errno
import gc
import json
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_mlflow_traces.cli.check import Check
from pytest_mlflow_traces.cli.pages import html_option, page_file
from pytest_mlflow_traces.cli.trace_sets import TraceSet, files_of
from pytest_mlflow_traces.core.runs.compare import SAME, compare
from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.files.expectations import loaded_expectation
from pytest_mlflow_traces.files.traces import STDIN, TraceFileError, stored_traces
from pytest_mlflow_traces.reports.comparisons import (
    comparison_data,
    comparison_markdown,
    comparison_text,
    conclusion,
    overall,
)
from pytest_mlflow_traces.reports.sections import headline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_mlflow_traces.cli.pages import PageFile
    from pytest_mlflow_traces.core.contracts import Verdict
    from pytest_mlflow_traces.core.runs.compare import Comparison
    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.files.traces import StoredTrace

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _UnansweredError(click.ClickException):
    """The error for what cannot be read or written; the question has no answer then, which is not a "no"."""

    exit_code = 2


@click.group(context_settings=_SETTINGS)
@click.version_option(package_name="pytest-mlflow-traces")
def main() -> None:
    """Look at stored MLflow traces, check them against contracts, compare two sets of them.

    A FILE is JSON Lines as `pytest --mlflow-traces-save=FILE` writes it, the JSON of one trace or of a list, or `-` for
    standard input.

    Exit status: 0 when all is well, 1 when something differs or does not hold, 2 when the question cannot be answered:
    a wrong option, a file that is not a file of traces.
    """


@main.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--test", "part", metavar="TEXT", help="Show only traces of tests whose id contains TEXT.")
@html_option
def show(files: tuple[str, ...], part: str | None, html: str | None) -> None:
    """Print span trees, with what is wrong with a trace below its tree.

    \b
    pytest-mlflow-traces show traces.jsonl --test test_cost
    """  # noqa: D301  # click wraps what follows a backspace no more
    shown = 0
    with page_file(html) as pages:
        for stored in _stored(files):
            test = stored.test
            if part is not None and part not in (test or ""):
                continue
            said = f"\n{escaped(test)}" if test else ""
            problems = "".join(f"\nproblem: {text}" for text in stored.trace.problems)
            _print(f"{stored.where}{said}\n{headline(stored.trace)}\n{stored.trace.tree()}{problems}\n")
            pages.add(stored, "not whole" if problems else "whole", failed=bool(problems))
            shown += 1
        pages.finish(f"{counted(shown, 'trace')} of {', '.join(files)}" if shown else "no traces", failed=not shown)
    if not shown:
        raise click.ClickException("no traces" + ("" if part is None else f" of tests with {part!r} in their id"))


@main.command()
@click.argument("sources", metavar="FILE|URI...", nargs=-1, required=True)
@click.option("--contract", "names", metavar="MODULE:NAME", multiple=True, required=True,
              help="A Contract, pattern, Budget or TagSchema that every trace must hold; may be given several times. "
                   "MODULE is looked for in the current folder, too.")  # fmt: skip
@click.option("--experiment", "experiments", metavar="NAME", multiple=True,
              help="With a tracking URI: the experiment, by name or id; may be given several times.")  # fmt: skip
@click.option("--filter", "filter_string", metavar="FILTER",
              help="With a tracking URI: MLflow's filter, such as \"attributes.status = 'ERROR'\".")  # fmt: skip
@click.option("--show", "most", metavar="N", type=click.IntRange(min=0), default=20, show_default=True,
              help="Explain the first N traces that do not hold; the others are counted.")  # fmt: skip
@click.option("--allow-not-judged", "allowed", metavar="N", type=click.IntRange(min=0), default=0, show_default=True,
              help="Pass though up to N traces could not be judged, since spans of them are missing.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True,
              help="Print JSON Lines: every trace that does not hold, and the counts at the end.")  # fmt: skip
@html_option
def check(
    sources: tuple[str, ...],
    names: tuple[str, ...],
    experiments: tuple[str, ...],
    filter_string: str | None,
    most: int,
    allowed: int,
    as_json: bool,
    html: str | None,
) -> None:
    """Check stored traces against contracts.

    A URI is a tracking URI, such as sqlite:///mlflow.db, http://localhost:5000 or databricks; it needs --experiment
    and the full mlflow package.
    Traces are read and checked one by one, in constant memory. Only for rules of order over sessions are those kept
    that have a session.

    \b
    pytest-mlflow-traces check traces.jsonl --contract my_agent.contract:CONTRACT
    pytest-mlflow-traces check databricks --experiment /Shared/agent \\
        --filter "attributes.status = 'OK'" --contract my_agent.contract:CONTRACT

    No trace at all, no trace in one of several files, and a contract that applies to none, is a failure: nothing passes
    on absence. So is a trace that is not whole (without spans, with one that has not ended, or whose parent is
    missing): it is not judged.
    """  # noqa: D301
    uris = [source for source in sources if _is_uri(source)]
    if uris and not experiments:
        raise click.UsageError(f"{uris[0]} is a tracking URI: say which --experiment")
    if not uris and (experiments or filter_string is not None):
        raise click.UsageError("--experiment and --filter are for a tracking URI, and there is none")

    def search(uri: str) -> Iterator[StoredTrace]:
        from pytest_mlflow_traces.cli.tracking_store import tracked_traces

        return tracked_traces(uri, experiments, filter_string)

    checked = Check({name: _loaded(name) for name in names}, allowed)

    def tell(stored: StoredTrace, said: list[Verdict]) -> None:
        pages.add(stored, "does not hold" if said else "holds", failed=bool(said), said=said)
        if said and as_json:
            _print(_failure_json(stored, said))
        elif said and checked.failed + checked.not_judged <= most:
            _print(_failure_text(stored, said))

    files = [source for source in sources if not _is_uri(source)]
    with page_file(html) as pages:
        with _frozen(), _progress(files) as advance:
            for stored in _stored(sources, advance, checked.miss, search):
                tell(stored, checked.check(stored))
            for stored, said in checked.sessions():
                tell(stored, said)
        first, *others = checked.conclusion()
        pages.finish(first, failed=not checked.holds, notes=others)
    more = checked.failed + checked.not_judged - most
    which = "that do not hold, or are not judged" if checked.not_judged else "that do not hold"
    rest = f"... {more:,} more {which}\n\n" if more > 0 and most else ""
    _print(_json(checked.data()) if as_json else rest + "\n".join(checked.conclusion()))
    sys.exit(0 if checked.holds else 1)


@contextmanager
def _frozen() -> Iterator[None]:
    """Spare the garbage collector what is loaded by now: it would look through all of it every few hundred traces."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@main.command()
@click.argument("old")
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for $GITHUB_STEP_SUMMARY or a comment.")
@html_option
def diff(old: str, new: str, as_json: bool, as_markdown: bool, html: str | None) -> None:
    """Compare the traces of two runs, test by test.

    OLD is what is expected, as the traces of the main branch; NEW are those of a branch. Each is a file of
    traces, a folder of such files, or `-` for standard input. Traces are matched by the test that made them, or by
    their name where they say no test.

    \b
    pytest --mlflow-traces-save=new.jsonl
    pytest-mlflow-traces diff main.jsonl new.jsonl

    Structure is hard: names, types, the tree, and the status of spans and of the whole trace. Tags, metadata,
    attributes, exceptions, events, tokens, latency, the order of traces and what ran in parallel are soft: they are
    listed, and no reason to fail; ids that each run makes anew, such as UUIDs, are not even listed. A test that only
    one side has, another number of traces, or missing data is not comparable, and that is not success either.
    """  # noqa: D301
    if old == new == STDIN:
        raise click.UsageError("only one side can be standard input")
    if as_json and as_markdown:
        raise click.UsageError("--json or --markdown, not both")
    with _readable():
        before, after = TraceSet(old), TraceSet(new)
    tests = sorted({*before.tests, *after.tests})
    with page_file(html) as pages:
        comparisons = [_compared(test, before.traces(test), after.traces(test), pages) for test in tests]
        pages.finish(conclusion(comparisons), failed=overall(comparisons) != SAME)
    if as_json:
        _print(_json(comparison_data(comparisons)))
    else:
        _print((comparison_markdown if as_markdown else comparison_text)(comparisons), nl=not as_markdown)
    sys.exit(0 if overall(comparisons) == SAME else 1)


def _compared(test: str, old: list[Trace], new: list[Trace], pages: PageFile) -> Comparison:
    comparison = compare(test, old, new)
    pages.add_comparison(comparison, old, new)
    return replace(comparison, marks=())  # they hold on to the traces


def _is_uri(source: str) -> bool:
    return ("://" in source or source == "databricks" or source.startswith("databricks:")) and not Path(source).exists()


def _loaded(name: str) -> Any:
    # as `python -m` has it; a console script does not
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return loaded_expectation(name)
    except ValueError as error:
        raise click.UsageError(f"--contract {name}: {error}") from None


def _stored(
    sources: Sequence[str],
    advance: Callable[[int], object] = lambda _: None,
    miss: Callable[[str], object] = lambda _: None,
    search: Callable[[str], Iterator[StoredTrace]] | None = None,
) -> Iterator[StoredTrace]:
    """Yield the traces of files, and what `search` finds at tracking URIs; `miss` gets each that has none."""
    with _readable():
        for source in sources:
            if search is not None and _is_uri(source):
                yield from _reporting_if_empty(search(source), visible(source), miss)
                continue
            for file in files_of(source):
                name = "standard input" if file == STDIN else visible(file)
                yield from _reporting_if_empty(stored_traces(file, advance), name, miss)


def _reporting_if_empty(
    traces: Iterator[StoredTrace], source: str, miss: Callable[[str], object]
) -> Iterator[StoredTrace]:
    """Yield the traces of a source, and report one that has none."""
    is_empty = True
    for stored in traces:
        is_empty = False
        yield stored
    if is_empty:
        miss(source)


def _print(text: str, *, nl: bool = True) -> None:
    """Print; what cannot be written is no answer, where the exit status would be taken for one."""
    try:
        click.echo(text, nl=nl)
        sys.stdout.flush()
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever read this has gone, as `head` does: click ends quietly
            raise
        # what could not be written stays in the buffer, and would be tried again at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise _UnansweredError(f"the answer could not be written: {error.strerror or error}") from None


@contextmanager
def _readable() -> Iterator[None]:
    """Turn what cannot be read into a message and the exit status that says so."""
    try:
        yield
    except TraceFileError as error:
        raise _UnansweredError(str(error)) from None
    except OSError as error:
        # what fails while it is read, such as a broken disk, has no name
        name = "" if error.filename is None else f"{visible(str(error.filename))}: "
        raise _UnansweredError(f"{name}{error.strerror or error}") from None


def _failure_text(stored: StoredTrace, said: list[Verdict]) -> str:
    test = f"  {escaped(stored.test)}" if stored.test else ""
    lines = [line for verdict in said for line in verdict.text.split("\n")]
    shown = [escaped(f"  {line}".rstrip()) for line in lines]
    return "\n".join([f"{stored.where}: {visible(stored.trace.id)}{test}", *shown, ""])


def _failure_json(stored: StoredTrace, said: list[Verdict]) -> str:
    findings = [asdict(finding) for verdict in said for finding in verdict.findings]
    facts = {"where": stored.where, "trace_id": stored.trace.id, "name": stored.trace.name, "test": stored.test}
    return _json({**facts, "findings": findings})


def _json(said: dict[str, Any]) -> str:
    """Return JSON in which a CI finds nothing to obey (see `escaped`); to whoever reads it, it is the same."""
    return json.dumps(said).replace("##[", "##\\u005b")


@contextmanager
def _progress(files: list[str]) -> Iterator[Callable[[int], object]]:
    """Show how far the reading of `files` is, on a terminal; what is printed meanwhile stands above the bar."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    sizes = [Path(file).stat().st_size for file in files if Path(file).is_file()]
    columns = TextColumn("checking"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=sum(sizes) if files and len(sizes) == len(files) else None)
        yield lambda count: progress.advance(task, count)
