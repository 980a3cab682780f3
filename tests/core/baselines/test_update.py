"""A pattern's text, changed for a trace: only where it does not hold, and as somebody left it elsewhere."""

from __future__ import annotations

import textwrap
from collections import Counter
from random import Random

import pytest
from hypothesis import given

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines import update
from pytest_mlflow_traces.core.baselines.update import DemandError, rewritten
from pytest_mlflow_traces.core.notation import NotationError
from pytest_mlflow_traces.core.patterns.recorded import recorded
from tests.support import mutating
from tests.support.building import node, tree
from tests.support.messages import exactly
from tests.support.tracing import traces


def text_of(block):
    return textwrap.dedent(block).strip("\n")


AGENT = text_of(
    """
    # what the agent must do
    agent AGENT OK
      plan LLM OK
      # at most three tries
      attempt TOOL {1,3}
        has:
          request ...
        ...
      answer LLM OK ...
    """
)


def changed(block, *spans, unordered=()):
    """Return what became of a text: its new lines, `-` and `+` before those that are gone or new."""
    text = text_of(block)
    found = rewritten(text, tree(*spans).table, unordered)
    assert rewritten(found, tree(*spans).table, unordered) == found
    return found


def test_a_text_that_holds_is_left_alone():
    text = AGENT + "\n\n   # odd\n"
    trace = tree(
        "agent AGENT", ["plan LLM", "attempt TOOL", ["request"], "attempt TOOL", ["request", "x"], "answer LLM"]
    )

    assert rewritten(text, trace.table) is text


def test_names_types_and_status_change_in_place():
    found = changed(
        AGENT.replace("OK ...", "OK ...  "),
        "agent CHAIN",
        ["planning LLM", "attempt TOOL ERROR", ["request"], "answer CHAIN ERROR"],
    )  # fmt: skip

    assert found == AGENT.replace("agent AGENT", "agent CHAIN").replace("plan LLM", "planning LLM").replace(
        "answer LLM OK", "answer CHAIN ERROR"
    )


def test_a_number_is_widened_and_not_replaced():
    attempts = ["attempt TOOL", ["request"]] * 5

    assert changed(AGENT, "agent AGENT", ["plan LLM", *attempts, "answer LLM"]) == AGENT.replace("{1,3}", "{1,5}")
    assert changed("a\n  b {2,}\n  c", "a", ["b", "c"]) == "a\n  b {1,}\n  c"


def test_what_is_lost_goes_and_the_comment_above_it_stays():
    found = changed(AGENT, "agent AGENT", ["plan LLM", "answer LLM"])

    assert found == text_of(
        """
        # what the agent must do
        agent AGENT OK
          plan LLM OK
          # at most three tries
          answer LLM OK ...
        """
    )
    assert changed("a\n  # of b\n  b", "a") == "a\n  # of b"


def test_in_a_group_a_span_gives_its_line_to_one_that_fits_no_other():
    found = changed("a\n  any order\n    b\n    b TOOL", "a", ["b TOOL", "c", "b CHAIN"])

    assert found == "a\n  any order\n    b\n    b TOOL\n    c UNKNOWN OK"


def test_groups_are_mended_and_keep_what_they_ask_for():
    gap = changed("a\n  any order\n    b TOOL\n    ...", "a", ["b CHAIN", "x"])
    overlapping = changed("a\n  parallel\n    b TOOL\n    c", "a @0-9", ["b CHAIN @1-5", "c @2-6"])

    assert gap == "a\n  any order\n    b CHAIN\n    ..."
    assert overlapping == "a\n  parallel\n    b CHAIN\n    c"


def test_a_root_beside_a_group_is_one_more_in_any_order():
    found = changed("parallel\n  a\n  b", "a @0-5", "b @1-4", "c @8-9")

    assert found == "any order\n  parallel\n    a\n    b\n  c UNKNOWN OK"


def test_a_line_for_several_spans_that_got_wrapped_stands_for_the_one_that_is_there():
    found = changed("a\n  b {2}\n  c", "a", ["w", ["b"], "c"])

    assert found == "a\n  w UNKNOWN OK\n    b {1,2}\n  c"


def test_what_is_new_is_recorded():
    assert (
        changed("a\n  b\n  d", "a", ["b", "c TOOL ERROR", ["e"], "d"])
        == "a\n  b\n  c TOOL ERROR\n    e UNKNOWN OK\n  d"
    )


def test_what_is_wrapped_keeps_its_lines():
    found = changed("a\n  b {1,2} ...\n  # keep\n  c\n    d TOOL ?", "a", ["b", "w CHAIN", ["c", ["d TOOL"]]])

    assert found == "a\n  b {1,2} ...\n  w CHAIN OK\n    # keep\n    c\n      d TOOL ?"


def test_what_was_wrapped_keeps_its_lines():
    assert changed("a\n  w\n    # keep\n    b ...\n  c", "a", ["b", ["x"], "c"]) == "a\n  # keep\n  b ...\n  c"


def test_what_moved_keeps_its_lines():
    found = changed("a\n  b\n    # keep\n    c * ...\n  d".replace(" *", ""), "a", ["b", "d", ["c", ["x"]]])

    assert found == "a\n  b\n  d\n    # keep\n    c ..."


def test_what_is_in_another_order_is_moved():
    assert changed("a\n  b TOOL ...\n  c\n  d", "a", ["c", "d", "b TOOL"]) == "a\n  c\n  d\n  b TOOL ..."


def test_what_came_to_overlap_is_in_any_order_from_now_on():
    found = changed("a\n  b TOOL ...\n  d", "a @0-9", ["b TOOL @1-5", "c @2-6", "d @7-8"])

    assert found == "a\n  any order\n    b TOOL ...\n    c UNKNOWN OK\n  d"


def test_what_joins_a_group_stands_in_it():
    text = "a @0-9", ["c TOOL @1-5", "new @2-6", "b @3-7", "d @7-8"]

    assert changed("a\n  # two\n  any order\n    b ?\n    c TOOL ...\n  d", *text) == text_of(
        """
        a
          # two
          any order
            b ?
            c TOOL ...
            new UNKNOWN OK
          d
        """
    )
    assert changed("a\n  b\n  d", "a", ["b", "x", "d"], unordered=[0]) == text_of(
        """
        a
          any order
            b
            x UNKNOWN OK
            d
        """
    )


def test_what_leaves_a_group_is_gone_from_it():
    assert changed("a\n  any order\n    b\n    c ?\n    d", "a", ["d"]) == "a\n  any order\n    c ?\n    d"


def test_a_gap_takes_what_is_new_but_not_what_got_another_name():
    assert changed("a\n  ...\n  b TOOL", "a", ["x", "y", "b TOOL ERROR"]) == "a\n  ...\n  b TOOL"
    assert changed("a\n  ...\n  b TOOL", "a", ["x", "c TOOL"]) == "a\n  ...\n  c TOOL"
    assert (
        changed("a\n  ...\n  b TOOL", "a", ["x", "w", ["b TOOL"], "y"]) == "a\n  ...\n  w UNKNOWN OK\n    b TOOL\n  ..."
    )


def test_a_choice_gets_another_alternative():
    assert (
        changed("a\n  one of\n    b TOOL ...\n    c", "a", ["d"])
        == "a\n  one of\n    b TOOL ...\n    c\n    d UNKNOWN OK"
    )
    assert changed("a\n  one of\n    b TOOL ...\n    c", "a", ["b LLM"]) == "a\n  one of\n    b LLM ...\n    c"


def test_a_loose_name_or_type_stays_loose():
    assert (
        changed("a\n  /b.*/ TOOL OK\n  * LLM OK", "a", ["bb TOOL ERROR", "c LLM ERROR"])
        == "a\n  /b.*/ TOOL ERROR\n  * LLM ERROR"
    )
    assert changed("a\n  /b.*/ OK", "a", ["x"]) == "a\n  x OK"


def test_another_root():
    assert changed("# note\nold AGENT\n  b ?", "new CHAIN", ["b"]) == "# note\nnew CHAIN\n  b ?"
    assert (
        changed("# note\nold AGENT\n  b ?", "w CHAIN", ["old AGENT", ["b"]])
        == "w CHAIN OK\n  # note\n  old AGENT\n    b ?"
    )


def test_several_roots_are_in_any_order():
    found = changed("any order\n  a\n  b TOOL ...", "b TOOL", "c")

    assert found == "any order\n  c\n  b TOOL ..."
    assert changed("a ...", "a", "c") == "any order\n  a ...\n  c UNKNOWN OK"


def test_what_is_more_than_one_span_is_kept_or_lost_as_a_whole():
    text = "a\n  any order {2}\n    b\n    c\n  d"

    assert changed(text, "a", ["c", "b", "b", "c", "e"]) == text.replace("  d", "  e")
    assert changed(text, "a", ["b", "c", "d"]) == "a\n  b\n  c\n  d"


def test_what_is_too_tangled_is_recorded_anew_below_its_comments(monkeypatch):
    monkeypatch.setattr(update._Update, "run", lambda self, top: top)

    assert rewritten("# note\na\n  c\n# end", tree("a", ["b"]).table) == "# note\na UNKNOWN OK\n  b UNKNOWN OK\n# end"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n  b within=1ms", "line 2: `within` does not hold for a > b"),
        ("a\n  b error=KeyError", "line 2: `error` does not hold for a > b"),
        ("a\n  b inputs=1", "line 2: `inputs` does not hold for a > b"),
        ('a\n  b attributes={"k": 1}', "line 2: `attributes.k` does not hold for a > b"),
        ("a\n  has:\n    z ...\n  b", "line 1: `has:` does not hold for a"),
        ("a\n  lacks:\n    b ...\n  b ...", "line 1: `lacks:` does not hold for a"),
        ("a\n  parallel\n    b ...\n    c", "line 2: `parallel` does not hold for a > b and a > c"),
    ],
)
def test_what_was_demanded_by_hand_is_not_for_a_record_to_change(text, says):
    trace = tree("a", [node("b @1-9", inputs=2), "c @10-11"])

    with pytest.raises(DemandError, match=exactly(says)):
        rewritten(text, trace.table)


def test_what_is_no_pattern_is_refused():
    with pytest.raises(NotationError):
        rewritten("a\n\tb", tree("a").table)


@given(traces(), traces())
def test_whatever_came_is_what_the_text_then_says(old, new):
    text = notation.format(recorded(old.table))

    found = rewritten(text, new.table)

    assert new == notation.parse(found)
    assert rewritten(found, new.table) == found


def test_a_chain_of_any_depth():
    def chain(name):
        spec = [name]
        for _ in range(2_000):
            spec = ["a", spec]
        return tree(*spec)

    text = notation.format(recorded(chain("old").table))

    assert rewritten(text, chain("new").table) == text.replace("old", "new")


EDITED = {"rename": (1, 1), "retype": (1, 1), "status": (1, 1), "insert leaf": (0, 1), "wrap": (0, 1),
          "delete leaf": (1, 0), "delete, lift children": (1, 0), "move": (0, 0), "sibling to child": (0, 0),
          "child to sibling": (0, 0), "swap": (0, 0), "reorder": (0, 0)}  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_one_edit_changes_the_lines_concerned(seed, monkeypatch):
    """Lines are counted without their indents: what is wrapped is indented."""
    random = Random(seed)
    top = mutating.random_root(random, random.randint(3, 40))
    text = noted(random, notation.format(recorded(mutating.trace_of(top).table)))
    kind = random.choice(list(EDITED))
    if not mutating.EDITS[kind][0](random, top):
        return
    new = mutating.trace_of(top)
    monkeypatch.setattr(update, "recorded", None)  # nothing here is too tangled

    found = rewritten(text, new.table)

    assert new == notation.parse(found)
    old_lines, new_lines = (Counter(line.strip() for line in each.split("\n")) for each in (text, found))
    assert (sum((old_lines - new_lines).values()), sum((new_lines - old_lines).values())) in {EDITED[kind], (0, 0)}


@pytest.mark.parametrize("seed", range(60))
def test_any_edit_of_anything_loose_is_taken_in(seed):
    random = Random(seed)
    top = mutating.random_root(random, random.randint(3, 40))
    text = noted(random, notation.format(mutating.loosened(random, top.children[0])))
    edit, _ = random.choice(list(mutating.EDITS.values()))
    edit(random, top)
    new = mutating.trace_of(top)

    found = rewritten(text, new.table)

    assert new == notation.parse(found)
    assert rewritten(found, new.table) == found


def noted(random, text):
    """Put comments into a text."""
    lines = []
    for line in text.split("\n"):
        if random.random() < 0.2:
            lines.append(f"{line[: len(line) - len(line.lstrip())]}# note {len(lines)}")
        lines.append(line)
    return "\n".join(lines)
