"""What all tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


# before any test module imports MLflow, which decides then whether to phone home
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> None:
    """Load MLflow before a run in process does: pytester drops what that imports, and MLflow must be there once."""
    if fixturedef.argname == "pytester":
        import mlflow  # noqa: F401

        import pytest_mlflow_traces._switchboard  # noqa: F401
