"""What a session learned, as records that travel as plain data."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.runs.records import (
    BaselineChange,
    Run,
    TracedTest,
    TraceRecord,
    total_tokens,
    total_tools,
)
from tests.support.building import tree

TOKENS = {"mlflow.trace.tokenUsage": '{"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}'}
texts = st.text(max_size=5)
traces = st.builds(
    TraceRecord,
    *[texts, texts, st.sampled_from(["OK", "ERROR"]), st.integers(0, 9)],
    tools=st.lists(st.tuples(texts, st.integers(1, 3)), max_size=2).map(tuple),
    tokens=st.none() | st.integers(0, 9),
    ms=st.none() | st.floats(0, 1e6),
)
findings = st.builds(Finding, texts, texts, *[st.none() | texts] * 3)
changes = st.builds(BaselineChange, texts, st.sampled_from(["written", "refused"]), st.lists(texts).map(tuple))


def tuples(of):
    return st.lists(of, max_size=2).map(tuple)


tests = st.builds(
    TracedTest, texts, texts, tuples(traces), tuples(findings), failure=st.none() | texts, changes=tuples(changes)
)


@given(tests)
def test_a_test_comes_back_from_json_as_it_was(test):
    assert TracedTest.from_dict(json.loads(json.dumps(test.to_dict()))) == test
    assert TracedTest.from_dict(test.to_dict()) == test


def test_the_facts_of_a_trace():
    trace = tree("agent AGENT @0-30", ["search TOOL", "search TOOL", "fetch TOOL", "model LLM"], metadata=TOKENS)

    assert TraceRecord.of(trace) == TraceRecord(
        "tr-test", "agent", "OK", 5, (("search", 2), ("fetch", 1)), tokens=12, ms=30.0
    )


def test_what_a_trace_does_not_tell_is_none_and_not_zero():
    record = TraceRecord.of(tree("agent @0-", metadata={"mlflow.trace.tokenUsage": '{"total_tokens": "many"}'}))

    assert (record.tokens, record.ms) == (None, None)
    assert total_tokens((record,)) is None
    assert total_tokens((record, TraceRecord("t", "n", "OK", 1, tokens=0))) == 0


def test_tools_are_counted_over_all_traces():
    some = TraceRecord("1", "n", "OK", 1, (("search", 2),))
    more = TraceRecord("2", "n", "OK", 1, (("fetch", 1), ("search", 1)))

    assert total_tools((some, more)) == {"search": 3, "fetch": 1}


def test_errors_outside_the_test_are_failures_too():
    run = Run(tuple(TracedTest(outcome, outcome) for outcome in ("passed", "failed", "error", "xfailed", "skipped")))

    assert [test.test for test in run.failed] == ["failed", "error"]


def test_changes_of_the_tests_come_before_those_at_the_end():
    one, two = BaselineChange("a", "written"), BaselineChange("b", "removed")

    assert Run((TracedTest("t", "passed", changes=(one,)),), changes=(two,)).baseline_changes == (one, two)
