"""`CapturedTraces`: a sequence of finished traces that says what it has where that is not what was asked for."""

from __future__ import annotations

import contextlib
import re

import mlflow
import pytest

from pytest_mlflow_traces import (
    Budget,
    Contract,
    TagSchema,
    TraceAssertionError,
    assert_trace,
    capture_traces,
    each,
    if_present,
    never,
    span,
)
from pytest_mlflow_traces.core.contracts import check
from pytest_mlflow_traces.core.questions import Questions
from tests.capture.programs import names, traced


def said(call, error=TraceAssertionError):
    with pytest.raises(error) as raised:
        call()
    return re.sub(r"tr-[0-9a-f]{32}", "tr-id", str(raised.value))


def findings(call):
    with pytest.raises(TraceAssertionError) as raised:
        call()
    return [(finding.rule, finding.where, finding.expected, finding.actual) for finding in raised.value.findings]


@pytest.fixture
def three(traces):
    traced("answer", tags={"team": "a", "flag": True}, metadata={"mlflow.trace.session": "s1"})
    traced("answer", tags={"team": "b"}, metadata={"mlflow.trace.session": "s2", "mlflow.trace.user": "u"})
    mlflow.start_span_no_context("failing").end(status="ERROR")
    return traces


# -- one


def test_one_is_the_only_trace(traces):
    traced("answer")

    assert traces.one().name == "answer"
    assert traces.one() is traces.one()


def test_one_of_nothing_says_that_nothing_was_traced(traces):
    text = "nothing was traced: the code under test started no MLflow span"

    assert said(traces.one) == f"expected one trace, but {text}"
    assert said(lambda: traces.one(name="x")) == f"expected one trace with name='x', but {text}"
    assert findings(traces.one) == [("capture.empty", "this capture", "expected one trace", text)]


def test_one_of_nothing_says_that_there_was_something_before_clear(traces):
    traced("answer")
    traces.clear()

    assert said(traces.one) == "expected one trace, but nothing was traced since clear()"


def test_one_of_nothing_says_which_spans_never_ended(traces):
    root = mlflow.start_span_no_context("agent")
    child = mlflow.start_span_no_context("background", parent_span=root)
    root.end()

    assert said(traces.one) == "expected one trace, but these spans never ended:\n  agent > background"
    assert findings(traces.one)[0][0] == "capture.unfinished"
    child.end()


def test_one_of_nothing_lists_at_most_twenty_open_spans(traces):
    spans = [mlflow.start_span_no_context(f"span {number}") for number in range(23)]

    lines = said(traces.one).splitlines()
    assert lines[1:3] == ["  span 0", "  span 1"]
    assert (len(lines), lines[-1]) == (22, "  ... 3 more")
    for opened in spans:
        opened.end()


def test_one_of_several_lists_them(three):
    assert said(three.one) == (
        "expected one trace, got 3 traces:\n"
        "  [0] answer  OK  1 span  tr-id  session s1\n"
        "  [1] answer  OK  1 span  tr-id  session s2\n"
        "  [2] failing  ERROR  1 span  tr-id\n"
        "name the one you mean: one(name=...), or iterate"
    )
    assert findings(three.one) == [("capture.several", "this capture", "one trace", "3 traces")]


def test_one_of_several_says_which_may_have_lost_the_context(traces):
    traced("before")
    agent = mlflow.start_span_no_context("agent")
    traced("worker")
    agent.end()

    assert said(traces.one) == (
        "expected one trace, got 3 traces:\n"
        "  [0] before  OK  1 span  tr-id\n"
        "  [1] agent  OK  1 span  tr-id\n"
        "  [2] worker  OK  1 span  tr-id\n"
        "[2] worker began while [1] agent ran: if it is part of it, its thread or task did not get the context\n"
        "name the one you mean: one(name=...), or iterate"
    )


def test_one_lists_at_most_twenty(traces):
    for number in range(23):
        traced(f"trace {number}")

    lines = said(traces.one).splitlines()
    assert (len(lines), lines[-2]) == (23, "  ... 3 more")


def test_one_of_several_that_are_asked_for_lists_those_by_their_place_in_the_capture(three):
    traced("last", metadata={"mlflow.trace.session": "s2"})

    assert said(lambda: three.one(session_id="s2")) == (
        "expected one trace with session_id='s2', got 2 traces:\n"
        "  [1] answer  OK  1 span  tr-id  session s2\n"
        "  [3] last  OK  1 span  tr-id  session s2"
    )


def test_one_that_is_not_there_lists_what_is(three):
    assert said(lambda: three.one(name="missing", status="OK")) == (
        "expected one trace with name='missing', status='OK', got no such trace:\n"
        "  [0] answer  OK  1 span  tr-id  session s1\n"
        "  [1] answer  OK  1 span  tr-id  session s2\n"
        "  [2] failing  ERROR  1 span  tr-id"
    )
    assert findings(lambda: three.one(name="missing"))[0][0] == "capture.missing"


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        ({"name": "anwser"}, "name='answer'"),
        ({"name": "Failing", "status": "OK"}, "name='failing'"),
        ({"tags": {"reigon": "eu"}}, "tag 'region'"),
        ({"name": "anwser", "tags": {"grounded": "True"}}, "name='answer', tag 'grounded'='true'"),
    ],
)
def test_one_that_is_misspelt_names_what_may_be_meant(three, where, meant):
    traced("tagged", tags={"region": "eu", "grounded": "true"})

    assert said(lambda: three.one(**where)).splitlines()[-1] == f"did you mean {meant}?"
    assert said(lambda: span() in three.where(**where)).splitlines()[-1] == f"did you mean {meant}?"


@pytest.mark.parametrize(
    "where", [{"session_id": "s3"}, {"name": re.compile("anwser")}, {"name": "answer", "status": "ERROR"}]
)
def test_ids_regexes_and_what_is_there_are_not_misspelt(three, where):
    assert "did you mean" not in said(lambda: three.one(**where))


def test_one_that_is_not_there_names_the_spans_that_never_ended(traces):
    traced("other")
    open_span = mlflow.start_span_no_context("agent")

    assert said(lambda: traces.one(name="agent")) == (
        "expected one trace with name='agent', got no such trace:\n"
        "  [0] other  OK  1 span  tr-id\n"
        "not among them, since these spans never ended:\n"
        "  agent"
    )
    open_span.end()


@contextlib.contextmanager
def streaming():
    """A trace that has not ended, in which a table was deleted."""
    stream = mlflow.start_span_no_context("stream")
    mlflow.start_span_no_context("delete_table", span_type="TOOL", parent_span=stream).end()
    yield
    stream.end()


def test_what_ran_in_a_trace_that_has_not_ended_is_found(mode):
    with capture_traces() as traces:
        traced("answer")
        with streaming():
            assert span("delete_table") in traces
            assert span("delete_table", type="TOOL") in traces.where(name="stream")
            assert span("delete_table") not in traces.where(name="answer")
            assert span("delete") not in traces
            assert [trace.name for trace in traces.in_progress] == ["stream"]
            assert [trace.name for trace in traces] == ["answer"]


def test_spans_are_found_and_counted_in_all_traces_those_that_have_not_ended_last(mode):
    with capture_traces() as traces:
        with mlflow.start_span("answer"):
            traced("delete_table")
        with streaming():
            assert [each.path for each in traces.find(span("delete_table"))] == [
                "answer > delete_table",
                "stream > delete_table",
            ]
            assert (traces.count(span("delete_table")), traces.count(span("x"))) == (2, 0)
            streams = traces.where(name="stream")
            assert (streams.count(span("delete_table")), len(streams.find(span(type="TOOL")))) == (1, 1)
            assert traces.where(name="answer").count(span("delete_table")) == 1
        assert [traces.count(trace) for trace in traces] == [1, 1]


def test_in_nothing_no_span_is_counted(traces):
    for count in (traces.count, traces.find, traces[:].count, traces.where(name="x").find):
        assert findings(lambda: count(span("x")))[0][0] == "capture.empty"  # noqa: B023  # called at once
    with streaming():
        assert findings(lambda: traces.count(span("x")))[0][0] == "capture.unfinished"
    assert said(lambda: traces.count("x"), TypeError).startswith("count()")


@pytest.mark.parametrize(
    ("expectation", "finding"),
    [
        (Budget(calls={"delete_table": 0}), "budget.calls at stream: expected no call of span('delete_table'), got 1"),
        (never(span("delete_table")), "order.never at stream > delete_table"),
        (never(span(type="TOOL")).inside(span("stream")), "order.never at stream > delete_table"),
        (
            Contract("streams", Contract("safe", Budget(calls={"delete_table": 0})), applies_to=span("stream")),
            "budget.calls at stream: expected no call of span('delete_table'), got 1",
        ),
    ],
)
def test_what_a_trace_breaks_for_good_is_said_before_it_ends(traces, expectation, finding):
    traced("answer")
    with streaming():
        if not isinstance(expectation, Contract):
            assert said(lambda: assert_trace(traces, expectation)).startswith(
                "trace 'stream', which has not ended:\n  "
            )
        (found,) = [each for each in check(traces, expectation) if each.rule != "contract.unused"]
        assert str(found).startswith(finding)


def test_what_may_still_come_is_not_asked_of_a_trace_that_has_not_ended(traces):
    with mlflow.start_span("answer"):
        traced("search")
        traced("done")
    with streaming():
        assert_trace(
            traces,
            span("answer")[...],
            Budget(calls={"search": (1, 2), "delete_table": if_present(1)}, latency="1m"),
            each(span("search")).before(span("done")),
            never(span("delete_table")).after(span("stream"), same="inputs.id"),
        )


def test_of_traces_that_have_not_ended_alone_nothing_is_found_absent(traces):
    with streaming():
        assert span("delete_table") in traces
        assert said(lambda: span("delete") not in traces) == (
            "looked for span('delete'), but these spans never ended:\n  stream"
        )


def test_one_returns_the_finished_trace_though_another_is_open(traces):
    traced("answer")
    open_span = mlflow.start_span_no_context("background")

    assert traces.one().name == "answer"
    assert [span.name for span in traces.unfinished] == ["background"]
    open_span.end()


def test_names_that_a_terminal_would_obey_are_shown_as_text(traces):
    traced("a\x1b[31m\nb")
    traced("other")

    assert "  [0] a\\x1b[31m\\nb  OK  1 span" in said(traces.one)


# -- the sequence


def test_it_is_a_sequence(three):
    first, second, third = three

    assert len(three) == 3
    assert (three[0], three[-1], three[1:]) == (first, third, (second, third))
    assert list(reversed(three)) == [third, second, first]
    assert three.index(second) == 1
    assert three.count(first) == 1
    assert first in three
    assert bool(three)


def test_an_index_that_is_not_there_lists_what_is(three):
    assert said(lambda: three[3], IndexError) == (
        "no trace at [3]; there are 3:\n"
        "  [0] answer  OK  1 span  tr-id  session s1\n"
        "  [1] answer  OK  1 span  tr-id  session s2\n"
        "  [2] failing  ERROR  1 span  tr-id"
    )
    assert said(lambda: three[-4], IndexError).startswith("no trace at [-4]; there are 3:")


def test_an_index_into_nothing_says_why_it_is_empty(traces):
    assert said(lambda: traces[0]) == (
        "expected a trace at [0], but nothing was traced: the code under test started no MLflow span"
    )
    assert traces[:] == ()


def test_a_trace_stays_the_same_object_until_it_changes(traces):
    trace_id = traced("answer")
    traced("other")
    before = traces[0]
    assert traces[0] is before
    mlflow.set_trace_tag(trace_id, "team", "a")

    assert traces[0] is not before
    assert (before in traces, traces[0] in traces) == (False, True)


def test_clear_drops_the_finished_traces_only(traces):
    traced("first")
    open_span = mlflow.start_span_no_context("open")
    traces.clear()

    assert list(traces) == []
    assert [span.name for span in traces.unfinished] == ["open"]
    open_span.end()
    assert names(traces) == ["open"]


def test_what_was_cleared_is_with_cleared(traces):
    traced("first")
    traces.clear()
    traced("second")

    assert names(traces) == ["second"]
    assert names(traces.with_cleared()) == ["first", "second"]


def test_what_was_cleared_stays_so_when_a_late_child_joins_it(traces):
    root = mlflow.start_span_no_context("first")
    root.end()
    traces.clear()
    mlflow.start_span_no_context("late", parent_span=root).end()

    assert names(traces) == []
    assert traces.with_cleared().one() == span("first")[span("late")]


def test_its_text_lists_the_traces(traces):
    assert repr(traces) == "<CapturedTraces 0 traces>"
    trace_id = traced("answer")
    assert repr(traces) == f"<CapturedTraces 1 trace>\n  [0] answer  OK  1 span  {trace_id}"


# -- patterns


def test_a_pattern_is_in_it_where_it_is_in_any_trace(three):
    with mlflow.start_span("agent"), mlflow.start_span("tool"):
        pass

    assert span("tool") in three
    assert span("delete_table") not in three


def test_a_pattern_asked_of_nothing_raises_else_not_in_would_pass_falsely(traces):
    assert said(lambda: span("delete_table") not in traces) == (
        "looked for span('delete_table'), but nothing was traced: the code under test started no MLflow span"
    )


def test_what_is_no_pattern_is_not_looked_for(three):
    with pytest.raises(TypeError):
        assert "agent" in three
    with pytest.raises(TypeError):
        assert ... in three


def test_comparing_it_with_a_pattern_raises(three):
    assert said(lambda: three == span("answer"), TypeError) == (
        "compare one trace: mlflow_traces.one() == pattern; or ask pattern in mlflow_traces"
    )


@pytest.mark.parametrize(
    "expectation", [never(span("pay")), Budget(calls={"pay": 1}), Contract("plain", span("a")), TagSchema]
)
def test_nor_with_what_is_checked(three, expectation):
    cure = f"an expectation is checked, not compared: write assert_trace(mlflow_traces, {expectation!r:.200})"
    assert said(lambda: three == expectation, TypeError) == cure
    assert said(lambda: three != expectation, TypeError) == cure
    assert said(lambda: expectation == three, TypeError) == cure
    assert said(lambda: expectation in three, TypeError) == (
        f"`in` takes a pattern, not an expectation: write assert_trace(trace, {expectation!r:.200})"
    )


def test_nor_with_a_list_of_patterns(three):
    cure = "compare a list with a list of patterns: list(mlflow_traces) == [...]"
    assert said(lambda: three == [span("answer")], TypeError) == cure
    assert said(lambda: three != [span("answer")], TypeError) == cure
    selected = three.where(name="answer")
    assert said(lambda: selected != [span("answer")] * 2, TypeError) == cure.replace(
        "mlflow_traces", "traces.where(...)"
    )
    assert list(three) == [span("answer"), span("answer"), span("failing")]


def test_it_equals_only_itself(three):
    assert three == three
    assert three != list(three)
    with capture_traces() as other:
        assert three != other
    assert len({three, other}) == 2


# -- latency


def test_latency_is_that_of_all_spans_that_match(three):
    statistics = three.latency(span("answer"))

    assert statistics.count == 2
    assert 0 <= statistics.min <= statistics.median <= statistics.max


def test_latency_of_nothing_is_refused(traces):
    assert said(lambda: traces.latency(span("a"))).startswith("expected spans like span('a'), but nothing was traced")
    assert said(lambda: traces.latency("a"), TypeError) == ("latency() takes a pattern, not a string: write span('a')")


def test_a_pattern_in_several_traces_is_one_question_about_all_of_them():
    with capture_traces() as traces:
        for name in ("plan", "answer"):
            with mlflow.start_span(name):
                pass
    questions = Questions()

    with questions.listening():
        assert span("plan") in traces
        assert span("plan") not in traces.where(name="answer")

    assert [(each.kind, len(each.traces), each.answer) for each in questions.asked] == [
        ("in", 2, True),
        ("in", 1, False),
    ]
