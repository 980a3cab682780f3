"""The command that writes contracts from the runs of tests that passed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_mlflow_traces.cli.answers import UnansweredError, answer, readable
from pytest_mlflow_traces.cli.progress import progress, size_of
from pytest_mlflow_traces.cli.trace_sets import files_of
from pytest_mlflow_traces.core.contracts import Contract
from pytest_mlflow_traces.core.judgements import unjudged
from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.files.atomic import replacing
from pytest_mlflow_traces.files.traces import stored_traces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.learning.learnt import Learnt
    from pytest_mlflow_traces.core.learning.lessons import Lesson
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.files.traces import StoredTrace

SUFFIX = ".contract.toml"


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("-o", "--output", "target", metavar="PATH", required=True,
              help="The contract file to write; a folder (that is there, or ends with a slash) gets a file for all "
                   "traces together, and one for each test.")  # fmt: skip
@click.option("--max-false-alarms", "most", metavar="SHARE", type=click.FloatRange(0, 1), default=0.05,
              show_default=True,
              help="The share of passing runs that may be flagged, as held-out runs tell.")  # fmt: skip
@click.option("--failing", "failing_files", metavar="FILE", multiple=True,
              help="Runs that failed: of rules that are equally safe, those stay that catch more of them; may be given "
                   "several times.")  # fmt: skip
@click.option("--only", "lines", metavar="PATTERN", multiple=True,
              help="Hold these spans and no others, such as '/book_.*|cancel_.*/ TOOL'; may be given several "
                   "times.")  # fmt: skip
@click.option("--test-tag", "tag", metavar="KEY",
              help="The tag, or the key of metadata, that says which test made a trace; without it, what "
                   "--mlflow-traces-save has noted, or else what the root was asked.")  # fmt: skip
@click.option("--no-inputs", is_flag=True, help="Hold how often tools are called, and not with what.")
def learn(
    files: tuple[str, ...],
    target: str,
    most: float,
    failing_files: tuple[str, ...],
    lines: tuple[str, ...],
    tag: str | None,
    no_inputs: bool,
) -> None:
    """Write a contract from the traces of runs that passed, several of each test.

    \b
    for run in 1 2 3 4; do pytest --mlflow-traces-save=runs/$run.jsonl; done
    pytest-mlflow-traces learn runs -o answers.contract.toml
    pytest-mlflow-traces check more.jsonl --contract answers.contract.toml

    Of each test is held what the other tests have shown to be the same in each run: what the agent does, and not how
    it found out. Of all traces together: what follows on what, how often, the shape of the tree, tags, time, tokens.
    Each line says what supports it. The contract is made looser until no more of the runs that it was not learnt from
    would be flagged than was asked; above it stands how sure that is. Read it before you keep it.

    In one file, tests are told apart by the inputs of their root. Nothing is written over.
    """  # noqa: D301  # click wraps what follows a backspace no more
    from pytest_mlflow_traces.core.learning.lessons import Asking
    from pytest_mlflow_traces.core.learning.lessons import learn as learn_from
    from pytest_mlflow_traces.core.learning.suites import by_test

    if not (_is_folder(target) or target.endswith(".toml")):
        raise click.UsageError(
            f"-o {target}: the name of a contract file ends with .toml, that of a folder with a slash"
        )
    only = [_one_span(line) for line in lines]
    left_out: list[str] = []
    runs = [*_runs(files, tag, left_out)]
    failing = [trace for trace, _ in _runs(failing_files, None, left_out)]
    if not runs:
        raise UnansweredError("no traces: nothing to learn from")
    if failing_files and not failing:
        raise UnansweredError("--failing: no traces: no rule can be chosen by what it catches")
    absent = [line for line, each in zip(lines, only, strict=True) if not any(each in trace for trace, _ in runs)]
    if lines and len(absent) == len(lines):
        raise UnansweredError(f"--only {', '.join(map(visible, absent))}: no span of these runs is like that")
    left_out += [f"--only {visible(line)}: no span of these runs is like that" for line in absent]
    lesson = learn_from(by_test(runs), Asking(most, only, not no_inputs, tag), failing)
    for said in [*lesson.said, *left_out]:
        answer(escaped(said))
    with readable():
        for said in _written(lesson, target):
            answer(escaped(said))


def _is_folder(target: str) -> bool:
    return Path(target).is_dir() or target.endswith(("/", "\\"))


def _one_span(line: str) -> Pattern:
    from pytest_mlflow_traces.core.contract_files.reading import one_span_of
    from pytest_mlflow_traces.core.notation import NotationError

    try:
        pattern = one_span_of(line)
    except NotationError as error:
        raise click.UsageError(f"--only {line}: {error}") from None
    if pattern is None:
        raise click.UsageError(f"--only {line}: expected a pattern of one span")
    return pattern


def _runs(files: Sequence[str], tag: str | None, left_out: list[str]) -> Iterator[tuple[Trace, str | None]]:
    """Yield the traces of files, each with its test; what is not whole is left out, and said so."""
    with readable(), progress("reading", size_of(files)) as advance:
        for stored in stored_traces((file for source in files for file in files_of(source)), advance):
            reason = unjudged(stored.trace)
            if reason is None:
                yield stored.trace, stored.test if tag is None else _tagged(stored, tag)
            else:
                left_out.append(f"left out: {stored.where}: {reason}")


def _tagged(stored: StoredTrace, tag: str) -> str:
    trace = stored.trace
    for said in (trace.tags, trace.system_tags, trace.metadata):
        if tag in said:
            return str(said[tag])
    known = ", ".join(map(repr, sorted({*trace.tags, *trace.metadata})[:10])) or "none"
    raise UnansweredError(escaped(f"{stored.where}: there is no tag or metadata {visible(tag)!r} (there are: {known})"))


def _written(lesson: Lesson, target: str) -> Iterator[str]:
    """Write the contracts, and yield what was written, and what has no place in a file."""
    if _is_folder(target):
        made = {} if lesson.together is None else {"all-traces": lesson.together}
        for test, each in lesson.tests.items():
            slug = re.sub(r"[^\w.-]+", "-", test).strip("-.")[-100:]
            made[_free(slug, made)] = replace(each, notes=lesson.said[-1:])
        paths = {Path(target, name + SUFFIX): each for name, each in made.items()}
    else:
        one = lesson.as_one(Path(target).name.removesuffix(".toml").removesuffix(".contract") or "learnt")
        paths = {} if one is None else {Path(target): one}
        lost = [test for test, each in lesson.tests.items() if each.applies_to is None]
        if lost:
            which = f"{counted(len(lost), 'test')} that the inputs of the root do not tell from others"
            yield f"left out: {which}; -o with a folder writes a file for each"
    if not paths:
        raise UnansweredError("nothing was learnt, so that no file is written")
    _write(paths)
    for path in [*paths][:1]:
        rest = f", and {counted(len(paths) - 1, 'file')} beside it" if len(paths) > 1 else ""
        yield f"written to {visible(str(path))}{rest}"


def _free(name: str, taken: dict[str, Learnt]) -> str:
    number, free = 1, name or "test"
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _write(paths: dict[Path, Learnt]) -> None:
    for path in paths:
        if path.exists():
            raise UnansweredError(f"{visible(str(path))} is there already: remove it, or name another file")
    texts = {path: _text(path, each) for path, each in paths.items()}
    for path, text in texts.items():
        with replacing(path) as stream:
            stream.write(text.encode())


def _text(path: Path, learnt: Learnt) -> str:
    """Return the text of a contract that can be read back: one of very many tests would be too long."""
    text = learnt.to_toml()
    try:
        Contract.from_toml(text)
    except ValueError as error:
        cure = "-o with a folder writes a file for each test"
        raise UnansweredError(escaped(f"{visible(str(path))} would be no contract: {error}; {cure}")) from None
    return text
