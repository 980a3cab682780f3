"""The fixture `virtual_time`: spans on a clock that the test moves, with and without event loops, and beside others."""

from __future__ import annotations

import pytest

WORKERS = """
    import asyncio
    import contextvars
    import threading
    import time
    from concurrent.futures import ThreadPoolExecutor

    import mlflow
    import pytest


    @mlflow.trace(span_type="TOOL")
    def query(seconds):
        time.sleep(seconds)


    @mlflow.trace
    def in_threads(*seconds, timeout=30):
        pool = ThreadPoolExecutor()
        futures = [pool.submit(contextvars.copy_context().run, query, each) for each in seconds]
        try:
            for future in futures:
                future.result(timeout)
        finally:
            pool.shutdown(wait=False)


    @mlflow.trace(name="query", span_type="TOOL")
    async def aquery(seconds):
        await asyncio.sleep(seconds)


    @mlflow.trace
    async def in_tasks(*seconds):
        await asyncio.gather(*map(aquery, seconds))
"""


def run(project, *args):
    return project.runpytest_inprocess(*args)


@pytest.fixture
def workers(project):
    project.makepyfile(workers=WORKERS)
    return project


@pytest.mark.parametrize("fixtures", ["mlflow_traces, virtual_time", "virtual_time, mlflow_traces"])
def test_spans_follow_the_clock_whichever_fixture_comes_first(workers, fixtures):
    workers.makepyfile(
        f"""
        import asyncio
        import time
        import mlflow
        from pytest_mlflow_traces import Budget, assert_trace, parallel, span
        from workers import in_tasks, in_threads

        def test_by_hand({fixtures}):
            with mlflow.start_span("agent"):
                virtual_time.advance("1500ms")
                with mlflow.start_span("search"):
                    time.sleep(0.25)
            trace = mlflow_traces.one()
            assert (trace.duration_ms, trace.root.self_ms, trace.start_ns) == (1750, 1500, 1767225600 * 10**9)
            assert_trace(trace, Budget(latency="1750ms", self_time_of={{"search": "250ms"}}))

        def test_threads({fixtures}):
            in_threads(0.1, 0.65, 20)
            trace = mlflow_traces.one()
            assert [each.duration_ms for each in trace.root.children] == [100, 650, 20_000]
            assert trace == span("in_threads")[parallel(span("query"), span("query"), span("query"))]
            assert (trace.duration_ms, trace.max_concurrency) == (20_000, 3)

        def test_tasks({fixtures}):
            asyncio.run(in_tasks(0.1, 0.65, 20))
            trace = mlflow_traces.one()
            assert sorted(each.duration_ms for each in trace.root.children) == [100, 650, 20_000]
            assert (trace.duration_ms, trace.max_concurrency) == (20_000, 3)
        """
    )

    run(workers).assert_outcomes(passed=3)


def test_a_worker_that_hangs_times_out_to_the_millisecond_in_no_time(workers):
    workers.makepyfile(
        """
        import asyncio
        import concurrent.futures
        import time
        import pytest
        from workers import in_tasks, in_threads

        seconds = []

        @pytest.fixture(autouse=True)
        def stopwatch(request):
            began = time.process_time()  # that of a clock on the wall depends on what else the machine does
            yield
            seconds.append(time.process_time() - began)

        def test_what_the_first_capture_imports(mlflow_traces, virtual_time):
            in_threads(1)
            asyncio.run(in_tasks(1))

        def test_threads(mlflow_traces, virtual_time):
            with pytest.raises(concurrent.futures.TimeoutError):
                in_threads(3600)
            assert mlflow_traces.unfinished[0].path == "in_threads > query"
            assert virtual_time.elapsed_ms == 30_000

        def test_tasks(mlflow_traces, virtual_time):
            with pytest.raises(asyncio.TimeoutError):
                asyncio.run(asyncio.wait_for(in_tasks(3600), 30))
            assert mlflow_traces.one().duration_ms == 30_000

        def test_in_no_time():
            assert max(seconds[1:]) < 5  # of the 30 that pass
        """
    )

    run(workers, "-p", "no:randomly", "-W", "ignore::pytest_mlflow_traces.MlflowTracesWarning").assert_outcomes(
        passed=4
    )


@pytest.mark.parametrize(("mode", "mark"), [("strict", "@pytest.mark.asyncio"), ("auto", "")])
def test_it_works_in_async_tests_and_async_fixtures(workers, mode, mark):
    fixture = "pytest_asyncio.fixture" if mode == "strict" else "pytest.fixture"
    workers.makepyfile(
        f"""
        import asyncio
        import pytest
        import pytest_asyncio
        from workers import in_tasks

        @{fixture}
        async def warmed(virtual_time):
            await asyncio.sleep(5)
            yield virtual_time.elapsed_ms
            await asyncio.sleep(5)

        {mark}
        async def test_async(mlflow_traces, virtual_time, warmed):
            await in_tasks(10, 29.999)
            assert mlflow_traces.one().duration_ms == 29_999
            assert (warmed, virtual_time.elapsed_ms) == (5_000, 34_999)

        {mark}
        async def test_again(virtual_time):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 30)
            assert virtual_time.elapsed_ms == 30_000

        {mark}
        async def test_without_it():
            await asyncio.sleep(0.001)
        """
    )

    run(workers, "--asyncio-mode", mode).assert_outcomes(passed=3)


def test_on_two_workers_each_has_a_time_of_its_own(workers):
    workers.makepyfile(
        """
        import pytest
        from workers import in_threads

        @pytest.mark.parametrize("seconds", range(8))
        def test_it(mlflow_traces, virtual_time, seconds):
            in_threads(seconds, 5)
            assert mlflow_traces.one().duration_ms == max(seconds, 5) * 1000
        """
    )

    workers.runpytest_subprocess("-n", "2").assert_outcomes(passed=8)


def test_mlflow_may_be_imported_after_it_began(project):
    project.makepyfile(
        """
        import sys
        import time

        def test_first(virtual_time):
            assert "mlflow" not in sys.modules
            from pytest_mlflow_traces import capture_traces
            with capture_traces() as traces:
                import mlflow
                with mlflow.start_span("agent"):
                    time.sleep(2)
            assert traces.one().duration_ms == 2_000

        def test_then(mlflow_traces):
            import mlflow
            with mlflow.start_span("agent"):
                pass
            assert mlflow_traces.one().duration_ms < 60_000
            assert mlflow_traces.one().start_ns > 1767225600 * 10**9 + 60 * 10**9
        """
    )

    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


def test_a_test_takes_as_long_in_reports_as_it_really_took(workers):
    workers.makepyfile("import time\n\ndef test_it(virtual_time):\n    time.sleep(3600)\n")

    result = run(workers, "--durations=3", "--durations-min=0")

    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines([r"\d\.\d\ds call .*test_it"])
    result.stdout.no_re_match_line(r".*\d{4}\.\d\ds.*")


def test_a_stub_of_sleep_in_the_first_test_of_a_run_hides_no_wait_of_the_next(project):
    project.makepyfile(
        """
        import time

        import mlflow
        import pytest

        from pytest_mlflow_traces import Budget

        @mlflow.trace
        def search():
            time.sleep(0.02)

        def test_1_with_a_stub(monkeypatch, request):
            monkeypatch.setattr(time, "sleep", lambda seconds: None)
            request.getfixturevalue("virtual_time")
            search()

        @pytest.mark.mlflow_traces(expect=Budget(latency="10ms"))
        def test_2_too_slow(virtual_time):
            search()
        """
    )

    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1, failed=1)


def test_a_test_that_fails_puts_everything_back(workers):
    workers.makepyfile(
        """
        import time

        def test_fails(virtual_time):
            time.sleep(5)
            assert False

        def test_then():
            assert time.sleep.__module__ == "time"
        """
    )

    run(workers, "-p", "no:randomly").assert_outcomes(passed=1, failed=1)


def test_without_the_extra_the_error_names_it(project):
    project.makepyfile(
        conftest="import sys\n\nsys.modules['time_machine'] = None\n",
        test_it="def test_it(virtual_time):\n    pass\n\ndef test_other():\n    pass\n",
    )

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *virtual time needs time-machine: pip install 'pytest-mlflow-traces[[]time]'"])


def test_a_wait_in_real_time_fails_a_budget_of_latency_and_is_but_listed_elsewhere(project):
    project.makepyfile(
        """
        import select

        import mlflow
        import pytest

        from pytest_mlflow_traces import Budget

        @mlflow.trace
        def fetch():
            select.select([], [], [], 0.4)

        @pytest.mark.mlflow_traces(expect=Budget(latency="1h"))
        def test_with_a_limit(virtual_time):
            fetch()

        @pytest.mark.mlflow_traces(expect=Budget(calls={"fetch": 1}))
        def test_without(virtual_time):
            fetch()

        def test_that_fails(mlflow_traces, virtual_time):
            fetch()
            assert False
        """
    )

    result = run(project, "-p", "no:randomly")

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.re_match_lines([r".*budget\.real_time at fetch: .*, got 0 ms of virtual time, and \d+ ms of real"])
    result.stdout.re_match_lines(
        [
            "waited in real time, which virtual time leaves out:",
            r"  \d+ ms at test_a_wait_in_real_time_fails.*\.py:\d+, in fetch$",
        ]
    )


def test_a_time_out_in_real_time_is_explained(project):
    project.makepyfile(
        """
        import socket

        def test_waits(virtual_time, monkeypatch):
            monkeypatch.setattr("pytest_mlflow_traces.virtual_time.real_waits.EXPLAINED_NS", 200_000_000)
            reader, writer = socket.socketpair()
            with reader, writer:
                reader.settimeout(0.4)
                reader.recv(1)
        """
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "E * TimeoutError: timed out",
        "E * this waited in real time, which virtual time does not see *",
        "E *   ??? ms at test_a_time_out_in_real_time_is_explained.py:*",
    ])  # fmt: skip
