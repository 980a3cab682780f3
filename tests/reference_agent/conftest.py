"""Traces of the agent, read back from a store of this test's own."""

import os
from collections.abc import Sequence

import pytest

# Before anything imports MLflow, which decides then whether to phone home.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from reference_agent.stubs.tracking import temporary_tracking


class Captured(Sequence):
    """The finished traces of this test in the order in which they started."""

    def _traces(self):
        import mlflow

        return mlflow.search_traces(return_type="list", order_by=["timestamp ASC"])

    def __len__(self):
        return len(self._traces())

    def __getitem__(self, index):
        return self._traces()[index]

    def one(self):
        traces = self._traces()
        assert len(traces) == 1, [trace.info for trace in traces]
        return traces[0]


@pytest.fixture(scope="session", autouse=True)
def _mlflow_is_complete():
    """MLflow imports its pyfunc flavour in the first span, whose warning would, as an error, cost us that trace."""
    from reference_agent.spans import trace_langchain

    trace_langchain()


@pytest.fixture(autouse=True)
def captured(monkeypatch):
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    with temporary_tracking():
        yield Captured()
