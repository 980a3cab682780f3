"""What is looked at in a run."""

from __future__ import annotations

from pytest_mlflow_traces import span
from pytest_mlflow_traces.core.learning.aspects import LONGEST, Aspect, Kind, accepts, ranges, seen_in
from pytest_mlflow_traces.core.patterns.operands import Operand
from tests.support.building import node, tree

PAY = Kind("pay", "TOOL", "OK")


def seen(*calls, only=()):
    return seen_in(tree("agent AGENT", [*calls]), only)


def test_calls_that_succeeded_count_by_their_inputs():
    run = seen(node("pay TOOL", inputs={"id": 1}), node("pay TOOL", inputs={"id": 2}), "pay TOOL ERROR", "ask TOOL")

    assert run.calls == {
        PAY: {None: 2, Operand({"id": 1}): 1, Operand({"id": 2}): 1},
        Kind("ask", "TOOL", "OK"): {None: 1},
    }
    assert run.value(Aspect(PAY, with_inputs=False)) == {None: 2}
    assert run.value(Aspect(PAY, with_inputs=True)) == run.calls[PAY]
    assert run.value(Aspect(Kind("other", "TOOL", "OK"), with_inputs=False)) == {}


def test_only_what_the_user_named_is_looked_at():
    assert [*seen("pay TOOL", "ask TOOL", only=[span("pay")]).calls] == [PAY]


def test_what_is_long_or_looks_secret_is_not_held():
    for inputs in ("x" * LONGEST, {"password": "correct horse"}, {"to": "ada@example.com"}, float("nan")):
        run = seen(node("pay TOOL", inputs=inputs))

        assert run.unsaid == {PAY}, inputs
        assert run.calls[PAY] == {None: 1}


def test_a_run_is_accepted_in_the_ranges_of_those_that_were_seen():
    one, two = Operand(1), Operand(2)
    others = [{None: 2, one: 1, two: 1}, {None: 1, one: 1}]

    assert ranges(others) == {None: (1, 2), one: (1, 1), two: (0, 1)}
    assert accepts(others, {None: 2, one: 1, two: 1})
    assert not accepts(others, {None: 1, two: 1})
    assert not accepts(others, {None: 2, one: 1, Operand(3): 1})
    assert not accepts(others, {})
