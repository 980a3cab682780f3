"""A single edit of a trace is explained as one finding of the right rule, about the right span.

`EXPLAIN_MUTANTS=20000 EXPLAIN_SEED=7 pytest tests/core/test_explain_edits.py` tries as many, on other seeds.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from pytest_mlflow_traces.core.explaining import explain
from pytest_mlflow_traces.core.explaining.align.differences import differences
from pytest_mlflow_traces.core.matching.matcher import Matcher
from tests.support.mutating import EDITS, Node, loosened, random_root, trace_of, undone

MUTANTS = int(os.environ.get("EXPLAIN_MUTANTS", "450"))
SEED = int(os.environ.get("EXPLAIN_SEED", "20260101"))


def edited(random: Random, kind: str) -> tuple[Node, Node] | None:
    original = random_root(random, random.randint(4, 40))
    changed = original.copy()
    done = EDITS[kind][0](random, changed)
    return (original, changed) if done and changed.key() != original.key() else None


@pytest.mark.parametrize("kind", EDITS)
def test_a_single_edit_is_one_finding_of_its_rule_and_undoing_it_makes_the_trace_match(kind):
    random = Random(f"{SEED} {kind}")
    right = tried = 0
    while tried < MUTANTS // len(EDITS):
        pair = edited(random, kind)
        if pair is None:
            continue
        tried += 1
        pattern, trace = trace_of(pair[0]).to_pattern(), trace_of(pair[1])
        assert trace != pattern
        table = trace.table
        told = differences(table, Matcher(table), pattern, table.roots())
        findings = explain.mismatch(table, pattern, table.roots(), "it").findings
        right += len(told) == len(findings) == 1 and (
            findings[0].rule == EDITS[kind][1] and undone(pair[1], told[0], pattern)
        )

    # a move or a swap may have another explanation that is just as short
    assert right >= tried * (0.99 if EDITS[kind][1] in ("shape.moved", "shape.order") else 1)


@pytest.mark.parametrize("seed", range(40))
def test_an_equivalent_trace_matches(seed):
    random = Random(SEED + seed)
    root = random_root(random, random.randint(1, 40))

    assert trace_of(root.copy()) == trace_of(root).to_pattern()
    assert trace_of(root.copy()) == loosened(random, root.children[0])
