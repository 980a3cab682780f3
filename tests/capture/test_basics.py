"""What a capture is for: the traces made inside, as trees, in start order; nothing before and nothing after."""

from __future__ import annotations

import mlflow
import pytest

from pytest_mlflow_traces import CapturedTraces, TraceAssertionError, capture_traces
from tests.capture.programs import answer, names, traced


def test_a_trace_made_inside_is_captured_whole(traces):
    trace_id = answer()

    trace = traces.one()
    assert trace.id == trace_id
    assert trace.status == "OK"
    assert trace.request == {"question": "why?"}
    assert [span.name for span in trace.spans] == [
        "agent", "load_context", "retrieve_short_term", "retrieve_long_term", "classify_intent", "query_agents",
        "cost_agent", "genie_query", "save_context",
    ]  # fmt: skip
    assert trace.problems == ()


def test_traces_come_in_the_order_in_which_they_started(traces):
    first = mlflow.start_span_no_context("first")
    second = mlflow.start_span_no_context("second")
    third = mlflow.start_span_no_context("third")
    for span in (third, first, second):
        span.end()

    assert names(traces) == ["first", "second", "third"]


def test_a_finished_trace_can_be_read_while_the_capture_is_open_and_after_it():
    with capture_traces() as traces:
        traced("answer")
        inside = traces.one()

    assert traces.one() is inside


def test_nothing_of_an_earlier_capture_is_in_the_next():
    with capture_traces():
        traced("first")
    with capture_traces() as traces:
        traced("second")

    assert names(traces) == ["second"]


def test_an_exception_of_the_code_under_test_passes_through_and_its_trace_is_there():
    with pytest.raises(ValueError, match="no answer"), capture_traces() as traces:
        with mlflow.start_span("agent"):
            raise ValueError("no answer")

    trace = traces.one()
    assert trace.status == "ERROR"
    assert trace.root.error.message == "no answer"


def test_a_capture_left_by_an_exception_is_closed_for_good():
    with pytest.raises(KeyboardInterrupt), capture_traces():
        raise KeyboardInterrupt
    with capture_traces() as traces:
        traced("next")

    assert names(traces) == ["next"]


def test_a_capture_that_is_not_used_costs_no_trace():
    with capture_traces() as traces:
        pass

    assert isinstance(traces, CapturedTraces)
    assert len(traces) == 0
    with pytest.raises(TraceAssertionError, match="nothing was traced"):
        traces.one()


def test_a_capture_serves_as_a_decorator_of_each_call():
    """It is a `contextmanager`, so each call gets a capture of its own."""
    seen = []

    @capture_traces()
    def program():
        seen.append(traced("answer"))

    program()
    program()

    assert len(seen) == 2


def test_the_last_active_trace_is_the_last_one_inside_and_the_earlier_one_again_afterwards():
    with capture_traces():
        outer = traced("outer")
        with capture_traces():
            inner = traced("inner")
            assert mlflow.get_last_active_trace_id() == inner
            assert mlflow.get_last_active_trace_id(thread_local=True) == inner
        assert mlflow.get_last_active_trace_id() == outer
        assert mlflow.get_last_active_trace_id(thread_local=True) == outer


def test_an_open_span_of_before_does_not_adopt_what_a_capture_inside_it_sees():
    with capture_traces() as outer:
        with mlflow.start_span("outside") as outside:
            with capture_traces() as inner:
                traced("inside")
                assert mlflow.get_current_active_span() is None
            assert mlflow.get_current_active_span().span_id == outside.span_id
            traced("child")

    assert names(inner) == ["inside"]
    assert [span.name for span in outer.one().spans] == ["outside", "child"]
