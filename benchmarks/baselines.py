"""What a baseline adds to a test: 200 parametrized tests that trace nine spans, with `trace_baseline` and without.

Both kinds alternate within one run of pytest, so that a machine that is slow for a while is slow for both; CPU time
from the set-up of a test to its last report, medians compared. What is done once a run, finding the files that nobody
uses, is shared out among the tests.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.startup import OTHERS

BAR_MS = 5.0
SUITE = """
import mlflow
import pytest


def agent(n):
    with mlflow.start_span("agent", span_type="AGENT"):
        for i in range(4):
            with mlflow.start_span(f"step_{i}"):
                with mlflow.start_span(f"tool_{n}", span_type="TOOL"):
                    pass


@pytest.mark.parametrize("n", range(TESTS))
@pytest.mark.parametrize("kind", ["with", "without"])
def test_it(request, mlflow_traces, n, kind):
    agent(n)
    trace = mlflow_traces.one()
    assert len(trace.spans) == 9
    if kind == "with":
        assert trace == request.getfixturevalue("trace_baseline")
"""
CONFTEST = """
import json
import time
from pathlib import Path

import pytest

import pytest_mlflow_traces.plugin.baselines.owners  # what is imported is no matter of how many tests there are

seconds = {"with": [], "without": [], "run": []}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.callspec.params["n"])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    start = time.process_time()
    result = yield
    seconds[item.callspec.params["kind"]].append(time.process_time() - start)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_finish():
    start = time.process_time()
    result = yield
    seconds["run"].append(time.process_time() - start)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish():
    start = time.process_time()
    result = yield
    seconds["run"].append(time.process_time() - start)
    Path("seconds.json").write_text(json.dumps(seconds))
    return result
"""


def milliseconds(folder: Path, *options: str) -> dict[str, float]:
    """Return the medians of one run: of a test `with` a baseline, of one `without`, of what is done once (`run`)."""
    blocked = [word for name in ("cacheprovider", *OTHERS) for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", *blocked, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    if done.returncode:
        sys.exit(done.stdout)
    said = json.loads((folder / "seconds.json").read_text())
    once = 1000 * sum(said.pop("run"))
    return {name: 1000 * statistics.median(seconds) for name, seconds in said.items()} | {"run": once}


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=200, help="how many tests of each kind (default 200)")
    count = parser.parse_args(argv).tests
    print(f"| {count} tests of 9 spans | ms without | ms with a baseline | once a run, ms a test | added, ms | bar |")
    print("|---|---|---|---|---|---|")
    worst = 0.0
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_it.py").write_text(SUITE.replace("TESTS", str(count)))
        for name, options in (("written", ["--mlflow-traces-update"]), ("compared", [])):
            took = milliseconds(folder, *options)
            shared = took["run"] / count
            added = took["with"] - took["without"] + shared
            worst = max(worst, added)
            cells = f"{took['without']:.2f} | {took['with']:.2f} | {shared:.2f} | {added:.2f}"
            print(f"| {name} | {cells} | <= {BAR_MS:g} |")
    return worst <= BAR_MS


if __name__ == "__main__":
    sys.exit(not main())
