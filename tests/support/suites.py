"""Suites of tests of an agent that varies: the same effects in each run of a test, and reads as it comes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from tests.support.building import node, tree

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.trace import Trace


def run(number: int, random: Random, *more: Any) -> Trace:
    """Make one run of a test: one or two bookings of its own, and between them as many searches as it pleases."""
    bookings = [node("book TOOL", inputs={"id": f"{number}-{i}"}) for i in range(1 + number % 2)]
    calls = [*(node("search TOOL", inputs={"q": random.random()}) for _ in range(random.randint(1, 5))), *bookings]
    cancelled = [node("cancel TOOL", inputs={"id": str(number)})] * (number % 3 == 0)
    random.shuffle(calls)
    return tree(node("agent AGENT", inputs={"question": number}), [*calls, *cancelled, *more])


def suite(tests: int = 12, runs: int = 3, seed: int = 0) -> dict[str, list[Trace]]:
    """Make some runs of some tests."""
    random = Random(seed)
    return {f"test_{number}": [run(number, random) for _ in range(runs)] for number in range(tests)}
