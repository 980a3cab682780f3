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
from pathlib import Path

BAR, GROWTH = 3_000, 1.05  # traces a second; the memory of all traces against that of a tenth of them
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
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        Path("contract.py").write_text(CONTRACT)
        line = trace_line()
        spans = len(json.loads(line)["data"]["spans"])
        check = sys.executable, "-m", "pytest_mlflow_traces", "check", "--contract", "contract:CONTRACT"
        measured = []
        for count in (1, options.traces // 10, options.traces):
            with Path(f"{count}.jsonl").open("w") as stream:
                stream.writelines([line] * count)
            measured.append((count, *cost(*check, f"{count}.jsonl")))
        Path("alone.jsonl").write_text(line * options.alone)
        loading, _ = cost(sys.executable, "-c", "from mlflow.entities import Trace")
        alone, memory = cost(sys.executable, "-c", ALONE, "alone.jsonl")
    start = measured[0][1]
    print(f"| traces of {spans} spans, {len(line) / 1024:.1f} KB each | CPU s | traces/s | MB | bar |")
    print("|---|---|---|---|---|")
    for count, seconds, megabytes in measured[1:]:
        rate = count / (seconds - start)
        print(f"| check, {count:,} | {seconds:.1f} | {rate:,.0f} | {megabytes:.0f} | >= {BAR:,} traces/s |")
    rate_alone = options.alone / max(alone - loading, 1e-9)
    print(f"| Trace.from_json, {options.alone:,} | {alone:.1f} | {rate_alone:,.0f} | {memory:.0f} | |")
    return rate >= BAR and measured[2][2] <= GROWTH * measured[1][2]


if __name__ == "__main__":
    sys.exit(not main())
