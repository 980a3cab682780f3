"""The compatibility matrix: the tests with each supported MLflow, full and slim, on each Python that is here."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"

FRIENDS = [
    "coverage[toml]",
    "dirty-equals",
    "hypothesis",
    "pytest-asyncio",
    "pytest-randomly",
    "pytest-xdist",
    "time-machine",
]
# The reference agent needs MLflow 3.16: before it, LangChain's autolog wants the whole `langchain` package.
WITHOUT_AGENT = ["--ignore=tests/reference_agent", "--ignore=tests/bugs", "--ignore=tests/docs"]


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
@nox.parametrize("mlflow", ["3.10.1", "3.12.0", "3.14.0"])
def older(session: nox.Session, mlflow: str) -> None:
    """Run what does not need the reference agent with an older MLflow."""
    session.install("-e", ".", f"mlflow=={mlflow}", *FRIENDS)
    session.run("pytest", "-q", *WITHOUT_AGENT, *session.posargs)


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def slim(session: nox.Session) -> None:
    """Run what does not need runs or models with `mlflow-tracing` alone."""
    session.install("-e", ".", *FRIENDS)
    session.run("pytest", "-q", *WITHOUT_AGENT, *session.posargs)


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
@nox.parametrize("mlflow", ["==3.16.1", ""])
def tests(session: nox.Session, mlflow: str) -> None:
    """Run all tests with MLflow 3.16 and the latest."""
    session.install("-e", ".[hypothesis,time]", "--group", "dev", f"mlflow{mlflow}")
    session.run("pytest", "-q", *session.posargs)
