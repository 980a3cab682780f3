"""Would a contract notice? Stored traces, edited once, put to it again."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from pytest_mlflow_traces.cli.answers import UnansweredError, answer, json_text, readable
from pytest_mlflow_traces.cli.expectations import loaded
from pytest_mlflow_traces.cli.progress import progress, size_of
from pytest_mlflow_traces.cli.trace_sets import files_of
from pytest_mlflow_traces.core.adequacy.judging import MutantJudge
from pytest_mlflow_traces.core.adequacy.mutants import DEFAULT, checked_classes
from pytest_mlflow_traces.core.adequacy.survivors import Survivors
from pytest_mlflow_traces.core.contracts import Contract, check
from pytest_mlflow_traces.core.judgements import unjudged
from pytest_mlflow_traces.core.questions import Question
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.files.traces import stored_traces
from pytest_mlflow_traces.reports.adequacy import falls_short, survivor_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.trace import Trace

_LEFT_OUT = ("the contract does not apply", "it does not hold", "not whole")


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--contract", "name", metavar="MODULE:NAME|FILE", required=True,
              help="A Contract, pattern, Budget or TagSchema, or a contract file (*.toml).")  # fmt: skip
@click.option("--classes", metavar="CLASSES", default=",".join(DEFAULT), show_default=True,
              help="Which edits: some of shape, status, values, tags, attributes, time, cost.")  # fmt: skip
@click.option("--fail-under", "floor", metavar="PERCENT", type=click.FloatRange(0, 100),
              help="Exit with 1 where fewer of the mutants are noticed.")  # fmt: skip
@click.option("--show", "most", metavar="N", type=click.IntRange(min=1), default=20, show_default=True,
              help="Print at most N lines.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with all survivors.")
def mutate(files: tuple[str, ...], name: str, classes: str, floor: float | None, most: int, as_json: bool) -> None:
    """Edit stored traces once in every way, and say what a contract does not notice.

    \b
    pytest-mlflow-traces mutate traces.jsonl --contract refunds.contract.toml --fail-under 90

    A mutant is one trace with one edit: a span gone, there twice, moved, renamed, failed. Where the contract holds of
    it as it held of the trace, nothing noticed. What looks at all traces of a session is asked of each by itself.

    Exit status: 0; 1 where fewer than --fail-under percent are noticed, or there was nothing to edit.
    """  # noqa: D301  # click wraps what follows a backspace no more
    try:
        chosen = checked_classes(classes)
    except ValueError as error:
        raise click.UsageError(f"--classes {classes}: {error}") from None
    survivors, left_out = _survivors(files, loaded(name, "--contract"), chosen)
    if as_json:
        answer(json_text({**survivors.data(), "left_out": left_out}))
    else:
        notes = [f"{counted(left_out[why], 'trace')} left out: {why}" for why in _LEFT_OUT if left_out[why]]
        answer("\n".join(survivor_lines(survivors, floor, notes, most, "--json")))
    sys.exit(1 if not survivors.total or falls_short(survivors, floor) else 0)


def _survivors(files: Sequence[str], expectation: Any, classes: tuple[str, ...]) -> tuple[Survivors, Counter[str]]:
    survivors, judge = Survivors(classes), MutantJudge(classes)
    left_out: Counter[str] = Counter()
    empty: list[str] = []
    with readable(), progress("editing", size_of(files)) as advance:
        stored = stored_traces((file for each in files for file in files_of(each)), advance, empty.append)
        for number, each in enumerate(stored):
            why = _why_not(each.trace, expectation)
            if why is None:
                question = Question("holds where it applies", expectation, (each.trace,), True)
                survivors.add(each.test or "", judge.judge([question], [each.trace]), str(number))
            else:
                left_out[why] += 1
    if empty:
        raise UnansweredError(f"{visible(empty[0])}: no traces: nothing to edit")
    return survivors, left_out


def _why_not(trace: Trace, expectation: Any) -> str | None:
    """Return why there is nothing to learn of a trace, `None` where there is."""
    if unjudged(trace) is not None:
        return _LEFT_OUT[2]
    if isinstance(expectation, Contract) and not expectation.applies(trace):
        return _LEFT_OUT[0]
    return _LEFT_OUT[1] if check(trace, expectation) else None
