"""Say which runs break which policies, as Markdown: `python -m examples.policies [FILE]`.

With `--traces` it writes the runs as traces instead, one a line, as `pytest-mlflow-traces` reads them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from examples.policies.runs import RUNS, as_mlflow, read_runs
from pytest_mlflow_traces import Contract, Trace

CONTRACT = Path(__file__).parent / "airline.contract.toml"
POLICIES = Contract.read(CONTRACT).expectations


def figures(path=RUNS):
    """Return how many runs are about each policy and break it, how the benchmark judged them, and which they are."""
    runs = [(run, Trace.from_json(json.dumps(as_mlflow(run)))) for run in read_runs(path)]
    broken = {policy.name: [run for run, trace in runs if policy.check(trace)] for policy in POLICIES}
    passed = [run for run, _ in runs if run["passed"]]
    caught = {run["id"]: run["passed"] for each in broken.values() for run in each}
    caught_failed = sum(not each for each in caught.values())
    said = (
        f"{len(runs)} runs, of which the benchmark passed {len(passed)}. A policy is broken by {len(caught)}: by "
        f"{caught_failed} of the {len(runs) - len(passed)} that it failed, and by "
        f"{len(caught) - caught_failed} of the {len(passed)} that it passed."
    )
    lines = [
        said,
        "",
        "| policy | runs it is about | break it | of these failed | passed |",
        "|---|--:|--:|--:|--:|",
    ]
    for policy in POLICIES:
        about, its = sum(policy.applies(trace) for _, trace in runs), broken[policy.name]
        its_passed = sum(run["passed"] for run in its)
        lines.append(f"| {policy.name} | {about} | {len(its)} | {len(its) - its_passed} | {its_passed} |")
    named = {name: ", ".join(run["id"] + "*" * run["passed"] for run in its) for name, its in broken.items() if its}
    return "\n".join([*lines, "", *(f"- {name}: {ids}" for name, ids in named.items()), "", "`*` passed"])


def main():
    parser = argparse.ArgumentParser(prog="python -m examples.policies", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=RUNS, metavar="FILE")
    parser.add_argument("--traces", action="store_true", help="write the runs as traces")
    given = parser.parse_args()
    if given.traces:
        sys.stdout.writelines(json.dumps(as_mlflow(run)) + "\n" for run in read_runs(given.file))
    else:
        sys.stdout.write(figures(given.file) + "\n")


if __name__ == "__main__":
    main()
