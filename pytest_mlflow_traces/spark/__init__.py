"""A contract over tables of Spark: a row a trace, or a row a span, comes in, and a row a verdict goes out.

Nothing is collected and nothing is counted: what `findings` returns is a data frame like any other, which runs where
and when something asks for it. Workers need this package, and the code that the contract itself names.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.contracts import Contract, split_by_scope
from pytest_mlflow_traces.core.judgements import YOUNG
from pytest_mlflow_traces.core.percentiles import limits_of, split_percentiles
from pytest_mlflow_traces.files.expectations import given_contract
from pytest_mlflow_traces.spark.schemas import KEY, began, is_of_spans, key_of, traces_of
from pytest_mlflow_traces.spark.workers import Asked
from pytest_mlflow_traces.tables import nanoseconds, title_of, unseen_row

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from datetime import datetime

    from pyspark.sql import Column, DataFrame

    from pytest_mlflow_traces.core.budgets.limits import Limit

__all__ = ["findings"]

_VERDICTS = """trace_id STRING, request_time TIMESTAMP, contract STRING, verdict STRING, rules ARRAY<STRING>,
findings ARRAY<STRUCT<rule: STRING, `where`: STRING, expected: STRING, actual: STRING, hint: STRING>>, text STRING,
shape STRING"""
_READ = "session STRING, trace_id STRING, request_time TIMESTAMP, trace STRING, reason STRING"
_SAMPLES = "number INT, taken LONG, `where` STRING"
_DROPPED = "the view has no row for it, though it has spans: its root has a parent in another process, or came late"


def findings(
    df: DataFrame,
    contract: str | os.PathLike[str] | Contract,
    *,
    spans: DataFrame | None = None,
    annotations: DataFrame | None = None,
    since: datetime | None = None,
    watermark: datetime | None = None,
) -> DataFrame:
    """Return what a contract comes to on each trace of a table: a data frame with a row for each.

    It has the columns of what `pytest_mlflow_traces.tables.judge` returns. The columns of `df` tell what it is: the
    view `_trace_unified`, a table `_otel_spans`, `trace_logs`, an inference table, or Parquet of any of them.

    Rules over sessions (`per="session"`) are asked of all traces of a session together, and what does not hold of them
    is said of the first. Percentiles (`Budget(p95_of=...)`) are of the whole table, and have a row of their own,
    without a trace id.

    >>> from datetime import datetime, timedelta, timezone
    >>> def nightly(spark, last):
    ...     now = datetime.now(timezone.utc) - timedelta(hours=1)  # by then the last spans have arrived
    ...     view, spans = spark.table("main.agents.prod_trace_unified"), spark.table("main.agents.prod_otel_spans")
    ...     return findings(view, "answers.contract.toml", spans=spans, since=last, watermark=now)

    Args:
        df: The traces, or their spans.
        contract: The path of a contract file, its text, a `Contract`, or `module:NAME`, which is imported here.
        spans: Beside the view, the table `_otel_spans` that it is made of. The view leaves out traces whose root has a
            parent in another process; those are `not judged`.
        annotations: Beside a table of spans, `_otel_annotations`, `_otel_logs` or `_trace_metadata`, which have the
            tags and the metadata. Of several values of a tag, the latest counts.
        since: Leave out traces that began before: an earlier run has judged them. Of a session, all traces are judged
            where one began since then.
        watermark: When all that happened before has arrived. Traces that began then or later are not judged; it is the
            `since` of the next run.

    Raises:
        ValueError: for a table of something else, naming what it lacks, for what is not a contract, and for a time
            without its zone.
        TypeError: for a contract or a time that is none.
        ImportError: where there is no pyspark.
    """
    try:
        from pyspark.sql import DataFrame
    except ImportError:
        raise ImportError("findings() needs pyspark: pip install 'pytest-mlflow-traces[spark]'") from None
    expectation = given_contract(contract, "findings")
    rest, together = split_percentiles(expectation)
    asked = Asked(
        _portable(expectation),
        title_of(expectation, contract),
        nanoseconds(watermark, "findings", "watermark"),
        nanoseconds(since, "findings", "since"),
    )
    is_per_session = split_by_scope(rest)[1] is not None
    rows = traces_of(df, annotations, None if is_per_session else asked.since_ns)
    found = [_judged_together(rows, asked) if is_per_session else rows.mapInArrow(asked.judged, _VERDICTS)]
    if together is not None:
        found.append(_percentiles(rows, asked, limits_of(together)))
    if spans is not None:
        found.append(_dropped(df, spans, asked))
    return reduce(DataFrame.unionByName, found)


def _portable(expectation: Any) -> Any:
    """Return what a worker makes the same expectation of."""
    try:
        return expectation.to_toml() if isinstance(expectation, Contract) else expectation
    except ValueError:  # it has a part that data cannot say; that is pickled
        return expectation


def _judged_together(rows: DataFrame, asked: Asked) -> DataFrame:
    read = rows.mapInArrow(asked.read, _READ)
    # pyspark counts the arguments, and `self` with them
    return read.groupBy("session").applyInArrow(lambda group: asked.judged_together(group), _VERDICTS)


def _percentiles(rows: DataFrame, asked: Asked, limits: Sequence[Limit]) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: N812  # as everybody calls it

    samples = rows.mapInArrow(asked.samples, _SAMPLES)
    numbers = samples.agg(
        F.count_if(F.col("number") == -1).alias("traces"),
        F.array(*map(_numbers, range(len(limits)))).alias("percentiles"),
    )
    return numbers.mapInArrow(asked.percentiles, _VERDICTS)


def _numbers(number: int) -> Column:
    from pyspark.sql import functions as F  # noqa: N812

    taken, where = (f"CASE WHEN number = {number} THEN {name} END" for name in ("taken", "`where`"))
    return F.struct(
        F.expr(f"count({taken})").alias("count"),
        # by nearest rank, as a budget in a test has it: a duration that was measured
        F.expr(f"CAST(percentile_disc(0.95) WITHIN GROUP (ORDER BY {taken}) AS LONG)").alias("p95"),
        F.expr(f"max({taken})").alias("worst"),
        F.expr(f"max_by({where}, {taken})").alias("slowest"),
        F.expr(f"count_if({taken} < 0)").alias("backwards"),
        F.expr(f"min_by({where}, {taken})").alias("first"),
    )


def _dropped(view: DataFrame, spans: DataFrame, asked: Asked) -> DataFrame:
    """Return verdicts on the traces that have spans and no row in the view."""
    from pyspark.sql import functions as F  # noqa: N812

    if is_of_spans(view) or "trace_id" not in view.columns:
        raise ValueError("findings(): spans= are beside a view with a `trace_id`, not beside the spans themselves")
    if not is_of_spans(spans):
        raise ValueError("findings(): spans= is a table with a row a span, and this one has a row a trace")
    key = key_of("trace_id").alias(KEY)
    ids = spans.groupBy(key).agg(F.min("trace_id").alias("trace_id"), began().alias("began"))
    if asked.since_ns is not None:
        ids = ids.where(F.col("began").isNull() | (F.col("began") >= asked.since_ns))
    lost = ids.join(view.select(key_of("trace_id").alias(KEY)), KEY, "left_anti")
    is_young = F.lit(False) if asked.watermark_ns is None else F.col("began") >= asked.watermark_ns
    reason = F.when(is_young, YOUNG).otherwise(_DROPPED)
    row = unseen_row("", None, asked.title, "")
    return lost.select(
        "trace_id",
        F.timestamp_micros((F.col("began") / 1000).cast("long")).alias("request_time"),
        F.lit(asked.title).alias("contract"),
        F.lit(row["verdict"]).alias("verdict"),
        F.array(*map(F.lit, row["rules"])).alias("rules"),
        F.array(
            F.struct(
                F.lit(row["rules"][0]).alias("rule"),
                F.col("trace_id").alias("where"),
                F.lit(None).cast("string").alias("expected"),
                reason.alias("actual"),
                F.lit(None).cast("string").alias("hint"),
            )
        ).alias("findings"),
        F.concat(F.lit(row["text"]), reason).alias("text"),
        F.lit(None).cast("string").alias("shape"),
    )
