"""One suite, run beside each plugin that an agent repo is likely to have: the same verdicts, and no trace lost."""

from __future__ import annotations

import importlib.util

import pytest

from pytest_mlflow_traces import read_traces

SUITE = """
    import threading

    import mlflow
    import pytest
    from app import agent

    from pytest_mlflow_traces import span

    WHOLE = span("agent", type="AGENT")[span("plan"), span("search", type="TOOL")]


    def test_an_agent(mlflow_traces):
        agent()
        assert mlflow_traces.one() == WHOLE


    def test_a_broken_agent(mlflow_traces):
        with mlflow.start_span("agent", span_type="AGENT"):
            pass
        assert mlflow_traces.one() == WHOLE


    @pytest.mark.mlflow_traces(expect=WHOLE, count=2)
    def test_a_marked_test():
        agent()
        thread = threading.Thread(target=agent)
        thread.start()
        thread.join()


    @pytest.mark.mlflow_traces(expect=span("agent")[span("plan")])
    def test_a_broken_marked_test():
        agent()


    def test_without_traces():
        pass
"""
COROUTINES = """
    import asyncio

    import pytest
    from app import agent


    {mark}
    async def test_coroutines(mlflow_traces):
        async def work():
            await asyncio.sleep(0)
            return agent()

        await asyncio.gather(work(), work())
        assert [trace.name for trace in mlflow_traces] == ["agent", "agent"]


    {mark}
    @pytest.mark.mlflow_traces(count=0)
    async def test_a_coroutine_that_traces_unasked():
        agent()
"""
NEIGHBOURS = {
    "nobody": (),
    "pytest-opentelemetry": ("pytest_opentelemetry",),
    "mlflow.test": ("mlflow.pytest.plugin",),
    "langsmith": ("langsmith.pytest_plugin",),
    "pytest-rerunfailures": ("pytest_rerunfailures",),
    "pytest-randomly": ("pytest_randomly",),
    "anyio": ("anyio.pytest_plugin",),
    "hypothesis": ("_hypothesis_pytestplugin",),
    "inline-snapshot": ("inline_snapshot.pytest_plugin",),
}
ALL = "all that are installed"  # as pytest loads them by itself
NEIGHBOURS[ALL] = NEIGHBOURS["mlflow.test"]
WORKERS = ("-n", "2")


def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.fixture
def beside(project, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(plugins, *arguments):
        missing = [plugin for plugin in plugins if not _is_here(plugin)]
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")
        options = [option for plugin in plugins for option in ("-p", plugin)]
        return project.runpytest_subprocess(*options, "--mlflow-traces-save=traces.jsonl", *arguments)

    return run


def _saved(project):
    traces = read_traces(project.path / "traces.jsonl")
    return sorted(str(trace.system_tags["mlflow.test.name"]).partition("::")[2] for trace in traces)


@pytest.mark.parametrize(
    ("neighbour", "workers"), [*((each, ()) for each in NEIGHBOURS), ("nobody", WORKERS), (ALL, WORKERS)]
)
def test_the_verdicts_are_the_same(project, beside, monkeypatch, neighbour, workers):
    if neighbour == ALL:
        monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
        monkeypatch.delenv("PYTEST_ADDOPTS")
    project.makepyfile(test_agent=SUITE)

    result = beside(NEIGHBOURS[neighbour], *workers)

    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines_random(["*FAILED*::test_a_broken_agent*", "*FAILED*::test_a_broken_marked_test*"])
    assert _saved(project) == [
        "test_a_broken_agent",
        "test_a_broken_marked_test",
        "test_a_marked_test",
        "test_a_marked_test",
        "test_an_agent",
    ]
    assert not list(project.path.glob("*.db"))


@pytest.mark.parametrize(
    ("plugins", "mark", "options"),
    [
        ((), "@pytest.mark.asyncio", ("--asyncio-mode=strict",)),
        ((), "", ("--asyncio-mode=auto",)),
        (("anyio.pytest_plugin",), "@pytest.mark.anyio", ("-p", "no:asyncio")),
        (("anyio.pytest_plugin", "pytest_opentelemetry"), "", ("--asyncio-mode=auto",)),
    ],
    ids=["asyncio strict", "asyncio auto", "anyio", "asyncio auto beside anyio and OpenTelemetry"],
)
def test_coroutines(project, beside, plugins, mark, options):
    fixture = "\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    project.makeconftest(f"import pytest{fixture if '-p' in options else ''}")
    project.makepyfile(test_agent=COROUTINES.format(mark=mark))

    result = beside(plugins, *options)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*FAILED*::test_a_coroutine_that_traces_unasked*"])


def test_a_test_of_mlflow_s_own_plugin_may_be_traced(project, beside):
    """`@mlflow.test` opens a run on the tracking server before the test, and `evaluate` reads traces from there."""
    mlflow = pytest.importorskip("mlflow")
    if not hasattr(mlflow, "test"):
        pytest.skip("since MLflow 3.14")
    project.makepyfile(
        test_agent="""
        import mlflow
        from app import agent

        from pytest_mlflow_traces import span

        @mlflow.test
        def test_scored(mlflow_traces):
            @mlflow.genai.scorer
            def is_something(outputs):
                return bool(outputs)

            result = mlflow.genai.evaluate(data=[{"inputs": {"query": "q"}}], predict_fn=agent, scorers=[is_something])
            assert result.metrics["is_something/mean"] == 1.0
            assert mlflow_traces.one() == span("agent")[span("plan"), span("search")]
        """
    )

    beside(("mlflow.pytest.plugin",), "-W", "ignore").assert_outcomes(passed=1)
