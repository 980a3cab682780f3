"""Verdicts on batches of Arrow: what `check` says of the same traces, and none of them holds by chance."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from pytest_mlflow_traces import Budget, Contract, Trace, each, never, span
from pytest_mlflow_traces.core.judgements import Judge
from pytest_mlflow_traces.core.spans.convert import SESSION
from tests.support.databricks import arrow_table, span_rows, unified_row
from tests.support.messages import exactly
from tests.support.storing import stored

pa = pytest.importorskip("pyarrow", reason="pyarrow has the tables")
from pytest_mlflow_traces.tables import VERDICTS, judge  # noqa: E402  # where there is no pyarrow, there are no tables

CAREFUL = Contract(
    "careful", never(span("delete_table")), span("agent")[..., span("plan"), ...], applies_to=span("agent")
)
HOLDS = stored("agent", ["plan"], id="tr-holds")
FAILS = stored("agent", ["delete_table", "plan"], id="tr-fails")
OTHER = stored("other", id="tr-other")
LOST = stored("agent", ["plan", ["look"]], id="tr-lost")
del LOST["data"]["spans"][1]
EXPECTED = {"tr-holds": "holds", "tr-fails": "fails", "tr-other": "not applicable", "tr-lost": "not judged"}
TRACES = [HOLDS, FAILS, OTHER, LOST]


def json_rows(traces):
    return pa.RecordBatch.from_pylist(
        [{"trace_id": trace["info"]["trace_id"], "trace": json.dumps(trace)} for trace in traces]
    )


def archive_rows(traces):
    """Return rows of `trace_logs_*`: the spans of a trace, and names of MLflow 2 beside them."""
    rows = [unified_row(trace) for trace in traces]
    named = {"trace_id": "request_id", "request_time": "timestamp_ms", "trace_metadata": "request_metadata"}
    table = arrow_table(rows).select(["trace_id", "request_time", "state", "trace_metadata", "tags", "spans"])
    table = table.set_column(1, "request_time", table["request_time"].cast(pa.timestamp("ms")).cast(pa.int64()))
    return table.rename_columns([named.get(name, name) for name in table.column_names])


def inference_rows(traces):
    said = [json.dumps({"databricks_output": {"trace": trace}}) for trace in traces]
    ids = [f"request-{number}" for number in range(len(traces))]
    return pa.RecordBatch.from_pydict({"databricks_request_id": ids, "response": said})


SCHEMAS = {
    "unified": lambda traces: arrow_table([unified_row(trace) for trace in traces]).to_batches()[0],
    "a table": lambda traces: arrow_table([unified_row(trace) for trace in traces]),
    "search_traces": json_rows,
    "trace_logs": archive_rows,
    "inference": inference_rows,
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_row_of_each_schema_has_the_verdict_of_its_trace(schema):
    said = judge(SCHEMAS[schema](TRACES), CAREFUL)

    assert said.schema == VERDICTS
    assert dict(zip(said["trace_id"].to_pylist(), said["verdict"].to_pylist(), strict=True)) == EXPECTED
    for row, trace in zip(said.to_pylist(), TRACES, strict=True):
        known = Trace.from_json(json.dumps(trace))
        judgement = Judge(CAREFUL).judge(known)
        assert (row["text"], row["rules"], row["shape"]) == (judgement.text, list(judgement.rules), known.shape)
        assert [tuple(each.values()) for each in row["findings"]] == [
            (each.rule, each.where, each.expected, each.actual, each.hint) for each in judgement.findings
        ]
        assert row["request_time"] == datetime(2026, 1, 1, tzinfo=timezone.utc)
        assert row["contract"] == "careful"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", None])
def test_the_time_of_a_request_is_in_utc_in_whatever_zone_it_came(zone):
    batch = SCHEMAS["unified"]([HOLDS])
    column = batch["request_time"].cast(pa.timestamp("us", tz=zone))
    batch = batch.set_column(batch.schema.get_field_index("request_time"), "request_time", column)

    (row,) = judge(batch, CAREFUL).to_pylist()

    assert row["request_time"] == datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_a_row_that_cannot_be_read_is_not_judged_and_says_why():
    rows = [{"trace_id": f"tr-{k}", "trace": said} for k, said in enumerate(["[1", "{}", '{"info": {}}', None])]
    batch = pa.RecordBatch.from_pylist([*rows, {"trace_id": None, "trace": "7"}])

    said = judge(batch, CAREFUL).to_pylist()

    assert [row["verdict"] for row in said] == ["not judged"] * 5
    assert [row["trace_id"] for row in said] == ["tr-0", "tr-1", "tr-2", "tr-3", None]
    assert said[0]["text"] == "not judged: it cannot be read: the column `trace` is no JSON: [1"
    assert said[3]["text"].endswith("a row of a table of traces, without the column `trace` or `spans`")
    assert said[0]["findings"] == [
        {
            "rule": "trace.not_judged",
            "where": "tr-0",
            "expected": None,
            "actual": "it cannot be read: the column `trace` is no JSON: [1",
            "hint": None,
        }
    ]
    assert said[4]["findings"][0]["where"] == "a row without an id"


def test_a_trace_that_began_at_the_watermark_or_later_is_not_judged():
    began = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    traces = [
        moved(stored("agent", ["plan"], id="tr-0"), began - timedelta(microseconds=1)),
        moved(stored("agent", ["plan"], id="tr-1"), began),
        moved(stored("agent", ["delete_table"], id="tr-2"), began + timedelta(days=1)),
        stored(id="tr-3") | {"info": {"trace_id": "tr-3", "state": "OK", "tags": {}, "trace_metadata": {}}},
    ]

    said = judge(json_rows(traces), CAREFUL, watermark=began).to_pylist()

    assert [row["verdict"] for row in said] == ["holds", *["not judged"] * 3]
    assert {row["text"] for row in said[1:]} == {"not judged: it is younger than the watermark"}


def moved(trace, time):
    ns = int((time - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(microseconds=1)) * 1000
    for each_span in trace["data"]["spans"]:
        for key in ("start_time_unix_nano", "end_time_unix_nano"):
            each_span[key] += ns
    trace["info"]["request_time"] = time.isoformat(timespec="milliseconds")
    return trace


def test_a_rule_over_sessions_is_left_out_of_a_trace_of_one():
    paid = Contract("paid", each(span("pay"), per="session").after(span("auth")))
    trace = stored("pay", id="tr-1")
    trace["info"]["trace_metadata"][SESSION] = "s"

    assert judge(json_rows([trace]), paid)["verdict"].to_pylist() == ["not judged"]


@pytest.mark.parametrize("form", ["file", "path", "text", "name"])
def test_a_contract_comes_as_a_file_a_text_or_a_name(form, tmp_path):
    path = tmp_path / "careful.toml"
    path.write_text(CAREFUL.to_toml())
    given = {"file": str(path), "path": path, "text": CAREFUL.to_toml(), "name": f"{__name__}:CAREFUL"}[form]

    said = judge(json_rows(TRACES), given)

    assert (said["verdict"].to_pylist(), set(said["contract"].to_pylist())) == ([*EXPECTED.values()], {"careful"})


def test_an_expectation_that_has_no_name_is_called_as_it_was_asked_for():
    said = judge(json_rows([HOLDS]), "tests.tables.test_judge:NEVER")

    assert said["contract"].to_pylist() == ["tests.tables.test_judge:NEVER"]


NEVER = never(span("delete_table"))
SLOW = Contract("slow", Budget(latency="2s", p95_of={"agent": "1s"}))
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001  # what is wrong with it


@pytest.mark.parametrize(
    ("batch", "contract", "more", "kind", "says"),
    [
        (
            pa.RecordBatch.from_pydict({"price": [1]}), CAREFUL, {}, ValueError,
            "not a table of traces: it has no column `trace`, no `trace_id` with `spans`, and its columns are 'price'",
        ),
        (
            arrow_table(span_rows(HOLDS)).to_batches()[0], CAREFUL, {}, ValueError,
            "judge() takes a row a trace, and these are a row a span: findings() of Spark groups them",
        ),
        (
            json_rows([HOLDS]), SLOW, {}, ValueError,
            "judge(): p95_of is about a whole table, and this is a part of one: findings() of Spark has it",
        ),
        (
            json_rows([HOLDS]), 5, {}, TypeError,
            "judge() takes a contract, its file, or its module:NAME, got 5",
        ),
        (
            json_rows([HOLDS]), "nowhere.toml", {}, ValueError, None,
        ),
        (
            json_rows([HOLDS]), CAREFUL, {"watermark": NAIVE}, ValueError,
            "judge(): watermark=datetime.datetime(2026, 1, 1, 0, 0) has no time zone; say datetime.now(timezone.utc)",
        ),
        (
            json_rows([HOLDS]), CAREFUL, {"watermark": "yesterday"}, TypeError,
            "judge(): watermark is a datetime, got 'yesterday'",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_at_all_is_an_error(batch, contract, more, kind, says):
    with pytest.raises(
        kind, match=r"judge\('nowhere.toml'\): there is no such file" if says is None else exactly(says)
    ):
        judge(batch, contract, **more)


def test_no_rows_are_no_verdicts():
    said = judge(json_rows([HOLDS]).slice(0, 0), CAREFUL)

    assert (said.num_rows, said.schema) == (0, VERDICTS)
