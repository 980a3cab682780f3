"""The command `learn`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_mlflow_traces import Contract
from pytest_mlflow_traces.cli import main
from tests.support.building import node
from tests.support.storing import stored


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keep("passing.jsonl")


def keep(file, tests=12, runs=2, question=True, more=(), **said):
    """Write some runs of some tests: each books what was asked for, after one or two searches."""
    lines = []
    for number in range(tests):
        for again in range(runs):
            calls = [*["search TOOL"] * (1 + again), node("book TOOL", inputs={"id": number}), *more]
            root = node("agent AGENT", inputs={"question": number} if question else None)
            tags = {key: value.format(number) for key, value in said.items()}
            lines.append(stored(root, calls, id=f"tr-{number}-{again}", **tags))
    Path(file).write_text("".join(json.dumps(each) + "\n" for each in lines))


def run(*args):
    result = CliRunner().invoke(main, ["learn", *args])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output, result.exit_code


def check(file, contract):
    return CliRunner().invoke(main, ["check", file, "--contract", contract]).exit_code


def test_a_contract_is_written_that_check_takes():
    output, status = run("passing.jsonl", "-o", "answers.contract.toml")

    assert status == 0
    first, together, each, last = output.splitlines()
    assert first == "24 passing runs of 12 tests, 12 of them with several runs"
    assert together.startswith("all traces together, ")
    assert each.startswith(
        "each test, 12 contracts: held out, 0 of 24 passing runs in 12 tests would have been flagged"
    )
    assert last == "written to answers.contract.toml"
    assert Contract.read("answers.contract.toml").name == "answers"
    assert check("passing.jsonl", "answers.contract.toml") == 0

    keep("failing.jsonl", more=[node("book TOOL", inputs={"id": 99})])
    assert check("failing.jsonl", "answers.contract.toml") == 1


def test_a_folder_gets_a_file_for_each_test():
    keep("named.jsonl", question=False, test="tests/test_a.py::test_b[{}/x]")
    output, status = run("named.jsonl", "-o", "contracts/")

    assert status == 0
    assert output.splitlines()[-1] == "written to contracts/all-traces.contract.toml, and 12 files beside it"
    files = sorted(path.name for path in Path("contracts").iterdir())
    assert files[:3] == [
        "all-traces.contract.toml",
        "tests-test_a.py-test_b-0-x.contract.toml",
        "tests-test_a.py-test_b-1-x.contract.toml",
    ]
    one = Contract.read(f"contracts/{files[1]}")
    assert (one.name, one.applies_to) == ("tests/test_a.py::test_b[0/x]", None)
    assert f"# {output.splitlines()[2]}" in Path(f"contracts/{files[1]}").read_text().splitlines()

    output, status = run("named.jsonl", "-o", "contracts")  # a folder that is there
    assert (output.splitlines()[-1], status) == (
        "Error: contracts/all-traces.contract.toml is there already: remove it, or name another file",
        2,
    )


def test_a_name_that_check_would_not_take_for_a_file_is_refused():
    output, status = run("passing.jsonl", "-o", "answers")

    assert output.splitlines()[-1] == (
        "Error: -o answers: the name of a contract file ends with .toml, that of a folder with a slash"
    )
    assert status == 2


def test_in_one_file_tests_are_those_that_their_roots_tell():
    keep("named.jsonl", question=False, test="test_{}")
    output, status = run("named.jsonl", "-o", "c.toml")

    assert status == 0
    assert output.splitlines()[-2] == (
        "left out: 12 tests that the inputs of the root do not tell from others; "
        "-o with a folder writes a file for each"
    )
    assert [each.name for each in Contract.read("c.toml").expectations] == ["all traces"]


def test_a_tag_may_say_the_test():
    keep("tagged.jsonl", question=False, case="{}")

    assert "24 passing runs of 12 tests" in run("tagged.jsonl", "-o", "c.toml", "--test-tag", "case")[0]
    assert "case" not in Path("c.toml").read_text()
    assert run("passing.jsonl", "-o", "d.toml", "--test-tag", "case") == (
        "Error: passing.jsonl, line 1: there is no tag or metadata 'case' (there are: none)\n",
        2,
    )


def test_only_what_the_user_names_is_held():
    keep("few.jsonl", tests=4)
    _, status = run("few.jsonl", "-o", "c.toml", "--only", "/book|pay/ TOOL")

    assert status == 0
    assert "search" not in Path("c.toml").read_text()
    assert "  'book TOOL OK inputs={\"id\": 3}',  # 2 of 2 runs" in Path("c.toml").read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("book TOL ok", "Error: --only book TOL ok: line 1, column 10: expected "),
        ("book {2}", "Error: --only book {2}: expected a pattern of one span\n"),
    ],
)
def test_what_is_named_is_one_span(line, said):
    output, status = run("passing.jsonl", "-o", "c.toml", "--only", line)

    assert status == 2
    assert said in output
    assert not Path("c.toml").exists()


def test_what_no_run_has_is_told_and_that_alone_is_no_contract():
    keep("few.jsonl", tests=4)
    alone = run("few.jsonl", "-o", "c.toml", "--only", "bok TOOL")
    beside, status = run("few.jsonl", "-o", "c.toml", "--only", "bok TOOL", "--only", "book TOOL")

    assert alone == ("Error: --only bok TOOL: no span of these runs is like that\n", 2)
    assert status == 0
    assert "\n--only bok TOOL: no span of these runs is like that\n" in beside


def test_inputs_may_stay_out():
    run("passing.jsonl", "-o", "c.toml", "--no-inputs")

    assert "book TOOL OK inputs" not in Path("c.toml").read_text()


def test_failing_runs_are_read():
    keep("failing.jsonl", more=["drop TOOL"])

    assert run("passing.jsonl", "-o", "c.toml", "--failing", "failing.jsonl")[1] == 0
    assert run("passing.jsonl", "-o", "d.toml", "--failing", "none.jsonl") == (
        "Error: none.jsonl: No such file or directory\n",
        2,
    )
    Path("empty.jsonl").write_text("")
    assert run("passing.jsonl", "-o", "d.toml", "--failing", "empty.jsonl") == (
        "Error: --failing: no traces: no rule can be chosen by what it catches\n",
        2,
    )


def test_what_is_not_whole_is_left_out_and_named():
    with Path("passing.jsonl").open("a") as stream:
        stream.write(json.dumps(stored("agent @0-", id="tr-open")) + "\n")
    output, _ = run("passing.jsonl", "-o", "c.toml")

    assert output.splitlines()[0].startswith("24 passing runs")
    assert output.splitlines()[-2].startswith("left out: passing.jsonl, line 25: ")


def test_where_nothing_is_learnt_nothing_is_written():
    keep("few.jsonl", tests=2)
    output, status = run("few.jsonl", "-o", "c.toml")

    assert output.splitlines()[-1] == "Error: nothing was learnt, so that no file is written"
    assert status == 2
    assert not Path("c.toml").exists()

    Path("empty.jsonl").write_text("")
    assert run("empty.jsonl", "-o", "c.toml") == ("Error: no traces: nothing to learn from\n", 2)


def test_what_is_too_long_for_a_file_is_told():
    lines = []
    for number in range(80):
        root = node("agent AGENT", inputs={"question": f"{number} {'x' * 3900}"})
        lines += [
            stored(root, [node("book TOOL", inputs={"id": number})], id=f"tr-{number}-{again}") for again in (1, 2)
        ]
    Path("long.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    output, status = run("long.jsonl", "-o", "c.toml", "--only", "book")

    assert status == 2
    last = output.splitlines()[-1]
    assert last.startswith("Error: c.toml would be no contract: line 1, column 1: ")
    assert last.endswith("; -o with a folder writes a file for each test")
    assert not Path("c.toml").exists()


def test_a_file_that_is_there_stays():
    Path("c.toml").write_text("mine")
    output, status = run("passing.jsonl", "-o", "c.toml")

    assert output.splitlines()[-1] == "Error: c.toml is there already: remove it, or name another file"
    assert status == 2
    assert Path("c.toml").read_text() == "mine"
