"""Order is that of starts, whatever the clock says."""

from __future__ import annotations

import datetime as dt

import mlflow
import pytest

from tests.capture.programs import answer, names, traced

time_machine = pytest.importorskip("time_machine")
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


def test_a_clock_that_stands_still_keeps_the_order_of_starts(traces):
    with time_machine.travel(NOON, tick=False):
        for number in range(20):
            traced(f"{number:02}")
        answer()

    assert names(traces) == [*(f"{number:02}" for number in range(20)), "agent"]
    assert len({trace.start_ns for trace in traces}) == 1
    assert [span.name for span in traces[-1].spans][:3] == ["agent", "load_context", "retrieve_short_term"]


def test_a_clock_that_goes_back_keeps_the_order_of_starts(traces):
    with time_machine.travel(NOON, tick=False) as clock:
        for number in range(5):
            traced(str(number))
            clock.shift(-3600)

    assert names(traces) == ["0", "1", "2", "3", "4"]
    assert [trace.start_ns for trace in traces] == sorted((trace.start_ns for trace in traces), reverse=True)


def test_a_clock_that_jumps_far_ahead_within_a_span_loses_nothing(traces):
    with time_machine.travel(NOON, tick=False) as clock:
        with mlflow.start_span("agent"):
            clock.shift(10_000_000)
            with mlflow.start_span("tool"):
                clock.shift(1.5)

    trace = traces.one()
    assert [span.name for span in trace.spans] == ["agent", "tool"]
    assert trace.duration_ms == pytest.approx(10_000_001_500)
    assert trace.spans[1].duration_ms == 1500


def test_times_follow_the_clock_exactly_and_are_found_by_it(traces):
    with time_machine.travel(NOON, tick=False) as clock:
        with mlflow.start_span("early"):
            clock.shift(0.25)
        clock.shift(60)
        traced("late")
    noon_ms = int(NOON.timestamp() * 1000)

    assert traces[0].duration_ms == 250
    found = mlflow.search_traces(filter_string=f"timestamp_ms > {noon_ms}", return_type="list")
    assert [trace.info.tags["mlflow.traceName"] for trace in found] == ["late"]
    assert [trace.info.execution_duration for trace in mlflow.search_traces(return_type="list")] == [0, 250]
