"""An agent that a test project imports, and the way to run such a project."""

from __future__ import annotations

import pytest

AGENT = '''
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
'''


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with an agent in `app`, tested without the plugins that happen to be installed beside ours."""
    pytester.makepyfile(app=AGENT)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester
