"""What got another name keeps what somebody wrote on its line and below it; so does what came earlier than it stood."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.update import rewritten
from tests.support.building import tree


def changed(text, *spans):
    found = rewritten(text, tree(*spans).table)

    assert tree(*spans) == notation.parse(found)
    return found


def test_below_a_renamed_span_a_gap_stays_that_stands_for_several():
    text = "agent AGENT OK\n  # the model chooses\n  plan TOOL OK\n  ...\n  answer TOOL OK"

    found = changed(text, "support_agent AGENT", ["plan TOOL", "a TOOL", "b TOOL", "c TOOL", "answer TOOL"])

    assert found == text.replace("agent", "support_agent")


def test_below_a_renamed_span_a_regex_stays_that_stands_for_several():
    text = "agent AGENT OK\n  plan\n  # which, is the model's choice\n  /cost|security/ TOOL {1,5}"

    assert changed(text, "desk AGENT", ["plan", "cost TOOL", "security TOOL"]) == text.replace("agent", "desk")


def test_below_a_renamed_span_a_group_keeps_its_gap():
    text = "agent AGENT OK\n  any order\n    a {1,3}\n    ..."

    assert changed(text, "desk AGENT", ["a", "x", "y", "z", "a"]) == text.replace("agent", "desk")


def test_below_a_renamed_span_half_of_what_is_named_is_enough():
    text = "agent AGENT OK\n  plan\n  ...\n  /b.*/ CHAIN\n  answer"

    assert changed(text, "desk AGENT", ["plan", "x", "y", "answer"]) == "desk AGENT OK\n  plan\n  ...\n  answer"
    assert changed("agent AGENT\n  /b.*/\n  c\n  d", "desk AGENT", ["b1", "b2", "d"]).startswith("desk AGENT\n  /b.*/")


def test_what_is_renamed_inside_keeps_its_comment():
    text = "agent\n  # how it thinks\n  inner CHAIN\n    plan\n    ...\n    b\n  # the end\n  last"

    found = changed(text, "agent", ["outer CHAIN", ["plan", "x", "y", "z", "b"], "last"])

    assert found == text.replace("inner", "outer")


def test_a_span_whose_children_are_a_gap_is_renamed_as_one_without_children():
    assert changed("a\n  # keep\n  b TOOL\n    ...", "a", ["c TOOL", ["x"]]) == "a\n  # keep\n  c TOOL\n    ..."


def test_a_line_for_several_is_renamed_for_all_of_them():
    free = "a\n  search_web TOOL OK {1,4} ..."
    held = "a\n  search_web TOOL OK {1,4}\n    x\n    ..."

    assert changed(free, "a", ["web_search TOOL", ["x"], "web_search TOOL", ["y"]]) == free.replace(
        "search_web", "web_search"
    )
    assert changed(held, "a", ["web_search TOOL", ["x"], "web_search TOOL", ["x", "y"]]) == held.replace(
        "search_web", "web_search"
    )
    assert changed(held, "a", ["web_search TOOL", ["x"], "web_search TOOL", ["y"]]) == (
        held.replace("search_web", "web_search") + "\n  web_search TOOL OK\n    y UNKNOWN OK"
    )


@pytest.mark.parametrize("other", ["site_search TOOL", "web_search LLM", "web_search TOOL ERROR"])
def test_a_line_for_several_is_not_renamed_for_what_is_not_the_same(other):
    found = changed("a\n  search_web TOOL OK {1,4} ...", "a", [other, "web_search TOOL", ["x"]])

    name, *rest = other.split(" ")
    assert found == f"a\n  {name} {' '.join([*rest, 'OK'][:2])}\n  web_search TOOL OK {{1,4}} ..."


def test_a_line_that_may_be_absent_is_moved_to_the_span_that_came():
    assert changed("a\n  c {1,9} ...\n  # maybe\n  b ? ...", "a", ["b", ["x"], "c", "c"]) == (
        "a\n  # maybe\n  b ? ...\n  c {1,9} ..."
    )
    assert changed("a\n  c\n  b {0,2} ...", "a", ["b", "b", "b", "c"]) == "a\n  b UNKNOWN OK\n  b {0,2} ...\n  c"
