"""Mutants of traces: how many a second a contract judges, how many are equal to their trace, what a suite takes more.

Rates and times are those of the processor, so that a busy machine gives the same. The contract has a shape, a budget
and two rules of order, and holds; each of its traces has 30 spans. What is equal is asked of 5,000 random traces.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent))  # run from a checkout, installed or not

from pytest_mlflow_traces import Budget, Contract, Trace, any_order, assert_trace, each, never, repeat, span
from pytest_mlflow_traces.core.adequacy.judging import MutantJudge
from pytest_mlflow_traces.core.adequacy.mutants import CLASSES, DEFAULT, mutants
from pytest_mlflow_traces.core.questions import Questions
from tests.support.adequacy import Oracle, random_trace
from tests.support.building import tree

ROOT = Path(__file__).parent.parent
BAR_RATE, BAR_RATIO = 1_000, 2.0
TURN = ["turn CHAIN", ["chat CHAT_MODEL", "search TOOL", ["query", "rank"], "parse PARSER"]]
LOOP = span("turn", type="CHAIN")[span("chat"), any_order(span("search"), span("parse"))]
CONTRACT = Contract(
    "answers",
    span("agent", status="OK")[span("load"), repeat(LOOP, min=1), ..., span("answer")],
    Budget(latency="1s", calls={span(type="TOOL"): (0, 9)}),
    each(span("search")).after(span("chat")),
    never(span("delete_table")),
)


def agent() -> Trace:
    """Return a trace of 30 spans."""
    made = tree("agent AGENT", ["load", ["get"], *TURN * 4, "guard", "save", "answer LLM"])
    if len(made.spans) != 30:
        raise AssertionError(f"{len(made.spans)} spans")
    return made


def rate(count: int) -> tuple[float, int]:
    """Return how many mutants a second are judged, and of how many in a hundred one is noticed."""
    judged = noticed = 0
    taken = 0.0
    for trace in [agent() for _ in range(count)]:
        questions = Questions()
        with questions.listening():
            assert_trace(trace, CONTRACT)
        began = time.process_time()
        (said,) = MutantJudge(DEFAULT).judge(questions.asked, [trace])["shapes"].values()
        taken += time.process_time() - began
        judged += len(said["known"])
        noticed += len(said["noticed"])
    return judged / taken, 100 * noticed // judged


def equal(count: int) -> tuple[int, int, int]:
    """Return how many mutants of random traces there are, how many are equal, and what a strict pattern overlooks."""
    random, made, same, overlooked = Random(1), 0, 0, 0
    of_tree = {edit for name in DEFAULT for edit in CLASSES[name].phrases}
    for _ in range(count):
        trace = random_trace(random, random.randint(1, 9))
        oracle, strict = Oracle(trace), trace.to_pattern()
        for mutant in mutants(trace, tuple(CLASSES)):
            edited = mutant.make()
            made += 1
            same += (oracle.is_same_shape if mutant.edit in of_tree else oracle.is_same)(edited)
            overlooked += mutant.edit in of_tree and edited == strict
    return made, same, overlooked


def seconds(folders: list[str], *options: str) -> float:
    """Return the processor time of a run of pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *folders, *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603  # our own
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=5_000, help="how many random traces (default 5,000)")
    parser.add_argument("--suite", nargs="*", default=["examples"], help="what pytest runs twice (default examples)")
    given = parser.parse_args(argv)
    print("| what | figure | bar |")
    print("|---|---|---|")
    judged, noticed = rate(20)
    print(f"| mutants of 30 spans a second, {noticed} % of them noticed | {judged:,.0f} | >= {BAR_RATE:,} |")
    made, same, overlooked = equal(given.traces)
    print(f"| equal ones, of {made:,} mutants of {given.traces:,} random traces | {same} | 0 |")
    print(f"| edits of tree or status that a strict pattern overlooks | {overlooked} | 0 |")
    ratio = 0.0
    if given.suite:
        ratio = seconds(given.suite, "--mlflow-traces-mutate") / seconds(given.suite)
        print(f"| times what `pytest {' '.join(given.suite)}` takes without | {ratio:.2f} | <= {BAR_RATIO:g} |")
    return judged >= BAR_RATE and not same and not overlooked and ratio <= BAR_RATIO


if __name__ == "__main__":
    sys.exit(not main())
