"""The commands `lint` and `explain`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_mlflow_traces.cli import main
from tests.support.storing import line

CLEAN = 'format = 1\nname = "clean"\nhas = ["search TOOL"]\n'
VAIN = 'format = 1\nname = "vain"\nhas = ["search TOOL"]\nnever = ["search", "delete_tabel"]\n'
UNSEEN = "What none of it looks at: the shape of the tree, how long anything takes, tokens, cost, tags and metadata."


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("clean.toml").write_text(CLEAN)
    Path("vain.toml").write_text(VAIN)
    Path("t.jsonl").write_text(line("agent AGENT", ["search TOOL", "delete_table TOOL"]))


def run(*args):
    result = CliRunner().invoke(main, list(args), color=True)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output, result.exit_code


def test_lint_has_nothing_to_remark():
    assert run("lint", "clean.toml", "clean.toml") == ("2 files: nothing to remark\n", 0)
    assert run("lint", "clean.toml", "--against", "t.jsonl") == ("1 file: nothing to remark\n", 0)


def test_lint_says_what_is_in_vain():
    assert run("lint", "clean.toml", "vain.toml") == (
        (
            "vain.toml, line 3, column 8: lint.never_holds: has 'search TOOL' can never hold: "
            "never 'search' forbids 'search TOOL'\n"
            "2 files: 1 remark\n"
        ),
        1,
    )


def test_lint_says_which_names_no_trace_has():
    Path("empty.jsonl").write_text("")

    output, status = run("lint", "vain.toml", "--against", "empty.jsonl", "--against", "t.jsonl")

    assert output == (
        "vain.toml, line 3, column 8: lint.never_holds: has 'search TOOL' can never hold: "
        "never 'search' forbids 'search TOOL'\n"
        "vain.toml, line 4, column 20: lint.unknown_name: no trace has a span of name 'delete_tabel'; "
        "did you mean 'delete_table'?\n"
        "1 file: 2 remarks\n"
    )
    assert status == 1


@pytest.mark.parametrize("command", ["lint", "explain"])
@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("none.toml", None, "none.toml: No such file or directory"),
        ("bytes.toml", b"\xff", "bytes.toml: no UTF-8 at byte 1"),
        (
            "wrong.toml",
            b'format = 1\nname = "wrong"\nnevr = ["a"]\n',
            (
                "wrong.toml, line 3, column 1: unknown key 'nevr' (legal: 'name', 'about', 'applies_to', 'only', "
                "'shape', 'has', 'never', 'order', 'budget', 'tags', 'metadata', 'expect', 'contract', 'format'); "
                "did you mean 'never'?"
            ),
        ),
    ],
)
def test_what_is_not_a_contract_has_no_answer(command, file, text, message):
    if text is not None:
        Path(file).write_bytes(text)

    assert run(command, file) == (f"Error: {message}\n", 2)


def test_nothing_to_compare_with_is_no_answer():
    Path("empty.jsonl").write_text("")
    Path("wrong.jsonl").write_text("{")

    assert run("lint", "clean.toml", "--against", "empty.jsonl") == (
        "Error: --against empty.jsonl: no traces: nothing to compare with\n",
        2,
    )
    output, status = run("lint", "clean.toml", "--against", "wrong.jsonl")
    assert output.startswith("Error: wrong.jsonl: no JSON at column 2")
    assert status == 2


def test_explain_says_what_contracts_say():
    assert run("explain", "clean.toml", "vain.toml") == (
        (
            "Contract 'clean'\n"
            "It is about each trace.\n"
            "- There is a span 'search' of type TOOL.\n"
            "\n"
            f"{UNSEEN}\n"
            "\n"
            "Contract 'vain'\n"
            "It is about each trace.\n"
            "- There is a span 'search' of type TOOL.\n"
            "- There is no span 'search'.\n"
            "- There is no span 'delete_tabel'.\n"
            "\n"
            f"{UNSEEN}\n"
        ),
        0,
    )


def test_nothing_that_a_file_names_is_run():
    code = 'format = 1\nname = "code"\nexpect = ["not_there:AT_ALL"]\ntags = { schema = "nor_this:TAGS" }\n'
    Path("code.toml").write_text(code)

    assert run("lint", "code.toml") == ("1 file: nothing to remark\n", 0)
    assert run("explain", "code.toml")[1] == 0


def test_what_a_log_would_obey_is_shown_as_text():
    text = 'format = 1\nname = "a"\nabout = "::error::x"\nhas = ["\\"\\\\u001b[31m\\""]\nnever = ["*"]\n'
    Path("odd.toml").write_text(text)

    for command in ("lint", "explain"):
        output, _ = run(command, "odd.toml")
        assert "\x1b" not in output
        assert not any(each.startswith("::") for each in output.splitlines())
