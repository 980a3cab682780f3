"""The example of a contract over production, against a real server that runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mlflow.environment_variables
import pytest

from tests.support.server import needs_server, tracking_server

ROOT = Path(__file__).parents[2]
pytestmark = [
    needs_server,
    pytest.mark.skipif(
        not hasattr(mlflow.environment_variables, "MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS"),
        reason="servers of this MLflow run no scorers of anybody's own",
    ),
]


def test_a_server_runs_the_contract_and_keeps_what_it_said(tmp_path):
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    jobs = {
        "MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true",
        "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS": "false",
    }

    with tracking_server(tmp_path, PYTHONPATH=paths, **jobs) as uri:
        done = subprocess.run(
            [sys.executable, "-m", "examples.production", uri],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    log = (tmp_path / "server.log").read_text()
    assert done.returncode == 0, f"{done.stderr[-2000:]}\n{log[-3000:]}"
    # what follows are the times of a tree
    said = "\n".join(done.stdout.splitlines()[:4])
    assert f"\n{said}\n```" in (ROOT / "examples/production/README.md").read_text(encoding="utf-8"), said
    assert [line.split(": ")[1] for line in said.splitlines()[:3]] == ["not applicable", "yes", "no"]
