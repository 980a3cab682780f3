"""What a test leaves running when it is over: nothing of it is exported, and it is named."""

from __future__ import annotations

import pytest

LATE = """
    import atexit, contextvars, threading
    import mlflow

    go_on = threading.Event()

    def late():
        go_on.wait(timeout=30)
        with mlflow.start_span("clean up"):
            pass

    def at_exit():
        with mlflow.start_span("flush"):
            pass

    def test_leaves_a_thread(mlflow_traces):
        global thread
        with mlflow.start_span("agent"):
            thread = threading.Thread(target=%s, args=[%s])
            thread.start()
        atexit.register(at_exit)

    def test_has_no_capture():
        go_on.set()
        thread.join()
"""


@pytest.mark.parametrize("mode", ["true", "false"])
@pytest.mark.parametrize("started", [("contextvars.copy_context().run", "late"), ("lambda run: run()", "late")])
def test_what_a_test_left_behind_is_dropped_and_named(project, monkeypatch, started, mode):
    monkeypatch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", mode)
    project.makepyfile(LATE % started)

    result = project.runpytest_subprocess("-p", "no:randomly", "-p", "no:xdist")

    result.assert_outcomes(passed=2, warnings=1)
    said = "was started by a thread or task of *::test_leaves_a_thread after that had closed: it is dropped"
    result.stdout.fnmatch_lines([f"*MlflowTracesWarning: 'clean up' {said} (join or await it *"])
    result.stderr.fnmatch_lines(["*MlflowTracesWarning: 'flush' was started when the run was over: it is dropped"])
    assert not [path.name for path in project.path.iterdir() if path.name.startswith(("mlflow.db", "mlruns"))]


def test_what_is_left_behind_after_the_last_test_is_named_at_the_end(project):
    project.makepyfile(LATE % ("contextvars.copy_context().run", "late"))
    project.makeconftest(
        """
        def pytest_sessionfinish(session):
            module = session.items[0].module
            module.go_on.set()
            module.thread.join()
        """
    )

    result = project.runpytest_subprocess("-p", "no:randomly", "-k", "test_leaves_a_thread")

    result.stdout.fnmatch_lines(["*'clean up' was started by a thread or task of *::test_leaves_a_thread after *"])


def test_a_trace_of_no_test_goes_where_it_is_sent(project):
    """Code that no capture has seen, as that of a fixture of the session, is MLflow's affair."""
    project.makepyfile(
        """
        import mlflow

        def test_first(mlflow_traces):
            with mlflow.start_span("agent"):
                pass

        def test_second(tmp_path):
            mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
            with mlflow.start_span("agent") as span:
                pass
            mlflow.flush_trace_async_logging()

            assert mlflow.get_trace(span.trace_id).data.spans[0].name == "agent"
        """
    )

    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)
