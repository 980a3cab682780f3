"""What all baselines of this suite have in common: they see through the wrappers that LangChain puts around a model."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import one_of, span
from reference_agent import stub_orchestrator

WRAPPERS = one_of(span("RunnableSequence"), span("ChatPromptTemplate"), span("StrOutputParser"))


@pytest.fixture
def trace_baseline(trace_baseline):
    return trace_baseline(see_through=WRAPPERS, calls=True)


@pytest.fixture
def orchestrator():
    return stub_orchestrator()
