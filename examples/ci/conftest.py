"""What all baselines of this suite have in common.

They see through the chains that LangChain puts around a model, which another release may build otherwise, and leave the
workers of a question in any order: they run side by side, and whether two of them overlap is up to the machine.
"""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import span
from reference_agent import stub_orchestrator


@pytest.fixture
def trace_baseline(trace_baseline):
    return trace_baseline(see_through=span(type="CHAIN"), unordered=span("query_agents"))


@pytest.fixture
def orchestrator():
    return stub_orchestrator()
