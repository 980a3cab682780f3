"""What `--mlflow-traces-coverage` adds to a suite: 1,000 tests that trace 9 spans, with the option and without.

Each test compares with a shape of the module, with one of its own that has its question in it and a part that never
comes (so that no answer can be kept), and by a contract of the suite. Both kinds alternate within one run of pytest, so
that a machine that is slow for a while is slow for both; CPU time of all tests, from the set-up of each to its last
report, and for those with the option also what it does at the end of the run.
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
WARM = 10  # tests of each kind that are not counted
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
@pytest.mark.parametrize("kind", ["with", "without"])
def test_it(mlflow_traces, n, kind):
    agent(n)
    trace = mlflow_traces.one()
    assert trace == SHAPE
    assert trace == span("agent", inputs=n)[span("plan"), optional(span("retry")), ..., span("answer")]
    assert span("tool", type="TOOL") in trace
    assert span("delete_table") not in trace
"""
CONFTEST = """
import json
import time
from pathlib import Path

import mlflow
import pytest

from pytest_mlflow_traces.core.patterns.written import NOTING
from pytest_mlflow_traces.plugin.adequacy import coverage
from pytest_mlflow_traces.plugin.adequacy.coverage import CoverageOfRun

seconds = {"with": 0.0, "without": 0.0}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    def place(item):  # neither kind is always the first
        n, kind = item.callspec.params["n"], item.callspec.params["kind"]
        return n, (kind == "with") == n % 2

    items.sort(key=place)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    kind, options = item.callspec.params["kind"], item.config.option
    asked, noting = options.mlflow_traces_coverage, NOTING.wanted
    if kind == "without":
        options.mlflow_traces_coverage, NOTING.wanted = None, 0
    start = time.process_time()
    result = yield
    if item.callspec.params["n"] >= WARM:
        seconds[kind] += time.process_time() - start
    options.mlflow_traces_coverage, NOTING.wanted = asked, noting
    return result


def pytest_unconfigure():
    Path("seconds.json").write_text(json.dumps(seconds))


class Timed(CoverageOfRun):
    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session):
        start = time.process_time()
        super().pytest_sessionfinish(session)
        seconds["with"] += time.process_time() - start


coverage.CoverageOfRun = Timed
"""
INI = """
[pytest]
pythonpath = .
mlflow_traces_contract = test_it:POLICY
"""


def measured(tests: int) -> tuple[float, float]:
    """Return the CPU time of so many tests with the option, and without it."""
    blocked = [word for name in ("cacheprovider", *OTHERS) for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", *blocked, "--mlflow-traces-coverage"]
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "pytest.ini").write_text(INI)
        (folder / "conftest.py").write_text(CONFTEST.replace("WARM", str(WARM)))
        (folder / "test_it.py").write_text(SUITE.replace("TESTS", str(tests + WARM)))
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
        if done.returncode:
            sys.exit(done.stdout)
        said = json.loads((folder / "seconds.json").read_text())
    return said["with"], said["without"]


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=1_000, help="how many tests of each kind (default 1,000)")
    count = parser.parse_args(argv).tests
    used, unused = measured(count)
    ratio = used / unused
    print(f"| {count:,} tests of 9 spans | CPU s | ratio | bar |")
    print("|---|--:|--:|---|")
    print(f"| without | {unused:.2f} | 1.00 | |")
    print(f"| with coverage | {used:.2f} | {ratio:.3f} | <= {BAR} |")
    return ratio <= BAR


if __name__ == "__main__":
    sys.exit(not main())
