"""The objects in a file, each with where it stands: lines and documents of JSON, rows of CSV and Arrow, spans of OTLP.

What a file is, its first bytes tell. Reading streams where the format lets it: a line, a row, or some rows of Arrow are
in memory at a time, and nothing may be longer than `LONGEST_LINE`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

import orjson

from pytest_mlflow_traces.mlflow_import import without_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_LINE = 128 * 2**20  # what is decoded of it takes several times as much memory
# how a compressed file begins, and what unpacks it
_PACKED = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ\x00": ("xz", "unxz"),
    b"(\xb5/\xfd": ("zstd", "unzstd"),
    b"PK\x03\x04": ("zip", "unzip"),
}
_ARROW = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"\xff\xff\xff\xff": "Arrow stream"}
_FOREIGN = {
    b"SQLite format 3": "a database of SQLite; name it as a tracking URI, sqlite:///FILE",
    b"FEA1": "Feather of version 1; write it again with a pyarrow of today",
    b"Obj\x01": "Avro; write it as Parquet",
    b"ORC": "ORC; write it as Parquet",
    b"\xff\xfe": "text in UTF-16, as PowerShell writes it; write UTF-8",
}
_OPENINGS = (b"{", b"[", b"[{")  # what JSON over several lines begins with, and a line of JSON Lines never is
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # of which there are none in text, but in each message of protobuf
_COLUMNS = {"trace", "trace_id", "request_id", "databricks_request_id"}  # of CSV, one of these


class TraceFileError(ValueError):
    """What is wrong with a file of traces, and where."""


def objects_in(stream: IO[bytes], name: str, advance: Callable[[int], object]) -> Iterator[tuple[Any, str]]:
    """Yield the objects of a file, each with its place; `advance` is told of the bytes that were read.

    Raises:
        TraceFileError: for what is not a file of objects, naming what it is, or the line and what is wrong there.
    """
    # standard input may be any stream
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    head = buffered.peek(2**16)
    for beginning, (kind, tool) in _PACKED.items():
        if head.startswith(beginning):
            raise TraceFileError(f"{name}: compressed with {kind}; unpack it with {tool} first")
    for beginning, what in _FOREIGN.items():
        if head.startswith(beginning):
            raise TraceFileError(f"{name}: {what}")
    arrow = next((kind for beginning, kind in _ARROW.items() if head.startswith(beginning)), None)
    if arrow is not None:
        return _rows(buffered, arrow, name, advance)
    is_text = head.startswith((b"{", b"[", b"\xef\xbb\xbf")) or _is_header(head.partition(b"\n")[0])
    if _BINARY.search(head) and not is_text:
        return _spans(buffered, name, advance)
    return _lines(buffered, name, advance)


def _lines(stream: IO[bytes], name: str, advance: Callable[[int], object]) -> Iterator[tuple[Any, str]]:
    number, may_be_document = 0, True
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        advance(len(line))
        where = f"{name}, line {number}"
        _refuse_long(line, where)
        said = line.strip(b" \t\r\n\xef\xbb\xbf" if number == 1 else b" \t\r\n")
        if not said:
            continue
        if may_be_document and said in _OPENINGS:
            yield _decoded(line + _whole(stream, name, advance), name), name
            return
        if may_be_document and _is_header(said):
            yield from _table(said, stream, number, name, advance)
            return
        yield _decoded(said, where), where
        may_be_document = False


def _refuse_long(line: bytes, where: str) -> None:
    if len(line) > LONGEST_LINE:
        raise TraceFileError(f"{where}: longer than {LONGEST_LINE // 2**20} MiB, which no line of traces may be")


def _whole(stream: IO[bytes], name: str, advance: Callable[[int], object]) -> bytes:
    """Read what cannot be read in parts."""
    data = stream.read(LONGEST_LINE + 1)
    if len(data) > LONGEST_LINE:
        raise TraceFileError(
            f"{name}: longer than {LONGEST_LINE // 2**20} MiB, and read at once; split it, or write one trace a line"
        )
    advance(len(data))
    return data


def _decoded(said: bytes, where: str) -> Any:
    # orjson is fast, refuses what Python's own reads (NaN, lone surrogates), and says less of what is wrong
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(said)
    try:
        return json.loads(said)
    except json.JSONDecodeError as error:
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


def _is_header(line: bytes) -> bool:
    return not _COLUMNS.isdisjoint(name.strip('"') for name in line.decode(errors="replace").split(","))


def _table(
    header: bytes, stream: IO[bytes], number: int, name: str, advance: Callable[[int], object]
) -> Iterator[tuple[Any, str]]:
    """Yield the rows of CSV, as pandas writes a table."""

    def lines() -> Iterator[str]:
        nonlocal number
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            advance(len(line))
            _refuse_long(line, f"{name}, line {number}")
            yield line.decode()

    columns = next(csv.reader([header.decode()]))
    rows = csv.reader(lines(), strict=True)
    while True:
        where = f"{name}, line {number + 1}"
        before = csv.field_size_limit(LONGEST_LINE)  # it is one for the whole process
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise TraceFileError(f"{where}: no CSV: {error}") from None
        except UnicodeDecodeError as error:
            raise TraceFileError(f"{name}, line {number}: no UTF-8 at byte {error.start + 1}") from None
        finally:
            csv.field_size_limit(before)
        if row is None:
            return
        if row and len(row) != len(columns):
            raise TraceFileError(f"{where}: {len(row)} fields, and {len(columns)} columns")
        if row:
            yield dict(zip(columns, row, strict=True)), where


def _spans(stream: IO[bytes], name: str, advance: Callable[[int], object]) -> Iterator[tuple[Any, str]]:
    data = _whole(stream, name, advance)
    with without_telemetry():
        from pytest_mlflow_traces.otlp import spans_in_bytes
    try:
        for span in spans_in_bytes(data):
            yield span, name
    except ValueError as error:
        raise TraceFileError(f"{name}: binary, and neither Parquet nor Arrow; {error}") from None


def _rows(stream: IO[bytes], kind: str, name: str, advance: Callable[[int], object]) -> Iterator[tuple[Any, str]]:
    try:
        from pytest_mlflow_traces.files.arrow import rows
    except ImportError:
        extra = "pip install 'pytest-mlflow-traces[tables]'"
        raise TraceFileError(f"{name}: {kind}, which needs pyarrow: {extra}") from None
    source = stream if stream.seekable() else io.BytesIO(_whole(stream, name, advance))
    try:
        for number, row in enumerate(rows(source, kind), 1):
            yield row, f"{name}, row {number}"
    except ValueError as error:
        raise TraceFileError(f"{name}: {error}") from None
    if source is stream:
        advance(stream.seek(0, io.SEEK_END))
