"""`pytest-mlflow-traces mutate`: what a contract does not notice in stored traces."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_mlflow_traces.cli import main
from tests.support.storing import line

AGENT = "agent AGENT", ["plan", "search TOOL"]
CONTRACTS = """
from pytest_mlflow_traces import Contract, each, span

STRICT = span("agent", type="AGENT", status="OK")[
    span("plan", type="UNKNOWN", status="OK")[()], span("search", type="TOOL", status="OK")[()]
]
SEARCHES = Contract("searches", span("agent")[..., span("search")], applies_to=span("agent"))
BEFORE = each(span("search")).after(span("plan"))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "contracts.py").write_text(CONTRACTS)
    yield
    sys.modules.pop("contracts", None)


def run(*args, contract="SEARCHES"):
    result = CliRunner().invoke(main, ["mutate", *args, "--contract", f"contracts:{contract}"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def write(name, *lines):
    Path(name).write_text("\n".join(lines))


def test_what_a_contract_does_not_notice_is_told():
    write("t.jsonl", line(*AGENT, test="test_a"), line(*AGENT, test="test_b", id="tr-2"))

    result = run("t.jsonl")

    assert result.exit_code == 0
    assert (
        result.output
        == """\
4 of 16 mutants noticed, 25 % (shape, status)
nothing notices when `plan` is gone, is there twice, is inside `search`, has another name, has another type or ends \
in an error (2 traces, 2 tests)
nothing notices what happens to `agent` (2 traces, 2 tests)
nothing notices when `search` is there twice, has another type or ends in an error (2 traces, 2 tests)
"""
    )


def test_a_strict_pattern_notices_all():
    write("t.jsonl", line(*AGENT))

    result = run("t.jsonl", "--fail-under", "100", contract="STRICT")

    assert (result.exit_code, result.output) == (0, "16 of 16 mutants noticed, 100 % (shape, status)\n")


def test_a_rule_of_order_is_a_contract():
    write("t.jsonl", line(*AGENT))

    assert "swapped" not in json.loads(run("t.jsonl", "--json", contract="BEFORE").output)["survivors"][0]["edits"]


def test_under_the_floor_it_fails():
    write("t.jsonl", line(*AGENT))

    result = run("t.jsonl", "--fail-under", "40")

    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == "25 %: less than the 40 % that were asked for"


def test_what_is_not_whole_broken_or_none_of_its_is_left_out():
    write("t.jsonl", line("late @5-"), line("other", id="tr-2"), line("agent", id="tr-3"))

    result = run("t.jsonl")

    assert (result.exit_code, result.output.splitlines()) == (
        1,
        [
            "no mutants (shape, status): nothing was edited",
            "1 trace left out: the contract does not apply",
            "1 trace left out: it does not hold",
            "1 trace left out: not whole",
        ],
    )


def test_json_has_all_of_it():
    write("t.jsonl", line(*AGENT), line("other", id="tr-2"))

    said = json.loads(run("t.jsonl", "--json", "--classes", "status").output)

    assert (said["mutants"], said["noticed"], said["left_out"]) == (
        3,
        0,
        {"the contract does not apply": 1},
    )
    assert [each["text"] for each in said["survivors"]] == [
        f"nothing notices when `{name}` ends in an error" for name in ("agent", "plan", "search")
    ]


def test_few_lines_say_how_many_more_there_are():
    write("t.jsonl", line(*AGENT))

    lines = run("t.jsonl", "--show", "3").output.splitlines()

    assert len(lines) == 3
    assert lines[-1] == "... 2 more, all of them by --json"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--classes", "shapes"], "--classes shapes: unknown class of edits 'shapes'"),
        (["--fail-under", "101"], "Invalid value for '--fail-under'"),
    ],
)
def test_a_wrong_option_has_no_answer(args, said):
    write("t.jsonl", line(*AGENT))

    result = run("t.jsonl", *args)

    assert result.exit_code == 2
    assert said in result.output


def test_a_file_without_traces_has_no_answer():
    write("t.jsonl", line(*AGENT))
    write("empty.jsonl")

    result = run("t.jsonl", "empty.jsonl")

    assert (result.exit_code, result.output) == (2, "Error: empty.jsonl: no traces: nothing to edit\n")
