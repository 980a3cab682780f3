"""A test that hangs and is killed, as by a time-out: what others traced is there, and nothing of it goes to them."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import read_traces

SUITE = """
    import os
    import signal
    import threading
    import time

    import mlflow
    import pytest
    from app import agent

    HANGS = os.environ["HANGS"]


    class TookTooLong(Exception):
        pass


    def too_long(number, frame):
        raise TookTooLong("the test took too long")


    @pytest.mark.parametrize("number", range(3))
    def test_before(mlflow_traces, number):
        agent()
        assert len(mlflow_traces) == 1


    def test_hangs(mlflow_traces):
        agent()
        threading.Thread(target=agent).start()
        with mlflow.start_span("hanging"), mlflow.start_span("tool"):
            if HANGS == "process":
                os._exit(1)
            signal.signal(signal.SIGALRM, too_long)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            threading.Event().wait()


    @pytest.mark.parametrize("number", range(3))
    def test_after(mlflow_traces, number):
        assert len(mlflow_traces) == 0
        agent()
        assert len(mlflow_traces) == 1
        assert not [trace for trace in mlflow_traces if trace.name == "hanging"]
"""


OTHERS = [*(f"test_after[{number}]" for number in range(3)), *(f"test_before[{number}]" for number in range(3))]


def _saved(project):
    traces = read_traces(project.path / "traces.jsonl")
    return [str(trace.system_tags["mlflow.test.name"]).partition("::")[2] for trace in traces]


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_killed_by_a_signal(project, monkeypatch, workers):
    monkeypatch.setenv("HANGS", "test")
    project.makepyfile(SUITE)

    result = project.runpytest_subprocess("--mlflow-traces-save=traces.jsonl", *workers)

    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["*TookTooLong: the test took too long", "*hanging  UNKNOWN*ERROR*"])
    assert sorted(set(_saved(project))) == [*OTHERS, "test_hangs"]


def test_killed_with_its_process(project, monkeypatch):
    """As by pytest-timeout's method `thread`: pytest-xdist gives the rest to another worker."""
    monkeypatch.setenv("HANGS", "process")
    project.makepyfile(SUITE)

    result = project.runpytest_subprocess("--mlflow-traces-save=traces.jsonl", "-n", "1")

    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["*worker 'gw0' crashed while running *::test_hangs*"])
    assert sorted(_saved(project)) == [
        *(f"test_after[{n}]" for n in range(3)),
        *(f"test_before[{n}]" for n in range(3)),
    ]


@pytest.mark.parametrize("option", ["--mlflow-traces-save=out.file", "--mlflow-traces-summary=out.file"])
def test_a_run_that_dies_leaves_no_file_of_the_one_before(project, monkeypatch, option):
    monkeypatch.setenv("HANGS", "process")
    project.makepyfile(SUITE)
    (project.path / "out.file").write_text("what an earlier run wrote")

    project.runpytest_subprocess("--collect-only", option)
    assert (project.path / "out.file").exists()

    result = project.runpytest_subprocess(option, "-p", "no:randomly", "-p", "no:xdist")

    assert result.ret == 1
    assert not (project.path / "out.file").exists()
