"""Traces in the tables that Spark reads: the view, the spans that it is made of, archives, JSON."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone

from pytest_mlflow_traces.core.spans.convert import SESSION
from tests.support.databricks import arrow_table, span_rows, unified_row
from tests.support.storing import stored

BEGAN = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def made(number, *specs, session=None, after=timedelta(), attributes=None, **tags):
    """Return a stored trace that began at a time, whose id is a number."""
    trace = stored(*specs, id=f"{number:032x}", **tags)
    ns = (BEGAN + after - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1) * 1_000
    for each_span in trace["data"]["spans"]:
        each_span["trace_id"] = base64.b64encode(number.to_bytes(16, "big")).decode()
        each_span["attributes"] |= attributes or {}
        each_span["start_time_unix_nano"] += ns
        if each_span["end_time_unix_nano"] is not None:
            each_span["end_time_unix_nano"] += ns
    trace["info"]["request_time"] = (BEGAN + after).isoformat(timespec="milliseconds")
    if session is not None:
        trace["info"]["trace_metadata"][SESSION] = session
    return trace


def without(trace, number):
    del trace["data"]["spans"][number]
    return trace


def as_rows(traces):
    return [
        row | {"end_time_unix_nano": row["end_time_unix_nano"] or 0} for trace in traces for row in span_rows(trace)
    ]


def with_tags(trace):
    """Say the tags of a trace in its root, as MLflow's exporter does."""
    tags = {f"mlflow.traceTag.{key}": json.dumps(value) for key, value in trace["info"]["tags"].items()}
    spans = [
        each_span | {"attributes": each_span["attributes"] | ({} if each_span["parent_span_id"] else tags)}
        for each_span in trace["data"]["spans"]
    ]
    return trace | {"data": {"spans": spans}}


def view(spark, traces):
    return spark.createDataFrame(arrow_table([unified_row(trace) for trace in traces]))


def spans(spark, traces):
    """Return a table of spans in any order, each of them twice, with their tags in the root."""
    rows = as_rows(map(with_tags, traces))
    return spark.createDataFrame(arrow_table(rows + rows[::-1]))


def spans_of_variant(spark, traces):
    table = spans(spark, traces)
    return table.selectExpr(
        *(f"parse_json(to_json({name})) AS {name}" if name == "attributes" else name for name in table.columns)
    )


def view_of_variant(spark, traces):
    """Return the view as it is where the attributes below it are VARIANT, within the spans and their events."""
    return view(spark, traces).selectExpr(
        "trace_id", "request_time", "state", "trace_metadata", "tags",
        """transform(spans, s -> named_struct(
            'span_id', s.span_id, 'parent_span_id', s.parent_span_id, 'name', s.name, 'status', s.status,
            'start_time_unix_nano', s.start_time_unix_nano, 'end_time_unix_nano', s.end_time_unix_nano,
            'attributes', parse_json(to_json(s.attributes)),
            'events', transform(s.events, e -> named_struct('name', e.name, 'time_unix_nano', e.time_unix_nano,
                'attributes', parse_json(to_json(e.attributes)))))) AS spans""",
    )  # fmt: skip


def trace_logs(spark, traces):
    return view(spark, traces).selectExpr(
        "trace_id AS request_id", "unix_millis(request_time) AS timestamp_ms", "state AS status",
        "trace_metadata AS request_metadata", "tags", "spans",
    )  # fmt: skip


def of_json(spark, traces):
    rows = [(trace["info"]["trace_id"], json.dumps(trace)) for trace in traces]
    return spark.createDataFrame(rows, "trace_id STRING, trace STRING")


SCHEMAS = [view, spans, spans_of_variant, view_of_variant, trace_logs, of_json]


def by_id(df):
    rows = df.collect()
    found = {row.trace_id: row for row in rows}
    assert len(found) == len(rows), "a trace has two rows"
    return found


def verdicts(df):
    return {key: row.verdict for key, row in by_id(df).items()}
