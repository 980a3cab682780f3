"""Loosening is a join: whatever the order of the runs, the text in the end is one, and accepts all of them.

`python -m tests.core.variants.test_loosen --cases 1000` runs more than the suite does.
"""

from __future__ import annotations

import argparse
import random
import sys
import textwrap
from itertools import permutations

import pytest

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.baselines.verify import DemandError
from pytest_mlflow_traces.core.variants.loosen import loosened
from tests.support import mutating
from tests.support.building import node, tree
from tests.support.messages import exactly


def text_of(block):
    return textwrap.dedent(block).strip("\n")


def loosened_by(text, runs):
    told = []
    for run in runs:
        text, notes = loosened(text, run.table)
        told += notes
    return text, told


AGENT = text_of(
    """
    # what the agent must do
    agent AGENT OK
      plan LLM OK
      # at most three tries
      attempt TOOL OK {1,3}
        has:
          request ...
        ...
      answer LLM OK ...
    """
)


def changed(text, *spans):
    """Return what became of a text, and what was given up; once more, nothing changes."""
    found, notes = loosened(text_of(text), tree(*spans).table)
    assert tree(*spans) == notation.parse(found)
    assert loosened(found, tree(*spans).table) == (found, [])
    return found, notes


def test_a_text_that_holds_is_left_alone():
    text = AGENT + "\n\n   # odd  \n"
    trace = tree("agent AGENT", ["plan LLM", "attempt TOOL", ["request", "x"], "answer LLM"])

    assert loosened(text, trace.table) == (text, [])


def test_a_recorded_trace_is_written_one_way_whichever_sibling_started_first():
    one, two = ("b @1-5", "a @2-6"), ("a @1-5", "b @2-6")

    assert loosened("", tree("agent", [*one]).table) == loosened("", tree("agent", [*two]).table)


@pytest.mark.parametrize(
    ("children", "new", "notes"),
    [
        (["a"], "  a UNKNOWN OK\n  b UNKNOWN OK ?", ["agent > b  UNKNOWN ?: it was once"]),
        (["a", "b", "b"], "  a UNKNOWN OK\n  b UNKNOWN OK {1,2}", ["agent > b  UNKNOWN ?: it is new"]),
        (
            ["b", "a"],
            "  any order\n    a UNKNOWN OK\n    b UNKNOWN OK",
            ["agent: in any order: a  UNKNOWN, b  UNKNOWN"],
        ),
        (
            ["a", "c"],
            "  a UNKNOWN OK\n  one of\n    b UNKNOWN OK\n    c UNKNOWN OK",
            ["agent > c  UNKNOWN ?: it is new", "agent: one of: b  UNKNOWN, c  UNKNOWN"],
        ),
        (["a", "b ERROR"], "  a UNKNOWN OK\n  b UNKNOWN", ["agent > b  UNKNOWN: any status, not OK alone"]),
        (["a", "b TOOL"], "  a UNKNOWN OK\n  b OK", ["agent > b  UNKNOWN: any type, not UNKNOWN alone"]),
    ],
)
def test_the_least_that_was_given_up_is_told(children, new, notes):
    found, told = changed("agent\n  a UNKNOWN OK\n  b UNKNOWN OK", "agent", children)

    assert (found, told) == (f"agent\n{new}", notes)


def test_what_was_asked_for_by_hand_stays():
    found, _ = changed(AGENT, "agent AGENT", ["attempt TOOL", ["request"], "x TOOL", "answer LLM"])

    assert found == AGENT.replace("plan LLM OK", "plan LLM OK ?").replace(
        "  # at most three tries\n  attempt TOOL OK {1,3}\n    has:\n      request ...\n    ...\n",
        "  # at most three tries\n  attempt TOOL OK\n    has:\n      request ...\n    ...\n"
        "  any order\n    attempt TOOL OK {0,2}\n      has:\n        request ...\n      ...\n    x TOOL OK ?\n",
    )


def test_a_name_that_is_a_regex_today_was_a_name():
    found, notes = changed("agent\n  job-12345678 TOOL OK", "agent", ["job-87654321 TOOL"])

    assert found == "agent\n  /job-[0-9]{5,}/ TOOL OK"
    assert notes == [
        "agent > job-12345678  TOOL: the name is /job-[0-9]{5,}/ now, as a part of it is another in each run"
    ]


def test_one_more_of_what_a_regex_is_about():
    found, _ = changed("agent\n  /b.*/ TOOL OK", "agent", ["b1 TOOL", "b2 TOOL"])

    assert found == "agent\n  /b.*/ TOOL OK {1,2}"


def test_roots_are_one_of_several_or_in_any_order():
    assert changed("a UNKNOWN OK", "b")[0] == "one of\n  a UNKNOWN OK\n  b UNKNOWN OK"
    assert changed("a UNKNOWN OK", "a", "b")[0] == "any order\n  a UNKNOWN OK\n  b UNKNOWN OK ?"


@pytest.mark.parametrize(
    ("text", "children", "says"),
    [
        ("agent\n  a within=0ms\n  b", ["a"], "line 2: `within` does not hold for agent > a"),
        ("agent\n  a\n    lacks:\n      x\n    ...\n  b", ["a", ["x"]], "line 2: `lacks:` does not hold for agent > a"),
        ("agent\n  a\n  ...\n  b", ["c"],
         "line 2: `a`, which would ask for nothing beside `...`, does not hold for agent"),
        ("agent\n  a\n  b\n  ...\n  c", ["b", "a", "c"], "line 4: what stands beside `...` does not hold for agent"),
        ("agent\n  a ?\n  b\n  a", ["c"], "line 4: what stands beside `a` does not hold for agent"),
        ("agent\n  parallel\n    a\n    b", ["c"], "line 2: what stands beside `parallel` does not hold for agent"),
    ],
)  # fmt: skip
def test_what_cannot_be_loosened_is_refused(text, children, says):
    with pytest.raises(DemandError, match=exactly(says)):
        loosened(text, tree("agent", children).table)


def test_beside_a_gap_what_may_be_absent_in_earnest_may_be():
    assert changed("agent\n  a\n  ...\n  b\n  c", "agent", ["a", "x", "b"])[0] == "agent\n  a\n  ...\n  b\n  c ?"


def test_a_chain_of_any_depth():
    spans: list = ["leaf"]
    for _ in range(3_000):
        spans = ["link", spans]
    text = loosened("", tree(*spans).table)[0]

    inner: list = ["leaf", "other"]
    for _ in range(3_000):
        inner = ["link", inner]

    assert "other UNKNOWN OK ?" in loosened(text, tree(*inner).table)[0]


# -- random agents, and random texts of somebody who loosened by hand


def random_runs(rng, most):
    """Return runs of an agent that varies: one run, and edits of it."""
    top = mutating.random_root(rng, rng.randint(3, 14))
    tops = [top]
    for _ in range(rng.randint(1, most)):
        other = rng.choice(tops).copy()
        for _ in range(rng.randint(1, 3)):
            change, _ = rng.choice([*mutating.EDITS.values()])
            if sum(1 for _ in other.walk()) > 3:
                change(rng, other)
        if len(other.children) == 1:
            tops.append(other)
    return tops, [mutating.trace_of(each) if rng.random() < 0.7 else overlapped(rng, each) for each in tops]


def overlapped(rng, top):
    """Return the trace of a tree in which siblings overlap here and there."""

    def spec(each, start, length):
        width = length / max(1, len(each.children) + 1)
        below = []
        for number, child in enumerate(each.children, 1):
            begin = start + number * width * 0.9
            below += spec(child, begin, width * (1.4 if rng.random() < 0.3 else 0.8))
        text = f"{each.name} {each.type} {each.status} @{start:.6f}-{start + length:.6f}"
        return [node(text), below] if below else [node(text)]

    return tree(*spec(top.children[0], 0, 1000))


def random_hand(rng, root):
    """Return the text of a pattern that a trace is, loosened by hand, with comments and demands."""
    pattern = mutating.loosened(rng, root)
    lines = notation.format(pattern).split("\n")
    found = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        word = line.strip()
        plain = not word.startswith(("any order", "one of", "...", "parallel"))
        if rng.random() < 0.2:
            found.append(f"{indent}# comment {len(found)}")
        if plain and rng.random() < 0.1 and "{" not in word and "?" not in word and "..." not in word:
            line = f"{line} within=2h"
        found.append(line)
    return "\n".join(found)


def is_kept(old, new, told):
    """Return whether what was asked for by hand is there, or what became of it is told."""
    old, new = ([line.strip() for line in text.split("\n")] for text in (old, new))
    comments = [sorted(line for line in lines if line.startswith("#")) for lines in (old, new)]
    demands = [sum("within=" in line for line in lines) for lines in (old, new)]
    is_open = any("what is below it is not looked at any more" in note for note in told)
    gaps = [lines.count("...") for lines in (old, new)]
    return (
        comments[0] == comments[1]
        and demands[0] <= demands[1]
        and (gaps[0] <= gaps[1] or is_open if gaps[0] else not gaps[1])
    )


def faults(rng, number):
    """Return what is wrong with the loosening of one random case, and whether it was refused."""
    tops, runs = random_runs(rng, 5)
    text = "" if number % 2 else random_hand(rng, tops[0].children[0])
    orders = [*permutations(runs)]
    orders = [runs, *rng.sample(orders, min(3, len(orders)))]
    found = set()
    for order in orders:
        try:
            last, told = loosened_by(text, order)
        except DemandError as error:
            if not text:
                return [f"a recorded text was refused: {error}"], False
            return [], True
        # of lines that become one or several, the comments stand with any
        found.add("\n".join(line for line in last.split("\n") if not line.lstrip().startswith("#")))
        pattern = notation.parse(last)
        wrong = [] if all(run == pattern for run in runs) else [f"a run is not accepted by\n{last}"]
        wrong += [] if all(loosened(last, run.table)[0] == last for run in runs) else [f"it is not stable:\n{last}"]
        if text and not is_kept(text, last, told):
            wrong.append(f"what was asked for by hand:\n{text}\nbecame\n{last}")
        if wrong:
            return wrong, False
    return ([] if len(found) == 1 else ["the order counts:\n" + "\n--\n".join([f"from {text}", *found])]), False


def run(cases, seed):
    rng = random.Random(seed)
    wrong, refused = [], 0
    for number in range(cases):
        said, was_refused = faults(rng, number)
        refused += was_refused
        wrong += [f"case {number}: {each}" for each in said]
    return wrong, refused


@pytest.mark.parametrize("seed", range(2))
def test_any_order_of_runs_ends_in_one_text_that_accepts_them_all(seed):
    wrong, refused = run(40, seed)

    assert wrong == []
    assert refused < 20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    wrong, refused = run(given.cases, given.seed)
    said = f"{given.cases} cases, {refused} refused, {len(wrong)} wrong\n"
    sys.stdout.write("\n\n".join([*wrong[:5], said]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
