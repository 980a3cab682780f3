"""The shape that traces have in common."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.learning.shape import MOST_LINES, common_shape
from tests.support.building import tree
from tests.support.tracing import traces


def test_each_list_of_children_is_a_chain():
    shape = common_shape(
        [
            tree("agent AGENT", ["plan", "cost TOOL", ["query"], "risk TOOL", "answer LLM"]),
            tree("agent AGENT", ["plan", "risk TOOL", "cost TOOL", ["query", "query"], "answer LLM"]),
            tree("agent AGENT", ["plan", "cache TOOL", "answer LLM", "save"]),
        ]
    )

    assert notation.format(shape) == (
        "agent AGENT\n"
        "  plan UNKNOWN\n"
        "  cache TOOL ?\n"
        "  any order\n"
        "    cost TOOL ?\n"
        "      query UNKNOWN {1,}\n"
        "    risk TOOL ?\n"
        "  answer LLM\n"
        "  save UNKNOWN ?"
    )


def test_there_is_none_where_nobody_would_read_it():
    assert common_shape([]) is None
    assert common_shape([tree("agent"), tree("other")]) is None
    assert common_shape([tree("agent", "late")]) is None
    assert common_shape([tree("agent", [f"step {i}" for i in range(MOST_LINES)])]) is None
    deep: list = []
    for number in range(60):
        deep = [f"step {number}", deep] if deep else [f"step {number}"]
    assert common_shape([tree("agent", deep)]) is None


@given(st.lists(traces(roots=1, names="abcd"), min_size=1, max_size=5))
def test_every_trace_has_it(given_traces):
    shape = common_shape(given_traces)

    roots = {(trace.root.name, trace.root.type) for trace in given_traces}
    assert (shape is None) <= (len(roots) > 1 or sum(map(len, (t.table for t in given_traces))) > 20)
    assert shape is None or all(trace == shape for trace in given_traces)
