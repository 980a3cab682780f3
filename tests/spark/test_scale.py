"""`benchmarks.scale` sees a verdict that is wrong: what cannot miss a bar would measure nothing."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'pytest-mlflow-traces[spark]'")
pytest.importorskip("pyarrow", reason="the tables are of Arrow")

import pyarrow as pa  # behind the skips

from benchmarks.scale.judged import differs_from_check, wrong
from benchmarks.scale.tables import JSON, TABLES
from benchmarks.scale.traces import LATE, SLOW, YOUNG, Case

HOLDS, FAILS, LOST = ("a", "holds", []), ("b", "fails", ["budget.latency"]), ("c", "not judged", ["trace.not_judged"])
CASES = [Case(0), Case(1, SLOW, latency_ms=9_000), Case(2, trouble=LATE), Case(3, is_refund=False)]


def said(spark, *rows):
    return spark.createDataFrame(list(rows), "trace_id STRING, verdict STRING, rules ARRAY<STRING>")


def asked(spark, *rows):
    return spark.createDataFrame(list(rows), "trace_id STRING, planted STRING, verdict STRING, rules ARRAY<STRING>")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([HOLDS, FAILS, LOST], []),
        ([HOLDS, ("b", "holds", []), LOST], ["b (too slow): fails ['budget.latency'], got holds []"]),
        (
            [HOLDS, ("b", "fails", ["budget.calls"]), LOST],
            ["b (too slow): fails ['budget.latency'], got fails ['budget.calls']"],
        ),
        ([HOLDS, FAILS, ("c", "holds", [])], ["c (root lost): not judged [], got holds []"]),
        ([FAILS, LOST], ["a (): holds [], got None None"]),
        ([HOLDS, FAILS, LOST, ("d", "holds", [])], ["d (None): None None, got holds []"]),
        ([HOLDS, HOLDS, FAILS, LOST], ["1 traces were judged twice"]),
    ],
)
def test_a_verdict_that_is_not_the_expected_one(spark, rows, told):
    expected = asked(
        spark,
        ("a", "", "holds", []),
        ("b", "too slow", "fails", ["budget.latency"]),
        ("c", "root lost", "not judged", []),
    )

    assert wrong(said(spark, *rows), expected) == told


def test_a_verdict_that_is_not_the_one_of_check(spark, tmp_path):
    table = next(table for table in TABLES if table.name == JSON)
    rows = spark.createDataFrame(pa.Table.from_pylist(list(table.rows(CASES)), schema=table.schema))
    expected = asked(spark, *((each.trace_id, each.planted, each.verdict, each.rules) for each in CASES))
    right = [(each.trace_id, each.verdict, each.rules) for each in CASES]
    late = CASES[2].trace_id

    assert differs_from_check(rows, said(spark, *right), expected, tmp_path / "right") == (4, [])
    wrong_one = [(id_, "holds" if id_ == late else verdict, rules) for id_, verdict, rules in right]
    count, told = differs_from_check(rows, said(spark, *wrong_one), expected, tmp_path / "wrong")
    assert (count, told[0]) == (4, f"{late}: check says ['trace.not_judged'], the table None")
    assert told[1].startswith(
        "check counts {'fails': 1, 'not applicable': 1, 'not judged': 1, 'holds': 1}, the table {"
    )


def test_check_is_not_asked_about_what_is_after_the_watermark(spark, tmp_path):
    young = Case(4, trouble=YOUNG)
    table = next(table for table in TABLES if table.name == JSON)
    rows = spark.createDataFrame(pa.Table.from_pylist(list(table.rows([*CASES, young])), schema=table.schema))
    every = [*CASES, young]
    expected = asked(spark, *((each.trace_id, each.planted, each.verdict, each.rules) for each in every))
    verdicts = said(spark, *((each.trace_id, each.verdict, each.rules) for each in every))

    assert differs_from_check(rows, verdicts, expected, tmp_path / "t") == (4, [])
