"""`pytest-mlflow-traces variants`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_mlflow_traces.cli import main
from tests.support.storing import line

PLAIN = "agent AGENT", ["plan LLM", "answer LLM"]
SEARCHING = "agent AGENT", ["plan LLM", "search TOOL", "answer LLM"]
BASELINE = """\
# pytest-mlflow-traces baseline, format 1
# test_agent.py::test_it

agent AGENT OK
  plan LLM OK
  answer LLM OK
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    write("asked.py", "from pytest_mlflow_traces import Budget, Contract, span",
          "SEARCHES = Contract('searches', Budget(calls={'search': 1}), applies_to=span('search'))")  # fmt: skip
    write("old.jsonl", line(*PLAIN, id="tr-1"), line("other", id="tr-2"))
    write("new.jsonl", *(line(*PLAIN, id=f"tr-{i}") for i in range(3)), line(*SEARCHING, id="tr-s"))
    yield tmp_path
    sys.modules.pop("asked", None)


def write(name, *lines):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("\n".join(lines))


def run(*args):
    result = CliRunner().invoke(main, ["variants", *args], color=True)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_shapes_are_counted_and_the_commonest_drawn():
    result = run("new.jsonl", "--show", "1")

    assert (
        result.output
        == """\
shape 9d17bc63b44bd5cc: 3 traces, 75.0%; first in new.jsonl, line 1: tr-0
  agent AGENT OK
    plan LLM OK
    answer LLM OK

... 1 more shape: 1 trace

4 traces: 2 shapes
"""
    )
    assert result.exit_code == 0


def test_what_is_new_since_other_traces():
    result = run("new.jsonl", "--since", "old.jsonl", "--show", "1")

    assert (
        result.output
        == """\
shape 9d17bc63b44bd5cc: 3 traces, 75.0%; 1 trace before; first in new.jsonl, line 1: tr-0
  agent AGENT OK
    plan LLM OK
    answer LLM OK

shape caba3be0c8f7592d: 1 trace, 25.0%; new; first in new.jsonl, line 4: tr-s
  agent AGENT OK
    plan LLM OK
    search TOOL OK
    answer LLM OK

shape df82f0fdafd38b0c: no trace; gone: 1 trace before; first in old.jsonl, line 2: tr-2
  other UNKNOWN OK

4 traces: 2 shapes
  since 2 traces of old.jsonl: 1 new, 1 gone
"""
    )
    assert result.exit_code == 1
    assert run("old.jsonl", "--since", "old.jsonl").exit_code == 0


def test_what_neither_a_baseline_nor_a_contract_covers():
    write("tests/__traces__/test_agent/test_it.trace", BASELINE)

    result = run("new.jsonl", "--against", "tests", "--show", "0")

    assert (result.exit_code, result.output) == (1, "4 traces: 2 shapes\n  covered by nothing: 1 trace of 1 shape\n")
    both = run("new.jsonl", "--against", "tests", "--against", "asked:SEARCHES", "--show", "0")
    assert (both.exit_code, both.output) == (0, "4 traces: 2 shapes\n  covered by nothing: none\n")
    single = run("new.jsonl", "--against", "tests/__traces__/test_agent/test_it.trace")
    assert "shape caba3be0c8f7592d: 1 trace, 25.0%; nothing covers them; first" in single.output


def test_some_of_a_shape_may_be_covered_and_others_not():
    write("tags.toml", "format = 1", 'name = "tags"', "[tags]", 'team = "str"')
    write("t.jsonl", line(*PLAIN, id="tr-1", team="red"), line(*PLAIN, id="tr-2"))

    result = run("t.jsonl", "--against", "tags.toml")

    assert result.output.startswith("shape 9d17bc63b44bd5cc: 2 traces, 100.0%; nothing covers 1 of them; first")
    assert result.exit_code == 1


def test_nothing_passes_on_absence():
    write("empty.jsonl")
    write("open.jsonl", line("agent @0-"))
    write("one.jsonl", line(*PLAIN))

    assert (run("empty.jsonl").exit_code, run("empty.jsonl").output) == (
        1,
        "no traces: there is nothing to count\n",
    )
    assert run("open.jsonl").exit_code == 1
    result = run("open.jsonl", "one.jsonl", "--since", "one.jsonl", "--show", "0")
    assert result.output == (
        "2 traces: 1 shape, 1 not whole and of no known shape\n  since 1 trace of one.jsonl: 0 new, 0 gone\n"
    )
    assert result.exit_code == 1
    assert run("open.jsonl", "one.jsonl", "--since", "one.jsonl", "--allow-not-judged", "1").exit_code == 0
    nothing = run("one.jsonl", "--since", "open.jsonl", "--show", "0")
    assert nothing.exit_code == 1
    assert nothing.output.endswith("\n  not compared with: 1 trace before that are not whole\n")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("absent.jsonl",), "Error: absent.jsonl: No such file or directory\n"),
        (("old.jsonl", "--against", "."), "Error: .: no baseline (*.trace) in this folder\n"),
        (("old.jsonl", "--against", "no.trace"), "Error: no.trace: no such file\n"),
        (("old.jsonl", "--against", "asked:NOTHING"), "Error: --against asked:NOTHING: asked has no 'NOTHING'\n"),
    ],
)
def test_what_cannot_be_answered(args, says):
    result = run(*args)

    assert (result.exit_code, result.output[-len(says) :]) == (2, says)


def test_a_baseline_that_cannot_be_read():
    write("wrong.trace", "agent")

    result = run("old.jsonl", "--against", "wrong.trace")

    assert (result.exit_code, result.output) == (
        2,
        "Error: wrong.trace: line 1: expected '# pytest-mlflow-traces baseline, format 1', got 'agent'\n",
    )


def test_json_has_every_shape():
    result = run("new.jsonl", "--since", "old.jsonl", "--json")

    said = json.loads(result.output)
    assert (result.exit_code, said["holds"], said["traces"]) == (1, False, 4)
    assert [(each["traces"], each["before"], each["where"]) for each in said["shapes"]] == [
        (3, 1, "new.jsonl, line 1"),
        (1, 0, "new.jsonl, line 4"),
    ]
    assert [each["tree"] for each in said["gone"]] == ["other UNKNOWN OK"]
