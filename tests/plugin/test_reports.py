"""What a run shows: the trees of failed tests, everywhere reports go."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.plugin.conftest import INI

FAILING = """
    from app import agent

    def test_fails(mlflow_traces):
        agent()
        assert False

    def test_passes(mlflow_traces):
        agent()
"""
TREE = [
    "*- mlflow traces -*",
    "trace 'agent'  OK  * ?s  tr-*",
    "agent  AGENT*",
    "├─ plan  UNKNOWN*",
    "└─ search  TOOL*",
]


def run(project, *args):
    return project.runpytest_inprocess(*args)


def test_a_failed_test_shows_its_trees_and_a_passed_one_does_not(project):
    project.makepyfile(FAILING)

    result = run(project)

    result.stdout.fnmatch_lines(TREE)
    assert result.stdout.str().count("└─ search") == 1


def test_nothing_of_a_trace_is_a_command_to_a_runner_of_github(project):
    """Its runners obey lines that begin with two colons, behind spaces too, and two hashes and a bracket anywhere."""
    project.makepyfile(
        """
        import mlflow
        from pytest_mlflow_traces import span

        EVIL = ":" + ":error title=Gate passed:" + ":all good #" + "#[error]all good"

        def test_differs(mlflow_traces):
            with mlflow.start_span(EVIL), mlflow.start_span(EVIL):
                pass
            mlflow.start_span_no_context(EVIL)
            assert mlflow_traces[0] == span(EVIL)[()]
        """
    )

    result = run(project, "--mlflow-traces-show=all", "--tb=short")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([r"\x3a:error title=Gate passed::all good ##\x5b* UNKNOWN*"])
    assert not [each for each in result.outlines if each.lstrip().startswith("::") or "##[" in each]


def test_the_trees_come_through_workers(project):
    project.makepyfile(FAILING)

    project.runpytest_subprocess("-n", "2").stdout.fnmatch_lines(TREE)


def test_none_shows_none(project):
    project.makepyfile(FAILING)

    run(project, "--mlflow-traces-show=none").stdout.no_fnmatch_line("*└─ search*")


def test_all_shows_those_of_passed_tests_too(project):
    project.makepyfile(FAILING)

    result = run(project, "--mlflow-traces-show=all")

    assert result.stdout.str().count("└─ search") == 2
    result.stdout.fnmatch_lines(["*= MLflow traces =*", "*test_passes*", *TREE[1:]])


def test_a_misspelt_value_is_a_usage_error(project):
    result = run(project, "--mlflow-traces-show=faild")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "unknown value 'faild' (legal: 'failed', 'all', 'none'); did you mean 'failed'?" in result.stderr.str()


def test_spans_that_never_ended_are_shown_and_warned_of(project):
    project.makepyfile(
        """
        import mlflow

        def test_leaks(mlflow_traces):
            mlflow.start_span_no_context("opened")
        """
    )

    result = run(project, "--mlflow-traces-show=all", "-W", "default::pytest_mlflow_traces.MlflowTracesWarning")

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*MlflowTracesWarning: trace.unfinished at opened: got never ended", "never ended:", "  opened*"]
    )


def test_what_ended_in_a_trace_that_never_did_is_shown_too(project):
    project.makepyfile(
        """
        import mlflow
        from pytest_mlflow_traces import span

        def leaks():
            stream = mlflow.start_span_no_context("stream")
            mlflow.start_span_no_context("delete_table", span_type="TOOL", parent_span=stream).end()
            with mlflow.start_span("answer"):
                pass

        def test_leaks(mlflow_traces):
            leaks()

        def test_deletes_nothing(mlflow_traces):
            leaks()
            assert span("delete_table") not in mlflow_traces
        """
    )

    result = run(project, "-W", "default::pytest_mlflow_traces.MlflowTracesWarning", "-p", "no:randomly")

    result.assert_outcomes(passed=1, failed=1, warnings=1)
    result.stdout.fnmatch_lines([
        "E       AssertionError: assert trace 'stream' has 1 span like span('delete_table'), expected none",
        "E           stream > delete_table  TOOL  *",
        "E         this trace has not ended: that is how far it went",
        "never ended:",
        "  stream  UNKNOWN",
        "ended in a trace that never did:",
        "  stream > delete_table  TOOL",
        "*MlflowTracesWarning: trace.unfinished at stream: got never ended *: stream > delete_table)",
    ])  # fmt: skip


def test_strict_mode_fails_them(project):
    project.makeini(f"{INI}mlflow_traces_strict = true\n")
    project.makepyfile(
        """
        import mlflow

        def test_leaks(mlflow_traces):
            mlflow.start_span_no_context("opened")
        """
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["the traces of this test are not whole *", "trace.unfinished at opened: got never ended"]
    )


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_junit_file_tells_the_facts_of_each_test_and_the_tree_of_a_failed_one(project, workers):
    project.makepyfile(FAILING)

    project.runpytest_subprocess("--junitxml=report.xml", *workers)

    cases = {case.get("name"): case for case in ET.parse(project.path / "report.xml").iter("testcase")}
    told = {
        name: {each.get("name"): each.get("value") for each in case.iter("property")} for name, case in cases.items()
    }
    for facts in told.values():
        assert facts["mlflow_traces.trace_ids"].startswith("tr-")
        assert facts["mlflow_traces.spans"] == "3"
        assert facts["mlflow_traces.tools"] == "search"
        assert facts["mlflow_traces.tokens"] == ""
        assert float(facts["mlflow_traces.ms"]) > 0
    assert "└─ search  TOOL" in told["test_fails"]["mlflow_traces.tree"]
    assert "mlflow_traces.tree" not in told["test_passes"]


def test_a_test_that_does_not_trace_is_left_alone(project):
    project.makepyfile("def test_plain(): assert False")

    result = run(project, "--junitxml=report.xml")

    assert (
        "mlflow"
        not in result.stdout.str().replace("plugins: ", "").split("test session starts", 1)[1].split("collected")[1]
    )
    assert "mlflow" not in (project.path / "report.xml").read_text()
