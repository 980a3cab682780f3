"""Rules of order over a session, as contracts of the suite: they look at all its traces, whenever those arrive."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import INI

CONTRACTS = """
    from pytest_mlflow_traces import Contract, each, never, span

    AFTER = Contract("auth", each(span("pay"), per="session").after(span("auth")))
    BEFORE = Contract("ends", each(span("open"), per="session").before(span("close")))
    ABSENT = Contract("closes", each(span("close"), per="session").after(span("open")))
    NEVER = Contract("last", never(span("pay"), per="session").after(span("close")))
    EACH_TRACE = Contract("alone", never(span("pay")).after(span("close")))
"""
TEST = """
    import mlflow
    import pytest

    def turn(name, session="one"):
        with mlflow.start_span("turn"), mlflow.start_span(name):
            mlflow.update_current_trace(metadata={"mlflow.trace.session": session})
"""


@pytest.fixture
def judged(project):
    """Run one test with a contract of the suite; it makes some turns of a session, and its fixture makes others."""
    project.makepyfile(contracts=CONTRACTS)

    def run(contract, in_test, in_teardown, test=""):
        project.makeini(f"{INI}mlflow_traces_contract = contracts:{contract}\n")
        project.makepyfile(
            test_it=TEST
            + f"""
    @pytest.fixture
    def session(mlflow_traces):
        yield
        for step in {in_teardown!r}:
            turn(step)

    def test_it(session):
        for step in {in_test!r}:
            turn(step)
        {test}
    """
        )
        return project.runpytest_inprocess("-p", "no:randomly")

    return run


@pytest.mark.parametrize(
    ("contract", "in_test", "in_teardown", "outcomes"),
    [
        ("AFTER", ["auth"], ["pay"], {"passed": 1}),
        ("AFTER", ["other"], ["pay"], {"passed": 1, "errors": 1}),
        ("AFTER", ["pay", "auth"], [], {"failed": 1}),
        ("AFTER", ["pay"], ["auth", "pay"], {"failed": 1, "errors": 1}),
        ("BEFORE", ["open"], ["close"], {"passed": 1}),
        ("BEFORE", ["open"], ["other"], {"passed": 1, "errors": 1}),
        ("BEFORE", ["open"], [], {"passed": 1, "errors": 1}),
        ("ABSENT", ["open"], ["close"], {"passed": 1}),
        ("ABSENT", ["open"], [], {"passed": 1, "errors": 1}),
        ("NEVER", ["close"], ["pay"], {"passed": 1, "errors": 1}),
        ("NEVER", ["close", "pay"], [], {"failed": 1}),
        ("NEVER", [], ["close", "pay"], {"passed": 1, "errors": 1}),
        ("EACH_TRACE", ["close"], ["pay"], {"passed": 1}),
    ],
)
def test_a_rule_over_a_session_looks_at_the_traces_of_the_test_and_of_its_fixtures(
    judged, contract, in_test, in_teardown, outcomes
):
    judged(contract, in_test, in_teardown).assert_outcomes(**outcomes)


def test_what_comes_late_is_told_with_the_whole_session(judged):
    result = judged("NEVER", ["close"], ["pay"])

    where = "turn > pay of trace [[]1] tr-* of session 'one'"
    result.stdout.fnmatch_lines(
        [
            "*contract 'last': 2 traces:",
            f"*order.never at {where}: expected no span('pay') after span('close'), got one after [[]0] turn > close",
        ]
    )


def test_a_trace_that_began_first_and_ends_in_a_fixture_counts_from_its_start(project):
    project.makepyfile(contracts=CONTRACTS)
    project.makeini(f"{INI}mlflow_traces_contract = contracts:AFTER\n")
    project.makepyfile(
        test_it=TEST
        + """
    @pytest.fixture
    def stream(mlflow_traces):
        root = mlflow.start_span_no_context("stream", metadata={"mlflow.trace.session": "one"})
        mlflow.start_span_no_context("auth", parent_span=root).end()
        yield
        root.end()

    @pytest.mark.filterwarnings("default")  # of the stream, which has not ended
    def test_it(stream):
        turn("pay")
    """
    )

    project.runpytest_inprocess("-p", "no:randomly").assert_outcomes(passed=1, warnings=1)
