"""What comes late: fixtures asked for by name at run time, markers added after the collection, traces of a teardown."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.plugin.conftest import INI

CONTRACT = """
    from pytest_mlflow_traces import Contract, span

    PLAIN = Contract("plain", span("agent")[span("plan"), span("search")], applies_to=span("agent"))
"""
FORBIDDEN = """
    import mlflow
    import pytest

    def forbidden():
        with mlflow.start_span("agent"), mlflow.start_span("delete_table"):
            pass
"""


def run(project, *args):
    return project.runpytest_inprocess("-p", "no:randomly", *args)


def suite(project, ini="mlflow_traces_contract = contracts:PLAIN\n", **modules):
    project.makeini(INI + ini)
    project.makepyfile(contracts=CONTRACT)
    project.makepyfile(**modules)
    return project


# -- the fixture, asked for by name at run time


def test_the_contracts_of_the_suite_hold_for_a_fixture_that_a_fixture_asks_for_by_name(project):
    suite(
        project,
        test_it=FORBIDDEN
        + """
    @pytest.fixture(autouse=True)
    def traced(request):
        request.getfixturevalue("mlflow_traces")

    def test_it():
        forbidden()
    """,
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*contract 'plain': *1 missing, 1 different"])


def test_the_contracts_of_the_suite_hold_for_a_fixture_that_a_test_asks_for_by_name(project):
    suite(
        project,
        test_it=FORBIDDEN
        + """
    def test_it(request):
        request.getfixturevalue("mlflow_traces")
        forbidden()
    """,
    )

    run(project).assert_outcomes(failed=1)


def test_strict_mode_holds_for_the_first_test_that_asks_by_name(project):
    suite(
        project,
        "mlflow_traces_strict = true\n",
        test_it="""
        import mlflow

        def test_it(request):
            request.getfixturevalue("mlflow_traces")
            mlflow.start_span_no_context("leak")
        """,
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the traces of this test are not whole*"])


def test_a_contract_that_does_not_load_fails_the_test_that_is_the_first_to_need_it(project):
    suite(
        project,
        "mlflow_traces_contract = contracts:PLAIM\n",
        test_it='def test_it(request): request.getfixturevalue("mlflow_traces")',
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mlflow_traces_contract = contracts:PLAIM: *PLAIN*"])


# -- the marker


def test_the_marker_says_which_trace_lost_its_context(project):
    project.makepyfile(
        """
        import threading
        import mlflow
        import pytest

        def audit():
            with mlflow.start_span("audit"):
                pass

        @pytest.mark.mlflow_traces(count=1)
        def test_it():
            with mlflow.start_span("agent"):
                thread = threading.Thread(target=audit)
                thread.start()
                thread.join()
        """
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*audit* began while *agent ran: if it is part of it, its thread or task did not*"])


def test_a_marker_that_is_added_after_the_collection_counts(project):
    project.makeconftest(
        """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.mlflow_traces(count=2))
        """
    )
    project.makepyfile("from app import agent\n\ndef test_it(): agent()")

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*expected 2 traces, got 1:*"])


MARKS = """
    import pytest
    from app import agent

    @pytest.fixture(autouse=True)
    def marks(request):
        request.node.add_marker(pytest.mark.mlflow_traces(count=2))

"""


def test_a_marker_that_a_fixture_adds_counts(project):
    project.makepyfile(MARKS + "    def test_it(mlflow_traces): agent()")

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*expected 2 traces, got 1:*"])


def test_a_marker_that_a_fixture_adds_where_nothing_is_captured_is_an_error(project):
    project.makepyfile(MARKS + "    def test_it(): pass")

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*too late to capture its traces: add it at collection, or let the test ask for*"])


def test_a_late_marker_that_says_nonsense_fails_the_test(project):
    project.makepyfile(MARKS.replace("count=2", "cuont=2") + "    def test_it(mlflow_traces): agent()")

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*has no keyword 'cuont' (legal: 'expect', *); did you mean 'count'?*"])


def test_a_marker_on_an_item_without_fixtures_is_an_error(project):
    project.makeconftest(
        """
        import pytest

        class Case(pytest.Item):
            def runtest(self):
                pass

        class Cases(pytest.File):
            def collect(self):
                case = Case.from_parent(self, name="case")
                case.add_marker(pytest.mark.mlflow_traces(count=3))
                return [case]

        def pytest_collect_file(file_path, parent):
            return Cases.from_parent(parent, path=file_path) if file_path.suffix == ".case" else None
        """
    )
    project.makefile(".case", it="")

    result = run(project)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*opens a capture by a fixture, and a Case has none: nothing is captured"])


WIDER = """
    import mlflow
    import pytest
    from app import agent

    @pytest.fixture(scope="{scope}", autouse=True)
    def server(tmp_path_factory):
        mlflow.set_tracking_uri(f"sqlite:///{{tmp_path_factory.mktemp('db')}}/suite.db")
        yield
        mlflow.set_tracking_uri(None)

    class TestIt:
        @pytest.mark.mlflow_traces(count=1)
        def test_marked(self):
            agent()

        def test_after(self):
            assert mlflow.get_tracking_uri().endswith("suite.db")
"""


@pytest.mark.parametrize("scope", ["session", "module", "class"])
def test_what_a_fixture_of_wider_scope_sets_outlives_the_capture_of_a_marked_test(project, scope):
    project.makepyfile(WIDER.format(scope=scope))

    run(project).assert_outcomes(passed=2)


def test_what_a_fixture_of_wider_scope_traces_is_not_the_trace_of_a_marked_test(project):
    project.makepyfile(
        """
        import pytest
        from app import agent
        from pytest_mlflow_traces import capture_traces

        @pytest.fixture(scope="module", autouse=True)
        def warm():
            with capture_traces():  # or it would be stored
                agent()

        @pytest.fixture(autouse=True)
        def own():
            agent("own")

        @pytest.mark.mlflow_traces(count=1)
        def test_it():
            pass
        """
    )

    run(project).assert_outcomes(passed=1)


# -- examples of Hypothesis

EXAMPLES = """
    import pytest
    from app import agent
    from hypothesis import HealthCheck, given, settings, strategies as st
    from pytest_mlflow_traces import capture_traces, span

    @pytest.fixture
    def traces(mlflow_traces):
        return mlflow_traces

    @settings(max_examples=3, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(number=st.integers(0, 9))
"""


def test_examples_that_share_the_capture_of_a_fixture_between_are_refused(project):
    project.makepyfile(
        EXAMPLES
        + """
    def test_it(traces, number):
        agent()
        assert span("search") in traces
    """
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*is one capture for all examples of a Hypothesis test*"])


def test_examples_that_trace_into_captures_of_their_own_may_have_such_a_fixture(project):
    project.makepyfile(
        EXAMPLES
        + """
    def test_it(traces, number):
        with capture_traces() as own:
            agent()
        assert span("search") in own
    """
    )

    run(project).assert_outcomes(passed=1)


# -- the teardown

CLOSES = """
    import pytest
    from app import agent

    @pytest.fixture
    def closed(mlflow_traces):
        yield
        forbidden()

    def test_it(closed):
        agent()
"""


def test_what_a_fixture_traces_after_the_test_is_held_to_the_contracts_of_the_suite(project):
    suite(project, test_it=FORBIDDEN + CLOSES)

    result = run(project)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*contract 'plain': *1 missing, 1 different"])


def test_a_contract_that_applied_after_the_test_alone_has_applied(project):
    suite(
        project,
        test_it="""
        import pytest
        from app import agent

        @pytest.fixture
        def closed(mlflow_traces):
            yield
            agent()

        def test_it(closed):
            pass
        """,
    )

    result = run(project)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*applied to no trace*")


def test_a_contract_whose_traces_are_of_a_test_that_failed_by_itself_is_not_said_to_apply_to_none(project):
    suite(
        project,
        test_it="""
        from app import agent

        def test_it(mlflow_traces):
            agent()
            assert False
        """,
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*applied to no trace*")


# -- baselines: what fails late has failed

UNITTEST = """
    class TestIt(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def given(self, mlflow_traces, trace_baseline):
            self.traces, self.baseline = mlflow_traces, trace_baseline
"""
FAILS = {
    "a unittest": UNITTEST
    + """
        def test_it(self):
            agent()
            assert self.traces.one() == self.baseline
            self.fail()
    """,
    "the teardown of a unittest": UNITTEST
    + """
        def tearDown(self):
            self.fail()

        def test_it(self):
            agent()
            assert self.traces.one() == self.baseline
    """,
    "a skip": UNITTEST
    + """
        def test_it(self):
            agent()
            assert self.traces.one() == self.baseline
            self.skipTest("no")
    """,
    "a strict xfail": """
    @pytest.mark.xfail(strict=True)
    def test_it(mlflow_traces, trace_baseline):
        agent()
        assert mlflow_traces.one() == trace_baseline
    """,
    "a fixture that is the last to go": """
    @pytest.fixture
    def checks():
        yield
        assert False

    def test_it(checks, mlflow_traces, trace_baseline):
        agent()
        assert mlflow_traces.one() == trace_baseline
    """,
    "a subtest": """
    def test_it(subtests, mlflow_traces, trace_baseline):
        agent()
        assert mlflow_traces.one() == trace_baseline
        with subtests.test():
            assert False
    """,
}


@pytest.mark.parametrize("how", FAILS)
def test_no_baseline_is_written_where_something_fails_late(project, how):
    if how == "a subtest":
        pytest.importorskip("_pytest.subtests", reason="since pytest 9")
    project.makepyfile(test_it="import unittest\nimport pytest\nfrom app import agent\n" + dedent(FAILS[how]))

    result = run(project, "--mlflow-traces-update")

    result.stdout.fnmatch_lines(["left alone: *", "*the test failed"])
    assert not (project.path / "__traces__").exists()


def test_a_unittest_that_passes_has_its_baseline_written(project):
    body = dedent(FAILS["a unittest"]).replace("self.fail()", "pass")
    project.makepyfile(test_it="import unittest\nimport pytest\nfrom app import agent\n" + body)

    run(project, "--mlflow-traces-update").assert_outcomes(passed=1)
    run(project).assert_outcomes(passed=1)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody may write to")
def test_a_baseline_that_cannot_be_written_is_an_error_without_a_traceback(project):
    project.makepyfile(
        test_it="""
        from app import agent

        def test_it(mlflow_traces, trace_baseline):
            agent()
            assert mlflow_traces.one() == trace_baseline
        """
    )
    (project.path / "__traces__").symlink_to("/proc/self")

    result = run(project, "--mlflow-traces-update")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["__traces__/test_it/test_it.trace was not written: *"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


# -- JUnit: the tree of what failed, and of nothing else


@pytest.mark.parametrize(
    ("last", "with_tree"), [("self.fail()", True), ("self.skipTest('no')", False), ("pass", False)]
)
def test_junit_has_the_tree_of_a_unittest_that_failed(project, last, with_tree):
    project.makepyfile(
        f"""
        import unittest
        import pytest
        from app import agent

        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def given(self, mlflow_traces):
                pass

            def test_it(self):
                agent()
                {last}
        """
    )

    run(project, "--junitxml=junit.xml")

    assert ("mlflow_traces.tree" in (project.path / "junit.xml").read_text()) is with_tree
