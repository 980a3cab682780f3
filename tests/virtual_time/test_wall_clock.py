"""Latency in real time against recorded numbers. The clocks of these tests are virtual all the same."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta, timezone

import mlflow
import pytest
import time_machine

from pytest_mlflow_traces import TraceAssertionError, span
from pytest_mlflow_traces.clock import VirtualTimeError, virtual_time
from pytest_mlflow_traces.wall_clock import assert_not_slower
from tests.support.messages import exactly


@pytest.fixture
def agent():
    """Make an agent whose runs take the given milliseconds, one after the other; it counts its runs."""
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=timezone.utc), tick=False) as traveller:

        def make(*milliseconds):
            left = itertools.cycle(milliseconds)

            def run():
                run.count += 1
                with mlflow.start_span("agent"), mlflow.start_span("search"):
                    traveller.shift(timedelta(milliseconds=next(left)))

            run.count = 0
            return run

        yield make


@pytest.mark.parametrize(
    ("recorded", "taken", "relative", "absolute"),
    [
        ("100ms", 100, 0, "0ms"),
        ("9ms", 15, 0.25, "10ms"),  # far more, of little
        ("100s", 110_000, 0.25, "10ms"),  # much, but not of so much
        ("100ms", 1, 0, "0ms"),
    ],
)
def test_what_is_within_either_tolerance_is_no_regression(agent, recorded, taken, relative, absolute):
    run = agent(taken)

    assert_not_slower(run, recorded={"search": recorded}, relative=relative, absolute=absolute)

    assert run.count == 1


def test_what_is_slower_is_measured_again_before_it_fails(agent):
    run = agent(900, 900, 110)

    assert_not_slower(run, recorded={"search": "100ms"}, relative=0.25, absolute="10ms")

    assert run.count == 3


def test_what_is_slower_each_time_fails_and_says_what_to_write_down(agent):
    run = agent(212, 198, 205, 1)

    with pytest.raises(TraceAssertionError) as raised:
        assert_not_slower(
            run, recorded={"search": "120ms", span("agent"): timedelta(seconds=5)}, relative=0.25, absolute="20ms"
        )

    assert str(raised.value) == (
        "slower than recorded in each of 3 runs:\n"
        "  span('search'): expected at most 150 ms (120 ms recorded), got 212 ms, 198 ms, 205 ms\n"
        "if it may take as long, write that down: recorded={span('search'): '198.0ms'}"
    )
    assert [finding.rule for finding in raised.value.findings] == ["budget.regression"]


def test_a_span_that_is_not_there_has_no_latency(agent):
    with pytest.raises(TraceAssertionError, match=re.escape("no span in 1 trace is span('lookup')")):
        assert_not_slower(agent(1), recorded={"lookup": "1s"}, relative=1, absolute="1s")


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"recorded": {}}, TypeError, "recorded maps names or patterns of spans to how long they took, got {}"),
        ({"recorded": {"a": 5}}, TypeError, "recorded['a']: write a duration as '800ms', '2s' or a timedelta, got 5"),
        ({"relative": "25%"}, ValueError, "relative is a share such as 0.25, a quarter more, got '25%'"),
        ({"relative": -1}, ValueError, "relative is a share such as 0.25, a quarter more, got -1"),
        ({"absolute": 20}, TypeError, "absolute: write a duration as '800ms', '2s' or a timedelta, got 20"),
        (
            {"attempts": 1},
            ValueError,
            "attempts is a whole number of at least 2, since a slow run is measured again: 1",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(said, error, message):
    with pytest.raises(error, match=exactly(message)):
        assert_not_slower(pytest.fail, **{"recorded": {"a": "1s"}, "relative": 0.25, "absolute": "1ms", **said})


def test_it_is_nothing_for_virtual_time():
    message = "assert_not_slower() measures real time; in virtual time, assert a Budget"

    with virtual_time(), pytest.raises(VirtualTimeError, match=exactly(message)):
        assert_not_slower(pytest.fail, recorded={"a": "1s"}, relative=0.25, absolute="1ms")
