"""`--mlflow-traces-html=PATH`: the page of a run."""

from __future__ import annotations

import sys

import pytest

from tests.support.pages import data_of

pytestmark = pytest.mark.usefixtures("jinja")
SUITE = """
    import pytest
    from app import agent
    from pytest_mlflow_traces import Budget, span, assert_trace

    def test_holds(mlflow_traces):
        agent()

    def test_differs(mlflow_traces):
        agent()
        assert mlflow_traces.one() == span("agent")[span("plan")]

    def test_raises(mlflow_traces):
        agent()
        assert_trace(mlflow_traces, span("agent")[span("plan"), span("other"), span("search")])

    def test_has_no_such_span(mlflow_traces):
        agent()
        assert span("search", type="LLM") in mlflow_traces

    def test_has_such_a_span(mlflow_traces):
        agent()
        assert span("search") not in mlflow_traces.one()

    def test_finds_one(mlflow_traces):
        agent()
        mlflow_traces.one().find_one(span("plan", type="LLM"))

    @pytest.mark.mlflow_traces(expect=Budget(calls={"search": 0}))
    def test_marked():
        agent()

    def test_has_a_baseline(mlflow_traces, trace_baseline):
        agent()
        assert mlflow_traces.one() == trace_baseline

    @pytest.mark.skip
    def test_skipped(mlflow_traces): pass

    def test_plain(): pass
"""
BASELINE = """\
# mlflow-traces baseline 1
# test_it.py::test_has_a_baseline

agent AGENT OK
  search TOOL OK
"""


@pytest.fixture
def jinja():
    pytest.importorskip("jinja2")


def page_of(project, *args, run=None):
    result = (run or project.runpytest_inprocess)("--mlflow-traces-html=out/page.html", *args)
    path = project.path / "out" / "page.html"
    return result, path.read_text() if path.exists() else None


def entries(html):
    return {each["name"].rpartition("::")[2]: each for each in data_of(html)["entries"]}


@pytest.fixture
def suite(project):
    project.makepyfile(test_it=SUITE)
    return project


def marks(html, name):
    data = data_of(html)
    number = next(k for k, each in enumerate(data["entries"]) if each["name"].endswith(f"::{name}"))
    return [(mark["mark"], mark.get("at")) for each in data[f"spans-{number}"] for mark in each["marks"]]


def test_it_has_every_test_that_traced_and_what_was_found_where(suite):
    result, html = page_of(suite)

    found = entries(html)
    result.stdout.fnmatch_lines(["mlflow traces: page written to out?page.html"])
    assert {name: each["outcome"] for name, each in found.items()} == {
        "test_holds": "passed",
        **dict.fromkeys(found.keys() - {"test_holds"}, "failed"),
    }
    assert len(found) == 8
    assert marks(html, "test_differs") == [("+", 2)]
    assert marks(html, "test_raises") == [("-", None)]
    assert marks(html, "test_has_no_such_span") == [("~", 2)]
    assert marks(html, "test_has_such_a_span") == [("+", 2)]
    assert marks(html, "test_finds_one") == [("~", 1)]
    assert [each["rule"] for each in found["test_marked"]["findings"]] == ["budget.calls"]


def test_it_says_where_a_failure_is_asserted_and_what_accepts_it(suite):
    found = entries(page_of(suite)[1])
    lines = (suite.path / "test_it.py").read_text().split("\n")

    def line(text):
        return next(k for k, each in enumerate(lines, 1) if text in each)

    assert found["test_differs"]["source"] == [
        f"test_it.py:{line('== span')}", 'assert mlflow_traces.one() == span("agent")[span("plan")]'
    ]  # fmt: skip
    assert found["test_raises"]["source"][0] == f"test_it.py:{line('assert_trace(')}"
    assert found["test_marked"]["source"][0] == f"test_it.py:{line('mark.mlflow_traces')}"
    assert found["test_holds"]["source"] is None
    assert found["test_has_a_baseline"]["baseline"] == "__traces__/test_it/test_has_a_baseline.trace"
    assert found["test_has_a_baseline"]["accept"] == "pytest --mlflow-traces-update test_it.py::test_has_a_baseline"


def test_a_baseline_has_its_file_and_line(suite):
    path = suite.path / "__traces__" / "test_it" / "test_has_a_baseline.trace"
    path.parent.mkdir(parents=True)
    suite.runpytest_inprocess("--mlflow-traces-update", "-k", "baseline").assert_outcomes(passed=1, deselected=9)
    path.write_text(path.read_text().replace("  plan UNKNOWN OK\n", ""))

    html = page_of(suite, "-k", "baseline")[1]

    found = entries(html)["test_has_a_baseline"]
    number = next(k for k, each in enumerate(path.read_text().split("\n"), 1) if each.startswith("agent"))
    assert found["baseline"] == f"__traces__/test_it/test_has_a_baseline.trace:{number}"
    assert found["accept"] == "pytest --mlflow-traces-update test_it.py::test_has_a_baseline"
    assert marks(html, "test_has_a_baseline") == [("+", 1)]


def without_times(html):
    """Return what does not differ from run to run."""
    return [
        [each["name"], each["outcome"], each["findings"] if "budget" not in str(each["findings"]) else 0, each["texts"]]
        for each in data_of(html)["entries"]
    ]


def test_workers_make_the_same_page(suite):
    alone = page_of(suite)[1]
    together = page_of(suite, "-n", "2", run=suite.runpytest_subprocess)[1]

    assert without_times(together) == without_times(alone)


def test_of_a_test_that_is_run_again_the_last_run_is_there(project):
    pytest.importorskip("pytest_rerunfailures")
    project.makepyfile(
        test_it="""
        from app import agent
        from pytest_mlflow_traces import span
        import mlflow
        runs = []

        def test_flaky(mlflow_traces):
            runs.append(1)
            with mlflow.start_span(f"run {len(runs)}"):
                pass
            assert mlflow_traces.one() == span("run 3")
        """
    )

    html = page_of(project, "-p", "pytest_rerunfailures", "--reruns=5")[1]

    [entry] = data_of(html)["entries"]
    assert (entry["outcome"], entry["findings"], entry["texts"][0]) == ("passed", [], "run 3")


def test_a_trace_that_never_ended_is_there(project):
    project.makepyfile(
        """
        import mlflow

        def test_it(mlflow_traces):
            span = mlflow.start_span_no_context("hangs")
        """
    )

    html = page_of(project, "-W", "ignore")[1]

    [trace] = data_of(html)["entries"][0]["traces"]
    assert (trace["name"], trace["status"], trace["ms"]) == ("hangs", "IN_PROGRESS", None)


def test_a_run_without_traces_says_so(project):
    project.makepyfile("def test_plain(): pass")

    html = page_of(project)[1]

    assert "<h1>MLflow traces: nothing was traced</h1>" in html
    assert data_of(html)["entries"] == []


def test_a_page_that_cannot_be_written_fails_the_run(project):
    project.makepyfile("def test_plain(): pass")
    (project.path / "out").write_text("a file")

    result, html = page_of(project)

    assert (result.ret, html) == (1, None)
    result.stdout.fnmatch_lines(["mlflow traces: the page was not written: *"])


def test_the_page_of_an_earlier_run_is_gone_before_a_run_dies(project):
    (project.path / "out").mkdir()
    (project.path / "out" / "page.html").write_text("old")
    project.makepyfile("import os\n\ndef test_dies(): os._exit(1)")

    assert page_of(project, run=project.runpytest_subprocess)[1] is None


def test_without_jinja_the_run_ends_at_once_and_says_what_to_install(project, monkeypatch):
    project.makepyfile("def test_plain(): pass")
    monkeypatch.setitem(sys.modules, "jinja2", None)

    result, html = page_of(project)

    assert (result.ret, html) == (pytest.ExitCode.USAGE_ERROR, None)
    result.stderr.fnmatch_lines(
        ["ERROR: --mlflow-traces-html needs Jinja2: pip install 'pytest-mlflow-traces[[]html[]]'"]
    )


def test_nobody_loads_jinja_unasked(project):
    project.makepyfile(
        """
        import sys
        from app import agent

        def test_it(mlflow_traces):
            agent()
            assert "jinja2" not in sys.modules
        """
    )

    project.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("path", ["", " "])
def test_an_empty_path_is_refused(project, path):
    result = project.runpytest_inprocess(f"--mlflow-traces-html={path}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
