"""The example of an airline's policies: its figures, and that each rule catches what it is there for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples.policies.__main__ import CONTRACT, POLICIES, figures
from examples.policies.runs import as_mlflow, read_runs
from pytest_mlflow_traces import Trace
from pytest_mlflow_traces.core.contract_files.lint import lint
from pytest_mlflow_traces.core.contract_files.names import unknown_names

FOLDER = Path(__file__).parents[2] / "examples" / "policies"


@pytest.fixture(scope="module")
def said():
    return figures()


def test_the_page_has_the_figures_of_the_command(said):
    page = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert f"<!-- figures -->\n\n{said}\n\n<!-- end -->" in page


def test_the_page_names_each_policy():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert [policy.name for policy in POLICIES] == [
        line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.count(" | ") == 2
    ][1:]


def test_nothing_in_the_contract_is_in_vain():
    text = CONTRACT.read_text(encoding="utf-8")
    traces = [Trace.from_json(json.dumps(as_mlflow(run))) for run in read_runs()]

    assert lint(text) == []
    assert unknown_names(text, {(span.name, span.type) for trace in traces for span in trace.spans}) == []


def test_the_command_writes_runs_and_traces_of_a_file(tmp_path):
    run = next(read_runs())
    file = tmp_path / "runs.jsonl"
    file.write_text(json.dumps(run) + "\n")

    def command(*args):
        return subprocess.run(
            [sys.executable, "-m", "examples.policies", file, *args],
            capture_output=True,
            text=True,
            check=True,
            cwd=FOLDER.parents[1],
        ).stdout

    assert command().startswith("1 runs, of which the benchmark passed 0. A policy is broken by 0:")
    assert Trace.from_json(command("--traces")).id == run["id"]


def call(name, turn=1, *, facts=None, error=False, **args):
    return {"name": name, "turn": turn, "args": args, "facts": facts or {}, "error": error}


READ = call("get_reservation_details", reservation_id="A")
OLD = {"cabin": "economy", "insurance": "no", "created_at": "2024-05-01T00:00:00"}
USER = call("get_user_details", user_id="u", facts={"membership": "regular"})
PAID = [{"payment_id": f"certificate_{number}", "amount": 1} for number in range(2)]


@pytest.mark.parametrize(
    ("calls", "broken"),
    [
        ([USER, call("book_reservation", 2, user_id="u", payment_methods=PAID[:1])], []),
        ([call("book_reservation", 2, user_id="u", payment_methods=[])], ["known customer"]),
        ([USER, call("book_reservation", 2, user_id="other", payment_methods=[])], ["known customer"]),
        ([USER, call("book_reservation", 2, user_id="u", payment_methods=PAID)], ["few payments"]),
        ([USER, call("book_reservation", user_id="u", payment_methods=[])], ["confirmed by the user"]),
        ([READ, call("update_reservation_flights", 2, reservation_id="A")], []),
        ([READ, call("update_reservation_flights", 2, reservation_id="B")], ["known reservation"]),
        ([READ, call("update_reservation_flights", reservation_id="A")], ["confirmed by the user"]),
        (
            [
                READ,
                call("update_reservation_flights", 2, reservation_id="A", error=True),
                call("update_reservation_flights", 2, reservation_id="A"),
            ],
            ["confirmed by the user"],
        ),
        (
            [{**READ, "facts": OLD}, call("cancel_reservation", 2, reservation_id="A")],
            ["may be cancelled"],
        ),
        (
            [{**READ, "facts": {**OLD, "insurance": "yes"}}, call("cancel_reservation", 2, reservation_id="A")],
            [],
        ),
        (
            [{**READ, "facts": {**OLD, "created_at": "2024-05-15"}}, call("cancel_reservation", 2, reservation_id="A")],
            [],
        ),
        (
            [
                {**READ, "facts": OLD},
                call("update_reservation_flights", 2, reservation_id="A", cabin="business"),
                call("cancel_reservation", 3, reservation_id="A"),
            ],
            [],
        ),
        ([USER, {**READ, "facts": OLD}, call("send_certificate", 2, user_id="u", amount=50)], ["compensation"]),
        ([USER, call("send_certificate", 2, user_id="u", amount=50)], ["compensation"]),
        (
            [USER, {**READ, "facts": {**OLD, "insurance": "yes"}}, call("send_certificate", 2, user_id="u", amount=50)],
            [],
        ),
        ([call("transfer_to_human_agents"), call("calculate", 2)], ["handed over"]),
        ([call("calculate"), call("transfer_to_human_agents", 2)], []),
    ],
)
def test_each_policy_catches_what_breaks_it(calls, broken):
    run = {"id": "run", "task": 0, "passed": False, "turns": 3, "calls": calls}
    trace = Trace.from_json(json.dumps(as_mlflow(run)))

    assert [policy.name for policy in POLICIES if policy.check(trace)] == broken
