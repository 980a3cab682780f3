"""`assert mlflow_traces.one() == snapshot()`: inline-snapshot writes the pattern into the test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytest.importorskip("inline_snapshot.plugin", reason="inline-snapshot has hooks from 0.32 on")

ROOT = Path(__file__).parent.parent.parent
TEST = """\
from inline_snapshot import snapshot

from app import agent


def test_agent(mlflow_traces):
    agent()

    assert mlflow_traces.one() == snapshot({})
"""
WRITTEN = "span('agent', type='AGENT', status='OK')[span('plan', type='UNKNOWN', status='OK')[()], span("


@pytest.fixture
def run(project, monkeypatch):
    """Run with the entry point as it will be installed, whether it is or not."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["inline_snapshot"]
    info = project.path / "site/bridge-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bridge\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[inline_snapshot]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
    )
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # beside xdist, nothing is written
    monkeypatch.setenv("PYTHONPATH", f"{info.parent}:{project.path}:{ROOT}")

    def run(*arguments):
        command = [sys.executable, "-m", "pytest", "-p", "inline_snapshot.pytest_plugin", *arguments]
        return project.run(*command)

    return run


def code():
    return Path("test_it.py").read_text()


def with_span(pattern):
    return TEST.format(pattern).replace("from app", "from pytest_mlflow_traces import span\nfrom app")


def flat(text):
    """Return code without what a formatter, where there is one, does to it."""
    return "".join(text.replace('"', "'").split()).replace(",)", ")").replace(",]", "]")


def test_create_writes_the_pattern_with_its_imports_and_it_holds(project, run):
    Path("test_it.py").write_text(TEST.format(""))

    run("--inline-snapshot=create")

    assert flat(WRITTEN) in flat(code())
    assert "from pytest_mlflow_traces import span" in code()
    run("--inline-snapshot=disable").assert_outcomes(passed=1)
    run().assert_outcomes(passed=1)


def test_fix_writes_what_is_so_now_and_without_it_the_test_fails(project, run):
    wrong = TEST.format("span('agent')[span('other')]").replace(
        "from app", "from pytest_mlflow_traces import span\nfrom app"
    )
    Path("test_it.py").write_text(wrong)

    assert run().parseoutcomes()["failed"] == 1  # and an error of inline-snapshot's own, where that is not a CI
    assert code() == wrong

    run("--inline-snapshot=fix")
    assert flat(WRITTEN) in flat(code())
    run("--inline-snapshot=disable").assert_outcomes(passed=1)


def test_a_pattern_that_was_loosened_by_hand_stays_as_long_as_it_holds(project, run):
    loose = with_span("span('agent')[..., span('search')]")
    Path("test_it.py").write_text(loose)

    run("--inline-snapshot=create,fix").assert_outcomes(passed=1)

    assert code() == loose


def test_names_of_one_run_and_any_order_are_written_with_all_that_they_need(project, run):
    Path("test_it.py").write_text(TEST.format(""))
    Path("app.py").write_text(
        "import uuid\nimport mlflow\n\n"
        "def agent():\n"
        "    with mlflow.start_span('parallel(re.x'):\n"
        "        with mlflow.start_span(f'job {uuid.uuid4()}'):\n"
        "            pass\n"
        "        above = mlflow.get_current_active_span()\n"
        "        one, two = [mlflow.start_span_no_context(n, parent_span=above) for n in 'ab']\n"
        "        one.end(); two.end()\n"
    )

    run("--inline-snapshot=create")

    assert "import re\n" in code()
    assert "any_order(" in code()
    assert "import parallel" not in code()
    run("--inline-snapshot=disable").assert_outcomes(passed=1)
