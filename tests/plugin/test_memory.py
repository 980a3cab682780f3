"""A capture is released when its test has been reported, whatever became of the test."""

from __future__ import annotations


def test_captures_are_released_when_their_tests_are_over(project):
    project.makepyfile(
        """
        import gc
        import pytest
        import mlflow
        from app import agent
        from pytest_mlflow_traces import span
        from pytest_mlflow_traces.capture.install import InstalledCapture

        @pytest.mark.mlflow_traces
        @pytest.mark.parametrize("number", range(8))
        def test_traces(number, mlflow_traces):
            agent()
            if number % 2:
                assert mlflow_traces.one() == span("other")

        def test_last():
            gc.collect()
            alive = [each for each in gc.get_objects() if isinstance(each, InstalledCapture)]
            # pytest itself keeps the last error
            assert len(alive) <= 1
        """
    )

    result = project.runpytest_subprocess("-p", "no:randomly", "-p", "no:xdist")

    result.assert_outcomes(passed=5, failed=4)
