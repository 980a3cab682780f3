"""`--mlflow-traces-summary`, `$GITHUB_STEP_SUMMARY` and the line at the end of a run."""

from __future__ import annotations

import re

import pytest

from pytest_mlflow_traces.reports.markdown import code

SUITE = """
    import pytest
    from app import agent
    from pytest_mlflow_traces import span, assert_trace

    def test_holds(mlflow_traces):
        agent()

    def test_differs(mlflow_traces):
        agent()
        assert mlflow_traces.one() == span("agent")[span("plan")]

    def test_raises(mlflow_traces):
        agent()
        assert_trace(mlflow_traces, span("agent")[span("plan")])

    @pytest.mark.mlflow_traces(count=2)
    def test_counts():
        agent()

    def test_answers_badly(mlflow_traces):
        agent()
        assert 1 + 1 == 3

    def test_catches(mlflow_traces):
        agent()
        with pytest.raises(AssertionError):
            assert mlflow_traces.one() == span("other")

    @pytest.mark.xfail
    def test_xfails(mlflow_traces):
        agent()
        assert False

    @pytest.mark.xfail(strict=False)
    def test_xpasses(mlflow_traces):
        agent()

    @pytest.fixture
    def broken(mlflow_traces):
        yield
        raise RuntimeError("at the end")

    class TestEnds:
        def test_error(self, broken):
            agent()

    @pytest.mark.skip
    def test_skipped(mlflow_traces):
        pass

    def test_plain():
        assert False
"""
ROWS = {
    "test_holds": "passed | 1 | 3 | <code>search</code> |  |  |",
    "test_differs": "**failed** | 1 | 3 | <code>search</code> |  | 1 |",
    "test_raises": "**failed** | 1 | 3 | <code>search</code> |  | 1 |",
    "test_counts": "**failed** | 1 | 3 | <code>search</code> |  | 1 |",
    "test_answers_badly": "**failed** | 1 | 3 | <code>search</code> |  |  |",
    "test_catches": "passed | 1 | 3 | <code>search</code> |  |  |",
    "test_xfails": "xfailed | 1 | 3 | <code>search</code> |  |  |",
    "test_xpasses": "xpassed | 1 | 3 | <code>search</code> |  |  |",
    "TestEnds::test_error": "**error** | 1 | 3 | <code>search</code> |  |  |",
}
TREE = """
trace &#x27;agent&#x27; does not match: 1 unexpected

  agent  AGENT
  ├─ plan
+ └─ search  TOOL  unexpected
"""


def summary_of(project, *args, run=None):
    (run or project.runpytest_inprocess)("--mlflow-traces-summary=out/summary.md", *args)
    return (project.path / "out" / "summary.md").read_text()


def rows(text):
    return {row for row in text.split("\n") if row.startswith("| <code>")}


@pytest.fixture
def suite(project):
    project.makepyfile(test_it=SUITE)
    return project


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_every_test_that_traced_is_told_as_it_ended(suite, workers):
    text = summary_of(suite, *workers, run=suite.runpytest_subprocess)

    assert rows(text) == {f"| {code(f'test_it.py::{name}')} | {row}" for name, row in ROWS.items()}
    assert text.startswith("## MLflow traces: 5 of 9 tests failed\n")


def test_a_failure_shows_its_tree_or_its_message(suite):
    text = summary_of(suite)

    folded = {
        re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), title): re.sub(r"\d+(\.\d+)? [mµ]s", "1 ms", body)
        for title, body in re.findall(r"<summary><code>test_it.py(.*?)</code>.*?<pre>(.*?)</pre>", text, re.DOTALL)
    }
    assert set(folded) == {f"::{name}" for name, row in ROWS.items() if row.startswith("**")}
    assert folded["::test_differs"].split("\n")[1] == TREE.split("\n")[1]
    assert "+ └─ search  TOOL" in folded["::test_differs"]
    assert folded["::test_raises"] == folded["::test_differs"]
    assert folded["::test_counts"].startswith("\nexpected 2 traces, got 1:\n  [0] agent  OK  3 spans  tr-")
    assert folded["::test_answers_badly"].startswith("\nAssertionError: assert (1 + 1) == 3\n\ntrace &#x27;agent&#x27;")
    assert "└─ search  TOOL" in folded["::test_answers_badly"]
    assert folded["::TestEnds::test_error"].startswith("\nRuntimeError: at the end\n")


def test_a_comparison_that_fails_in_a_fixture_has_its_finding_too(project):
    project.makepyfile(
        test_it="""
        import pytest
        from app import agent
        from pytest_mlflow_traces import span

        @pytest.fixture
        def answered(mlflow_traces):
            agent()
            assert mlflow_traces.one() == span("agent")[span("plan")]

        def test_it(answered): pass
        """
    )

    text = summary_of(project)

    name = code("test_it.py::test_it")
    assert rows(text) == {f"| {name} | **error** | 1 | 3 | <code>search</code> |  | 1 |"}


def test_a_suite_without_traces_has_checked_nothing(project):
    project.makepyfile("def test_plain(): pass")

    assert summary_of(project).startswith("## MLflow traces: nothing was traced\n\n> [!CAUTION]\n")


def test_a_green_test_in_a_red_run_is_no_green_report(project):
    project.makepyfile(
        """
        from app import agent

        def test_holds(mlflow_traces): agent()
        def test_plain(): assert False
        """
    )

    text = summary_of(project)

    assert text.startswith("## MLflow traces: 1 test passed, but the run failed (1 test without traces failed)\n")


def test_the_step_summary_of_github_is_added_to(suite, monkeypatch):
    path = suite.path / "github.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))

    suite.runpytest_inprocess("-k", "holds")

    assert path.read_text().startswith("before\n## MLflow traces: 1 test passed\n")


def test_a_suite_without_traces_adds_nothing_to_it(project, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "github.md"))
    project.makepyfile("def test_plain(): pass")

    project.runpytest_inprocess()

    assert not (project.path / "github.md").exists()


def test_a_summary_that_cannot_be_written_fails_the_run(suite):
    (suite.path / "out").write_text("a file")

    result = suite.runpytest_inprocess("--mlflow-traces-summary=out/summary.md", "-k", "holds")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["mlflow traces: the summary was not written: *"])


def test_the_run_ends_with_its_totals(suite):
    result = suite.runpytest_inprocess("-k", "holds or differs")

    result.stdout.fnmatch_lines(["mlflow traces: 2 traces of 2 tests, 6 spans, 2 tool calls, 1 finding"])
    suite.runpytest_inprocess("-q", "-k", "holds").stdout.no_fnmatch_line("mlflow traces: *")


def told_in(text):
    return {
        re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), row).split("::")[1].split("<")[0] for row in rows(text)
    }


def test_a_run_of_what_failed_last_tells_of_that(suite):
    suite.runpytest_inprocess()

    text = summary_of(suite, "--lf")

    assert told_in(text) == {"test_differs", "test_raises", "test_counts", "test_answers_badly", "TestEnds"}
    assert text.startswith("## MLflow traces: 5 of 5 tests failed\n")


def test_a_run_that_stops_at_a_failure_tells_of_what_it_ran(suite):
    text = summary_of(suite, "-x")

    assert told_in(text) == {"test_holds", "test_differs"}
    assert text.startswith("## MLflow traces: 1 of 2 tests failed\n")


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_test_that_failed_however_often_it_was_run_failed_once(project, workers):
    project.makepyfile(
        """
        from app import agent
        from pytest_mlflow_traces import span

        def test_fails(mlflow_traces):
            agent()
            assert mlflow_traces.one() == span("other")
        """
    )

    text = summary_of(project, "-p", "pytest_rerunfailures", "--reruns=2", *workers, run=project.runpytest_subprocess)

    assert text.startswith(
        "## MLflow traces: 1 of 1 test failed\n\n1 trace of 1 test, 3 spans, 1 tool call, 1 finding.\n"
    )
    assert text.count("<details>") == 1


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_module_that_does_not_import_is_named(project, workers):
    project.makepyfile(
        test_a="from app import agent\n\ndef test_holds(mlflow_traces): agent()", test_b="import nothing"
    )

    text = summary_of(project, "--continue-on-collection-errors", *workers, run=project.runpytest_subprocess)

    assert text.startswith("## MLflow traces: 1 test passed, but the run failed (1 module not collected)\n")
    assert f"Not collected, so that their tests did not run: {code('test_b.py')}.\n" in text


STOPPED = """
    import pytest
    from app import agent

    def test_1(mlflow_traces): agent()
    def test_2(mlflow_traces):
        agent()
        {}
    def test_3(mlflow_traces): agent()
    def test_4(): pass
"""


@pytest.mark.parametrize(
    ("how", "status", "says"),
    [
        ("raise KeyboardInterrupt", 2, "interrupted"),
        ("pytest.exit('bye', returncode=0)", 0, "bye"),
        ("pytest.exit('bye')", 2, "bye"),
    ],
)
@pytest.mark.parametrize("asks", ["a file", "github"])
def test_a_run_that_stops_early_is_no_green_report(project, monkeypatch, asks, how, status, says):
    project.makepyfile(STOPPED.format(how))
    path = project.path / "summary.md"
    if asks == "github":
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    args = [f"--mlflow-traces-summary={path}"] if asks == "a file" else []

    result = project.runpytest_subprocess("-p", "no:randomly", *args)

    assert result.ret == status
    assert path.read_text().startswith(
        "## MLflow traces: 1 test passed, but the run stopped early\n\n"
        f"> [!CAUTION]\n> The run stopped early: 1 of 4 tests ran, {says}.\n"
    )


def test_a_run_that_collects_nothing_says_why(project):
    project.makepyfile(test_b="import nothing")

    text = summary_of(project)

    assert text.startswith("## MLflow traces: nothing was traced\n")
    assert "> The run stopped early: 1 error during collection.\n" in text
    assert "did not run: <code>test_b.py</code>.\n" in text


def test_without_a_terminal_there_is_less_to_tell(project):
    project.makepyfile(STOPPED.format("pytest.exit('bye', returncode=0)"))

    text = summary_of(project, "-p", "no:terminal", "-p", "no:randomly", run=project.runpytest_subprocess)

    assert "\n> The run stopped early: bye.\n" in text


def test_a_test_of_a_worker_that_crashed_is_no_green_report(project):
    project.makepyfile(
        """
        import os
        from app import agent

        def test_holds(mlflow_traces):
            agent()

        def test_crashes(mlflow_traces):
            agent()
            os._exit(3)
        """
    )

    text = summary_of(project, "-n", "1", "-p", "no:randomly", run=project.runpytest_subprocess)

    assert text.startswith("## MLflow traces: 1 test passed, but the run failed (1 test without traces failed)\n")
