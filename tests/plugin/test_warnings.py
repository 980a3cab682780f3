"""A suite that turns warnings into errors loses no span to the warnings of MLflow's own late imports."""

from __future__ import annotations

import pydantic
import pytest

WARNS = tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 10)


@pytest.mark.skipif(WARNS, reason="`import mlflow` itself warns with a pydantic before 2.10")
def test_the_first_trace_arrives_under_warnings_as_errors(project):
    project.makepyfile(
        """
        import mlflow

        def test_first(mlflow_traces):
            with mlflow.start_span("first"):
                pass
            assert mlflow_traces.one().name == "first"
        """
    )

    project.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)
