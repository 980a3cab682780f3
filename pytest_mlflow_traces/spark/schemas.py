"""Tables of traces and of spans, told by their columns, as data frames with a row a trace that workers can read.

What only the engine can do is done here: VARIANT becomes JSON, and spans are grouped by their traces, with what is said
of these elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans.annotation_rows import COLUMNS as ANNOTATED
from pytest_mlflow_traces.core.spans.annotation_rows import EVENTS, KINDS, is_annotation, refuse_lacking
from pytest_mlflow_traces.core.spans.shapes import COLUMNS, is_span, refuse_columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

KEY = "trace_key"
_METADATA = ("tags", "trace_metadata")
_BEGAN = "start_time_unix_nano"


def is_of_spans(df: DataFrame) -> bool:
    """Return whether a table has a row a span; raise a ValueError for one of neither spans nor traces."""
    if is_annotation(df.columns):
        raise ValueError(
            "findings(): a table of annotations is not judged; give it as annotations= of a table of spans"
        )
    refuse_columns(df.columns)
    return is_span(dict.fromkeys(df.columns))


def traces_of(df: DataFrame, annotations: DataFrame | None, since_ns: int | None) -> DataFrame:
    """Return the rows of a table, or a row for each trace of its spans, without those that surely began before."""
    from pyspark.sql import functions as F  # noqa: N812  # as everybody calls it
    from pyspark.sql.types import TimestampType

    if not is_of_spans(df):
        if annotations is not None:
            raise ValueError("findings(): annotations= are for a table of spans; this one has a row a trace, with tags")
        if since_ns is not None and "request_time" in df.columns:
            time = df["request_time"]
            if isinstance(df.schema["request_time"].dataType, TimestampType):  # another is in no zone, or in any
                df = df.where(time.isNull() | (time >= F.timestamp_micros(F.lit(since_ns // 1_000))))
        return df.select(_read(df))
    kept = [name for name in df.columns if name in COLUMNS]
    spans = df.select(_read(df)).groupBy("trace_id")
    grouped = spans.agg(F.collect_list(F.struct(*kept)).alias("spans"), began().alias(_BEGAN))
    if since_ns is not None:
        grouped = grouped.where(F.col(_BEGAN).isNull() | (F.col(_BEGAN) >= since_ns))
    if annotations is None:
        return grouped.select("trace_id", "spans")
    said = _said(annotations)
    return grouped.withColumn(KEY, key_of("trace_id")).join(said, KEY, "left").drop(KEY, _BEGAN)


def began() -> Column:
    """Return when the first of some spans began; one that never did, which is 0, makes no trace old."""
    from pyspark.sql import functions as F  # noqa: N812

    return F.min(F.when(F.col(_BEGAN) > 0, F.col(_BEGAN)))


def key_of(column: Any) -> Column:
    """Return what ids of a trace have in common, be they `tr-...`, `trace:/.../...` or hexadecimal alone."""
    from pyspark.sql import functions as F  # noqa: N812

    column = F.col(column) if isinstance(column, str) else column
    found = F.regexp_extract(column, r"(?:^|[-/])([0-9a-fA-F]{32})$", 1)
    return F.when(found == "", column).otherwise(F.lower(found))


def _read(df: DataFrame) -> list[Column]:
    return [_without_variant(df[f.name], f.dataType).alias(f.name) for f in df.schema.fields if f.name in COLUMNS]


def _without_variant(column: Column, kind: Any) -> Column:
    """Return a column with JSON in the place of each VARIANT in it."""
    from pyspark.sql import functions as F  # noqa: N812
    from pyspark.sql.types import ArrayType, MapType, StructType, VariantType

    if isinstance(kind, VariantType):
        return F.to_json(column)
    if "variant" not in kind.simpleString():
        return column
    if isinstance(kind, ArrayType):
        return F.transform(column, lambda each: _without_variant(each, kind.elementType))
    if isinstance(kind, MapType):
        return F.transform_values(column, lambda _, each: _without_variant(each, kind.valueType))
    if isinstance(kind, StructType):
        fields = [_without_variant(column[f.name], f.dataType).alias(f.name) for f in kind.fields]
        return F.when(column.isNotNull(), F.struct(*fields))
    return column


def _said(annotations: DataFrame) -> DataFrame:
    """Return what annotations say of each trace, by the key of its id; which is the latest, the workers find."""
    from pyspark.sql import functions as F  # noqa: N812

    names = annotations.columns
    if {"trace_id", *_METADATA} <= set(names):  # the view `_trace_metadata`
        return annotations.select(key_of("trace_id").alias(KEY), *_METADATA)
    refuse_lacking(names)
    if "event_name" in names:
        wanted, ids = F.col("event_name").isin(*EVENTS), "trace_id"
    else:
        wanted = F.upper("annotation_type").isin(*KINDS)
        ids = "target_id" if "target_id" in names else "trace_id"
    rows = annotations.where(wanted).withColumn(KEY, key_of(ids))
    kept = [_without_variant(rows[f.name], f.dataType).alias(f.name) for f in rows.schema if f.name in ANNOTATED]
    return rows.groupBy(KEY).agg(F.collect_list(F.struct(*kept)).alias("annotations"))
