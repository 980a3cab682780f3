"""On GitHub, a run tells its findings at the lines of the tests and of the baselines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import INI

SUITE = """
    import pytest
    from app import agent
    from pytest_mlflow_traces import span

    def test_pattern(mlflow_traces):
        agent()
        assert span("missing") in mlflow_traces

    def test_baseline(mlflow_traces, trace_baseline):
        agent()
        assert mlflow_traces.one() == trace_baseline

    @pytest.mark.mlflow_traces(expect=span("other"))
    def test_marker():
        agent()
"""
BASELINE = (
    "# pytest-mlflow-traces baseline, format 1\n# test_it.py::test_baseline\n\nagent AGENT OK\n  plan UNKNOWN OK\n"
)


@pytest.fixture(autouse=True)
def on_github(project, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    path = Path("tests/__traces__/test_it/test_baseline.trace")
    path.parent.mkdir(parents=True)
    path.write_text(BASELINE)
    project.makepyfile(**{"tests/test_it": SUITE})
    project.makeini(f"{INI}pythonpath = .\n")


def commands(result):
    return [line for line in result.outlines if line.startswith("::")]


@pytest.mark.parametrize("more", [[], ["-n2"], ["-q"]], ids=["alone", "xdist", "quiet"])
def test_each_finding_is_told_once_at_its_line(project, more):
    said = commands(project.runpytest_inprocess("-p", "no:randomly", *more))

    assert sorted(each.partition("::shape")[0].partition("::tests")[0] for each in said) == [
        "::error file=tests/__traces__/test_it/test_baseline.trace,line=4,title=baseline",
        "::error file=tests/test_it.py,line=11,title=shape.unexpected",
        "::error file=tests/test_it.py,line=13,title=shape.different",
        "::error file=tests/test_it.py,line=7,title=shape.missing",
    ]


def test_paths_begin_at_the_root_of_the_repository(project, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))

    said = commands(project.runpytest_inprocess())

    assert said
    assert all(each.startswith(f"::error file={project.path.name}/tests/") for each in said)


def test_elsewhere_nothing_is_told(project, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS")

    assert commands(project.runpytest_inprocess()) == []
