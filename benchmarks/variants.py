"""How fast shapes of traces are counted that are read already, beside reading them, and making the pattern of each.

Traces of one agent, of seven to eleven spans, in 72 shapes; half of them with workers that overlap in time. CPU time of
one core, the garbage collector off; all in one run.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))  # run from a checkout, installed or not

from pytest_mlflow_traces.core.spans import convert
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.core.variants.variants import Variants
from tests.support.storing import stored

if TYPE_CHECKING:
    from collections.abc import Callable

BAR = 30_000  # traces a second
WORKERS = ("cost", "security", "quality")


def spans(rng: random.Random) -> list[object]:
    """Return a run of the agent: which tools, how often, and the workers one after the other or at the same time."""
    tools = ["search TOOL"] * rng.randint(1, 4) + ["query TOOL"] * rng.randint(1, 2)
    at = 20
    workers = []
    for name in rng.sample(WORKERS, 2):
        workers.append(f"{name}_agent AGENT @{at}-{at + 10}")
        at += rng.choice((5, 15))
    below = [
        "plan LLM @1-2",
        *(f"{tool} @{3 + i}-{4 + i}" for i, tool in enumerate(tools)),
        *workers,
        "answer LLM @90-95",
    ]
    return ["orchestrator AGENT @0-100", below]


def seconds(ask: Callable[[], object], runs: int) -> float:
    """Return the best CPU time of something."""
    taken = []
    for _ in range(runs):
        gc.collect()
        gc.disable()
        started = time.process_time()
        ask()
        taken.append(time.process_time() - started)
        gc.enable()
    return min(taken)


def read(lines: list[bytes]) -> list[Trace]:
    """Read the traces, as the command does from a file."""
    return [Trace(table, facts, said) for facts, table, said in map(convert.parse_json, lines)]


def count(traces: list[Trace]) -> Variants:
    """Count the shapes of traces."""
    found = Variants()
    for trace in traces:
        found.add(trace, "here")
    return found


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=10_000, help="how many traces (default 10,000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each question (default 3)")
    given = parser.parse_args(argv)
    rng = random.Random(1)
    lines = [json.dumps(stored(*spans(rng))).encode() for _ in range(given.traces)]
    traces = read(lines)
    counting = seconds(lambda: count(traces), given.runs)
    print(f"| {given.traces:,} traces, {len(count(traces).found):,} shapes | traces/s | times counting | bar |")
    print("|---|---|---|---|")
    for what, ask in (
        ("count their shapes", lambda: count(traces)),
        ("to_pattern() of each", lambda: len({trace.to_pattern() for trace in traces})),
        ("read them from JSON", lambda: read(lines)),
    ):
        taken = counting if what.startswith("count") else seconds(ask, given.runs)
        bar = f">= {BAR:,} traces/s" if taken == counting else ""
        print(f"| {what} | {given.traces / taken:,.0f} | {taken / counting:.1f} | {bar} |")
    return given.traces / counting >= BAR


if __name__ == "__main__":
    sys.exit(not main())
