"""Traces in files: whatever holds them (see `objects` and `core.spans.shapes`) becomes what MLflow's `to_dict()` has.

Traces are read one by one. Spans that come alone, as of OTLP or of a table of spans, may stand anywhere in the files
that are read together, so they are kept until the last is read. An error names the file and the line.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans import convert, shapes
from pytest_mlflow_traces.core.spans.annotation_rows import is_annotation
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.files.objects import TraceFileError as TraceFileError  # of all who read traces
from pytest_mlflow_traces.files.objects import objects_in
from pytest_mlflow_traces.mlflow_import import without_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

TEST_NAME = "mlflow.test.name"  # MLflow's own tag: its pytest plugin sets it, too
STDIN = "-"


@dataclass(slots=True)
class StoredTrace:
    """A trace, and where it stands: `traces.jsonl, line 3`."""

    trace: Trace
    where: str

    @property
    def test(self) -> str | None:
        """The test that made the trace."""
        name = self.trace.system_tags.get(TEST_NAME)
        return None if name is None else str(name)


def read_traces(path: str | os.PathLike[str]) -> list[Trace]:
    """Return the traces of a file, whatever holds them; `-` reads standard input.

    JSON Lines, the JSON of one trace or of a list, OTLP, tables as JSON, CSV, Parquet or Arrow: the command line's
    reference lists them. What a file is, its content tells.

    >>> import mlflow, pathlib, tempfile
    >>> from pytest_mlflow_traces import capture_traces, span
    >>> with capture_traces() as traces, mlflow.start_span("agent"):
    ...     pass
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "trace.json")
    ...     _ = path.write_text(traces.one().raw.to_json())
    ...     read_traces(path) == [span("agent")]
    True

    Raises:
        OSError: for a file that cannot be read.
        ValueError: for what is not a trace, naming the file, the line and what is wrong there.
    """
    return [stored.trace for stored in stored_traces([path])]


def stored_traces(
    paths: Iterable[str | os.PathLike[str]],
    advance: Callable[[int], object] = lambda _: None,
    miss: Callable[[str], object] = lambda _: None,
) -> Iterator[StoredTrace]:
    """Yield the traces of files one by one, as `read_traces` reads them, and at the end those whose spans came alone.

    `advance` is told of the bytes it took, and `miss` of each file that holds none.
    """
    loose = shapes.LooseSpans()
    for path in paths:
        with _opened(os.fspath(path)) as (stream, name):
            is_empty = True
            for said, where in objects_in(stream, name, advance):
                for each, at in _each(said, where):
                    taken = _taken(each, loose, at)
                    is_empty = is_empty and taken == 0
                    if taken is None:
                        yield _stored(partial(shapes.trace_of, each), at)
        if is_empty:
            miss(name)
    for at, made in loose.traces():
        yield _stored(made, at)


@contextmanager
def _opened(path: str) -> Iterator[tuple[IO[bytes], str]]:
    if path != STDIN:
        with Path(path).open("rb", buffering=2**16) as stream:
            yield stream, visible(path)
    elif sys.stdin is None:
        raise TraceFileError("standard input: it is closed")
    else:
        yield sys.stdin.buffer, "standard input"


def _each(said: Any, where: str) -> Iterable[tuple[Any, str]]:
    listed = shapes.several(said)
    if listed is None:
        return ((said, where),)
    return ((each, f"{where}, trace {number}") for number, each in enumerate(listed, 1))


def _stored(made: Callable[[shapes.Translate], Any], where: str) -> StoredTrace:
    try:
        return StoredTrace(_trace(made), where)
    except ValueError as error:
        raise _named(error, where) from None


def trace_of_row(row: Mapping[str, Any]) -> Trace:
    """Return the trace of a row of a table.

    Raises:
        ValueError: that says what is wrong with it.
    """
    return _trace(partial(shapes.trace_of, row))


def _trace(made: Callable[[shapes.Translate], Any]) -> Trace:
    said = made(_as_stored)
    facts, table = convert.parse_dict(said)
    return Trace(table, facts, said)


def _taken(said: Any, loose: shapes.LooseSpans, where: str) -> int | None:
    """Put spans that came alone with the others, and return how many; `None` for what is a trace, or nothing."""
    if isinstance(said, dict) and is_annotation(said):
        loose.annotate(said)
        return 1
    is_otlp = isinstance(said, dict) and ("resourceSpans" in said or "resource_spans" in said)
    if not is_otlp and not shapes.is_span(said):
        return None
    try:
        spans = list(_otlp().spans_in_json(said)) if is_otlp else [said]
        for span in spans:
            loose.add(span, where)
    except ValueError as error:
        raise _named(error, where) from None
    return len(spans)


def _named(error: ValueError, where: str) -> TraceFileError:
    """Return the error that says where something stands that is wrong with it."""
    return TraceFileError(f"{where}: {visible(str(error))}")


def _as_stored(trace: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = _otlp().as_stored(trace)
    return stored


@cache
def _otlp() -> Any:
    """Import the part that touches MLflow: its own JSON is read without."""
    with without_telemetry():
        from pytest_mlflow_traces import otlp
    return otlp
