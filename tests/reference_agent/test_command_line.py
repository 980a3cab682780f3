"""`python -m reference_agent`."""

import json
import os
import runpy
import sys
from contextlib import nullcontext

import mlflow
import pytest
from click.testing import CliRunner

from reference_agent import __main__ as command_line
from reference_agent.stubs.scenarios import SCENARIOS
from tests.reference_agent.reading import tags


@pytest.fixture
def run(captured, monkeypatch):
    """Run the command in this process, on the store of the test."""
    monkeypatch.setattr(command_line, "temporary_tracking", nullcontext)
    return lambda *arguments: CliRunner().invoke(command_line.main, arguments)


def test_answer_tree_and_tags_are_printed(run):
    result = run("Why did costs spike?", "--session", "s1")

    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "Why did costs spike?"
    assert lines[1].startswith("- cost: Spend rose 42%")
    assert "├─ load_context  MEMORY" in result.output
    assert "│     └─ genie_query  TOOL" in result.output
    assert "session_id          s1" in lines
    assert "has_error           false" in lines


def test_failure_is_printed_with_its_tree_and_the_exit_status_says_so(run):
    result = run("--fault", "genie-403")

    assert result.exit_code == 1
    assert result.output.startswith("GeniePermissionError: space cost-space: scripted 403")
    assert "genie_attempt  TOOL" in result.output
    assert "ERROR GeniePermissionError" in result.output
    assert "error_type          GeniePermissionError" in result.output


def test_json_is_one_object(run):
    result = run("--json", "--user", "ada")

    printed = json.loads(result.output)
    assert printed["answer"]["domains"] == ["cost"]
    assert printed["error"] is None
    assert printed["trace"]["state"] == "OK"
    assert printed["trace"]["tags"]["user_id"] == "ada"
    (root,) = printed["trace"]["spans"]
    assert root["name"] == "orchestrator_invoke"
    assert root["children"][0]["name"] == "load_context"


def test_json_of_a_failure_names_the_error(run):
    printed = json.loads(run("--json", "--fault", "genie-hang").output)

    assert printed["answer"] is None
    assert printed["error"]["type"] == "AgentTimeoutError"
    assert printed["trace"]["tags"]["error_type"] == "AgentTimeoutError"


@pytest.mark.parametrize(
    ("fault", "tag", "value"),
    [
        ("genie-failed", "error_type", "GenieFailedError"),
        ("genie-cancelled", "error_type", "GenieCancelledError"),
        ("genie-expired", "error_type", "GenieResultExpiredError"),
        ("genie-429", "has_error", "false"),
        ("genie-403", "error_type", "GeniePermissionError"),
        ("genie-404", "error_type", "GenieSpaceNotFoundError"),
        ("genie-500", "error_type", "GenieServerError"),
        ("genie-html", "error_type", "GenieBadResponseError"),
        ("genie-empty", "error_type", "GenieBadResponseError"),
        ("genie-hang", "error_type", "AgentTimeoutError"),
        ("security-403", "failed_domains", "security"),
        ("intent-malformed", "confidence", "0.3"),
        ("model-down", "error_type", "ModelUnavailableError"),
        ("search-down", "utility_tools_used", "runbook_rag"),
        ("memory-down", "has_error", "false"),
    ],
)
def test_every_fault_does_what_it_says(run, captured, fault, tag, value):
    run(
        "Are costs and access fine, or is there an outage?" if fault in ("security-403", "search-down") else "cost",
        "--fault",
        fault,
    )

    assert tags(captured.one())[tag] == value


def test_every_fault_is_tested():
    parameters = test_every_fault_does_what_it_says.pytestmark[0].args[1]
    assert sorted(parameter[0] for parameter in parameters) == sorted(SCENARIOS)


def test_help_lists_the_faults(run):
    result = run("--help")

    assert result.exit_code == 0
    for name, scenario in SCENARIOS.items():
        assert f"{name:<17} {scenario.summary}" in result.output
    assert max(map(len, result.output.splitlines())) <= 100


def test_misspelt_fault_is_refused(run):
    result = run("--fault", "genie-404x")

    assert result.exit_code == 2
    assert "genie-404x" in result.output


def test_request_that_left_no_trace_says_why(run):
    mlflow.tracing.disable()
    try:
        result = run()
    finally:
        mlflow.tracing.enable()

    assert result.exit_code == 1
    assert "is tracing disabled?" in result.output


def test_module_runs_without_a_network_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    """Though the environment points to servers, which must not be asked."""
    for name, value in {
        "MLFLOW_TRACKING_URI": "https://tracking.test",
        "MLFLOW_EXPERIMENT_NAME": "nowhere",
        "DATABRICKS_HOST": "https://workspace.test",
        "DATABRICKS_TOKEN": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ), mlflow.get_tracking_uri()
    asked = []
    monkeypatch.setattr("socket.socket.connect", lambda _, address: asked.append(address))
    monkeypatch.setattr("sys.argv", ["reference_agent", "Why did costs spike?", "--json"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "reference_agent.__main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("reference_agent", run_name="__main__")

    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["trace"]["state"] == "OK"
    assert asked == []
    assert list(tmp_path.iterdir()) == []
    assert (dict(os.environ), mlflow.get_tracking_uri()) == before
