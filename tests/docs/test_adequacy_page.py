"""The page about mutants: what it shows of a run is what a run of the tests on it prints."""

from __future__ import annotations

from tests.docs.test_docs import ROOT, blocks
from tests.plugin.conftest import INI

PAGE = ROOT / "docs/how-to/adequacy.md"


def test_the_page_shows_what_a_run_prints(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini(INI)
    code, shown = "", 0
    for block in blocks(PAGE.read_text()):
        if block.kind == "python":
            code += f"{block.code}\n\n"
            pytester.makepyfile(test_page=code)
        elif block.code.startswith("$ pytest --mlflow-traces-mutate\n"):
            command, *lines = block.code.split("\n")
            result = pytester.runpytest("-p", "pytest_mlflow_traces.plugin", *command.split()[2:])
            head = next(k for k, line in enumerate(result.outlines) if "MLflow trace mutants" in line)
            shown += 1

            assert result.outlines[head + 1 : -1] == lines

    assert shown == 2
