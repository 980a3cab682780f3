"""What all tests share."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Generator


_BEFORE = pytest.StashKey[dict[str, str]]()

# before any test module imports MLflow, which decides then whether to phone home
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

# no test is timed, on a busy machine either
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


# The reference agent needs MLflow 3.16: before it, LangChain's autolog wants the whole `langchain` package.
_OF_THE_AGENT = ("bugs", "docs", "plugin/test_gate.py", "reference_agent")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    here = collection_path.relative_to(Path(__file__).parent)
    return True if any(map(here.is_relative_to, _OF_THE_AGENT)) and not _can_run_the_agent() else None


@cache
def _can_run_the_agent() -> bool:
    try:
        version("langchain-core"), version("databricks-sdk"), version("responses")
        return Version(version("mlflow")) >= Version("3.16")
    except PackageNotFoundError:
        return False


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> None:
    """Load MLflow before a run in process does: pytester drops what that imports, and MLflow must be there once."""
    if fixturedef.argname == "pytester":
        import mlflow  # noqa: F401

        import pytest_mlflow_traces.capture.install  # noqa: F401


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_BEFORE] = _environment()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Blame the test that leaves a capture or a trace open or a variable set, not one that runs after it."""
    result = yield
    routing = sys.modules.get("pytest_mlflow_traces.capture.span_processor")
    assert routing is None or routing.router.stack == []
    traces = sys.modules.get("mlflow.tracing.trace_manager")
    assert traces is None or dict(traces.InMemoryTraceManager.get_instance()._traces) == {}
    assert _environment() == item.stash[_BEFORE]
    return result


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if "MLFLOW" in key or key.startswith(("OTEL", "LITELLM"))}
