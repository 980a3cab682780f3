"""`check` of the traces in a tracking store: the one of a capture, which is as real as any to MLflow's client."""

from __future__ import annotations

import json
import sys

import mlflow
import pytest
from click.testing import CliRunner

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.cli import main, tracking_store
from tests.capture.programs import needs_full_mlflow

pytestmark = needs_full_mlflow

CONTRACTS = """
from pytest_mlflow_traces import span

SEARCHES = span("agent", has=span("search"))
"""


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """Three traces in one experiment, the last of which searches nothing, and one in another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "contracts.py").write_text(CONTRACTS)
    monkeypatch.setattr(tracking_store, "_PAGE", 2)
    with capture_traces():
        for name, experiment in (("search", "one"), ("search", "one"), ("plan", "one"), ("search", "two")):
            mlflow.set_experiment(experiment)
            with mlflow.start_span("agent"), mlflow.start_span(name):
                pass
        yield
    sys.modules.pop("contracts", None)


def run(*args):
    result = CliRunner().invoke(main, ["check", "memory://", "--contract", "contracts:SEARCHES", *args])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_all_traces_of_an_experiment_are_checked_page_after_page():
    result = run("--experiment", "one", "--json")

    failure, conclusion = map(json.loads, result.output.splitlines())
    assert failure["where"] == f"memory://, trace {failure['trace_id']}"
    assert (conclusion["traces"], conclusion["failed"], result.exit_code) == (3, 1, 1)


def test_several_experiments_may_be_asked_for_by_name_or_id():
    number = mlflow.get_experiment_by_name("two").experiment_id

    assert "\n4 traces: 3 hold, 1 do not\n" in run("--experiment", "one", "--experiment", number).output
    assert run("--experiment", number).exit_code == 0


def test_a_filter_of_mlflow_picks_them():
    output = run("--experiment", "one", "--filter", "attributes.status = 'ERROR'").output

    assert output == "no traces: nothing was checked\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--experiment", "three"], "memory://: there is no experiment 'three'"),
        (["--experiment", "one", "--filter", "nonsense"], "memory://: Invalid"),
    ],
)
def test_what_cannot_be_asked_is_told(args, says):
    result = run(*args)

    assert result.exit_code == 2
    assert f"Error: {says}" in result.output


@pytest.mark.parametrize("uri", ["sqlite:///typo.db", "sqlite+pysqlite:///typo.db", "sqlite:///file:typo.db?uri=true"])
def test_a_file_of_sqlite_that_is_not_there_is_not_made(tmp_path, uri):
    result = CliRunner().invoke(main, ["check", uri, "--contract", "contracts:SEARCHES", "--experiment", "one"])

    assert (result.exit_code, result.output) == (2, f"Error: {uri}: there is no file typo.db\n")
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["contracts.py"]


def test_a_database_in_memory_has_no_file():
    assert [tracking_store._sqlite_file(uri) for uri in ("sqlite:///:memory:", "sqlite://", "postgresql:///x")] == [
        None
    ] * 3
