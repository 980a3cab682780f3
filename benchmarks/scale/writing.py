"""Tables of generated traces, written to Parquet by the workers of Spark: no part of what is measured."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions
from pyspark.sql.pandas.types import from_arrow_schema

from benchmarks.scale.tables import SPANS, TABLES, Table
from benchmarks.scale.traces import case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from pyspark.sql import DataFrame, SparkSession

    from benchmarks.scale.traces import Case

EXPECTED = "expected"
_OF_A_CASE = {"trace_id": pa.string(), "planted": pa.string(), "verdict": pa.string(), "rules": pa.list_(pa.string())}
_SAID = pa.schema({**_OF_A_CASE, "share": pa.int64()})
_BATCH = 500  # traces that a worker has in memory
_PER_FILE = 10_000


def write(spark: SparkSession, folder: Path, seed: int, traces: int) -> None:
    """Write the tables, which have so many traces in all, and below `EXPECTED` what must be said of each trace."""
    share = traces // len(TABLES)
    for table in TABLES:
        numbers = _numbers(spark, table.share * share, share)
        made = _made(numbers, seed, table.schema, table.rows)
        if table.name == SPANS:
            made = made.withColumn("attributes", functions.parse_json(functions.to_json("attributes")))
        made.write.parquet(str(folder / table.name))
    shares = max(table.share for table in TABLES) + 1
    numbers = _numbers(spark, 0, shares * share)
    said = _made(numbers, seed, _SAID, partial(_said, share))
    said.write.parquet(str(folder / EXPECTED))


def expected(spark: SparkSession, folder: Path, table: Table) -> DataFrame:
    """Return what must be said of each trace of a table."""
    return spark.read.parquet(str(folder / EXPECTED)).where(functions.col("share") == table.share)


def _numbers(spark: SparkSession, begin: int, count: int) -> DataFrame:
    return spark.range(begin, begin + count, numPartitions=max(2, count // _PER_FILE))


def _said(share: int, cases: list[Case]) -> Iterator[dict[str, Any]]:
    for each in cases:
        yield {name: getattr(each, name) for name in _OF_A_CASE} | {"share": each.number // share}


def _made(
    numbers: DataFrame, seed: int, schema: pa.Schema, rows: Callable[[list[Case]], Iterable[dict[str, Any]]]
) -> DataFrame:
    def make(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            drawn = batch.column(0).to_pylist()
            for begin in range(0, len(drawn), _BATCH):
                cases = [case(seed, number) for number in drawn[begin : begin + _BATCH]]
                yield pa.RecordBatch.from_pylist(list(rows(cases)), schema=schema)

    return numbers.mapInArrow(make, from_arrow_schema(schema))
