"""`CapturedTraces.where` and what `one` takes: criteria, and what is refused."""

from __future__ import annotations

import copy
import math
import re

import mlflow
import pytest

from pytest_mlflow_traces import TraceAssertionError, assert_trace, capture_traces, never, span
from tests.capture.programs import names, traced


def said(call, error):
    with pytest.raises(error) as raised:
        call()
    return str(raised.value)


@pytest.fixture
def three(traces):
    traced("answer", tags={"team": "a", "flag": True}, metadata={"mlflow.trace.session": "s1"})
    traced("answer", tags={"team": "b"}, metadata={"mlflow.trace.session": "s2", "mlflow.trace.user": "u"})
    mlflow.start_span_no_context("failing").end(status="ERROR")
    return traces


def test_where_finds_by_each_criterion(three):
    assert [trace.tags["team"] for trace in three.where(name="answer")] == ["a", "b"]
    assert names(three.where(name=re.compile("fail.*"))) == ["failing"]
    assert three.where(name=re.compile("fail")) == ()
    assert three.where(session_id="s2") == (three[1],)
    assert three.where(session_id=None) == (three[2],)
    assert three.where(session_id=re.compile(".*")) == (three[0], three[1])
    assert three.where(user_id="u") == (three[1],)
    assert three.where(status="ERROR") == (three[2],)
    assert three.where(tags={"team": "a"}) == (three[0],)
    assert three.where(tags={"flag": True}) == (three[0],)
    assert three.where(tags={"flag": "True"}) == ()
    assert three.where(tags={"missing": None}) == ()
    assert three.where(tags={"team": re.compile("[b-z]")}) == (three[1],)
    assert three.where(tags={"flag": re.compile(".*")}) == ()
    assert three.where(name="answer", session_id="s1", tags={"team": "a"}) == (three[0],)


def test_where_compares_with_equality_so_that_matchers_work(three):
    dirty_equals = pytest.importorskip("dirty_equals")

    assert three.where(name=dirty_equals.IsStr(regex="ans.*")) == (three[0], three[1])
    assert three.where(tags={"team": dirty_equals.IsOneOf("b", "c")}) == (three[1],)


def test_where_refuses_what_it_does_not_know(traces):
    assert said(lambda: traces.where(nmae="x"), TypeError) == (
        "where(): unknown keyword 'nmae' (legal: 'name', 'session_id', 'user_id', 'status', 'tags');"
        " did you mean 'name'?"
    )
    assert said(lambda: traces.one(sesion_id="x"), TypeError).endswith("; did you mean 'session_id'?")


def test_where_refuses_a_status_that_does_not_exist(traces):
    assert said(lambda: traces.where(status="EROR"), ValueError) == (
        "where(): unknown status 'EROR' (legal: 'OK', 'ERROR', 'IN_PROGRESS'); did you mean 'ERROR'?"
    )


def test_where_refuses_to_ask_nothing(traces):
    assert said(traces.where, TypeError) == (
        "where() takes at least one of 'name', 'session_id', 'user_id', 'status', 'tags'; for all traces, iterate"
    )
    assert said(lambda: traces.where(tags={}), ValueError) == "where(): tags maps names to values, got {}"
    assert said(lambda: traces.one(tags="team"), ValueError) == "where(): tags maps names to values, got 'team'"


@pytest.mark.parametrize("status", [None, ["ERROR"], 3, ("OK", "ERROR"), str])
def test_where_refuses_a_status_that_is_no_text(traces, status):
    assert said(lambda: traces.where(status=status), ValueError) == (
        f"where(): status is one of 'OK', 'ERROR', 'IN_PROGRESS', got {status!r}; for several, ask for each"
    )


@pytest.mark.parametrize("name", [None, 3, b"answer", ["answer"], str])
def test_where_refuses_a_name_that_is_no_text(traces, name):
    assert said(lambda: traces.where(name=name), TypeError) == (
        f"where(): name is a string or a compiled regex, got {name!r}"
    )


def test_where_refuses_what_nothing_can_equal(traces):
    assert said(lambda: traces.where(tags={"team": str}), TypeError) == (
        "where(): tag 'team': no value equals the class str: write dirty_equals.IsInstance(str), or the value itself"
    )
    assert said(lambda: traces.where(session_id=said), TypeError) == (
        "where(): session_id: no value equals the function said: write dirty_equals.FunctionCheck(said)"
    )
    assert said(lambda: traces.where(tags={"score": math.nan}), ValueError) == (
        "where(): tag 'score': nan equals nothing, not even itself: compare with pytest.approx(nan, nan_ok=True)"
    )


# -- patterns in what was selected


@pytest.fixture
def deep(traces):
    for session in ("s1", "s2"):
        with mlflow.start_span("agent"):
            mlflow.update_current_trace(metadata={"mlflow.trace.session": session})
            with mlflow.start_span("delete_table"):
                pass
    return traces


@pytest.mark.parametrize(
    "select",
    [
        lambda traces: traces.where(session_id="s1"),
        lambda traces: traces[:1],
        lambda traces: traces.where(name="agent")[1:],
        lambda traces: traces.where(session_id="s1") + traces.where(session_id="s2"),
        lambda traces: copy.copy(traces.where(session_id="s1")),
    ],
)
def test_a_pattern_is_in_a_selection_where_it_is_anywhere_in_one_of_its_traces(deep, select):
    selected = select(deep)

    assert span("delete_table") in selected
    assert span("agent") in selected
    assert span("drop_table") not in selected
    for wrong in ("delete_table", ..., 5):
        with pytest.raises(TypeError):
            assert wrong not in selected


def test_a_selection_is_a_tuple(deep):
    first, second = deep.where(name="agent")

    assert deep[:] == (first, second) == deep.where(name="agent")
    assert hash(deep[:]) == hash((first, second))
    assert first in deep.where(session_id="s1")
    assert second not in deep.where(session_id="s1")
    assert (deep[:].count(first), deep.where(name="agent")[0]) == (1, first)
    assert (deep.where(name="x"), deep[5:]) == ((), ())
    assert not deep.where(name="x")


@pytest.mark.parametrize(
    ("select", "text"),
    [
        (lambda traces: traces.where(session_id="typo"), "where(session_id='typo')"),
        (lambda traces: traces.where(name="x", status="OK"), "where(name='x', status='OK')"),
        (lambda traces: traces[5:], "[5:]"),
        (lambda traces: traces[4:1:-1], "[4:1:-1]"),
        (lambda traces: traces.where(name="x")[:1], "where(name='x')[:1]"),
    ],
)
def test_a_pattern_asked_of_an_empty_selection_raises_else_not_in_would_pass_falsely(deep, select, text):
    listed = re.sub("tr-[0-9a-f]{32}", "tr-id", said(lambda: span("a") not in select(deep), TraceAssertionError))

    assert listed == (
        f"looked for span('a') in {text}, but no captured trace is that:\n"
        "  [0] agent  OK  2 spans  tr-id  session s1\n"
        "  [1] agent  OK  2 spans  tr-id  session s2"
    )


def test_a_slice_of_a_selection_may_be_empty_where_that_is_not(deep):
    asked = deep.where(session_id="s1")[3:]

    assert said(lambda: span("a") in asked, TraceAssertionError) == (
        "looked for span('a') in where(session_id='s1')[3:], but that is none of its 1 trace"
    )
    others = ()
    with pytest.raises(TraceAssertionError, match=r"in where\(session_id='s1'\)\[3:\] \+ others, but that is none of"):
        assert span("a") in asked + others


def test_a_selection_from_an_empty_capture_says_why_that_is_empty(traces):
    asked = traces.where(name="agent")
    open_span = mlflow.start_span_no_context("agent")

    assert said(lambda: span("a") not in asked, TraceAssertionError) == (
        "looked for span('a') in where(name='agent'), but nothing was traced: the code under test started no MLflow"
        " span"
    )
    assert said(lambda: span("a") not in traces[:1], TraceAssertionError) == (
        "looked for span('a') in [:1], but these spans never ended:\n  agent"
    )
    open_span.end()


def test_an_empty_selection_names_the_spans_that_never_ended(deep):
    open_span = mlflow.start_span_no_context("late")

    assert said(lambda: span("a") not in deep.where(name="late"), TraceAssertionError).endswith(
        "\nnot among them, since these spans never ended:\n  late"
    )
    open_span.end()


def test_assert_trace_says_which_selection_was_empty(deep):
    with pytest.raises(TraceAssertionError, match=r"^expected at least one trace in where\(name='x'\), but") as raised:
        assert_trace(deep.where(name="x"), span("agent"))

    assert [finding.rule for finding in raised.value.findings] == ["capture.missing"]


def test_comparing_a_selection_with_an_expectation_raises(deep):
    rule = never(span("delete_table"))
    for compared in (lambda: deep[:1] == rule, lambda: deep[:1] != rule, lambda: rule == deep[:1]):
        assert said(compared, TypeError) == (
            f"an expectation is checked, not compared: write assert_trace(traces.where(...), {rule!r})"
        )
    assert said(lambda: rule in deep[:1], TypeError) == (
        f"`in` takes a pattern, not an expectation: write assert_trace(trace, {rule!r})"
    )


def test_comparing_a_selection_with_a_pattern_raises(deep):
    cure = "compare one trace: mlflow_traces.one() == pattern; or ask pattern in traces.where(...)"
    for compared in (lambda: deep[:1] == span("agent"), lambda: deep[:1] != span("agent")):
        assert said(compared, TypeError) == cure
    with capture_traces() as others:
        assert others[:] == ()
