"""What `benchmarks.scale` generates is what it says: every verdict that it expects, the command line gives, too."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from pytest_mlflow_traces import Contract, read_traces
from pytest_mlflow_traces.core.judgements import Judge

pa = pytest.importorskip("pyarrow", reason="the tables are of Arrow")

from pyarrow import parquet  # noqa: E402  # behind the skip

from benchmarks.scale.tables import TABLES, mlflow_trace  # noqa: E402
from benchmarks.scale.traces import CONTRACT, FAULTS, LATE, LOST, SLOW, TROUBLES, YOUNG, Case, case  # noqa: E402

SORTS = [(fault, trouble) for fault in (None, None, None, *FAULTS) for trouble in (None, LOST, LATE)]
# but those after the watermark, of which files know nothing
CASES = [
    Case(number, fault, trouble, fault is not None or number % 2 == 0, number % 3 == 0, 6_000 if fault == SLOW else 900)
    for number, (fault, trouble) in enumerate(SORTS)
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_check_gives_the_expected_verdict_on_each_trace(table, tmp_path):
    rows = pa.Table.from_pylist(list(table.rows(CASES)), schema=table.schema)
    parquet.write_table(rows, tmp_path / "t.parquet")
    judge = Judge(Contract.read(CONTRACT))

    judged = {trace.id: judge.judge(trace) for trace in read_traces(tmp_path / "t.parquet")}

    inside = [each for each in CASES if table.name != "trace_unified" or each.trouble != LOST]
    assert {id_: said.verdict for id_, said in judged.items()} == {each.trace_id: each.verdict for each in inside}
    found = {id_: list(said.rules) for id_, said in judged.items() if said.verdict == "fails"}
    assert found == {each.trace_id: each.rules for each in inside if each.verdict == "fails"}
    assert len(found) == len(FAULTS)


def test_what_has_not_arrived_yet_would_be_taken_for_a_fault(read_traces_of):
    young = Case(1, trouble=YOUNG)
    (trace,) = read_traces_of(young)

    assert Judge(Contract.read(CONTRACT)).judge(trace).verdict == "fails"
    assert young.verdict == "not judged"


def test_the_shares_of_what_is_wrong():
    drawn = [case(1, number) for number in range(20_000)]

    verdicts = Counter(each.verdict for each in drawn)
    assert 160 <= verdicts["fails"] <= 240
    assert 60 <= verdicts["not judged"] <= 180
    assert 1_600 <= verdicts["not applicable"] <= 2_400
    assert {each.fault for each in drawn if each.rules} == {*FAULTS}
    assert {each.trouble for each in drawn} == {None, *TROUBLES}
    assert {len(each.spans) for each in drawn if each.verdict == "holds"} == {10}


def test_a_seed_draws_the_same_traces_again():
    assert [case(7, number) for number in range(50)] == [case(7, number) for number in range(50)]
    assert [case(7, number) for number in range(50)] != [case(8, number) for number in range(50)]


@pytest.fixture
def read_traces_of(tmp_path):
    """Read traces back from JSON Lines."""

    def read(*cases):
        path = tmp_path / "t.jsonl"
        path.write_text("".join(json.dumps(mlflow_trace(each)) + "\n" for each in cases))
        return read_traces(path)

    return read
