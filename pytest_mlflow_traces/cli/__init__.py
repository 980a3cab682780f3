"""The console script `pytest-mlflow-traces`: look at stored traces, check, compare and pin them."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_mlflow_traces.cli.answers import answer, json_text, readable
from pytest_mlflow_traces.cli.check import Check
from pytest_mlflow_traces.cli.contract_files import explain, lint
from pytest_mlflow_traces.cli.expectations import loaded
from pytest_mlflow_traces.cli.learn import learn
from pytest_mlflow_traces.cli.mutate import mutate
from pytest_mlflow_traces.cli.pages import html_option, page_file
from pytest_mlflow_traces.cli.progress import progress, size_of
from pytest_mlflow_traces.cli.shares import CONFIDENCE, rate_asked, share
from pytest_mlflow_traces.cli.trace_sets import TraceSet, files_of, runs_of
from pytest_mlflow_traces.cli.variants import variants
from pytest_mlflow_traces.core.judgements import Judge
from pytest_mlflow_traces.core.runs.compare import SAME, compare
from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.files.traces import STDIN, stored_traces
from pytest_mlflow_traces.reports.comparisons import (
    comparison_data,
    comparison_markdown,
    comparison_text,
    conclusion,
    overall,
)
from pytest_mlflow_traces.reports.frequencies import NOT_SHOWN, ComparedFrequencies
from pytest_mlflow_traces.reports.sections import headline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_mlflow_traces.cli.pages import PageFile
    from pytest_mlflow_traces.core.runs.compare import Comparison
    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.core.verdicts import Verdict
    from pytest_mlflow_traces.files.traces import StoredTrace

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_SETTINGS)
@click.version_option(package_name="pytest-mlflow-traces")
def main() -> None:
    """Look at stored MLflow traces, check and compare them, make tests and contracts of them; read contracts.

    A FILE is JSON Lines as `pytest --mlflow-traces-save=FILE` writes it, or whatever else holds traces: JSON of MLflow,
    OTLP, tables as JSON, CSV, Parquet or Arrow. It may be a folder of such files, or `-` for standard input.

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
            answer(f"{stored.where}{said}\n{headline(stored.trace)}\n{stored.trace.tree()}{problems}\n")
            pages.add(stored, "not whole" if problems else "whole", failed=bool(problems))
            shown += 1
        pages.finish(f"{counted(shown, 'trace')} of {', '.join(files)}" if shown else "no traces", failed=not shown)
    if not shown:
        raise click.ClickException("no traces" + ("" if part is None else f" of tests with {part!r} in their id"))


@main.command()
@click.argument("sources", metavar="FILE|URI...", nargs=-1, required=True)
@click.option("--contract", "names", metavar="MODULE:NAME|FILE", multiple=True, required=True,
              help="A Contract, pattern, Budget or TagSchema that every trace must hold, or a contract file (*.toml); "
                   "may be given several times. MODULE is looked for in the current folder, too.")  # fmt: skip
@click.option("--experiment", "experiments", metavar="NAME", multiple=True,
              help="With a tracking URI: the experiment, by name or id; may be given several times.")  # fmt: skip
@click.option("--filter", "filter_string", metavar="FILTER",
              help="With a tracking URI: MLflow's filter, such as \"attributes.status = 'ERROR'\".")  # fmt: skip
@click.option("--show", "most", metavar="N", type=click.IntRange(min=0), default=20, show_default=True,
              help="Explain the first N traces that do not hold; the others are counted.")  # fmt: skip
@click.option("--allow-not-judged", "allowed", metavar="N", type=click.IntRange(min=0), default=0, show_default=True,
              help="Pass though up to N traces could not be judged, since spans of them are missing.")  # fmt: skip
@click.option("--at-least", "at_least", metavar="RATE", callback=share,
              help="Pass where the traces show that each contract holds at this rate, such as 95%, of what makes such "
                   "traces. Too few of them to say are a failure, too.")  # fmt: skip
@click.option("--confidence", metavar="RATE", callback=share,
              help="With --at-least: how sure to be of it.  [default: 95%]")  # fmt: skip
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
    at_least: float | None,
    confidence: float | None,
    as_json: bool,
    html: str | None,
) -> None:
    """Check stored traces against contracts.

    A URI is a tracking URI, such as sqlite:///mlflow.db, http://localhost:5000 or databricks; it needs --experiment
    and the full mlflow package.
    Traces are read and checked one by one, in constant memory. Kept are only traces with a session, for rules of order
    over sessions, and spans that come alone (OTLP, a table of spans): those of a trace may be in several files.

    \b
    pytest-mlflow-traces check traces.jsonl --contract my_agent.contract:CONTRACT
    pytest-mlflow-traces check databricks --experiment /Shared/agent \\
        --filter "attributes.status = 'OK'" --contract my_agent.contract:CONTRACT

    No trace at all, no trace in one of several files, and a contract that applies to none, is a failure: nothing passes
    on absence. So is a trace that is not whole (without spans, with one that has not ended, whose parent is
    missing, or of which something was dropped): it is not judged.

    With --at-least some may fail: the exact bound of Clopper and Pearson says whether so few do that the rate is shown.
    What is not judged counts as not holding then, and a run is a session where a contract has rules over sessions.
    """  # noqa: D301
    uris = [source for source in sources if _is_uri(source)]
    if uris and not experiments:
        raise click.UsageError(f"{uris[0]} is a tracking URI: say which --experiment")
    if not uris and (experiments or filter_string is not None):
        raise click.UsageError("--experiment and --filter are for a tracking URI, and there is none")

    rate = rate_asked(at_least, confidence, allowed)

    def search(uri: str) -> Iterator[StoredTrace]:
        from pytest_mlflow_traces.cli.tracking_store import tracked_traces

        return tracked_traces(uri, experiments, filter_string)

    checked = Check({name: loaded(name, "--contract") for name in names}, allowed, rate)

    def tell(stored: StoredTrace, said: list[Verdict]) -> None:
        pages.add(stored, "does not hold" if said else "holds", failed=bool(said), said=said)
        if said and as_json:
            answer(_failure_json(stored, said))
        elif said and checked.failed + checked.not_judged <= most:
            answer(_failure_text(stored, said))

    with page_file(html) as pages:
        with _frozen(), progress("checking", size_of(sources)) as advance:
            for stored in _stored(sources, advance, checked.miss, search):
                tell(stored, checked.check(stored))
            for stored, said in checked.sessions():
                tell(stored, said)
        first, *others = checked.conclusion()
        pages.finish(first, failed=not checked.holds, notes=others)
    more = checked.failed + checked.not_judged - most
    which = "that do not hold, or are not judged" if checked.not_judged else "that do not hold"
    rest = f"... {more:,} more {which}\n\n" if more > 0 and most else ""
    answer(json_text(checked.data()) if as_json else rest + "\n".join(checked.conclusion()))
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
@click.option("--contract", "names", metavar="MODULE:NAME|FILE", multiple=True,
              help="Of several runs of each test, with an agent that varies: say which findings of this contract "
                   "became more frequent, instead of what differs; may be given several times.")  # fmt: skip
@click.option("--confidence", metavar="RATE", callback=share,
              help="With --contract: how sure to be that something became more frequent.  [default: 95%]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for $GITHUB_STEP_SUMMARY or a comment.")
@html_option
def diff(
    old: str,
    new: str,
    names: tuple[str, ...],
    confidence: float | None,
    as_json: bool,
    as_markdown: bool,
    html: str | None,
) -> None:
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

    With --contract the two sides are samples, of as many runs as there are. Each finding, by its rule and the path of
    its span, is counted test by test, and an exact test (Fisher's, added up over the tests) with Holm's correction
    says whether it became more frequent. A trace that is not judged, a test that only one side has, and too few runs
    to show anything are not comparable.
    """  # noqa: D301
    if old == new == STDIN:
        raise click.UsageError("only one side can be standard input")
    if as_json and as_markdown:
        raise click.UsageError("--json or --markdown, not both")
    if names and html is not None:
        raise click.UsageError("--html shows what differs, and --contract asks what became more frequent")
    if confidence is not None and not names:
        raise click.UsageError("--confidence is for --contract, and there is none")
    judges = {name: Judge(loaded(name, "--contract")) for name in names}
    with readable(), progress("reading", size_of([old, new])) as advance:
        before, after = TraceSet(old, advance), TraceSet(new, advance)
    if judges:
        shown = ComparedFrequencies(runs_of(before, judges), runs_of(after, judges), confidence or CONFIDENCE)
        said = json_text(shown.data()) if as_json else shown.markdown() if as_markdown else shown.text()
        answer(said, nl=not as_markdown)
        sys.exit(0 if shown.verdict == NOT_SHOWN else 1)
    tests = sorted({*before.tests, *after.tests})
    comparisons = []
    with page_file(html) as pages:
        with progress("comparing", len(tests)) as advance:
            for test in tests:
                comparisons.append(_compared(test, before.traces(test), after.traces(test), pages))
                advance(1)
        pages.finish(conclusion(comparisons), failed=overall(comparisons) != SAME)
    if as_json:
        answer(json_text(comparison_data(comparisons)))
    else:
        answer((comparison_markdown if as_markdown else comparison_text)(comparisons), nl=not as_markdown)
    sys.exit(0 if overall(comparisons) == SAME else 1)


def _compared(test: str, old: list[Trace], new: list[Trace], pages: PageFile) -> Comparison:
    comparison = compare(test, old, new)
    pages.add_comparison(comparison, old, new)
    return replace(comparison, marks=())  # they hold on to the traces


@main.command()
@click.argument("source", metavar="FILE|URI")
@click.option("--id", "trace_id", metavar="ID", required=True, help="The trace, by its id: tr-...")
@click.option("--test", "target", metavar="MODULE", required=True,
              help="The module that gets the test, such as tests/test_pinned.py; MODULE::test_name names the "
                   "test, too.")  # fmt: skip
def pin(source: str, trace_id: str, target: str) -> None:
    """Make a test of a stored trace: what it did is what the agent must do again.

    
    pytest-mlflow-traces pin traces.jsonl --id tr-0123 --test tests/test_pinned.py
    pytest-mlflow-traces pin sqlite:///mlflow.db --id tr-0123 --test tests/test_pinned.py::test_a_refund

    Three files are written: the test, which fails until the call of the agent is filled in; its baseline, where
    `trace_baseline` looks for it; and, beside that, the inputs of the trace as JSON. Values that look like secrets or
    personal data are replaced by placeholders in all of them, and listed: look through the files all the same before
    you commit them.

    A test is added to a module that is there. Nothing is written over.
    """
    from pytest_mlflow_traces.cli.pin import found, pin_trace, told

    def search(uri: str) -> Iterator[StoredTrace]:
        from pytest_mlflow_traces.cli.tracking_store import tracked_trace

        return tracked_trace(uri, trace_id)

    with readable(), progress("reading", size_of([source])) as advance:
        trace = found(_stored([source], advance, search=search), trace_id)
    with readable():
        said = told(*pin_trace(trace, target))
    answer(said)


main.add_command(explain)
main.add_command(learn)
main.add_command(lint)
main.add_command(mutate)
main.add_command(variants)


def _is_uri(source: str) -> bool:
    return ("://" in source or source == "databricks" or source.startswith("databricks:")) and not Path(source).exists()


def _stored(
    sources: Sequence[str],
    advance: Callable[[int], object] = lambda _: None,
    miss: Callable[[str], object] = lambda _: None,
    search: Callable[[str], Iterator[StoredTrace]] | None = None,
) -> Iterator[StoredTrace]:
    """Yield the traces of files, and what `search` finds at tracking URIs; `miss` gets each that has none."""
    uris = [] if search is None else [source for source in sources if _is_uri(source)]
    with readable():
        # all files are read together: the spans of one trace may be in several of them
        files = (file for source in sources if source not in uris for file in files_of(source))
        yield from stored_traces(files, advance, miss)
        if search is not None:
            for uri in uris:
                yield from _reporting_if_empty(search(uri), visible(uri), miss)


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


def _failure_text(stored: StoredTrace, said: list[Verdict]) -> str:
    test = f"  {escaped(stored.test)}" if stored.test else ""
    lines = [line for verdict in said for line in verdict.text.split("\n")]
    shown = [escaped(f"  {line}".rstrip()) for line in lines]
    return "\n".join([f"{stored.where}: {visible(stored.trace.id)}{test}", *shown, ""])


def _failure_json(stored: StoredTrace, said: list[Verdict]) -> str:
    findings = [asdict(finding) for verdict in said for finding in verdict.findings]
    facts = {"where": stored.where, "trace_id": stored.trace.id, "name": stored.trace.name, "test": stored.test}
    return json_text({**facts, "findings": findings})
