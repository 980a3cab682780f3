"""The marker `mlflow_traces(expect=..., count=...)`: verdicts in the call phase, misuse refused at collection."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import INI

LEAK = "import mlflow; mlflow.start_span_no_context('leak')"


def run(project, *args):
    return project.runpytest_inprocess(*args)


def marked(project, marker, body="agent()", decorator=""):
    project.makepyfile(
        f"""
        import pytest
        from app import agent
        from pytest_mlflow_traces import span

        {decorator}
        @pytest.mark.mlflow_traces{marker}
        def test_marked(mlflow_traces):
            {body}
        """
    )
    return project


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        ("", "agent()"),
        ("()", "agent(); agent()"),
        ("(count=1)", "agent()"),
        ("(count=2)", "agent(); agent()"),
        ("(count=0)", "pass"),
        ("(count=(1, 2))", "agent(); agent()"),
        ("(count=(0, 1))", "pass"),
    ],
)
def test_it_opens_a_capture_by_itself_and_passes(project, marker, body):
    run(marked(project, marker, body)).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "body", "says"),
    [
        ("", "pass", "expected at least 1 trace, but nothing was traced: the code under test started no MLflow span"),
        ("(count=2)", "agent()", "expected 2 traces, got 1:"),
        ("(count=0)", "agent()", "expected 0 traces, got 1:"),
        ("(count=(2, 3))", "agent()", "expected 2 to 3 traces, got 1:"),
        ("(count=1)", "pass", "expected 1 trace, but nothing was traced*"),
        ("(count=1)", "import mlflow; mlflow.tracing.disable(); agent()", "*but tracing is disabled: *"),
        (
            "(count=0)",
            "import mlflow; mlflow.tracing.disable(); agent()",
            "*expected 0 traces, but tracing is disabled: *",
        ),
        ("(count=0)", "agent(); mlflow_traces.clear()", "expected 0 traces, got 1:"),
        ("(expect=span('other'))", "agent(); mlflow_traces.clear()", "*name: expected 'other', got 'agent'"),
        ("(count=(0, 1))", LEAK, "expected 0 to 1 traces, but these spans never ended:"),
    ],
)
def test_another_number_of_traces_fails_the_call(project, marker, body, says):
    result = run(marked(project, marker, body))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([says])


def test_a_test_that_failed_keeps_its_own_error(project):
    result = run(marked(project, "(count=5)", "agent(); assert 1 == 2"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*assert 1 == 2"])
    result.stdout.no_fnmatch_line("*expected 5 traces*")


def test_an_expected_failure_stays_expected(project):
    run(marked(project, "(count=5)", decorator="@pytest.mark.xfail(strict=True)")).assert_outcomes(xfailed=1)


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("(cuont=1)", "'at_least', 'confidence'); did you mean 'count'?"),
        ("(2)", "takes keywords only: 'expect', 'count', 'repeat', 'at_least', 'confidence'; got 2"),
        ("(count='2')", "count is a whole number or (min, max), got '2'"),
        ("(count=True)", "count is a whole number or (min, max), got True"),
        ("(count=-1)", "count=-1: no number of traces is that"),
        ("(count=(2, 1))", "count=(2, 1): no number of traces is that"),
        ("(count=(1, 2, 3))", "count is a whole number or (min, max), got (1, 2, 3)"),
    ],
)
def test_misuse_is_a_usage_error_at_collection(project, marker, says):
    result = run(marked(project, marker))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert says in result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert "INTERNALERROR" not in result.stdout.str()


def test_on_workers_misuse_fails_the_test_by_name(project):
    result = marked(project, "(cuont=1)").runpytest_subprocess("-n", "1")

    result.assert_outcomes(errors=1)
    assert "did you mean 'count'?" in result.stdout.str()
    assert "INTERNALERROR" not in result.stdout.str()


def test_what_ran_in_a_trace_that_never_ended_is_too_much_for_a_marker_and_a_contract(project):
    project.makeini(f"{INI}mlflow_traces_contract = rules:SAFE\n")
    project.makepyfile(rules="from pytest_mlflow_traces import never, span\nSAFE = never(span('delete_table'))")
    project.makepyfile(
        """
        import mlflow
        import pytest
        from app import agent
        from pytest_mlflow_traces import Budget

        def leaks():
            stream = mlflow.start_span_no_context("stream")
            mlflow.start_span_no_context("delete_table", parent_span=stream).end()
            agent()

        @pytest.mark.mlflow_traces(expect=Budget(calls={"delete_table": 0}))
        def test_marked():
            leaks()

        def test_under_contract(mlflow_traces):
            leaks()
        """
    )

    result = run(project, "-p", "no:randomly")

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([
        "trace 'stream', which has not ended:",
        "  budget.calls at stream: expected no call of span('delete_table'), got 1",
        "trace 'stream', which has not ended:",
        "  order.never at stream > delete_table: expected no span('delete_table'), *",
    ])  # fmt: skip


def test_the_closest_marker_has_the_say_on_the_count(project):
    project.makepyfile(
        """
        import pytest
        from app import agent

        pytestmark = pytest.mark.mlflow_traces(count=1)

        def test_one():
            agent()

        @pytest.mark.mlflow_traces(count=2)
        def test_two():
            agent(), agent()
        """
    )

    run(project).assert_outcomes(passed=2)


def test_the_marker_is_registered(project):
    run(marked(project, "(count=1)"), "--strict-markers").assert_outcomes(passed=1)
    run(project, "--markers").stdout.fnmatch_lines(["@pytest.mark.mlflow_traces(expect=..., count=..., *): *"])
