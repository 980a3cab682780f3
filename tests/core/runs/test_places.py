"""Which span of which trace a finding is about."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import Finding
from pytest_mlflow_traces.core.runs.places import Places
from tests.support.building import tree

FIRST = tree("agent", ["plan", "search", "search", ["query"]])
SECOND = tree("agent", ["answer"])


@pytest.mark.parametrize(
    ("where", "place"),
    [
        *[("agent", (0, 0)), ("agent > search[2] > query", (0, 4)), ("agent > answer", (1, 1))],
        ("agent > plan, attribute model", (0, 1)),  # a rule over values
        ("agent > search[2] > missing > below", (0, 3)),  # the nearest span that is there
        *[("[1] agent", (1, 0)), ("[1] agent > plan", (1, 0)), ("[7] agent", (0, 0))],
        *[
            ("trace 'agent'", (0, None)),
            ("this test", (0, None)),
            ("tag 'team'", (0, None)),
            ("[1] tag 'x'", (1, None)),
        ],
    ],
)
def test_it_is_found_by_the_path(where, place):
    assert Places([FIRST, SECOND]).of(Finding("shape.missing", where)) == place


def test_a_trace_is_found_by_its_name():
    assert Places([tree("a"), tree("b")]).of(Finding("budget.latency", "trace 'b'")) == (1, None)
