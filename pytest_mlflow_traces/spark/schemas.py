"""Tables of traces and of spans, told by their columns, as data frames with a row a trace that workers can read.

What only the engine can do is done here: VARIANT becomes JSON, spans are grouped by their traces, and of what was said
of a tag several times the latest counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans.shapes import COLUMNS, is_span, refuse_columns
from pytest_mlflow_traces.core.text.suggestions import listed

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

KEY = "trace_key"
_SAID = ("tags", "trace_metadata")  # what annotations say of a trace
_BEGAN = "start_time_unix_nano"


def is_of_spans(df: DataFrame) -> bool:
    """Return whether a table has a row a span; raise a ValueError for one of neither spans nor traces."""
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
    grouped = spans.agg(F.collect_list(F.struct(*kept)).alias("spans"), F.min(_BEGAN).alias(_BEGAN))
    if since_ns is not None:
        grouped = grouped.where(F.col(_BEGAN).isNull() | (F.col(_BEGAN) >= since_ns))
    if annotations is None:
        return grouped.select("trace_id", "spans")
    joined = grouped.withColumn(KEY, key_of("trace_id")).join(_said(annotations), KEY, "left")
    return joined.select("trace_id", "spans", *_SAID)


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
    """Return what annotations say of each trace: tags and metadata, by the key of its id."""
    from pyspark.sql import functions as F  # noqa: N812

    names = set(annotations.columns)
    if {"trace_id", *_SAID} <= names:  # the view `_trace_metadata`
        return annotations.select(key_of("trace_id").alias(KEY), *_SAID)
    told = _of_logs(annotations) if "event_name" in names else _of_annotations(annotations)
    # the latest counts; of two at one time the same one does in each run
    latest = told.groupBy(KEY, "kind", "name").agg(F.max(F.struct("time", "gone", "value")).alias("last"))
    left = latest.where(~F.coalesce("last.gone", F.lit(False))).select(KEY, "kind", "name", "last.value")
    is_tag = F.col("kind") == "tag"
    return left.groupBy(KEY).agg(
        F.map_from_entries(
            F.collect_list(F.when(is_tag & F.col("value").isNotNull(), F.struct("name", "value")))
        ).alias("tags"),
        F.max(F.when(~is_tag, F.col("value"))).alias("trace_metadata"),
    )


def _of_logs(logs: DataFrame) -> DataFrame:
    """Return the events of `_otel_logs` about tags and metadata, which stand in the body or in attributes."""
    from pyspark.sql import functions as F  # noqa: N812

    places = [name for name in ("body", "attributes") if name in logs.columns]
    _refuse_lacking(logs, ["trace_id", "event_name", "time_unix_nano", *([] if places else ["body"])], "_otel_logs")
    held = [_json(logs, name) for name in places]

    def said(name: str) -> Column:
        return F.coalesce(*(F.get_json_object(each, f"$.{name}") for each in held), F.lit(None).cast("string"))

    is_tag = F.col("event_name") == "genai.trace.tag"
    wanted = logs.where(is_tag | (F.col("event_name") == "genai.trace.metadata"))
    return wanted.select(
        key_of("trace_id").alias(KEY),
        F.when(is_tag, "tag").otherwise("metadata").alias("kind"),
        F.when(is_tag, said("key")).otherwise("").alias("name"),
        F.when(is_tag, said("value")).otherwise(said("trace_metadata")).alias("value"),
        (F.lower(said("deleted")) == "true").alias("gone"),
        F.col("time_unix_nano").alias("time"),
    )


def _of_annotations(table: DataFrame) -> DataFrame:
    """Return the rows of `_otel_annotations` that are tags and metadata."""
    from pyspark.sql import functions as F  # noqa: N812

    ids = next((name for name in ("target_id", "trace_id") if name in table.columns), "target_id")
    _refuse_lacking(table, [ids, "annotation_type", "name", "value", "updated_at"], "_otel_annotations")
    kind, value = F.upper("annotation_type"), _json(table, "value")
    is_tag = kind == "TAG"
    # of JSON, a text is in quotes; a table that was saved as text may have it so, or plain
    plain = F.when(value.startswith('"'), F.get_json_object(F.concat(F.lit("["), value, F.lit("]")), "$[0]"))
    gone = F.col("deleted_at").isNotNull() if "deleted_at" in table.columns else F.lit(False)
    return table.where(is_tag | (kind == "METADATA")).select(
        key_of(ids).alias(KEY),
        F.when(is_tag, "tag").otherwise("metadata").alias("kind"),
        F.when(is_tag, F.col("name")).otherwise("").alias("name"),
        F.when(is_tag, F.coalesce(plain, value)).otherwise(F.get_json_object(value, "$.trace_metadata")).alias("value"),
        gone.alias("gone"),
        F.col("updated_at").alias("time"),
    )


def _json(df: DataFrame, name: str) -> Column:
    """Return a column as JSON, whatever its type; text is JSON, or what is plain."""
    from pyspark.sql import functions as F  # noqa: N812
    from pyspark.sql.types import StringType

    return df[name] if isinstance(df.schema[name].dataType, StringType) else F.to_json(df[name])


def _refuse_lacking(df: DataFrame, needed: list[str], what: str) -> None:
    lacking = [name for name in needed if name not in df.columns]
    if lacking:
        is_any = f"it has no `event_name` of `_otel_logs`, no `tags` of `_trace_metadata`, and for `{what}` it lacks"
        why = is_any if what == "_otel_annotations" else f"for `{what}` it lacks"
        raise ValueError(f"findings(): not a table of annotations: {why} {listed(lacking)}")
