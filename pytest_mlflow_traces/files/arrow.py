"""Tables of traces or of spans in Arrow: in its files, in those of Parquet, and in memory."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import ipc, parquet

from pytest_mlflow_traces.core.spans.shapes import COLUMNS, refuse_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 256  # at a time; a row may be a whole trace


def rows(stream: IO[bytes], kind: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, some in memory at a time, with the columns that `shapes` knows.

    Raises:
        ValueError: for what is no such file, and for a table of something else, which names the columns it lacks.
    """
    try:
        for batch in _PARTS[kind](stream):
            yield from rows_of(batch)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ValueError(f"no {kind} that can be read: {error}") from None


def rows_of(batch: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of a batch that is in memory, likewise."""
    kept = batch.select([name for name in batch.schema.names if name in COLUMNS])
    for start in range(0, kept.num_rows, _ROWS):
        yield from kept.slice(start, _ROWS).to_pylist()


def _parquet(stream: IO[bytes]) -> Any:
    file = parquet.ParquetFile(stream, coerce_int96_timestamp_unit="us")
    refuse_columns(file.schema_arrow.names)
    return file.iter_batches(_ROWS, columns=[name for name in file.schema_arrow.names if name in COLUMNS])


def _arrow_file(stream: IO[bytes]) -> Any:
    file = ipc.open_file(stream)
    refuse_columns(file.schema.names)
    return map(file.get_batch, range(file.num_record_batches))


def _arrow_stream(stream: IO[bytes]) -> Any:
    reader = ipc.open_stream(stream)
    refuse_columns(reader.schema.names)
    return reader


_PARTS = {"Parquet": _parquet, "Arrow": _arrow_file, "Arrow stream": _arrow_stream}
