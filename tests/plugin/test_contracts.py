"""Expectations that the plugin checks by itself: by the marker, and by contracts of the whole suite."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import INI

CONTRACTS = """
    from pytest_mlflow_traces import Contract, TagSchema, span

    class Tags(TagSchema):
        team: str

    ANSWERS = Contract("answers", span("agent")[..., span("search"), ...], Tags, applies_to=span("agent"))
    OTHERS = Contract("others", span(status="OK"), applies_to=span("somebody_else"))
    ALL = Contract("all", ANSWERS, OTHERS)
    NUMBER = 5
"""
BROKEN = """
    from pytest_mlflow_traces import TagSchema

    class Tags(TagSchema):
        done: bool
"""


def run(project, *args):
    return project.runpytest_inprocess(*args)


@pytest.fixture
def suite(project):
    """A suite whose traces keep a contract when the agent is given its team, and break it otherwise."""
    project.makepyfile(
        contracts=CONTRACTS,
        test_suite="""
        from app import agent

        def test_keeps(mlflow_traces):
            agent(tags={"team": "red"})

        def test_plain():
            pass
        """,
    )

    def with_contracts(*names, strict=False):
        listed = "".join(f"\n    {name}" for name in names)
        project.makeini(f"{INI}mlflow_traces_strict = {strict}\nmlflow_traces_contract ={listed}\n")
        return project

    return with_contracts


def test_the_marker_checks_each_trace_of_the_test(project):
    project.makepyfile(
        """
        import pytest
        from app import agent
        from pytest_mlflow_traces import span

        @pytest.mark.mlflow_traces(expect=span("agent")[span("plan"), span("search")])
        def test_holds():
            agent(), agent()

        @pytest.mark.mlflow_traces(expect=[span("agent"), span("agent")[span("plan")]])
        def test_breaks():
            agent()
        """
    )

    result = run(project)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["trace 'agent' does not match: 1 unexpected", "", "*+ └─ search  TOOL*unexpected"])


@pytest.mark.parametrize("value", ["'agent'", "5", "None", "[]"])
def test_what_is_no_expectation_is_refused_at_collection(project, value):
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.mlflow_traces(expect={value})
        def test_marked(): pass
        """
    )

    result = run(project)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "expect" in result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_a_contract_of_the_suite_holds_for_every_captured_trace(suite):
    run(suite("contracts:ANSWERS")).assert_outcomes(passed=2)


def test_a_broken_one_fails_the_test_by_name(suite):
    project = suite("contracts:ANSWERS")
    project.makepyfile(test_more="from app import agent\n\ndef test_breaks(mlflow_traces):\n    agent()\n")

    result = run(project)

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["contract 'answers': trace 'agent':", "  tags.missing at tag 'team': *"])


def test_one_that_does_not_hold_has_applied(suite):
    project = suite("contracts:ANSWERS")
    project.makepyfile(
        test_contracts="""
        from app import agent

        def test_breaks(mlflow_traces):
            agent()
        """
    )

    result = run(project, "test_contracts.py")

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*applied to no trace*")


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
@pytest.mark.parametrize(("strict", "ret"), [(False, pytest.ExitCode.OK), (True, pytest.ExitCode.TESTS_FAILED)])
def test_one_that_applied_to_nothing_is_told_and_fails_a_strict_run(suite, workers, strict, ret):
    result = suite("contracts:ANSWERS", "contracts:OTHERS", strict=strict).runpytest_subprocess(*workers)

    assert result.ret == ret
    result.stdout.fnmatch_lines(["*= MLflow trace contracts =*", "contracts:OTHERS applied to no trace of this run"])
    result.stdout.no_fnmatch_line("contracts:ANSWERS applied to no trace*")


def test_one_inside_another_that_applied_to_nothing_is_told_too(suite):
    result = run(suite("contracts:ALL", strict=True))

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["contracts:ALL > others applied to no trace of this run"])
    result.stdout.no_fnmatch_line("contracts:ALL applied*")
    result.stdout.no_fnmatch_line("*> answers applied*")


def test_a_part_of_the_suite_does_not_fail_for_it(suite):
    result = run(suite("contracts:ANSWERS", strict=True), "-k", "plain")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["contracts:ANSWERS applied to no trace of this run"])


PARTS = [["-k", "not slow"], ["-m", "not slow"], ["--ignore=slow"], ["--deselect=slow"], ["test_suite.py"]]


@pytest.mark.parametrize("options", PARTS, ids=" ".join)
def test_a_part_of_the_suite_is_one_by_the_ini_file_too(suite, options):
    """Another run may be of the rest."""
    addopts = " ".join(f"'{option}'" for option in options)

    assert run(suite("contracts:OTHERS", strict=True), *options).ret == pytest.ExitCode.OK
    assert run(suite("contracts:OTHERS", strict=True), "-o", f"addopts={addopts}").ret == pytest.ExitCode.OK


@pytest.mark.parametrize("options", [["-x"], ["--maxfail=3"], ["-o", "addopts=-x"], ["-o", "testpaths=test_suite.py"]])
def test_a_limit_of_failures_and_files_that_are_the_suite_leave_nothing_out(suite, options):
    result = run(suite("contracts:OTHERS", strict=True), *options)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("contracts", "write it as module:NAME"),
        ("contracts:ANSWER", "contracts has no 'ANSWER'; did you mean 'ANSWERS'?"),
        ("no_such_module:NAME", "No module named 'no_such_module'"),
        ("broken:Tags", "TypeError: Tags.done: every tag is text; for bool write BoolTag"),
        ("contracts:NUMBER", "expected a pattern, Budget, TagSchema or Contract, got 5"),
    ],
)
def test_a_name_that_is_no_contract_is_a_usage_error(suite, name, says):
    project = suite(name)
    project.makepyfile(broken=BROKEN)

    result = run(project)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"mlflow_traces_contract = {name}: {says}" in result.stderr.str()
    assert "INTERNALERROR" not in result.stdout.str()


@pytest.mark.parametrize("tags", ["{'done': True}", "{'a;b': 'x'}", "{'mlflow.mine': 'x'}", "{'long': 'x' * 5000}"])
def test_strict_mode_fails_tags_that_servers_do_not_keep(suite, tags):
    project = suite(strict=True)
    project.makepyfile(test_more=f"from app import agent\n\ndef test_tags(mlflow_traces):\n    agent(tags={tags})\n")

    result = run(project)

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["the traces of this test are not whole (mlflow_traces_strict):", "tags.*"])


def test_strict_mode_warns_of_tags_that_look_like_secrets(suite):
    project = suite(strict=True)
    project.makepyfile(
        test_more="""
        from app import agent

        def test_tags(mlflow_traces):
            agent(tags={"contact": "ada@example.com"})
        """
    )

    result = run(project, "-W", "default::pytest_mlflow_traces.SecretTagWarning")

    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines(
        ["*SecretTagWarning: trace 'agent': tag 'contact' looks like an e-mail address: 'ada'*"]
    )
    result.stdout.no_fnmatch_line("*ada@example.com*")


SAYS = (
    ": mlflow_traces is one capture for all examples of a Hypothesis test, which mixes their traces."
    " Open one for each example, inside the test: `with capture_traces() as traces:`"
    " (from pytest_mlflow_traces import capture_traces)"
)


@pytest.mark.parametrize(
    ("decorator", "arguments"),
    [
        ("@given(st.integers())", "mlflow_traces, number"),
        ("@pytest.mark.mlflow_traces(count=1)\n@given(st.integers())", "number"),
        ("@given(st.integers())\n@pytest.mark.mlflow_traces", "number"),
        ("@pytest.mark.usefixtures('mlflow_traces')\n@given(number=st.integers())", "number"),
        (
            "@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])\n@given(st.integers())",
            "mlflow_traces, number",
        ),
    ],
)
def test_one_capture_for_all_examples_of_hypothesis_is_refused(project, decorator, arguments):
    pytest.importorskip("hypothesis")
    project.makepyfile(f"""
import pytest
from app import agent
from hypothesis import HealthCheck, given, settings, strategies as st

{decorator}
def test_examples({arguments}):
    agent()
""")

    result = run(project)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    name = "test_one_capture_for_all_examples_of_hypothesis_is_refused"
    assert f"{name}.py::test_examples{SAYS}" in result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_each_example_of_hypothesis_has_a_capture_of_its_own(project):
    pytest.importorskip("hypothesis")
    project.makepyfile(
        """
        import pytest
        from app import agent
        from hypothesis import given, settings, strategies as st
        from pytest_mlflow_traces import capture_traces, span

        @pytest.fixture(autouse=True)
        def beside(mlflow_traces):
            yield

        @given(st.integers(1, 3))
        @settings(max_examples=5, deadline=None)
        def test_examples(number):
            with capture_traces() as traces:
                for _ in range(number):
                    agent()

            assert len(traces) == number
        """
    )

    run(project).assert_outcomes(passed=1)
