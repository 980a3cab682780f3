"""The fixture `mlflow_traces`."""

from __future__ import annotations

import os

import pytest


def run(project, *args):
    return project.runpytest_inprocess(*args)


def test_a_test_sees_its_own_traces_and_no_other_test_s(project):
    project.makepyfile(
        """
        import pytest
        from app import agent

        @pytest.mark.parametrize("count", [1, 2, 0, 3])
        def test_counts(mlflow_traces, count):
            for _ in range(count):
                agent()
            assert len(mlflow_traces) == count
        """
    )

    run(project).assert_outcomes(passed=4)


def test_it_works_in_classes_in_unittest_and_in_other_fixtures(project):
    project.makepyfile(
        """
        import unittest
        import pytest
        from app import agent

        @pytest.fixture
        def answered(mlflow_traces):
            agent()
            return mlflow_traces.one()

        class TestPlain:
            def test_method(self, answered):
                assert answered.name == "agent"

        class TestUnit(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def traces(self, mlflow_traces):
                self.traces = mlflow_traces

            def test_unit(self):
                agent()
                self.assertEqual(len(self.traces), 1)
        """
    )

    run(project).assert_outcomes(passed=2)


def test_it_works_in_async_tests(project):
    project.makepyfile(
        """
        import asyncio
        import pytest
        import mlflow

        @pytest.mark.asyncio
        async def test_async(mlflow_traces):
            async def work(name):
                with mlflow.start_span(name):
                    await asyncio.sleep(0)
            with mlflow.start_span("root"):
                await asyncio.gather(work("a"), work("b"))
            assert sorted(child.name for child in mlflow_traces.one().root.children) == ["a", "b"]
        """
    )

    run(project).assert_outcomes(passed=1)


def test_nothing_is_written_and_the_environment_is_put_back(project):
    project.makepyfile(
        """
        import os
        from app import agent

        def test_writes_nothing(mlflow_traces):
            assert os.environ["MLFLOW_TRACKING_URI"] == "memory://"
            agent()
        """
    )
    before = dict(os.environ)

    run(project, "-p", "no:cacheprovider").assert_outcomes(passed=1)

    assert {key: value for key, value in os.environ.items() if "MLFLOW" in key} == {
        key: value for key, value in before.items() if "MLFLOW" in key
    }
    assert not [path.name for path in project.path.iterdir() if path.name.startswith("mlruns") or path.suffix == ".db"]


def test_a_run_on_two_workers_keeps_each_test_s_traces(project):
    project.makepyfile(
        """
        import pytest
        from app import agent

        @pytest.mark.parametrize("count", range(6))
        def test_counts(mlflow_traces, count):
            for _ in range(count):
                agent()
            assert len(mlflow_traces) == count
        """
    )

    project.runpytest_subprocess("-n", "2").assert_outcomes(passed=6)


@pytest.mark.parametrize("before", [None, "https://tracking.test"])
def test_variables_are_put_back_though_a_monkeypatch_is_undone_after_the_capture(project, monkeypatch, before):
    name = "MLFLOW_TRACKING_URI"
    monkeypatch.delenv(name, raising=False) if before is None else monkeypatch.setenv(name, before)
    project.makepyfile(
        f"""
        import os
        from app import agent
        from pytest_mlflow_traces import capture_traces

        def test_sets_it(monkeypatch, mlflow_traces):
            agent()
            sets(monkeypatch)

        def sets(monkeypatch):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://else.test")

        def test_it_is_as_before():
            assert os.environ.get("MLFLOW_TRACKING_URI") == {before!r}

        def test_sets_it_in_a_block(monkeypatch):
            with capture_traces():
                agent()
                sets(monkeypatch)

        test_it_is_as_before_again = test_it_is_as_before
        """
    )

    project.runpytest("-p", "no:randomly").assert_outcomes(passed=4)
