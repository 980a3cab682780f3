"""What was found as commands to a runner of GitHub, which shows each at its line of the pull request."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.spans.records import printable
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mlflow_traces.core.runs.records import Run, TracedTest

MOST = 10  # of a step; GitHub drops the others without a word


def annotation_lines(run: Run, root: PurePath) -> list[str]:
    """Return a line for each finding at the assertion, and for each baseline at its section; ten, and a count.

    Paths are told from `root` on, which is the root of the repository.
    """
    found = [each for test in run.failed for each in _annotations(test, root)]
    more = len(found) - MOST
    if more <= 0:
        return found
    return [*found[: MOST - 1], f"{found[MOST - 1]}%0A... {counted(more, 'more finding')}, see the log"]


def _annotations(test: TracedTest, root: PurePath) -> Iterator[str]:
    for number, finding in enumerate(test.findings):
        text = "\n".join([str(finding), test.test])
        yield _command(test.source, finding.rule, text, root)
        if number == 0 and test.baseline is not None:
            many = counted(len(test.findings), "finding")
            yield _command(test.baseline, "baseline", f"{test.test} is not what was accepted here: {many}", root)


def _command(place: str | None, title: str, text: str, root: PurePath) -> str:
    path, _, line = (place or "").rpartition(":")
    shown = PurePath(path)
    file = shown.relative_to(root).as_posix() if shown.is_relative_to(root) else shown.as_posix()
    where = f"file={_property(file)},line={line}," if path else ""
    lines = "\n".join(map(printable, redacted(text).split("\n")))
    return f"::error {where}title={_property(printable(title))}::{_data(lines)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
