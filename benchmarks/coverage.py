"""What `--mlflow-traces-coverage` adds to a suite: 1,000 tests that trace 12 spans, with the option and without.

Each test compares with a shape of the module, with one of its own that has its question in it and a part that never
comes (so that no answer can be kept), and by a contract of the suite. Both sides alternate, so that a machine that is
slow for a while is slow for both; CPU time from the start of the session to its end, the least of each compared.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.startup import OTHERS

BAR = 1.10
SUITE = """
import mlflow
import pytest

from pytest_mlflow_traces import Budget, Contract, any_order, each, if_present, one_of, optional, repeat, span

SHAPE = span("agent")[
    span("plan"), optional(span("retry")), repeat(span("step")[one_of(span("tool"), span("cache"))], min=1),
    any_order(span("cost"), span("security")), span("answer"),
]
POLICY = Contract("policy", Budget(latency="1m", calls={"tool": 9}), if_present(each(span("pay")).after(span("auth"))))


def agent(question):
    with mlflow.start_span("agent", span_type="AGENT") as root:
        root.set_inputs(question)
        with mlflow.start_span("plan", span_type="LLM"):
            pass
        for _ in range(3):
            with mlflow.start_span("step"), mlflow.start_span("tool", span_type="TOOL"):
                pass
        for name in ("cost", "security", "answer"):
            with mlflow.start_span(name, span_type="LLM"):
                pass


@pytest.mark.parametrize("n", range(TESTS))
def test_it(mlflow_traces, n):
    agent(n)
    trace = mlflow_traces.one()
    assert trace == SHAPE
    assert trace == span("agent", inputs=n)[span("plan"), optional(span("retry")), ..., span("answer")]
    assert span("tool", type="TOOL") in trace
    assert span("delete_table") not in trace
"""
CONFTEST = """
import time
from pathlib import Path

import mlflow
import pytest

import pytest_mlflow_traces.core.contracts
import pytest_mlflow_traces.plugin.adequacy.coverage

times = []


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart():
    times.append(time.process_time())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish():
    result = yield
    Path("seconds.json").write_text(str(time.process_time() - times[0]))
    return result
"""
INI = """
[pytest]
pythonpath = .
mlflow_traces_contract = test_it:POLICY
"""


def seconds(folder: Path, *options: str) -> float:
    """Return the CPU time of one run of the suite."""
    blocked = [word for name in ("cacheprovider", *OTHERS) for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", *blocked, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    if done.returncode:
        sys.exit(done.stdout)
    return float(json.loads((folder / "seconds.json").read_text()))


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=1_000, help="how many tests (default 1,000)")
    parser.add_argument("--rounds", type=int, default=3, help="how many runs of each side (default 3)")
    given = parser.parse_args(argv)
    took: dict[str, list[float]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "pytest.ini").write_text(INI)
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_it.py").write_text(SUITE.replace("TESTS", str(given.tests)))
        for _ in range(given.rounds):
            took["without"].append(seconds(folder))
            took["with"].append(seconds(folder, "--mlflow-traces-coverage"))
    least = {side: min(each) for side, each in took.items()}
    ratio = least["with"] / least["without"]
    print(f"| {given.tests:,} tests of 12 spans | CPU s | ratio | bar |")
    print("|---|--:|--:|---|")
    print(f"| without | {least['without']:.2f} | 1.00 | |")
    print(f"| with coverage | {least['with']:.2f} | {ratio:.3f} | <= {BAR} |")
    return ratio <= BAR


if __name__ == "__main__":
    sys.exit(not main())
