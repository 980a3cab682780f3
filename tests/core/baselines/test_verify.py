"""What a baseline asked for, and what is there, is asked for after an update, too: in its place, moved, or refused."""

from __future__ import annotations

from random import Random

import pytest

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.update import DemandError, rewritten
from pytest_mlflow_traces.core.matching.matcher import Matcher
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern
from tests.support.building import node, tree
from tests.support.messages import exactly


def changed(text, *spans):
    found = rewritten(text, tree(*spans).table)

    assert tree(*spans) == notation.parse(found)
    return found


def test_what_moved_into_a_gap_is_moved_and_not_changed_for_its_neighbour():
    text = "agent\n  ...\n  check TOOL OK\n  ...\n  # money\n  refund TOOL OK {1,2} ...\n  ..."

    found = changed(text, "agent", ["plan TOOL", "refund TOOL", "check TOOL", "answer TOOL"])

    assert found == "agent\n  ...\n  # money\n  refund TOOL OK {1,2} ...\n  check TOOL OK\n  ...\n  ..."


def test_what_moved_into_a_gap_before_the_last_line_is_moved():
    text = "agent\n  ...\n  check TOOL OK\n  refund TOOL OK"

    found = changed(text, "agent", ["plan TOOL", "refund TOOL", "check TOOL"])

    assert found == "agent\n  ...\n  refund TOOL OK\n  check TOOL OK"


def test_what_was_passed_in_a_gap_is_moved():
    found = changed("a\n  ...\n  refund\n  ...\n  check\n  ...", "a", ["plan", "check", "refund", "z"])

    assert found == "a\n  ...\n  check\n  refund\n  ...\n  ..."


def test_a_line_stands_for_the_span_that_is_as_it_says_below_and_not_for_a_later_one():
    text = "a\n  ...\n  search TOOL OK\n    http\n    parse"

    exact = changed(text, "a", ["plan", "search TOOL", ["http", "parse"], "search TOOL"])
    nearer = changed(text, "a", ["plan", "search TOOL", ["http", "parse", "x"], "search TOOL"])

    assert exact == text + "\n  search TOOL OK"
    assert nearer == text + "\n    x UNKNOWN OK\n  search TOOL OK"


def test_as_many_as_were_asked_for_are_taken_out_of_gaps():
    text = "a\n  ...\n  c\n  ...\n  b {2}\n  d"

    found = changed(text, "a", ["b", "x", "b", "c", "d"])

    assert found == "a\n  ...\n  b {1,2}\n  ...\n  b UNKNOWN OK\n  c\n  ...\n  d"


def test_what_a_regex_or_a_choice_asked_for_is_moved():
    regex = changed("a\n  ...\n  /b.*/ ...\n  ...\n  c\n  c\n  d", "a", ["x", "c", "c", "bb TOOL", ["y"], "d"])
    choice = changed("a\n  ...\n  one of\n    b\n    e ...\n  ...\n  c\n  c\n  d", "a", ["c", "c", "e", ["y"], "d"])

    assert regex == "a\n  ...\n  ...\n  c\n  c\n  /b.*/ ...\n  d"
    assert choice == "a\n  ...\n  ...\n  c\n  c\n  one of\n    b\n    e ...\n  d"


def test_what_left_a_group_for_a_gap_is_asked_for():
    found = changed("a\n  ...\n  any order\n    b\n    c ...\n  k\n  ...", "a", ["b", "k", "c", ["x"]])

    assert found == "a\n  ...\n  any order\n    b\n  k\n  ...\n  c ..."


def test_what_a_group_with_a_gap_took_at_its_end_is_asked_for():
    text = "a\n  any order\n    x\n    ...\n  # last\n  b TOOL ..."

    assert changed(text, "a", ["b LLM", "x LLM"]) == "a\n  # last\n  b LLM ...\n  any order\n    x\n    ..."


def test_what_may_be_absent_does_not_take_what_a_lost_line_asks_for():
    found = changed("a\n  c LLM\n  ...\n  c LLM ? ...\n  ...", "a", ["d", "x", "c LLM"])

    assert found == "a\n  ...\n  c LLM\n  c LLM ? ...\n  ..."


def test_a_line_that_asks_for_nothing_gives_way():
    assert changed("a\n  b ?\n  k\n  b", "a", ["b", "k"]) == "a\n  b ?\n  b\n  k"
    assert changed("a\n  * {2,}\n  k\n  b", "a", ["x", "y", "b", "k"]) == "a\n  * {2,}\n  b\n  k"
    assert changed("a\n  * {1,}\n  k\n  b", "a", ["b", "x", "y", "k"]) == "a\n  b\n  * {1,}\n  k"


def test_a_group_whose_lines_are_all_lost_goes_and_leaves_its_gap():
    text = "a\n  # two\n  any order\n    # of b\n    b\n    c\n    # more\n    ...\n  d"
    inner = "a\n  any order\n    d\n    # two\n    any order\n      # of b\n      b\n      c"

    assert changed(text, "a", ["x", "d"]) == "a\n  # two\n  # of b\n  # more\n  ...\n  d"
    assert changed(inner, "a", ["d"]) == "a\n  any order\n    d\n    # two\n    # of b"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n  any order\n    b TOOL\n    * LLM {1,}", "line 3: `b TOOL` does not hold for a"),
        ("a\n  any order\n    x\n    ...\n  # last\n  b TOOL ...", "line 6: `b TOOL ...` does not hold for a"),
    ],
)
def test_an_update_that_would_ask_no_more_for_what_is_there_is_refused(text, says):
    with pytest.raises(DemandError, match=exactly(says)):
        rewritten(text, tree("a", ["y LLM", "b LLM", "x LLM"]).table)


def test_at_the_root_an_update_that_would_ask_no_more_is_refused():
    with pytest.raises(DemandError, match=exactly("line 2: `b TOOL` does not hold for b")):
        rewritten("any order\n  b TOOL\n  * LLM {1,}", tree("b LLM", "x LLM").table)


def test_what_was_demanded_by_hand_of_a_span_that_moved_is_not_dropped():
    slow = tree("a @0-900", ["k @1-2", "c @3-4", node("b @5-800")])
    quick = tree("a @0-900", ["k @1-2", "c @3-4", node("b @5-6"), ["other"]])
    text = "a\n  k\n  b within=20ms\n    x\n  c"

    with pytest.raises(DemandError, match=exactly("line 3: `within` does not hold for a > b")):
        rewritten(text, slow.table)
    assert rewritten(text, quick.table) == "a\n  k\n  c\n  b within=20ms\n    other"


# -- whatever the text, and whatever came ------------------------------------------------------------------------------

NAMES = "bcdef"
QUANTIFIERS = ["", "", "", "", " ?", " {1,3}", " {2}", " {0,}"]


def random_line(random, indent, asked):
    name, quantifier = random.choice([*NAMES, *NAMES, "/[bc]/", "*"]), random.choice(QUANTIFIERS)
    if name in NAMES and quantifier not in (" ?", " {0,}"):
        asked.add(name)
    style = random.random()
    below = [f"{indent}  {random.choice('xyz')}" for _ in range(2)] if style < 0.3 else []
    return [f"{indent}{name} {random.choice(['TOOL', 'LLM'])}{quantifier}{' ...' if style > 0.8 else ''}", *below]


def random_text(random):
    asked, lines = set(), ["a"]
    for _ in range(random.randint(1, 5)):
        style = random.random()
        if style < 0.35:
            lines.append("  ...")
        elif style < 0.5:
            lines += ["  any order", *random_line(random, "    ", asked), *random_line(random, "    ", asked)]
            lines += random.choice([[], ["    ..."]])
        else:
            lines += random_line(random, "  ", asked)
    return "\n".join(lines), asked


def random_trace(random):
    spans = []
    for _ in range(random.randint(0, 6)):
        spans += [f"{random.choice(NAMES)} {random.choice(['TOOL', 'LLM'])}"]
        spans += [[random.choice("xyz") for _ in range(2)]] if random.random() < 0.3 else []
    return tree("a", spans) if spans else tree("a")


@pytest.mark.parametrize("seed", range(400))
def test_no_name_that_was_asked_for_and_is_there_may_vanish_after_an_update(seed):
    """The oracle takes all spans of a name out: the new text must not match what is left."""
    random = Random(seed)
    text, asked = random_text(random)
    trace = random_trace(random)
    table = trace.table

    try:
        found = notation.parse(rewritten(text, table))
    except DemandError as error:
        assert error.line > 1  # noqa: PT017  # a refusal is as good, and rare
        return

    assert trace == found
    assert isinstance(found, SpanPattern)
    for name in asked.intersection(table.names):
        rest = [i for i in table.children(0) if table.names[i] != name]
        assert not Matcher(table).accepts(found.children or (), rest)
