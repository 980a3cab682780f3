"""MLflow does not phone home from a run of pytest, though a module imports it before any test and any capture."""

from __future__ import annotations

import pytest

REFUSED = """
    import socket

    tried = []

    def refused(*args, **kwargs):
        tried.append(args)
        raise OSError("no network in tests")

    socket.getaddrinfo = socket.socket.connect = socket.socket.connect_ex = refused
"""


@pytest.mark.parametrize("module", ["conftest", "test_agent"])
def test_no_host_is_looked_up_where_mlflow_is_imported_at_the_head_of_a_module(project, monkeypatch, module):
    for name in ("CI", "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST"):
        monkeypatch.delenv(name, raising=False)
    project.makepyfile(
        refused=REFUSED,
        conftest="import mlflow" if module == "conftest" else "",
        test_agent="""
        import mlflow
        import os
        import threading
        import refused

        def test_no_capture():
            assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ
            from mlflow.telemetry.client import get_telemetry_client

            assert get_telemetry_client() is None

        def test_captures(mlflow_traces):
            with mlflow.start_span("agent"):
                pass

        def test_last():
            assert not [thread.name for thread in threading.enumerate() if "telemetry" in thread.name.lower()]
            assert refused.tried == []
        """,
    )

    result = project.runpytest_subprocess("-p", "refused", "-p", "no:randomly", "-p", "no:xdist")

    result.assert_outcomes(passed=3)
