"""The text of a pattern as a tree of lines: read and written again, nothing is lost."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.line_tree import Entry, alternatives, members, outline_text, read_outline
from pytest_mlflow_traces.core.notation import NotationError
from tests.support.generating import patterns

TEXT = textwrap.dedent(
    """\
    # about the agent

    agent AGENT   OK
      # about has
      has:
        search ...
      any order
          # indented by hand
        a {1,3}

        any order
          b ?
        ...
      one of {2,}
        c ...
        one of
          d
      # at the end
    """
)


@given(patterns(), st.randoms(use_true_random=False))
def test_what_is_not_changed_stays_as_it_was(pattern, random):
    lines = []
    for line in notation.format(pattern).split("\n"):
        lines += random.choice([[], [""], ["# a note"], ["      # another", ""]])
        lines.append(line + " " * random.choice([0, 0, 2]))
    text = "\n".join([*lines, *random.choice([[], ["# the end", ""]])])

    assert outline_text(*read_outline(text)) == text


@given(patterns())
def test_what_is_indented_anew_is_the_same_pattern(pattern):
    entry, after = read_outline(notation.format(pattern))
    stack = [entry]
    while stack:
        each = stack.pop()
        each.raw = ""
        stack += each.below

    assert notation.parse(outline_text(entry, after)) == pattern


def test_a_moved_line_takes_its_comments_along():
    entry, _ = read_outline("a\n  b\n    # of c\n    c")
    b = entry.below[0]
    entry.below = b.below

    assert outline_text(entry) == "a\n  # of c\n  c"


def test_a_deep_line_says_its_depth():
    text = notation.format(notation.parse("\n".join("  " * n + "a" for n in range(25))))
    entry, after = read_outline(text + "\n" + "  " * 24 + "(depth 25) b")

    assert outline_text(Entry("top", below=[entry]), after).endswith("(depth 25) a\n" + "  " * 24 + "(depth 26) b")


def test_entries_know_what_they_stand_for():
    entry, _ = read_outline(TEXT)

    has, group, choice = entry.below
    assert has.is_demand
    assert group.is_plain_group
    assert (choice.limits, choice.below[1].pattern) == ((2, None), None)
    assert [each.is_gap for each in group.below] == [False, False, True]
    assert group.below[0].limits == (1, 3)
    assert outline_text(*read_outline(TEXT)) == TEXT


def test_nested_groups_and_choices_are_one():
    entry, _ = read_outline("r\n  any order\n    any order\n      a\n    b\n  one of\n    c\n    one of\n      d")
    group, choice = entry.below

    assert [each.text for _, each in members(group)] == ["a", "b"]
    assert [home is group.below for home, _ in members(group)] == [False, True]
    assert [each.text for each in alternatives(choice)] == ["c", "d"]


def test_a_line_that_says_the_same_stays_as_it_was():
    entry, after = read_outline("a   TOOL")
    entry.rewrite(entry.text)

    assert outline_text(entry, after) == "a   TOOL"


def test_blank_lines_stay_blank_at_another_depth():
    entry, _ = read_outline("a\n  b\n\n    c")
    entry.below = entry.below[0].below

    assert outline_text(entry) == "a\n\n  c"


def test_another_number_of_spans_changes_one_line():
    entry, after = read_outline(TEXT)
    entry.below[1].below[0].requantify(0, None)
    entry.below[2].requantify(1, 1)

    changed = TEXT.replace("    a {1,3}", "    a {0,}").replace("one of {2,}", "one of")
    assert outline_text(entry, after) == changed


def test_what_is_no_pattern_is_refused():
    with pytest.raises(NotationError, match="line 2, column 3"):
        read_outline("a\n  any_order")
