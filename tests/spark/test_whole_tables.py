"""What a contract says of several traces of a table together: of a session, and of all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_mlflow_traces import Budget, Contract, each, if_present, never, span
from tests.support.spark import BEGAN, by_id, made, of_json, spans, verdicts, view, without

pytest.importorskip("pyarrow", reason="pyarrow has the tables")
pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'pytest-mlflow-traces[spark]'")
from pytest_mlflow_traces.spark import findings

# pyspark leaves its sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")

PAID = Contract("paid", each(span("pay"), per="session").after(span("auth")), never(span("delete_table")))


def hour(number, *specs, session):
    """Return a trace of an hour of its own; the session is in an attribute, too, as tables of spans have it."""
    said = {} if session is None else {"session.id": session}
    return made(number, *specs, session=session, after=timedelta(hours=number), attributes=said)


SESSIONS = [
    hour(1, "auth", session="good"),
    hour(2, "pay", session="good"),
    hour(3, "look", session="bad"),
    hour(4, "pay", session="bad"),
    hour(5, "pay", session=None),
    hour(6, "delete_table", session="good"),
    hour(7, "pay", session="lost"),
    without(hour(8, "auth", ["ask"], session="lost"), 0),
    hour(9, "auth", session=None),
]
EXPECTED = {
    1: "holds", 2: "holds", 6: "fails",  # the good session
    3: "fails", 4: "holds",  # the bad one: told at its first trace
    7: "not judged", 8: "not judged",  # one that is not whole
    5: "fails", 9: "fails",  # none: there is no pay in the last, and nothing holds of what is not there
}  # fmt: skip


@pytest.mark.parametrize("schema", [view, spans, of_json])
def test_rules_over_sessions_see_all_traces_of_one(spark, schema):
    found = by_id(findings(schema(spark, SESSIONS[::-1]), PAID))

    assert {int(key, 16): row.verdict for key, row in found.items()} == EXPECTED
    assert found[f"{3:032x}"].rules == ["order.after"]
    assert found[f"{6:032x}"].rules == ["order.never"]
    assert found[f"{7:032x}"].text.startswith("not judged: trace 'ask': orphan")


def test_a_session_that_goes_on_is_judged_as_a_whole_again(spark):
    found = verdicts(findings(view(spark, SESSIONS), PAID, since=BEGAN + timedelta(hours=4)))

    assert {int(key, 16): verdict for key, verdict in found.items()} == EXPECTED  # each session has one since then

    found = verdicts(findings(view(spark, SESSIONS), PAID, since=BEGAN + timedelta(hours=7)))

    assert sorted(int(key, 16) for key in found) == [7, 8, 9]


def test_rows_that_cannot_be_read_are_not_judged_beside_sessions(spark):
    table = spark.createDataFrame([("a", "{}"), ("b", None)], "trace_id STRING, trace STRING")

    assert verdicts(findings(table, PAID)) == {"a": "not judged", "b": "not judged"}


# -- percentiles


def timed(number, *milliseconds):
    return made(number, "agent", [f"search TOOL @{1}-{1 + each_ms}" for each_ms in milliseconds])


@pytest.mark.parametrize(("most", "verdict"), [("95ms", "holds"), ("94.999ms", "fails")])
def test_a_percentile_is_exact_and_has_a_row_of_its_own(spark, most, verdict):
    """By nearest rank, of 1 to 100 ms the 95th is 95 ms."""
    contract = Contract("fast", Budget(p95_of={"search": most}, latency="1m"))
    table = view(spark, [timed(number, *range(number * 10 + 1, number * 10 + 11)) for number in range(10)])

    found = by_id(findings(table, contract))

    assert [found[f"{number:032x}"].verdict for number in range(10)] == ["holds"] * 10
    row = found[None]
    assert (row.verdict, row.request_time, row.shape) == (verdict, None, None)
    if verdict == "holds":
        assert row.text == "contract 'fast' holds of 10 traces together"
    else:
        assert row.text == (
            "contract 'fast': 10 traces together:\n"
            "  budget.p95 at 'search': expected a p95 of at most 94.999 ms, "
            "got 95 ms of 100 samples (1.00001 times the limit)"
            f" (the slowest took 100 ms: agent > search[10] of trace {9:032x})"
        )


def test_of_percentiles_each_looks_at_what_its_contract_is_about(spark):
    contract = Contract(
        "all",
        Contract("tools", Budget(p95_of={"search": "1s", "none": if_present("1s")}), applies_to=span("other")),
        Budget(p95_of={"none": "1s", "agent": "1s"}),
    )
    table = spans(spark, [timed(number, 5, 5) for number in range(3)])

    (row,) = [row for row in findings(table, contract).collect() if row.trace_id is None]

    assert sorted((f.rule, f.where) for f in row.findings) == [
        ("budget.absent", "span('none')"),
        ("budget.absent", "span('search')"),
        ("budget.samples", "span('agent')"),
    ]


def test_where_percentiles_are_all_that_is_asked_a_trace_by_itself_has_no_verdict(spark):
    contract = Contract("fast", Budget(p95_of={"search": "1s"}))
    table = view(spark, [timed(1, 5), without(timed(2, 5), 0)])

    found = by_id(findings(table, contract))

    assert [found[key].verdict for key in (f"{1:032x}", f"{2:032x}", None)] == ["not applicable", "not judged", "fails"]
    assert found[None].text.endswith(
        "got 1 in 1 trace (of fewer it is the maximum: run it more often, or limit each span by latency_of)"
    )


def test_a_percentile_of_no_trace_is_not_judged(spark):
    contract = Contract("fast", Budget(p95_of={"search": if_present("1s")}))

    found = by_id(findings(view(spark, [without(timed(2, 5), 0)]), contract))

    assert found[None].verdict == "not judged"


def test_a_span_that_ends_before_it_starts_is_told(spark):
    backwards = timed(0, 5)
    backwards["data"]["spans"][1]["end_time_unix_nano"] -= 10_000_000
    contract = Contract("fast", Budget(p95_of={"search": "1s"}))
    table = view(spark, [backwards, *(timed(number, 5) for number in range(1, 25))])

    found = by_id(findings(table, contract))[None]

    assert (found.verdict, found.rules) == ("fails", ["budget.latency"])
    assert found.findings[0].actual == "1 span that ended before it started"
    assert found.findings[0].where == f"agent > search of trace {0:032x}"
