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

HAND = ["within=2s", "error=False", 'inputs={"a": 1}']


def text_of(block):
    return textwrap.dedent(block).strip("\n")


def loosened_by(text, runs):
    for run in runs:
        text = loosened(text, run.table)[0]
    return text


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


def is_kept(old, new):
    """Return whether what was asked for by hand is there: comments, gaps where there were some, demands."""
    old, new = ([line.strip() for line in text.split("\n")] for text in (old, new))
    comments = [sorted(line for line in lines if line.startswith("#")) for lines in (old, new)]
    demands = [sum("within=" in line for line in lines) for lines in (old, new)]
    gaps = [lines.count("...") for lines in (old, new)]
    return comments[0] == comments[1] and demands[0] <= demands[1] and (gaps[0] <= gaps[1] if gaps[0] else not gaps[1])


def faults(rng, number):
    """Return what is wrong with the loosening of one random case, and whether it was refused."""
    tops, runs = random_runs(rng, 5)
    text = "" if number % 2 else random_hand(rng, tops[0].children[0])
    orders = [*permutations(runs)]
    orders = [runs, *rng.sample(orders, min(3, len(orders)))]
    found = set()
    for order in orders:
        try:
            last = loosened_by(text, order)
        except DemandError as error:
            if not text:
                return [f"a recorded text was refused: {error}"], False
            return [], True
        found.add(last)
        pattern = notation.parse(last)
        wrong = [] if all(run == pattern for run in runs) else [f"a run is not accepted by\n{last}"]
        wrong += [] if all(loosened(last, run.table)[0] == last for run in runs) else [f"it is not stable:\n{last}"]
        if text and not is_kept(text, last):
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


@pytest.mark.parametrize("seed", range(4))
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
