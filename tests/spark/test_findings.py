"""Contracts over tables of Spark: the verdicts of `check`, whatever table the traces are in, and none that is lost."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta, timezone

import pytest

from pytest_mlflow_traces import Contract, TagSchema, Trace, never, span
from pytest_mlflow_traces.cli.check import Check
from pytest_mlflow_traces.core.judgements import Judge
from pytest_mlflow_traces.files.traces import stored_traces
from tests.support.spark import BEGAN, SCHEMAS, by_id, made, of_json, spans, verdicts, view, without

pytest.importorskip("pyarrow", reason="pyarrow has the tables")
pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'pytest-mlflow-traces[spark]'")
from pytest_mlflow_traces.spark import findings  # where there is no pyarrow, there are no tables

# pyspark leaves its sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")

CAREFUL = Contract(
    "careful",
    never(span("delete_table")),
    span("agent")[..., span("plan"), ...],
    TagSchema.from_mapping({"team": str}),
    applies_to=span("agent"),
)


def planted():
    """Return traces with a fault of each kind, and what is to be found."""
    agent = ("agent AGENT", ["plan", ["look TOOL"], "search TOOL"])
    traces = {
        "holds": [made(number, *agent, team="red") for number in range(3)],
        "fails": [
            made(10, "agent AGENT", ["plan", "delete_table"], team="red"),
            made(11, "agent AGENT", ["search TOOL"], team="red"),
            made(12, *agent),
        ],
        "not applicable": [made(20, "other", team="red")],
        "not judged": [
            without(made(30, *agent, team="red"), 0),
            without(made(31, *agent, team="red"), 1),
            made(32, "agent AGENT", ["plan @1-"], team="red"),
        ],
    }
    return [trace for kind in traces.values() for trace in kind], {
        trace["info"]["trace_id"]: kind for kind, found in traces.items() for trace in found
    }


TRACES, PLANTED = planted()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_planted_fault_is_found_and_nothing_else(spark, schema):
    found = by_id(findings(schema(spark, TRACES), CAREFUL))

    assert {key: row.verdict for key, row in found.items()} == PLANTED
    for trace in TRACES:
        row, known = found[trace["info"]["trace_id"]], Trace.from_json(json.dumps(trace))
        judgement = Judge(CAREFUL).judge(known)
        assert (row.text, tuple(row.rules), row.contract) == (judgement.text, judgement.rules, "careful")
        assert [tuple(each_finding) for each_finding in row.findings] == [
            (each_finding.rule, each_finding.where, each_finding.expected, each_finding.actual, each_finding.hint)
            for each_finding in judgement.findings
        ]
        assert row.shape == known.shape
        assert row.request_time.astimezone(timezone.utc).replace(microsecond=0) == BEGAN


def test_the_verdicts_are_those_of_check_on_the_same_table(spark, tmp_path):
    path = str(tmp_path / "spans")
    spans(spark, TRACES).coalesce(1).write.parquet(path)
    (file,) = tmp_path.glob("spans/*.parquet")
    check = Check({"careful": CAREFUL}, 10)
    said = {stored_trace.trace.id: check.check(stored_trace) for stored_trace in stored_traces([file])}

    found = by_id(findings(spark.read.parquet(path), CAREFUL))

    counts = Counter(row.verdict for row in found.values())
    assert (counts["fails"], counts["not judged"], counts["not applicable"]) == (
        check.failed,
        check.not_judged,
        check.unasked,
    )
    for key, said_of_it in said.items():
        assert found[key].rules == list(dict.fromkeys(f.rule for each_said in said_of_it for f in each_said.findings))


def test_nothing_runs_before_it_is_asked_for(spark):
    """The rows here cannot even be read."""
    broken = spark.range(3).selectExpr("raise_error('read') AS trace_id", "'' AS trace")

    assert findings(broken, CAREFUL, since=BEGAN, watermark=BEGAN).columns[0] == "trace_id"


def test_spans_of_another_time_or_another_content_are_no_trace_that_holds(spark):
    trace = made(1, "agent AGENT", ["plan"], team="red")
    twice = trace["data"]["spans"][1] | {"name": "delete_table"}
    conflicting = trace | {"data": {"spans": [*trace["data"]["spans"], twice]}}
    lost = spans(spark, [made(2, "agent AGENT", ["plan"], team="red")]).selectExpr(
        *("NULL AS trace_id" if name == "trace_id" else name for name in spans(spark, [trace]).columns)
    )

    found = by_id(findings(spans(spark, [conflicting]).unionByName(lost), CAREFUL))

    assert {key: row.verdict for key, row in found.items()} == {f"{1:032x}": "not judged", None: "not judged"}
    assert "duplicate id" in found[f"{1:032x}"].text
    assert found[None].text == (
        "not judged: it cannot be read: it has no trace_id, so its spans may be those of many traces"
    )


def test_rows_that_cannot_be_read_are_not_judged_and_end_no_job(spark):
    table = spark.createDataFrame([("a", "{}"), ("b", None), ("c", "[")], "trace_id STRING, trace STRING")

    found = by_id(findings(table, CAREFUL))

    assert {row.verdict for row in found.values()} == {"not judged"}
    assert found["c"].text == "not judged: it cannot be read: the column `trace` is no JSON: ["


# -- the traces that the view leaves out


@pytest.mark.parametrize("prefix", ["", "trace:/main.agents.prod/", "tr-"])
def test_traces_that_the_view_drops_are_not_judged(spark, prefix):
    """A root whose parent is in another process is no root to the view."""
    kept, remote = made(1, "agent AGENT", ["plan"], team="red"), made(2, "agent AGENT", team="red")
    remote["data"]["spans"][0]["parent_span_id"] = "AAAAAAAAAAk="
    shown = view(spark, [kept]).selectExpr(
        *(
            f"concat('{prefix}', {name}) AS {name}" if name == "trace_id" else name
            for name in ["trace_id", "request_time", "state", "trace_metadata", "tags", "spans"]
        )
    )

    found = by_id(findings(shown, CAREFUL, spans=spans(spark, [kept, remote])))

    assert {key: row.verdict for key, row in found.items()} == {
        prefix + f"{1:032x}": "holds",
        f"{2:032x}": "not judged",
    }
    row = found[f"{2:032x}"]
    assert row.text == (
        "not judged: the view has no row for it, though it has spans: "
        "its root has a parent in another process, or came late"
    )
    assert (row.rules, row.contract) == (["trace.not_judged"], "careful")
    assert row.findings[0].where == f"{2:032x}"
    assert row.request_time.astimezone(timezone.utc).replace(microsecond=0) == BEGAN


# -- runs that follow each other


@pytest.mark.parametrize("schema", [view, spans, of_json])
def test_runs_that_follow_each_other_judge_each_trace_once(spark, schema):
    hours = [made(number, "agent AGENT", ["plan"], after=timedelta(hours=number), team="red") for number in range(5)]
    table = schema(spark, hours)
    first, second = BEGAN + timedelta(hours=2), BEGAN + timedelta(hours=4)

    before = by_id(findings(table, CAREFUL, watermark=first))
    after = by_id(findings(table, CAREFUL, since=first, watermark=second))

    assert [before[f"{number:032x}"].verdict for number in range(5)] == [*["holds"] * 2, *["not judged"] * 3]
    assert before[f"{2:032x}"].text == "not judged: it is younger than the watermark"
    assert {key: row.verdict for key, row in after.items()} == {
        f"{2:032x}": "holds",
        f"{3:032x}": "holds",
        f"{4:032x}": "not judged",
    }


def test_a_span_that_never_began_makes_no_trace_old(spark):
    trace = made(1, "agent AGENT", ["plan"], team="red")
    trace["data"]["spans"][1]["start_time_unix_nano"] = 0
    table = spans(spark, [trace])

    assert [*verdicts(findings(table, CAREFUL, since=BEGAN))] == [f"{1:032x}"]
    beside = view(spark, [made(2, "agent AGENT", ["plan"], team="red")])
    assert len(verdicts(findings(beside, CAREFUL, spans=table, since=BEGAN))) == 2


def test_what_the_view_drops_is_judged_by_no_run_and_told_by_one(spark):
    hours = [made(number, "agent AGENT", after=timedelta(hours=number)) for number in range(3)]

    found = by_id(
        findings(
            view(spark, hours[:1]),
            CAREFUL,
            spans=spans(spark, hours),
            since=BEGAN + timedelta(hours=1),
            watermark=BEGAN + timedelta(hours=2),
        )
    )

    assert sorted(found) == [f"{1:032x}", f"{2:032x}"]
    assert found[f"{2:032x}"].text == "not judged: it is younger than the watermark"
