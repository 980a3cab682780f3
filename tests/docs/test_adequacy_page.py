"""The page about mutants and coverage: what it shows of a run is what a run of the tests on it prints."""

from __future__ import annotations

import pytest

from tests.docs.test_docs import ROOT, blocks
from tests.plugin.conftest import INI

MUTANTS, COVERAGE = (ROOT / "docs/how-to/adequacy.md").read_text().split("## What no test exercises")


@pytest.fixture
def folder(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini(INI)
    return pytester


def test_the_page_shows_what_a_run_prints(folder):
    code, shown = "", 0
    for block in blocks(MUTANTS):
        if block.kind == "python":
            code += f"{block.code}\n\n"
            folder.makepyfile(test_page=code)
        elif block.code.startswith("$ pytest --mlflow-traces-mutate\n"):
            command, *lines = block.code.split("\n")
            result = folder.runpytest("-p", "pytest_mlflow_traces.plugin", *command.split()[2:])
            head = next(k for k, line in enumerate(result.outlines) if "MLflow trace mutants" in line)
            shown += 1

            assert result.outlines[head + 1 : -1] == lines

    assert shown == 2


def test_the_page_shows_what_no_test_exercises(folder):
    code, told, *_ = blocks(COVERAGE)
    folder.makepyfile(test_page=code.code)
    command, *lines = told.code.split("\n")

    result = folder.runpytest("-p", "pytest_mlflow_traces.plugin", *command.split()[2:])

    head = next(k for k, line in enumerate(result.outlines) if "MLflow trace coverage" in line)
    assert result.outlines[head + 1 : -1] == lines
