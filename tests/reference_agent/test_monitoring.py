"""Questions to traces that were kept."""

from types import SimpleNamespace

import mlflow
import pytest
import time_machine
from mlflow.entities import TraceState

from reference_agent import stub_orchestrator
from reference_agent.clocks import VirtualClock
from reference_agent.monitoring import analyze_errors, compute_trace_metrics, find_slow_spans, recent_traces
from reference_agent.stubs import Fault, StubGenie
from tests.reference_agent.reading import span

DAY = 24 * 3600
NOW = 1_700_000_000


def finished(latency_ms, state=TraceState.OK, domains=""):
    return SimpleNamespace(
        info=SimpleNamespace(state=state, execution_duration=latency_ms, tags={"domains": domains} if domains else {})
    )


def ask_at(seconds, query="Why did costs spike?", **stubs):
    with time_machine.travel(seconds, tick=False):
        stub_orchestrator(**stubs).invoke(query, user_id="ada")


def test_recent_traces_are_those_of_the_last_hours_newest_first(captured):
    for age in (25, 23, 2, 0):
        ask_at(NOW - age * 3600)

    with time_machine.travel(NOW + 1, tick=False):
        day, hours = recent_traces(), recent_traces(hours=3)
    assert [round(NOW - trace.info.request_time / 1000) // 3600 for trace in day] == [0, 2, 23]
    assert [round(NOW - trace.info.request_time / 1000) // 3600 for trace in hours] == [0, 2]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_recent_does_not_depend_on_the_time_zone(captured, monkeypatch, zone):
    import time

    ask_at(NOW - 23 * 3600)
    ask_at(NOW - 25 * 3600)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with time_machine.travel(NOW, tick=False):
            found = recent_traces()
    finally:
        monkeypatch.undo()
        time.tzset()

    assert len(found) == 1


def test_metrics_of_real_traces(captured):
    ask_at(NOW)
    ask_at(NOW, "cost and access")
    with pytest.raises(Exception, match="scripted 403"):
        ask_at(NOW, "Who had access?", genie=StubGenie(faults={"security": "403"}))

    metrics = compute_trace_metrics(list(captured))
    assert metrics["total_traces"] == 3
    assert metrics["success_count"] == 2
    assert metrics["error_count"] == 1
    assert metrics["in_progress_count"] == 0
    assert metrics["domain_distribution"] == {"cost": 2, "security": 2}


def test_trace_in_progress_is_neither_success_nor_error_and_has_no_latency():
    traces = [finished(100), finished(300, TraceState.ERROR), finished(0, TraceState.IN_PROGRESS)]
    metrics = compute_trace_metrics(traces)

    assert metrics["success_count"] == 1
    assert metrics["error_count"] == 1
    assert metrics["in_progress_count"] == 1
    assert metrics["avg_latency_ms"] == 200


@pytest.mark.parametrize(("count", "p95"), [(1, 1), (2, 2), (19, 19), (20, 19), (21, 20), (40, 38), (100, 95)])
def test_p95_is_the_nearest_rank(count, p95):
    metrics = compute_trace_metrics([finished(latency) for latency in range(count, 0, -1)])

    assert metrics["p95_latency_ms"] == p95


def test_metrics_of_nothing_are_zeros():
    assert compute_trace_metrics([]) == {
        "total_traces": 0,
        "success_count": 0,
        "error_count": 0,
        "in_progress_count": 0,
        "avg_latency_ms": 0,
        "p95_latency_ms": 0,
        "domain_distribution": {},
    }


def test_trace_without_domains_counts_in_none():
    traces = [finished(1), finished(1, domains="cost,security"), finished(1, domains="cost")]

    assert compute_trace_metrics(traces)["domain_distribution"] == {"cost": 2, "security": 1}


def test_slow_spans_come_slowest_first(captured):
    genie = StubGenie(latencies={"cost": 2, "security": 5})
    with time_machine.travel(NOW, tick=False) as traveller:
        orchestrator = stub_orchestrator(genie=genie, clock=VirtualClock(on_advance=traveller.shift))
        orchestrator.invoke("cost and access", user_id="ada")

    slow = find_slow_spans(captured.one().info.trace_id, threshold_ms=2000)
    assert {found["name"]: found["duration_ms"] for found in slow} == {
        "orchestrator_invoke": 5000.0,
        "query_agents": 5000.0,
        "security_agent": 5000.0,
        "genie_query": 5000.0,
        "genie_attempt": 5000.0,
    }
    assert [found["duration_ms"] for found in slow] == sorted((found["duration_ms"] for found in slow), reverse=True)
    agent = next(found for found in slow if found["name"] == "security_agent")
    assert agent["type"] == "AGENT"
    assert agent["attributes"]["genie_space"] == "security-space"
    assert len(find_slow_spans(captured.one().info.trace_id)) == 8


def test_span_that_never_ended_is_not_slow(captured, monkeypatch):
    spans = [
        SimpleNamespace(name=name, span_type="TOOL", start_time_ns=0, end_time_ns=end, attributes={})
        for name, end in (("ended", 2_000_000_000), ("open", None))
    ]
    trace = SimpleNamespace(data=SimpleNamespace(spans=spans))
    monkeypatch.setattr("mlflow.MlflowClient.get_trace", lambda client, trace_id: trace)

    assert [found["name"] for found in find_slow_spans("tr-1")] == ["ended"]


def test_errors_are_counted_where_they_arose(captured):
    for message in ("no such table", "no such table", "no such column"):
        with pytest.raises(Exception, match=message):
            ask_at(NOW, genie=StubGenie(faults={"cost": Fault("FAILED", message=message)}))
    ask_at(NOW)

    assert analyze_errors(captured) == [
        ("GenieFailedError: space cost-space: SQL_EXECUTION_EXCEPTION: no such table", 2),
        ("GenieFailedError: space cost-space: SQL_EXECUTION_EXCEPTION: no such column", 1),
    ]


def test_each_agents_error_counts_when_all_fail(captured):
    with pytest.raises(Exception, match="none of 2"):
        ask_at(NOW, "cost and access", genie=StubGenie(faults={"cost": "403", "security": "hang"}))

    assert sorted(name.split(":")[0] for name, _ in analyze_errors(captured)) == [
        "GeniePermissionError",
        "GenieTimeoutError",
    ]


def test_error_that_was_dealt_with_is_none(captured):
    ask_at(NOW, "cost and access", genie=StubGenie(faults={"cost": "403"}))

    assert analyze_errors(captured) == []


def test_error_on_a_span_of_somebody_else_is_read_from_its_exception(captured):
    with pytest.raises(ZeroDivisionError), mlflow.start_span("other"):
        raise ZeroDivisionError("division by zero")

    assert analyze_errors(captured) == [("ZeroDivisionError: division by zero", 1)]


def test_error_without_a_trace_of_it_is_unknown(captured):
    with mlflow.start_span("other") as other:
        other.set_status("ERROR")

    assert span(captured.one(), "other").status.status_code == "ERROR"
    assert analyze_errors(captured) == [("unknown: ", 1)]
