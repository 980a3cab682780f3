"""How an application sets itself up."""

import mlflow
import pytest
import responses

from reference_agent.production import build_orchestrator, configure
from reference_agent.stubs import StubChat
from reference_agent.stubs.genie import SPACES
from tests.reference_agent.reading import span


def test_traces_go_to_the_configured_experiment():
    configure("databricks", "/Shared/health_monitor")
    with mlflow.start_span("request"):
        StubChat().invoke("hello")

    (trace,) = mlflow.search_traces(return_type="list")
    assert mlflow.get_tracking_uri() == "databricks"
    assert mlflow.get_experiment(trace.info.experiment_id).name == "/Shared/health_monitor"
    assert span(trace, "StubChat").span_type == "CHAT_MODEL"


def test_tracking_uri_may_be_left_alone():
    before = mlflow.get_tracking_uri()
    configure(None, "/Shared/health_monitor")

    assert mlflow.get_tracking_uri() == before


def test_orchestrator_works_on_the_workspace_of_the_environment(captured, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", "https://workspace.test")
    monkeypatch.setenv("DATABRICKS_TOKEN", "secret")
    monkeypatch.setenv("DATABRICKS_AUTH_TYPE", "pat")
    with responses.RequestsMock() as network:
        network.get("https://workspace.test/.well-known/databricks-config", json={"workspace_id": "1"})
        network.post("https://workspace.test/api/2.0/genie/spaces/cost-space/start-conversation", status=403, json={})
        orchestrator = build_orchestrator(StubChat(), SPACES, search_url="https://search.test")
        with pytest.raises(Exception, match="space cost-space"):
            orchestrator.invoke("Why did costs spike?", user_id="ada")

    orchestrator.memory.close()
    attempt = span(captured.one(), "genie_attempt")
    assert attempt.attributes["error_type"] == "GeniePermissionError"
    # The SDK's message goes on with the configuration.
    assert "workspace.test" not in attempt.attributes["error_message"]


def test_every_domain_needs_a_space():
    with pytest.raises(ValueError, match="no Genie space for security, performance, reliability, quality"):
        build_orchestrator(StubChat(), {"cost": "01ef"}, search_url="https://search.test")
