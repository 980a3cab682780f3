"""What the page and the example say of Spark, run."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.docs.test_docs import blocks
from tests.support.spark import BEGAN, made, spans, verdicts, view

pytest.importorskip("pyarrow", reason="pyarrow has the tables")
pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'pytest-mlflow-traces[spark]'")

# pyspark leaves its sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "examples/production/refunds.contract.toml"
TRACES = [
    made(1, "agent AGENT", ["check_policy GUARDRAIL", "refund TOOL"]),
    made(2, "agent AGENT", ["refund TOOL"]),
    made(3, "agent AGENT", ["refund TOOL"]),
    made(4, "agent AGENT"),
    made(5, "agent AGENT", ["refund TOOL"], after=timedelta(days=1)),
]


def with_an_order(trace):
    for span in trace["data"]["spans"]:
        span["attributes"]["mlflow.spanInputs"] = '{"order": 7}'
    return trace


@pytest.fixture
def tables(spark, tmp_path, monkeypatch):
    """The tables that the page speaks of, and its contract."""
    shown = list(map(with_an_order, TRACES))
    view(spark, shown[:4]).createOrReplaceTempView("prod_trace_unified")
    spans(spark, shown).createOrReplaceTempView("prod_otel_spans")
    spark.createDataFrame(
        [], "target_id STRING, annotation_type STRING, name STRING, value STRING, updated_at TIMESTAMP"
    ).createOrReplaceTempView("prod_otel_annotations")
    (tmp_path / "refunds.contract.toml").write_text(CONTRACT.read_text())
    monkeypatch.chdir(tmp_path)
    return spark


def test_the_blocks_of_the_page_do_what_it_says(tables):
    page = (ROOT / "docs/how-to/production.md").read_text(encoding="utf-8")
    namespace = {}
    for block in blocks(page):
        if block.kind == "python spark":
            exec(block.code, namespace)

    judged = namespace["judged"](tables, BEGAN, BEGAN + timedelta(hours=1))

    expected = {1: "holds", 2: "fails", 3: "fails", 4: "not applicable", 5: "not judged"}
    assert {int(key, 16): verdict for key, verdict in verdicts(judged).items()} == expected
    (row,) = namespace["to_read"](judged).collect()
    assert (row["count(trace_id)"], list(row.rules)) == (2, ["order.after"])
    assert {int(key, 16): verdict for key, verdict in verdicts(namespace["judged_spans"](tables)).items()} == (
        expected | {5: "fails"}
    )


def test_the_nightly_job_says_what_a_night_was(tables, tmp_path):
    tables.table("prod_trace_unified").write.parquet(str(tmp_path / "traces"))
    shown = map(with_an_order, [*TRACES, made(6, "agent AGENT", ["refund TOOL"])])  # the view has no row for the sixth
    spans(tables, list(shown)).write.parquet(str(tmp_path / "spans"))
    times = [(BEGAN + timedelta(hours=hours)).isoformat() for hours in (-1, 1)]

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "examples.production.nightly",
            tmp_path / "traces",
            CONTRACT,
            tmp_path / "out",
            *times,
            tmp_path / "spans",
        ],
        cwd=ROOT,
        env={**os.environ, "SPARK_CONF_DIR": str(conf(tmp_path))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 1, done.stderr[-3000:]
    assert done.stdout.splitlines()[0] == "2 fails, 1 holds, 1 not applicable, 1 not judged"
    shown = (ROOT / "examples/production/README.md").read_text(encoding="utf-8")
    assert f"\n{done.stdout.strip()}\n```" in shown, done.stdout


def conf(folder):
    """Return a folder with the settings of a session that stays on this machine."""
    (folder / "conf").mkdir()
    (folder / "conf" / "spark-defaults.conf").write_text(
        "spark.master local[2]\nspark.ui.enabled false\nspark.driver.host 127.0.0.1\n"
        "spark.driver.bindAddress 127.0.0.1\nspark.sql.shuffle.partitions 2\nspark.ui.showConsoleProgress false\n"
    )
    return folder / "conf"
