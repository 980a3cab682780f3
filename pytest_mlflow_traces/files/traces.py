"""Traces in files: JSON Lines as `--mlflow-traces-save` writes them, or the JSON of MLflow's `Trace.to_json()`.

Reading streams: one line is in memory at a time, and no line may be longer than `LONGEST_LINE`. An error names the file
and the line.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson

from pytest_mlflow_traces.core.spans import convert
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEST_NAME = "mlflow.test.name"  # MLflow's own tag: its pytest plugin sets it, too
STDIN = "-"
_BUFFERED = 2**16
LONGEST_LINE = 128 * 2**20  # what is decoded of it takes several times as much memory
# how a compressed file begins, and what unpacks it
_PACKED = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ\x00": ("xz", "unxz"),
    b"(\xb5/\xfd": ("zstd", "unzstd"),
    b"PK\x03\x04": ("zip", "unzip"),
}
_EXPORT = "write each trace by Trace.to_json()"
_OPENINGS = (b"{", b"[", b"[{")  # what JSON over several lines begins with, and a line of JSON Lines never is


class TraceFileError(ValueError):
    """What is wrong with a file of traces, and where."""


@dataclass(frozen=True, slots=True)
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
    """Return the traces of a file: JSON Lines, or the JSON of one trace or of a list; `-` reads standard input.

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
    return [stored.trace for stored in stored_traces(path)]


def stored_traces(
    path: str | os.PathLike[str], advance: Callable[[int], object] = lambda _: None
) -> Iterator[StoredTrace]:
    """Yield the traces of a file one by one, as `read_traces` reads them; `advance` is told of the bytes it took."""
    name = os.fspath(path)
    if name == STDIN:
        if sys.stdin is None:
            raise TraceFileError("standard input: it is closed")
        yield from _traces_in(sys.stdin.buffer, "standard input", advance)
        return
    with Path(name).open("rb", buffering=_BUFFERED) as stream:
        yield from _traces_in(stream, visible(name), advance)


def _traces_in(stream: IO[bytes], name: str, advance: Callable[[int], object]) -> Iterator[StoredTrace]:
    number, may_be_document = 0, True
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        advance(len(line))
        if number == 1:
            _refuse_packed(line, name)
        where = f"{name}, line {number}"
        if len(line) > LONGEST_LINE:
            raise TraceFileError(f"{where}: longer than {LONGEST_LINE // 2**20} MiB, which no line of traces may be")
        said = line.strip(b" \t\r\n\xef\xbb\xbf" if number == 1 else b" \t\r\n")
        if not said:
            continue
        if may_be_document and said in _OPENINGS:
            yield from _traces_of(_document(line, stream, name), name)
            return
        yield from _traces_of(_decoded(said, where), where)
        may_be_document = False


def _refuse_packed(line: bytes, name: str) -> None:
    for beginning, (kind, tool) in _PACKED.items():
        if line.startswith(beginning):
            raise TraceFileError(f"{name}: compressed with {kind}; unpack it with {tool} first")


def _document(first: bytes, stream: IO[bytes], name: str) -> Any:
    """Read JSON that goes over several lines, whole."""
    rest = stream.read(LONGEST_LINE + 1)
    if len(rest) > LONGEST_LINE:
        raise TraceFileError(
            f"{name}: JSON over several lines, longer than {LONGEST_LINE // 2**20} MiB; write one trace a line"
        )
    return _decoded(first + rest, name)


def _decoded(said: bytes, where: str) -> Any:
    # orjson is fast, refuses what Python's own reads (NaN, lone surrogates), and says less of what is wrong
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(said)
    try:
        return json.loads(said)
    except json.JSONDecodeError as error:
        if said.startswith((b"trace_id,", b"request_id,")):
            text = "a table that mlflow.search_traces() returned, as CSV"
            raise TraceFileError(f"{where}: {text}; ask for return_type='list', and {_EXPORT}") from None
        place = f"line {error.lineno}, " if b"\n" in said.rstrip() else ""
        is_cut = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
        end = "; it ends in the middle, as if it were cut off" if is_cut else ""
        raise TraceFileError(f"{where}: no JSON at {place}column {error.colno}: {error.msg}{end}") from None
    except UnicodeDecodeError as error:
        raise TraceFileError(f"{where}: no UTF-8 at byte {error.start + 1}") from None
    except RecursionError:
        raise TraceFileError(f"{where}: the JSON is nested too deep to be read") from None
    except ValueError as error:  # a number of too many digits
        raise TraceFileError(f"{where}: {error}") from None


def _foreign(said: Any) -> str | None:
    """Return what something is that is no trace, and yet about traces, with what to do."""
    if not isinstance(said, dict):
        return None
    keys, info = set(said), said.get("info")
    if "resourceSpans" in keys:
        return f"spans as OTLP sends them; send them to MLflow, and {_EXPORT}"
    if isinstance(info, dict) and "request_id" in info and "trace_id" not in info:
        return f"a trace of MLflow 2; {_EXPORT} with MLflow 3"
    if info is None and isinstance(said.get("spans"), list) and "trace_id" not in keys:
        return f"the spans of a trace, as MLflow's artifact traces.json has them, without the trace; {_EXPORT}"
    if info is None and not keys.isdisjoint(("trace_id", "request_id")):
        return f"a row of the table that mlflow.search_traces() returns; ask for return_type='list', and {_EXPORT}"
    return None


def _traces_of(said: Any, where: str) -> Iterator[StoredTrace]:
    if isinstance(said, dict) and "info" not in said and isinstance(said.get("traces"), list):
        said = said["traces"]  # as MLflow's own command line lists them
    several = isinstance(said, list)
    for number, each in enumerate(said if several else [said], 1):
        at = f"{where}, trace {number}" if several else where
        foreign = _foreign(each)
        if foreign is not None:
            raise TraceFileError(f"{at}: {foreign}")
        try:
            facts, table = convert.parse_dict(each)
        except ValueError as error:
            raise TraceFileError(f"{at}: {visible(str(error))}") from None
        yield StoredTrace(Trace(table, facts, each), at)
