"""Traces that go on in another service, by the headers of a request: in this process, and from a remote one."""

from __future__ import annotations

import contextlib
import threading

import mlflow
import pytest
from mlflow.tracing import get_tracing_context_headers_for_http_request as headers_of
from mlflow.tracing import set_tracing_context_from_http_request_headers as continued
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pytest_mlflow_traces import TraceAssertionError, capture_traces
from tests.capture.programs import names, since, traced

REMOTE = {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}


def handler(headers, name="handler"):
    """What a server does with a request."""
    with continued(headers), mlflow.start_span(name, span_type="TOOL"):
        mlflow.update_current_trace(tags={f"tag of {name}": "1"})
        with mlflow.start_span("query"):
            pass


IN_PROCESS = since("3.14", "requests within a process, without loss of the trace")  # somewhere after 3.10


@IN_PROCESS
def test_a_request_within_the_process_is_part_of_its_trace(traces):
    with mlflow.start_span("client"):
        handler(headers_of())

    assert [span.path for span in traces.one().spans] == ["client", "client > handler", "client > handler > query"]
    assert traces.one().tags == {"tag of handler": "1"}


@IN_PROCESS
def test_a_request_served_by_a_thread_of_the_process_is_part_of_its_trace(traces):
    with mlflow.start_span("client"):
        thread = threading.Thread(target=handler, args=[headers_of()])
        thread.start()
        thread.join()

    assert [span.name for span in traces.one().spans] == ["client", "handler", "query"]


def test_a_request_from_a_remote_process_is_a_trace_of_its_own(traces):
    handler(REMOTE)

    trace = traces.one()
    assert trace.id == "tr-0123456789abcdef0123456789abcdef"
    assert [span.path for span in trace.spans] == ["handler", "handler > query"]
    assert trace.status == "OK"
    assert [problem.partition(":")[0] for problem in trace.problems] == ["orphan"]


def test_a_remote_request_that_fails_is_a_failed_trace(traces):
    with contextlib.suppress(ZeroDivisionError), continued(REMOTE), mlflow.start_span("handler"):
        _ = 1 / 0

    assert traces.one().status == "ERROR"


def test_an_unsampled_request_from_a_remote_process_is_captured(traces):
    handler({"traceparent": REMOTE["traceparent"][:-2] + "00"})

    assert len(traces.one().spans) == 2


def test_several_requests_of_one_remote_trace_are_all_in_it(traces):
    handler(REMOTE, "first")
    handler(REMOTE, "second")

    trace = traces.one()
    assert [span.name for span in trace.spans] == ["first", "query", "second", "query"]
    assert trace.tags == {"tag of first": "1", "tag of second": "1"}


def test_what_had_ended_before_another_request_of_the_trace_began_is_in_it(traces):
    """MLflow keeps one request of a remote trace at a time; what its store had by then stays there."""
    with continued(REMOTE), mlflow.start_span("first"):
        with mlflow.start_span("ended before"):
            pass
        thread = threading.Thread(target=handler, args=[REMOTE, "second"])
        thread.start()
        thread.join()

    assert {"ended before", "second", "query"} <= {span.name for span in traces.one().spans}
    assert traces.unfinished == ()


def test_a_span_of_a_process_that_mlflow_was_not_told_of_is_named(traces):
    context = TraceContextTextMapPropagator().extract(REMOTE)
    token = mlflow.tracing.provider.get_context_api().attach(context)
    with mlflow.start_span("handler"):
        pass
    mlflow.tracing.provider.get_context_api().detach(token)

    with pytest.raises(
        TraceAssertionError, match="could not start the span 'handler', since another process began its trace untold"
    ):
        traces.one()
    handler(REMOTE)
    assert len(traces.one().spans) == 2


def test_remote_traces_and_own_ones_come_in_the_order_of_their_start(traces):
    traced("before")
    handler(REMOTE)
    traced("after")

    assert names(traces) == ["before", "handler", "after"]


def test_a_remote_trace_belongs_to_the_capture_it_was_continued_in():
    with capture_traces() as first:
        handler(REMOTE, "first")
    with capture_traces() as second:
        handler(REMOTE, "second")

    assert [[span.name for span in each.one().spans] for each in (first, second)] == [
        ["first", "query"],
        ["second", "query"],
    ]


def test_a_remote_trace_is_found_by_searches(traces):
    handler(REMOTE)

    (found,) = mlflow.search_traces(return_type="list", locations=["0"])
    assert len(found.data.spans) == 2
    assert len(mlflow.get_trace(found.info.trace_id).data.spans) == 2


def test_headers_outside_of_any_span_are_empty(traces):
    assert headers_of() == {}


def test_headers_within_a_span_of_before_are_empty(traces):
    with mlflow.start_span("outside"), capture_traces():
        assert headers_of() == {}
