"""No explanation of a few random edits is longer than the shortest that two judges know of.

All patterns are exact, and of names. What is sound as a bound:

- The tree edit distance, as APTED has it (Mateusz Pawlik and Nikolaus Augsten, 2016): each of its operations is a
  finding, as a renamed span is different, a deleted one missing and an inserted one unexpected, its children being said
  to stand one level up or down.
- The number of edits. Whole subtrees that are deleted, inserted or moved are one finding each, though many operations.
  What is different below a moved span is told beside the move, and so are the moves into it and out of it.
- That holds only for edits that are independent: only what the pattern knows is deleted or moved, since no finding
  speaks of a subtree that is neither in the pattern nor in the trace, what was moved is not unwrapped, and no edit adds
  a name that another takes away, since a span is never called missing where one of its name stands.

`EXPLAIN_PAIRS=5000 EXPLAIN_SEED=1 pytest tests/core/explaining/test_optimum.py` tries as many, on other seeds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from random import Random

import pytest

from pytest_mlflow_traces.core.explaining import explain
from pytest_mlflow_traces.core.patterns.constructors import span
from tests.support.mutating import Node, trace_of

# where everything is to be installed, what is not is an error
apted = __import__("apted") if os.environ.get("CI") else pytest.importorskip("apted")

PAIRS = int(os.environ.get("EXPLAIN_PAIRS", "300"))
SEED = int(os.environ.get("EXPLAIN_SEED", "2"))


class Names(apted.Config):
    """Trees of names."""

    def rename(self, one, other):
        return int(one.name != other.name)

    def children(self, node):
        return node.children


@dataclass
class Script:
    """Random edits of a tree, and what they touch."""

    random: Random
    top: Node
    names: list[str]
    known: list[Node] = field(default_factory=list)
    moved: list[Node] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)

    def __post_init__(self):
        self.known = list(self.top.walk())

    def one_of(self, nodes):
        nodes = list(nodes)
        return self.random.choice(nodes) if nodes else None

    def below_root(self):
        return list(self.top.walk())[2:]

    def name(self, *, but=None):
        name = self.random.choice([each for each in (*self.names, "new") if each != but])
        self.new.add(name)
        return name

    def put(self, node, home):
        home.add(node, self.random.randint(0, len(home.children)))

    def delete(self):
        node = self.one_of(each for each in self.below_root() if each in self.known)
        if node:
            self.gone.add(node.name)
            node.cut()
        return node

    def insert(self):
        self.put(Node(self.name(), "UNKNOWN"), self.random.choice(list(self.top.walk())[1:]))
        return True

    def rename(self):
        node = self.one_of(self.below_root())
        if node:
            self.gone.add(node.name)
            node.name = self.name(but=node.name)
        return node

    def wrap(self):
        home = self.one_of(each for each in list(self.top.walk())[1:] if each.children)
        if home:
            start = self.random.randrange(len(home.children))
            wrapper = Node(self.name(), "UNKNOWN")
            for child in home.children[start : self.random.randint(start + 1, len(home.children))]:
                child.cut()
                wrapper.add(child)
            home.add(wrapper, start)
        return home

    def unwrap(self):
        node = self.one_of(each for each in self.below_root() if each not in self.moved)
        if node:
            self.gone.add(node.name)
            home, place = node.parent, node.place
            node.cut()
            for child in list(node.children)[::-1]:
                home.add(child, place)
        return node

    def move(self):
        node = self.one_of(each for each in self.below_root() if each in self.known)
        if node:
            self.moved.append(node)
            inside = set(map(id, node.walk()))
            home = self.random.choice([each for each in list(self.top.walk())[1:] if id(each) not in inside])
            node.cut()
            self.put(node, home)
        return node

    def run(self, count):
        done = 0
        while done < count:
            done += bool(
                self.random.choice([self.delete, self.insert, self.rename, self.wrap, self.unwrap, self.move])()
            )
        return done if self.gone.isdisjoint(self.new) else None


def drawn(random):
    """Return a tree, the same with a few edits, and the fewest findings that are known to be enough."""
    names = [f"n{k}" for k in range(1, random.choice([3, 5, 8, 12]))]
    top, root = Node("", ""), Node("n0", "UNKNOWN")
    top.add(root)
    for _ in range(random.randint(1, 9)):
        home = random.choice(list(top.walk())[1:])
        home.add(Node(random.choice(names), "UNKNOWN"), random.randint(0, len(home.children)))
    changed = top.copy()
    count = Script(random, changed, names).run(random.randint(1, 3))
    distance = apted.APTED(root, changed.children[0], Names()).compute_edit_distance()
    return root, changed, min(distance, distance if count is None else count)


def exactly(node):
    return span(node.name)[tuple(map(exactly, node.children))]


def written(node):
    return node.name + (f"[{', '.join(map(written, node.children))}]" if node.children else "")


def explained(trace, pattern):
    table = trace.table
    return explain.mismatch(table, pattern, table.roots(), "it")


def test_no_explanation_is_longer_than_the_optimum():
    above = []
    for number in range(PAIRS):
        root, changed, most = drawn(Random(f"{SEED} {number}"))
        if most and len(explained(trace_of(changed), exactly(root)).findings) > most:
            above.append(f"#{number}, {most}: {written(root)} -> {written(changed.children[0])}")

    assert above == []
