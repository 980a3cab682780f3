"""What `pytest-mlflow-traces check` costs a stored trace of ten spans: CPU time and memory, by the number of traces.

Beside it, what one would use instead: MLflow's own `Trace.from_json` and a loop over its spans that asks far less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# the rate against that of MLflow's own reading; the memory of all traces against that of a tenth of them
BAR, GROWTH = 4, 1.05
CONTRACT = """
from pytest_mlflow_traces import Budget, Contract, span, any_order

CONTRACT = Contract(
    "answers",
    span("orchestrator", type="AGENT", status="OK")[
        span("load_context"), span("classify", type="LLM"),
        span("query_agents")[any_order(span("cost_agent")[...], span("security_agent")[...])], ..., span("save"),
    ],
    Budget(latency="5s", calls={"genie_query": (1, 4)}),
    applies_to=span("orchestrator"),
)
"""
NAMES = (
    ("orchestrator", "AGENT", None),
    ("load_context", "MEMORY", 0),
    ("classify", "LLM", 0),
    ("query_agents", "AGENT", 0),
    ("cost_agent", "AGENT", 3),
    ("genie_query", "TOOL", 4),
    ("security_agent", "AGENT", 3),
    ("genie_query", "TOOL", 6),
    ("synthesize", "LLM", 0),
    ("save", "MEMORY", 0),
)
ALONE = """
import sys
from mlflow.entities import Trace
for line in open(sys.argv[1]):
    trace = Trace.from_json(line)
    assert trace.info.state == "OK" and any(span.name == "save" for span in trace.data.spans)
"""
MAKE = "from benchmarks.checking import trace_line; print(trace_line(), end='')"


def trace_line() -> str:
    """Return one trace as MLflow writes it: ten spans, each with inputs, outputs and what MLflow adds."""
    import mlflow

    from pytest_mlflow_traces import capture_traces
    from pytest_mlflow_traces.files.atomic import trace_line as line

    with capture_traces() as traces:
        spans: list[mlflow.entities.LiveSpan] = []
        for name, type_, parent in NAMES:
            above = None if parent is None else spans[parent]
            spans.append(
                mlflow.start_span_no_context(name, type_, parent_span=above, inputs={"question": "Why? " * 10})
            )
        for span in reversed(spans):
            span.set_outputs({"answer": "Because. " * 20, "domains": ["cost", "security"], "confidence": 0.9})
            span.end()
        return line(traces.one(), "tests/test_agent.py::test_question")


def costs(rounds: int, *commands: Sequence[str]) -> list[tuple[float, float]]:
    """Return the least CPU seconds and megabytes of each command, all run in turn, since other things run, too."""
    taken = [[cost(*command) for command in commands] for _ in range(rounds)]
    return [min(each) for each in zip(*taken, strict=True)]


def cost(*command: str) -> tuple[float, float]:
    """Return the CPU seconds and the megabytes of a command."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  # our own words
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed after {time.perf_counter() - before:.0f} s")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=100_000, help="how many traces (default 100,000)")
    parser.add_argument("--alone", type=int, default=2_000, help="how many traces MLflow itself reads (default 2,000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run; the best counts (default 3)")
    options = parser.parse_args(argv)
    counts = 1, options.traces // 10, options.traces
    # by another process: those that are measured begin with the memory of this one
    line = subprocess.check_output([sys.executable, "-c", MAKE], text=True)  # noqa: S603  # our own words
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        Path("contract.py").write_text(CONTRACT)
        spans = len(json.loads(line)["data"]["spans"])
        check = sys.executable, "-m", "pytest_mlflow_traces", "check", "--contract", "contract:CONTRACT"
        for count in (*counts, options.alone):
            with Path(f"{count}.jsonl").open("w") as stream:
                stream.writelines(repeat(line, count))
        python = sys.executable, "-c"
        first, *measured, (loading, _), (alone, memory) = costs(
            options.rounds,
            *((*check, f"{count}.jsonl") for count in counts),
            (*python, "from mlflow.entities import Trace"),
            (*python, ALONE, f"{options.alone}.jsonl"),
        )
    rate_alone = options.alone / max(alone - loading, 1e-9)
    rates = [count / max(seconds - first[0], 1e-9) for count, (seconds, _) in zip(counts[1:], measured, strict=True)]
    print(f"| traces of {spans} spans, {len(line) / 1024:.1f} KB each | CPU s | traces/s | MB | bar |")
    print("|---|---|---|---|---|")
    for count, rate, (seconds, megabytes) in zip(counts[1:], rates, measured, strict=True):
        bar = f"{rate / rate_alone:.1f} times, >= {BAR}"
        print(f"| check, {count:,} | {seconds:.1f} | {rate:,.0f} | {megabytes:.0f} | {bar} |")
    print(f"| Trace.from_json, {options.alone:,} | {alone:.1f} | {rate_alone:,.0f} | {memory:.0f} | |")
    return rates[-1] >= BAR * rate_alone and measured[1][1] <= GROWTH * measured[0][1]


if __name__ == "__main__":
    sys.exit(not main())
