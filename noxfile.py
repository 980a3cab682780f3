"""The compatibility matrix: the tests on each Python and with each MLflow that is supported.

Every Python and every MLflow is in some row, the oldest and the latest of both together; all pairs would take hours and
tell no more. A Python that is not here is skipped, with a warning.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.download_python = "never"

# What the tests want; what stands beside us is tested wherever it is installed.
FRIENDS = [
    "anyio",
    "coverage[toml]",
    "dirty-equals",
    "hypothesis",
    "inline-snapshot",
    "pytest-asyncio",
    "pytest-randomly",
    "pytest-rerunfailures",
    "pytest-xdist",
    "time-machine",
]
# The reference agent needs MLflow 3.16: before it, LangChain's autolog wants the whole `langchain` package.
OLDER = [("3.10", "3.10.1"), ("3.11", "3.12.0"), ("3.12", "3.14.0")]
FULL = [("3.12", "==3.16.1"), ("3.10", ""), ("3.13", "")]
SLIM = ["3.10", "3.13"]
PARALLEL = "-n2"


@nox.session
@nox.parametrize("python,mlflow", OLDER)
def older(session: nox.Session, mlflow: str) -> None:
    """Run what does not need the reference agent with an older MLflow."""
    session.install("-e", ".", f"mlflow=={mlflow}", *FRIENDS)
    _run(session)


@nox.session(python=SLIM)
def slim(session: nox.Session) -> None:
    """Run what does not need runs or models with `mlflow-tracing` alone."""
    session.install("-e", ".", *FRIENDS)
    _run(session)


@nox.session
@nox.parametrize("python,mlflow", FULL)
def tests(session: nox.Session, mlflow: str) -> None:
    """Run all tests with MLflow 3.16 and the latest."""
    session.install("-e", ".[hypothesis,time]", "--group", "test", "--group", "docs", f"mlflow{mlflow}")
    _run(session)


@nox.session(python="3.11")
def oldest_pytest(session: nox.Session) -> None:
    """Run all tests with the oldest pytest that is supported."""
    session.install("-e", ".[hypothesis,time]", "--group", "test", "--group", "docs", "pytest==8.2.*")
    _run(session)


@nox.session(python="3.13")
def wheel(session: nox.Session) -> None:
    """Run all tests against the built wheel, where the checkout cannot be imported."""
    away = Path(session.create_tmp()) / "away"
    shutil.rmtree(away, ignore_errors=True)
    away.mkdir()
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", str(away / "dist"), silent=True)
    (built,) = (away / "dist").glob("*.whl")
    session.install(f"{built}[hypothesis,time]", "--group", "test", "--group", "docs")
    for name in AWAY:
        copy = shutil.copytree if Path(name).is_dir() else shutil.copy
        copy(name, away / name)
    session.chdir(away)
    _run(session)


AWAY = ["benchmarks", "docs", "examples", "reference_agent", "tests", "mkdocs.yml", "pyproject.toml", "README.md",
        "CONTRIBUTING.md"]  # fmt: skip


def _run(session: nox.Session) -> None:
    session.run("pytest", "-q", PARALLEL, *session.posargs)
