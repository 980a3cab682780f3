"""Latencies of several spans: nearest ranks, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.budgets.latency import LatencyStatistics, rank
from pytest_mlflow_traces.core.findings import TraceAssertionError
from pytest_mlflow_traces.core.patterns.constructors import span
from tests.support.building import tree
from tests.support.messages import exactly


def of(*milliseconds):
    return LatencyStatistics.of([tree(f"search @0-{ms}", "other @0-9999") for ms in milliseconds], span("search"))


@given(st.integers(1, 99), st.integers(1, 500))
def test_the_nearest_rank_is_the_least_that_enough_do_not_exceed(percent, count):
    enough = [k for k in range(count) if 100 * (k + 1) >= percent * count]

    assert rank(percent, count) == enough[0]


def test_percentiles_are_numbers_that_were_measured():
    statistics = of(*range(20, 0, -1))

    assert (statistics.count, statistics.min, statistics.median, statistics.p95, statistics.max) == (20, 1, 10, 19, 20)
    assert repr(statistics) == "<latency in ms: count=20, min=1.0, median=10.0, p95=19.0, max=20.0>"


def test_one_number_is_all_but_a_p95():
    statistics = of(7.5)

    assert (statistics.count, statistics.min, statistics.median, statistics.max) == (1, 7.5, 7.5, 7.5)
    assert repr(statistics) == "<latency in ms: count=1, min=7.5, median=7.5, max=7.5>"


def test_a_p95_of_few_is_refused():
    with pytest.raises(
        TraceAssertionError, match=exactly("expected at least 20 samples for a p95 of span('search'), got 19")
    ) as raised:
        _ = of(*range(19)).p95

    assert raised.value.findings[0].rule == "budget.samples"


def test_no_span_has_no_latency():
    message = "no span in 2 traces is span('searhc'): there is no latency to tell\nthe traces: search"

    with pytest.raises(TraceAssertionError, match=exactly(message)) as raised:
        LatencyStatistics.of([tree("search"), tree("search")], span("searhc"))

    assert raised.value.findings[0].rule == "budget.absent"


def test_a_span_that_never_ended_has_none_either():
    message = "1 of 2 spans like span('search') never ended:\n  agent > search[2]"

    with pytest.raises(TraceAssertionError, match=exactly(message)) as raised:
        LatencyStatistics.of([tree("agent", ["search @1-2", "search @3-"])], span("search"))

    assert raised.value.findings[0].rule == "budget.unfinished"


def test_one_that_ended_before_it_started_would_make_the_others_look_fast():
    message = "1 of 2 spans like span('search') ended before they started:\n  agent > search[2]"

    with pytest.raises(TraceAssertionError, match=exactly(message)) as raised:
        LatencyStatistics.of([tree("agent", ["search @1-2", "search @3-2"])], span("search"))

    assert raised.value.findings[0].rule == "budget.latency"


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError):
        of(1).samples_ns = ()
