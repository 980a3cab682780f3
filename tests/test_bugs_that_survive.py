"""A suite that misses a bug shows the survivor that is the bug: the mended twin, edited, is what the bug made.

For each bug there is an expectation that holds of the agent with the bug as it does of its twin. Held against the twin,
it leaves the edit unnoticed that makes of the twin what the bug made; the expectation that catches the bug notices it.
Bugs that are no edit of one trace are not here: a run left open, no trace at all, a tag of another type, a call counted
twice.
"""

from __future__ import annotations

import contextlib

import pytest

from pytest_mlflow_traces import TagSchema, assert_trace, capture_traces, span
from pytest_mlflow_traces.core.adequacy.judging import MutantJudge
from pytest_mlflow_traces.core.adequacy.mutants import CLASSES
from pytest_mlflow_traces.core.adequacy.survivors import Survivors
from pytest_mlflow_traces.core.questions import Questions
from tests.bugs import (
    test_booleans_as_python_prints_them,
    test_cancelled_but_ok,
    test_crash_after_the_answer_was_saved,
    test_error_returned_instead_of_raised,
    test_span_leaked_by_a_generator,
    test_workers_in_a_bare_thread_pool,
)


class AnyTags(TagSchema):
    domain_count: str
    is_multi_domain: str


BUGS = {
    "a boolean as Python prints it": (
        test_booleans_as_python_prints_them.with_the_bug,
        test_booleans_as_python_prints_them.mended,
        AnyTags,
        test_booleans_as_python_prints_them.Tags,
        "the tag `is_multi_domain` is another",
    ),
    "cancelled, but OK": (
        lambda: test_cancelled_but_ok.agent(test_cancelled_but_ok.quiet_worker),
        lambda: test_cancelled_but_ok.agent(test_cancelled_but_ok.honest_worker),
        span("agent")[span("worker")],
        test_cancelled_but_ok.CANCELLED,
        "`worker` ends without an error",
    ),
    "a crash after the answer was saved": (
        test_crash_after_the_answer_was_saved.with_the_bug,
        test_crash_after_the_answer_was_saved.mended,
        span("agent")[span("answer"), span("save_context")],
        test_crash_after_the_answer_was_saved.EXPECTED,
        "`agent` ends in an error",
    ),
    "an error returned instead of raised": (
        lambda: test_error_returned_instead_of_raised.agent(test_error_returned_instead_of_raised.quiet_query),
        lambda: test_error_returned_instead_of_raised.agent(test_error_returned_instead_of_raised.honest_query),
        span("agent")[span("genie_query", type="TOOL")],
        test_error_returned_instead_of_raised.FAILS,
        "`genie_query` ends without an error",
    ),
    "a span leaked by a generator": (
        lambda: test_span_leaked_by_a_generator.agent(test_span_leaked_by_a_generator.leaking_stream),
        lambda: test_span_leaked_by_a_generator.agent(test_span_leaked_by_a_generator.whole_stream),
        span("agent", has=[span("stream"), span("show")]),
        test_span_leaked_by_a_generator.EXPECTED,
        "`show` is inside `stream`",
    ),
    "workers in a bare thread pool": (
        test_workers_in_a_bare_thread_pool.with_the_bug,
        test_workers_in_a_bare_thread_pool.mended,
        span(type="AGENT"),
        test_workers_in_a_bare_thread_pool.EXPECTED,
        "`security_agent` is gone",
    ),
}


def captured(agent):
    with capture_traces() as traces, contextlib.suppress(NameError):
        agent()
    return traces


def survivors(traces, expectation):
    """Return what nothing notices, one edit a text."""
    questions, found = Questions(), Survivors(tuple(CLASSES))
    with questions.listening():
        assert_trace(traces, expectation)
    found.add("test", MutantJudge(found.classes).judge(questions.asked, traces))
    return {f"{each.subject} {phrase}" for each in found.survivors() for phrase in each.phrases}


@pytest.mark.parametrize("bug", BUGS)
def test_the_bug_that_a_suite_misses_is_a_survivor(bug):
    with_the_bug, mended, weak, _, survivor = BUGS[bug]

    assert_trace(captured(with_the_bug), weak)
    assert survivor in survivors(captured(mended), weak)


@pytest.mark.parametrize("bug", BUGS)
def test_what_catches_the_bug_leaves_no_such_survivor(bug):
    _, mended, _, strict, survivor = BUGS[bug]

    assert survivor not in survivors(captured(mended), strict)
