"""Commands that may take a while show a bar on a terminal, and nothing in a pipe."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from pytest_mlflow_traces.cli.progress import progress, size_of
from tests.support.storing import line

COMMANDS = {
    "checking": ("check", "t.jsonl", "--contract", "contracts:AGENT"),
    "comparing": ("diff", "t.jsonl", "t.jsonl"),
    "reading": ("pin", "t.jsonl", "--id", "tr-1", "--test", "tests/test_pinned.py"),
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.jsonl").write_text(line("agent"))
    (tmp_path / "contracts.py").write_text("from pytest_mlflow_traces import span\nAGENT = span('agent')\n")
    return tmp_path


def command(what):
    return [sys.executable, "-m", "pytest_mlflow_traces", *COMMANDS[what]]


@pytest.mark.parametrize("what", COMMANDS)
def test_the_bar_is_on_the_terminal_and_the_answer_in_the_pipe(what):
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals on this system")
    ours, theirs = pty.openpty()
    terminal = {**os.environ, "TERM": "xterm"}
    ran = subprocess.run(command(what), stdout=subprocess.PIPE, stderr=theirs, env=terminal, check=True)
    os.close(theirs)

    seen = b""
    try:
        while read := os.read(ours, 65_536):
            seen += read
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)

    assert what in seen.decode()
    assert "100%" in seen.decode()
    assert "\x1b" not in ran.stdout.decode()


@pytest.mark.parametrize("what", COMMANDS)
def test_there_is_no_bar_in_a_pipe(what):
    ran = subprocess.run(command(what), capture_output=True, check=True)

    assert ran.stderr == b""


def test_the_size_is_of_all_files_and_of_no_pipe_or_store(folder):
    (folder / "traces").mkdir()
    (folder / "traces/a.jsonl").write_text("12345")
    (folder / "empty").mkdir()

    assert size_of(["traces", "traces/a.jsonl"]) == 10
    assert [size_of([source]) for source in ("-", "sqlite:///x.db", "none.jsonl", "empty")] == [None] * 4


def test_where_the_total_is_not_known_the_bar_moves_all_the_same(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())

    with progress("checking", None) as advance:
        advance(100)

    assert "checking" in sys.stderr.getvalue()
