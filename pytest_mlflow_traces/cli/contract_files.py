"""The commands about contract files: what one says in vain, and what it says at all; and how options name one."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pytest_mlflow_traces.cli.answers import UnansweredError, answer, readable
from pytest_mlflow_traces.cli.trace_sets import files_of
from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.files.expectations import loaded_expectation
from pytest_mlflow_traces.files.traces import stored_traces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces.core.contract_files.lint import Remark

T = TypeVar("T")


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--against", "sources", metavar="TRACES", multiple=True,
              help="A file or folder of stored traces: name what no span of them has, with the nearest that one has; "
                   "may be given several times.")  # fmt: skip
def lint(files: tuple[str, ...], sources: tuple[str, ...]) -> None:
    """Find what contract files say in vain.

    Parts that can never hold, never fail or do nothing, whatever the traces: a span that is asked for and forbidden, a
    rule about one that the shape has no place for, something optional beside a gap. What it says is sure, and it does
    not say all.

    \b
    pytest-mlflow-traces lint contracts/*.toml --against traces.jsonl
    """  # noqa: D301  # click wraps what follows a backspace no more
    from pytest_mlflow_traces.core.contract_files.lint import lint as lint_text
    from pytest_mlflow_traces.core.contract_files.names import unknown_names

    reads: list[Callable[[str], list[Remark]]] = [
        lint_text,
        *([partial(unknown_names, seen=_seen(sources))] if sources else []),
    ]
    found = 0
    for file in files:
        remarks = sorted({remark for read in reads for remark in _read(file, read)})
        for each in remarks:
            answer(escaped(f"{visible(file)}, line {each.line}, column {each.column}: {each.rule}: {each.text}"))
        found += len(remarks)
    answer(f"{counted(len(files), 'file')}: {counted(found, 'remark') if found else 'nothing to remark'}")
    sys.exit(1 if found else 0)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
def explain(files: tuple[str, ...]) -> None:
    """Say in plain English what contract files say, and what they do not look at.

    \b
    pytest-mlflow-traces explain refunds.contract.toml
    """  # noqa: D301
    from pytest_mlflow_traces.core.contract_files.explain import explain as explain_text

    for number, file in enumerate(files):
        said = "\n".join(map(escaped, _read(file, explain_text).split("\n")))
        answer(f"\n{said}" if number else said)


def loaded(name: str) -> Any:
    """Return the expectation that an option names; a name of none is a wrong option."""
    # as `python -m` has it; a console script does not
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return loaded_expectation(name)
    except ValueError as error:
        raise click.UsageError(f"--contract {name}: {error}") from None


def _read(file: str, read: Callable[[str], T]) -> T:
    """Return what is read from a contract file; what is not one has no answer."""
    from pytest_mlflow_traces.core.contract_files.places import ContractFileError

    with readable():
        data = Path(file).read_bytes()
    try:
        return read(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnansweredError(f"{visible(file)}: no UTF-8 at byte {error.start + 1}") from None
    except ContractFileError as error:
        raise UnansweredError(escaped(f"{visible(file)}, {error}")) from None


def _seen(sources: Sequence[str]) -> set[tuple[str, str]]:
    """Return the names and types of all spans of some files of traces."""
    seen = set()
    with readable():
        for stored in stored_traces(file for source in sources for file in files_of(source)):
            seen |= {*zip(stored.trace.table.names, stored.trace.table.types, strict=True)}
    if not seen:
        raise UnansweredError(f"--against {visible(sources[0])}: no traces: nothing to compare with")
    return seen
