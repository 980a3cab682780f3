"""Tags beside a table of spans: the latest counts, and what is deleted is gone."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Literal

import pytest

from pytest_mlflow_traces import Contract, TagSchema, each, span
from pytest_mlflow_traces.core.spans.convert import SESSION
from tests.support.messages import exactly
from tests.support.spark import BEGAN, made, spans, verdicts, view

pytest.importorskip("pyarrow", reason="pyarrow has the tables")
pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'pytest-mlflow-traces[spark]'")
from pytest_mlflow_traces.spark import findings

# pyspark leaves its sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")

RED = Contract(
    "red", TagSchema.from_mapping({"team": Literal["red"]}), each(span("pay"), per="session").after(span("auth"))
)
TRACES = [made(number, "auth @0-1" if number == 1 else "pay @2-3") for number in range(1, 6)]
EXPECTED = {1: "holds", 2: "holds", 3: "fails", 4: "fails", 5: "fails"}
# trace, key, value, deleted, in an order that is not that of time
TOLD = [
    (1, "team", "red", False, 1),
    (2, "team", "red", False, 5),
    (2, "team", "blue", False, 4),
    (3, "team", "blue", False, 9),
    (3, "team", "red", False, 2),
    (4, "team", "red", True, 3),
    (4, "team", "red", False, 2),
]
TYPES = (
    "target_id STRING, annotation_type STRING, name STRING, value STRING, updated_at TIMESTAMP, deleted_at TIMESTAMP"
)


def session_of(number):
    return {"trace_metadata": {SESSION: "one" if number < 3 else "two"}}


def annotations(spark, write=json.dumps):
    rows = []
    for number, key, value, is_gone, second in TOLD:
        time = BEGAN + timedelta(seconds=second)
        rows.append((f"trace:/main.a.b/{number:032x}", "TAG", key, write(value), time, time if is_gone else None))
    for number in range(1, 6):
        said = json.dumps(session_of(number))
        rows.append((f"{number:032x}", "METADATA", None, said, BEGAN, None))
        rows.append((f"{number:032x}", "FEEDBACK", "team", '"red"', BEGAN + timedelta(days=1), None))
    return spark.createDataFrame(rows, TYPES)


def annotations_of_variant(spark):
    table = annotations(spark)
    return table.selectExpr(*("parse_json(value) AS value" if name == "value" else name for name in table.columns))


def plain_annotations(spark):
    return annotations(spark, write=str)


def logs(spark, place="body"):
    rows = []
    for number, key, value, is_gone, second in TOLD:
        said = {"key": key, "value": value, "deleted": "true" if is_gone else "false"}
        rows.append((f"{number:032x}", "genai.trace.tag", second, said))
    for number in range(1, 6):
        said = {name: json.dumps(held) for name, held in session_of(number).items()}
        rows.append((f"{number:032x}", "genai.trace.metadata", 1, said))
        rows.append((f"{number:032x}", "genai.assessments.snapshot", 99, {"key": "team", "value": "red"}))
    kind = "STRING" if place == "body" else "MAP<STRING, STRING>"
    shown = [(*row[:3], json.dumps(row[3]) if place == "body" else row[3]) for row in rows]
    return spark.createDataFrame(shown, f"trace_id STRING, event_name STRING, time_unix_nano LONG, {place} {kind}")


def logs_in_attributes(spark):
    return logs(spark, "attributes").selectExpr("*", "CAST(NULL AS STRING) AS body")


def metadata_view(spark):
    teams = {1: "red", 2: "red", 3: "blue"}
    rows = [
        (f"tr-{number:032x}", {"team": teams[number]} if number in teams else {}, session_of(number)["trace_metadata"])
        for number in range(1, 6)
    ]
    return spark.createDataFrame(rows, "trace_id STRING, tags MAP<STRING, STRING>, trace_metadata MAP<STRING, STRING>")


@pytest.mark.parametrize(
    "table", [annotations, annotations_of_variant, plain_annotations, logs, logs_in_attributes, metadata_view]
)
def test_of_a_tag_the_latest_counts_and_metadata_are_read(spark, table):
    """Sessions are in the metadata: without them, a `pay` fails that another trace of the session makes good."""
    found = verdicts(findings(spans(spark, TRACES), RED, annotations=table(spark)))

    assert {int(key, 16): verdict for key, verdict in found.items()} == EXPECTED


def test_a_table_that_has_no_annotations_is_named_by_what_it_lacks(spark):
    says = (
        "not a table of annotations: for `_otel_annotations` it lacks "
        "'annotation_type', 'name', 'value', 'updated_at', 'target_id'"
    )
    with pytest.raises(ValueError, match=exactly(says)):
        findings(spans(spark, TRACES), RED, annotations=spark.range(1))

    says = "not a table of annotations: for `_otel_logs` it lacks 'trace_id', 'time_unix_nano', 'body'"
    with pytest.raises(ValueError, match=exactly(says)):
        findings(spans(spark, TRACES), RED, annotations=spark.sql("SELECT 'a' AS event_name"))


def test_annotations_are_not_judged_themselves(spark):
    says = "findings(): a table of annotations is not judged; give it as annotations= of a table of spans"
    with pytest.raises(ValueError, match=exactly(says)):
        findings(annotations(spark), RED)


def test_annotations_are_for_spans_alone(spark):
    says = "findings(): annotations= are for a table of spans; this one has a row a trace, with tags"
    with pytest.raises(ValueError, match=exactly(says)):
        findings(view(spark, TRACES), RED, annotations=annotations(spark))


def test_an_unknown_table_is_named_by_its_columns(spark):
    says = "not a table of traces: it has no column `trace`, no `trace_id` with `spans`, and its columns are 'id'"
    with pytest.raises(ValueError, match=exactly(says)):
        findings(spark.range(1), RED)


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ((spans, spans), "findings(): spans= are beside a view with a `trace_id`, not beside the spans themselves"),
        ((view, view), "findings(): spans= is a table with a row a span, and this one has a row a trace"),
    ],
)
def test_spans_stand_beside_a_view(spark, tables, says):
    table, beside = (make(spark, TRACES) for make in tables)
    with pytest.raises(ValueError, match=exactly(says)):
        findings(table, RED, spans=beside)
