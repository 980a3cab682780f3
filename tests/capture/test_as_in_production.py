"""Each scenario has the same result in a capture as on a real SQLite database, run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_mlflow_traces import capture_traces
from tests.capture.programs import needs_full_mlflow
from tests.capture.scenarios import SCENARIOS

pytestmark = needs_full_mlflow


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The results of all scenarios on SQLite; made once, since a fresh database takes MLflow seconds."""
    directory = tmp_path_factory.mktemp("production")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.capture.scenarios", str(directory)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        pytest.fail(run.stderr)
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_has_the_same_result_as_on_sqlite(production, name, monkeypatch):
    monkeypatch.setenv("SCENARIO_URI", "databricks")
    monkeypatch.setenv("SCENARIO_OTHER_URI", "http://tracking.invalid")
    with capture_traces():
        result = SCENARIOS[name]()

    assert json.loads(json.dumps(result)) == production[name]
