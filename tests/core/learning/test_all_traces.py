"""What all traces of a suite have in common."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces import Contract
from pytest_mlflow_traces.core.learning.all_traces import MOST_LINES, all_traces
from pytest_mlflow_traces.core.learning.learnt import Learnt
from tests.support.building import node, tree
from tests.support.suites import suite
from tests.support.tracing import traces

NEW = [["audit TOOL"], ["search TOOL ERROR"], ["book TOOL"] * 9]


def contract(found):
    return Contract.from_toml(Learnt("all", found.lines).to_toml())


def asking(number, random):
    """Make a run of an agent that looks a case up before it closes it, and now and then does more."""
    ids = [{"id": f"{number}-{i}"} for i in range(random.randint(1, 2))]
    steps = [node(f"{word} TOOL", inputs=each) for each in ids for word in ("look up", "close")]
    return tree("agent AGENT", ["plan LLM", *["note TOOL"] * random.randint(0, 2), *steps, "answer LLM"])


@pytest.fixture(scope="module")
def learnt():
    random = Random(1)
    return all_traces({f"test_{i}": [asking(i, random) for _ in range(2)] for i in range(40)}, 0.05)


def test_what_every_run_does_is_learnt(learnt):
    held, random = contract(learnt), Random(2)

    assert learnt.held_out.rate <= 0.05
    assert not any(held.check(asking(number, random)) for number in range(40, 80))


@pytest.mark.parametrize(
    ("children", "rule"),
    [
        (["plan LLM", node("close TOOL", inputs={"id": 1}), "answer LLM"], "order.after"),
        (["plan LLM", node("look up TOOL", inputs={"id": 1}), node("close TOOL", inputs={"id": 2}), "answer LLM"],
         "order.after"),
        (["plan LLM", node("look up TOOL", inputs={"id": 1}), "answer LLM"], "order.before"),
        (["plan LLM", "close TOOL"], "budget.absent"),
        (["plan LLM", "audit TOOL", "answer LLM"], "shape.different"),
    ],
)  # fmt: skip
def test_what_no_run_does_is_flagged(learnt, children, rule):
    assert rule in {finding.rule for finding in contract(learnt).check(tree("agent AGENT", children))}


def test_where_not_all_has_room_what_catches_failing_runs_stays(monkeypatch):
    monkeypatch.setattr("pytest_mlflow_traces.core.learning.all_traces.MOST_LINES", 14)
    random = Random(1)
    tests = {f"test_{i}": [asking(i, random) for _ in range(2)] for i in range(40)}
    ids = node("look up TOOL", inputs={"id": 1}), node("close TOOL", inputs={"id": 2})
    failing = [tree("agent AGENT", ["plan LLM", *ids, "answer LLM"])]

    without, with_them = (contract(all_traces(tests, 0.05, failing=each)) for each in ([], failing))
    assert {finding.rule for finding in with_them.check(failing[0])} == {"order.after"}
    assert without.check(failing[0]) == []


def test_few_tests_say_nothing():
    assert all_traces(suite(tests=3), 1.0) is None
    assert all_traces({}, 1.0) is None


@settings(max_examples=20)
@given(
    st.lists(st.lists(traces(names="abc"), min_size=1, max_size=3), min_size=4, max_size=6),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_what_is_learnt_holds_of_all_that_it_was_learnt_from(runs, most):
    found = all_traces({f"test_{i}": each for i, each in enumerate(runs)}, most)

    if found is not None:
        assert found.held_out.rate <= most
        assert len(found.lines) <= MOST_LINES
        assert not any(contract(found).check(trace) for each in runs for trace in each)
