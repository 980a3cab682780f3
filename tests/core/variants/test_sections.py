"""Tags, attributes and calls that a baseline holds, loosened by one more run."""

from __future__ import annotations

from itertools import permutations

import pytest

from pytest_mlflow_traces.core.baselines.file_format import BaselineError, new_section
from pytest_mlflow_traces.core.variants.sections import loosened_section
from tests.support.building import node, tree

KINDS = ["tags", "attributes", "calls"]


def loosened(section, trace, kinds=()):
    return loosened_section(section, trace, trace, kinds, ())


def agent(*tools, keys="k", **tags):
    spans = [f"{tool} TOOL" for tool in tools]
    return tree(node("agent", attributes=dict.fromkeys(keys, 1)), spans, tags=tags)


def above(*runs, kinds=("tags", "calls")):
    section = new_section("")
    for run in runs:
        section, _ = loosened(section, run, kinds)
    return list(section.above)


def test_runs_in_any_order_end_in_the_same_lines():
    runs = [agent("b", "a", team="red"), agent("b", "b", place="x"), agent("c", "b", team="x", place="y")]

    for order in permutations(runs):
        assert above(*order) == ["tags: place? team?", "calls a: {0,1}", "calls b: {1,2}", "calls c: {0,1}"]


def test_no_call_and_then_one():
    assert above(agent(), agent("a"), kinds=["calls"]) == ["calls a: {0,1}"]
    assert above(agent("a"), agent(), kinds=["calls"]) == ["calls a: {0,1}"]


def test_keys_of_attributes():
    assert above(agent(keys="ab"), agent(keys="bc"), kinds=["attributes"]) == ["attributes agent: a? b c?"]


def test_what_is_given_up_is_told():
    section, first = loosened(new_section(""), agent("a", team="red"), ["tags", "calls"])
    _, told = loosened(section, agent("b"), ["tags", "calls"])

    assert first == []
    assert told[:3] == [
        "tags: team?: it was `tags: team`",
        "calls a: {0,1}: it was `calls a: 1`",
        "calls b: {0,1}: it is new",
    ]


def test_attributes_of_a_span_that_is_absent_cannot_be_loosened():
    section, _ = loosened(new_section(""), agent(), ["attributes"])

    with pytest.raises(BaselineError, match=r"what is held beside the tree does not hold: .*agent: expected .*by hand"):
        loosened(section, tree("other"), ["attributes"])


def test_a_demand_that_does_not_hold_names_its_line():
    section, _ = loosened(new_section("turn"), agent("a"), [])
    section = section.changed(lambda text: text.replace("a TOOL OK", "a TOOL OK within=0ms"), [])

    with pytest.raises(BaselineError, match=r"^line 2: `within` does not hold for agent > a; change it by hand$"):
        loosened(section, agent("a"), [])
