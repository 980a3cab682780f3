"""`--html PATH` of the commands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_mlflow_traces.cli import main
from tests.support.building import node
from tests.support.pages import data_of
from tests.support.storing import line

CONTRACTS = """
from pytest_mlflow_traces import Budget, span

CALLS = span("agent")[span("plan"), span("search")]
FAST = Budget(latency="1h")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    pytest.importorskip("jinja2")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "html_contracts.py").write_text(CONTRACTS)
    yield tmp_path
    sys.modules.pop("html_contracts", None)


def run(*args):
    result = CliRunner().invoke(main, [*args, "--html", "out/page.html"])
    page = Path("out/page.html")
    return result, page.read_text() if page.exists() else None


def write(name, *lines):
    Path(name).write_text("\n".join(lines))


def test_show_has_every_trace_that_it_prints():
    write("a.jsonl", line("agent", ["plan"], test="test_a"), line("other", test="test_b"))
    printed = CliRunner().invoke(main, ["show", "a.jsonl"]).stdout

    result, html = run("show", "a.jsonl", "--test", "test_")

    data = data_of(html)
    assert (result.exit_code, result.stdout) == (0, printed)
    assert result.stderr == "page written to out/page.html\n"
    assert "<h1>MLflow traces: 2 traces of a.jsonl</h1>" in html
    assert [(each["name"], each["outcome"], each["texts"][0]) for each in data["entries"]] == [
        ("test_a", "whole", "agent"),
        ("test_b", "whole", "other"),
    ]


def test_show_puts_what_is_not_whole_first():
    write("a.jsonl", line("agent", test="test_a"), line(node("late @1-"), test="test_b"))

    entries = data_of(run("show", "a.jsonl")[1])["entries"]

    assert [(each["name"], each["outcome"], each["failed"]) for each in entries] == [
        ("test_b", "not whole", True),
        ("test_a", "whole", False),
    ]
    assert entries[0]["traces"][0]["problems"] == ["unfinished: span late has no end time"]


def test_check_shows_what_each_trace_lacks():
    write("a.jsonl", line("agent", ["plan"]), line("agent", ["plan", "search"]))

    contracts = "--contract", "html_contracts:CALLS", "--contract", "html_contracts:FAST"
    result, html = run("check", "a.jsonl", *contracts, "--json")

    data = data_of(html)
    assert result.exit_code == 1
    assert result.stdout == CliRunner().invoke(main, ["check", "a.jsonl", *contracts, "--json"]).stdout
    assert "<h1>MLflow traces: 2 traces: 1 hold, 1 do not</h1>" in html
    assert [(each["outcome"], [finding["rule"] for finding in each["findings"]]) for each in data["entries"]] == [
        ("does not hold", ["shape.missing"]),
        ("holds", []),
    ]
    assert [(mark["mark"], mark["label"]) for mark in data["spans-0"][0]["marks"]] == [("-", "search")]
    assert data["entries"][0]["source"][0] == "a.jsonl, line 1"


def test_check_counts_what_holds_beyond_what_anybody_looks_at(monkeypatch):
    monkeypatch.setattr("pytest_mlflow_traces.cli.pages._HOLDING", 2)
    write("a.jsonl", *[line("agent")] * 5)

    html = run("check", "a.jsonl", "--contract", "html_contracts:FAST")[1]

    assert len(data_of(html)["entries"]) == 2
    assert "<li>Left out: 3 more traces against which there is nothing to say.</li>" in html


def test_diff_shows_both_sides():
    write("old.jsonl", line("agent", ["plan", "search"], test="test_a"), line("agent", test="test_same"))
    write("new.jsonl", line("agent", ["plan", "answer"], test="test_a"), line("agent", test="test_same"))

    result, html = run("diff", "old.jsonl", "new.jsonl")

    data = data_of(html)
    entry = data["entries"][0]
    assert result.exit_code == 1
    assert "<h1>MLflow traces: 2 tests: 1 different, 1 the same</h1>" in html
    assert [(each["name"], each["outcome"], each["failed"]) for each in data["entries"]] == [
        ("test_a", "differs", True),
        ("test_same", "same", False),
    ]
    assert [each["label"] for each in entry["traces"]] == ["old", "new"]
    assert [[entry["texts"][k] for k in spans["name"]] for spans in data["spans-0"]] == [
        ["agent", "plan", "search"],
        ["agent", "plan", "answer"],
    ]
    assert [[mark["mark"] for mark in spans["marks"]] for spans in data["spans-0"]] == [[], ["~"]]


def test_diff_shows_the_side_that_is_there():
    write("old.jsonl", line("agent", test="test_a"))
    write("new.jsonl", line("agent", test="test_b"))

    entries = data_of(run("diff", "old.jsonl", "new.jsonl")[1])["entries"]

    assert [(each["message"], [trace["label"] for trace in each["traces"]]) for each in entries] == [
        ("only in the old traces", ["old"]),
        ("only in the new traces", ["new"]),
    ]


COMMANDS = [("show", "a"), ("check", "a", "--contract", "html_contracts:FAST"), ("diff", "a", "a")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_without_jinja_a_command_says_what_to_install(command, monkeypatch):
    write("a", line("agent"))
    monkeypatch.setitem(sys.modules, "jinja2", None)

    result, html = run(*command)

    assert (result.exit_code, result.stdout, html) == (2, "", None)
    assert "--html needs Jinja2: pip install 'pytest-mlflow-traces[html]'" in result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_page_that_cannot_be_written_is_no_answer(command):
    write("a", line("agent"))
    write("out", "a file")

    result = CliRunner().invoke(main, [*command, "--html", "out/page.html"])
    empty = CliRunner().invoke(main, [*command, "--html", " "])

    assert result.exit_code == empty.exit_code == 2
    assert "the page was not written: " in result.stderr
    assert "--html: the path is empty" in empty.stderr


def test_diff_puts_what_changed_without_being_wrong_on_the_new_side():
    write("old.jsonl", line("agent @0-10", ["plan @1-2"], test="test_a"))
    write("new.jsonl", line("agent @0-900", ["plan @1-2"], test="test_a"))

    result, html = run("diff", "old.jsonl", "new.jsonl")

    assert result.exit_code == 0
    assert [[mark["text"] for mark in spans["marks"]] for spans in data_of(html)["spans-0"]] == [
        [],
        [["soft.latency: expected 10 ms, got 900 ms"]],
    ]
