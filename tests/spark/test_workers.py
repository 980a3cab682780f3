"""What the workers do, without the engine: batches come in and batches go out, and a contract gets there by pickle."""

from __future__ import annotations

import pickle
import sys
from datetime import timedelta

import pytest

from pytest_mlflow_traces import Budget, Contract, each, never, span
from tests.support.databricks import arrow_table, unified_row
from tests.support.messages import exactly
from tests.support.spark import BEGAN, made, without

pa = pytest.importorskip("pyarrow", reason="pyarrow has the tables")
from pytest_mlflow_traces.spark import findings  # noqa: E402  # where there is no pyarrow, there are no tables
from pytest_mlflow_traces.spark.workers import Asked  # noqa: E402
from pytest_mlflow_traces.tables import nanoseconds  # noqa: E402

PAID = Contract("paid", each(span("pay"), per="session").after(span("auth")), never(span("delete_table")))
TRACES = [
    made(1, "auth", session="good"),
    made(2, "pay", session="good", after=timedelta(hours=1)),
    made(3, "pay", session="bad"),
    made(4, "delete_table"),
    without(made(5, "agent", ["look"]), 0),
]
EXPECTED = {1: "holds", 2: "holds", 3: "fails", 4: "fails", 5: "not judged"}


def asked(contract, since=None, watermark=None):
    """Return what was asked, as it arrives at a worker."""
    times = (nanoseconds(time, "findings", "since") for time in (watermark, since))
    return pickle.loads(pickle.dumps(Asked(contract, "paid", *times)))


def batches(traces):
    rows = [*map(unified_row, traces), unified_row(TRACES[0]) | {"trace_id": None}]  # the last cannot be read
    return arrow_table(rows).to_batches(max_chunksize=2)


def verdicts(made_batches):
    rows = [row for batch in made_batches for row in batch.to_pylist()]
    return {row["trace_id"]: row["verdict"] for row in rows}


@pytest.mark.parametrize("contract", [PAID, PAID.to_toml()])
def test_sessions_are_read_by_one_worker_and_judged_by_another(contract):
    read = pa.Table.from_batches(asked(contract).read(batches(TRACES)))

    found = {}
    for session in set(read["session"].to_pylist()):
        group = read.filter(pa.compute.equal(read["session"], session))
        found |= verdicts([asked(contract).judged_together(group)])

    broken = found.pop(None)
    assert (broken, {int(key, 16): verdict for key, verdict in found.items()}) == (
        "not judged",
        EXPECTED,
    )
    sessions = dict(zip(read["trace_id"].to_pylist(), read["session"].to_pylist(), strict=True))
    assert sessions[f"{1:032x}"] == sessions[f"{2:032x}"] == "session good"
    assert sessions[f"{4:032x}"].isdecimal()


def test_a_worker_leaves_out_what_an_earlier_run_has_judged():
    later = asked(Contract("careful", never(span("delete_table"))), since=BEGAN + timedelta(minutes=1))

    assert verdicts(later.judged(batches(TRACES))) == {f"{2:032x}": "holds", None: "not judged"}
    group = pa.Table.from_batches(asked(PAID).read(batches(TRACES[2:3])))
    assert verdicts([asked(PAID, since=BEGAN + timedelta(days=1)).judged_together(group)]) == {None: "not judged"}


def test_samples_are_of_what_is_judged_with_a_row_for_each_trace():
    slow = Contract("slow", Budget(p95_of={"pay": "1s"}))
    watermark = BEGAN + timedelta(minutes=1)

    rows = [row for batch in asked(slow).samples(batches(TRACES)) for row in batch.to_pylist()]
    old = [row for batch in asked(slow, watermark=watermark).samples(batches(TRACES)) for row in batch.to_pylist()]

    assert [row["where"] for row in rows if row["number"] == 0] == [f"pay of trace {k:032x}" for k in (2, 3)]
    assert [sum(row["number"] == -1 for row in said) for said in (rows, old)] == [4, 3]


def test_the_numbers_of_a_percentile_become_a_verdict():
    slow = Contract("slow", Budget(p95_of={"pay": "1ms"}))
    numbers = {"count": 20, "p95": 2_000_000, "worst": 3_000_000, "slowest": "pay", "backwards": 0, "first": "pay"}
    batch = pa.RecordBatch.from_pylist([{"traces": 20, "percentiles": [numbers]}])

    (row,) = next(asked(slow).percentiles([batch])).to_pylist()

    assert (row["trace_id"], row["verdict"], row["rules"]) == (None, "fails", ["budget.p95"])


def test_without_pyspark_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)

    with pytest.raises(
        ImportError, match=exactly("findings() needs pyspark: pip install 'pytest-mlflow-traces[spark]'")
    ):
        findings(None, PAID)
