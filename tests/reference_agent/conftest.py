"""Traces of the agent, captured as its users would capture them, and looked at as MLflow's own objects."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_mlflow_traces import capture_traces


class Captured(Sequence):
    """The finished traces of this test in the order in which they started, as `mlflow.entities.Trace`."""

    def __init__(self, traces):
        self._traces = traces

    def __len__(self):
        return len(self._traces)

    def __getitem__(self, index):
        return [trace.raw for trace in self._traces][index]

    def one(self):
        return self._traces.one().raw


@pytest.fixture(autouse=True)
def captured(monkeypatch):
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    with capture_traces() as traces:
        yield Captured(traces)
