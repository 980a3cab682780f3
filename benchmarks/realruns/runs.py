"""The runs of two agents as traces, and how they are split: what is held against a run was never learnt from it."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from examples.policies.runs import RUNS, as_mlflow, read_runs
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

AGENTS = {"airline": RUNS, "retail": RUNS.with_name("retail.jsonl.gz")}
FOLDS = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its test, whether the benchmark passed it, its trace, and the names of the tools that it called."""

    test: str
    passed: bool
    trace: Trace
    calls: tuple[str, ...]


def runs_of(path: Path) -> list[Run]:
    """Return the runs of an agent."""
    return [_run(said) for said in read_runs(path)]


def _run(said: dict) -> Run:  # type: ignore[type-arg]  # as JSON has it
    stored = as_mlflow(said)
    stored["info"]["tags"] = {}  # which say whether it passed
    calls = tuple(call["name"] for call in said["calls"])
    return Run(str(said["task"]), said["passed"], Trace.from_json(json.dumps(stored)), calls)


def by_test(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return runs by their tests."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[run.test].append(run)
    return dict(found)


def folds(runs: Sequence[Run], seed: int = 0) -> Iterator[tuple[list[Run], list[Run]]]:
    """Yield the passing runs to learn from and the runs to ask about, no test on both sides."""
    tests = sorted({run.test for run in runs})
    Random(seed).shuffle(tests)
    for number in range(FOLDS):
        out = {*tests[number::FOLDS]}
        yield [run for run in runs if run.passed and run.test not in out], [run for run in runs if run.test in out]


def caught(asked: Sequence[Run], flagged: Sequence[bool]) -> tuple[int, int, int, int]:
    """Return how many failing runs are flagged, of how many, and how many passing ones, of how many."""
    pairs = [(run.passed, is_flagged) for run, is_flagged in zip(asked, flagged, strict=True)]
    return (
        sum(is_flagged for passed, is_flagged in pairs if not passed),
        sum(not passed for passed, _ in pairs),
        sum(is_flagged for passed, is_flagged in pairs if passed),
        sum(passed for passed, _ in pairs),
    )
