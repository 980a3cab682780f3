"""An agent that a test project imports, and the way to run such a project."""

from __future__ import annotations

# pytester drops what a run in process has imported; imported here, MLflow is loaded once and stays
import mlflow  # noqa: F401
import pytest

import pytest_mlflow_traces.capture.install
import pytest_mlflow_traces.core.contracts
import pytest_mlflow_traces.core.tags.schema

# and a class that was loaded twice is two classes
import pytest_mlflow_traces.plugin.assertrepr
import pytest_mlflow_traces.plugin.baselines.owners
import pytest_mlflow_traces.plugin.checks
import pytest_mlflow_traces.plugin.report  # noqa: F401

AGENT = """
import mlflow


@mlflow.trace(span_type="TOOL")
def search(query):
    return [query]


@mlflow.trace(name="agent", span_type="AGENT")
def agent(query="q", tags=None):
    with mlflow.start_span("plan"):
        if tags:
            mlflow.update_current_trace(tags=tags)
    return search(query)
"""

# an agent whose tools run at once, and yet one after the other
TAKING_TURNS = """
import asyncio

import mlflow


async def tool(name):
    with mlflow.start_span(name):
        pass


async def tools(names):
    await asyncio.gather(*map(tool, names))


def agent(names):
    with mlflow.start_span("agent"):
        asyncio.run(tools(names))
"""


PLUGINS = "pytest_mlflow_traces.plugin", "xdist.plugin", "pytest_asyncio.plugin"
# Old pytests warn, at each run in process, of the plugins that the outer run has imported already.
INI = """\
[pytest]
asyncio_default_fixture_loop_scope = function
filterwarnings = ignore:Module already imported so cannot be rewritten
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with an agent in `app`, tested without the plugins that happen to be installed beside ours."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p {plugin}" for plugin in PLUGINS))
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    pytester.makepyfile(app=AGENT, taking_turns=TAKING_TURNS)
    pytester.makeini(INI)
    return pytester
