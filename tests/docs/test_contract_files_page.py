"""The commands of the page about contract files print what it shows, of the file and the trace above them."""

from __future__ import annotations

import shlex

from click.testing import CliRunner

from pytest_mlflow_traces.cli import main
from tests.docs.test_docs import ROOT, blocks, read_spans
from tests.support.storing import line

PAGE = ROOT / "docs/how-to/contract-files.md"


def test_the_commands_print_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = 0
    for block in blocks(PAGE.read_text(encoding="utf-8")):
        if block.kind == "toml":
            (tmp_path / "refunds.contract.toml").write_text(block.code, encoding="utf-8")
        elif block.kind == "trace":
            (tmp_path / "traces.jsonl").write_text(line(*read_spans(block.code)), encoding="utf-8")
        elif block.kind == "console" and "\n" in block.code:
            command, _, expected = block.code.partition("\n")
            program, *args = shlex.split(command.removeprefix("$ "))
            shown += 1

            assert program == "pytest-mlflow-traces"
            assert CliRunner().invoke(main, args).output == f"{expected}\n"
    assert shown == 3
