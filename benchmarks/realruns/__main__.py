"""Learnt contracts over real runs: how many failing runs they flag, at how many passing ones.

Within a test, each passing run of the airline's agent is held out in turn; what is learnt from the others of its test
and from the other tests is asked about it, and about each failing run of the test, for which the mean over the turns
counts. Over all tests, tests are split into ten parts: what is learnt from nine is asked about the tenth. Tags that
tell whether a run passed are taken off first. How to learn was made on the retail agent and on synthetic ones; the
airline judges.

`--pm4py PYTHON` names a Python that has PM4Py, for the rows of its miners; `nox -s realruns` brings one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks.realruns.runs import AGENTS, by_test, caught, folds, runs_of
from pytest_mlflow_traces.core.contracts import Contract
from pytest_mlflow_traces.core.learning.all_traces import all_traces
from pytest_mlflow_traces.core.learning.aspects import seen_in
from pytest_mlflow_traces.core.learning.learnt import Learnt
from pytest_mlflow_traces.core.learning.per_test import per_test
from pytest_mlflow_traces.core.patterns.constructors import one_of, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.realruns.runs import Run
    from pytest_mlflow_traces.core.learning.learnt import Line
    from pytest_mlflow_traces.core.trace import Trace

ASKED = (0.05, 0.1, 0.15, 0.25, 0.35)
TOOLS = span(type="TOOL")


def flagging(lines: Sequence[Line]) -> Callable[[Trace], bool]:
    """Return what says of a trace whether a learnt contract flags it: as it is written to a file."""
    if not lines:
        return lambda _: False
    contract = Contract.from_toml(Learnt("learnt", lines).to_toml())
    return lambda trace: bool(contract.check(trace))


def recorded(own: Sequence[Run]) -> Callable[[Trace], bool]:
    """Return what recorded baselines say: the same tools in the same order as some run that passed."""
    seen = one_of(*(run.trace.only(TOOLS).to_pattern() for run in own))
    return lambda trace: trace.only(TOOLS) != seen


def borrowed(inputs: bool) -> Callable[[Sequence[Run], Mapping[str, list[Run]]], Any]:
    """Return how a contract for a test is learnt from its own runs and those of the others, in `learn`'s way."""

    def learnt(own: Sequence[Run], others: Mapping[str, list[Run]]) -> Any:
        tests = {test: [seen_in(run.trace) for run in runs] for test, runs in [*others.items(), ("own", own)]}
        found = per_test(tests, 0.05, inputs=inputs)
        lines = [] if found is None else found.lines.get("own", [])
        sizes.append(len(lines))
        return flagging(lines)

    sizes: list[int] = []
    learnt.sizes = sizes  # type: ignore[attr-defined]  # lines of each
    return learnt


def within_a_test(runs: Sequence[Run]) -> None:
    """Print what is caught within a test."""
    tests = {test: those for test, those in by_test([run for run in runs if run.passed]).items() if len(those) > 1}
    failing = by_test([run for run in runs if not run.passed])
    counted, with_inputs = borrowed(inputs=False), borrowed(inputs=True)
    ways: dict[str, Any] = {
        "recorded baseline": lambda own, _: recorded(own),
        "learnt, `--no-inputs`": counted,
        "learnt": with_inputs,
    }
    print("| held against a run of a test | failing flagged | passing flagged | lines a test |\n|---|--:|--:|--:|")
    for way, learn in ways.items():
        good = bad = alarms = held_out = 0.0
        for test, own in tests.items():
            others = {other: those for other, those in tests.items() if other != test}
            for i, run in enumerate(own):
                rest = [*own[:i], *own[i + 1 :]]
                flags = learn(rest, others)
                alarms, held_out = alarms + flags(run.trace), held_out + 1
                bad += sum(flags(each.trace) for each in failing.get(test, ())) / len(own)
                good += len(failing.get(test, ())) / len(own)
        sizes = getattr(learn, "sizes", None)
        lines = f"{statistics.median(sizes):.0f}, at most {max(sizes)}" if sizes else ""
        print(f"| {way} | {_share(bad, good)} | {_share(alarms, held_out)} | {lines} |")
    begun = time.process_time()
    per_test({test: [seen_in(run.trace) for run in those] for test, those in by_test(runs).items()}, 0.05)
    print(f"\nFrom {len(runs)} runs it is learnt in {time.process_time() - begun:.1f} s of a processor.\n")


def over_all_tests(agents: Mapping[str, Sequence[Run]], pm4py: str | None) -> None:
    """Print what is caught over all tests."""
    print(f"| over all tests | {' | '.join(agents)} | lines |\n|---|{'--:|' * len(agents)}--:|")
    for asked in ASKED:
        cells, sizes = [], []
        for runs in agents.values():
            total = [0, 0, 0, 0]
            for training, held_out in folds(runs):
                tests = {test: [run.trace for run in those] for test, those in by_test(training).items()}
                found = all_traces(tests, asked)
                lines = [] if found is None else found.lines
                sizes.append(len(lines))
                flags = flagging(lines)
                _add(total, caught(held_out, [flags(run.trace) for run in held_out]))
            cells.append(_cell(total))
        lines_each = f"{statistics.mean(sizes):.0f}, at most {max(sizes)}"
        print(
            f"| learnt, `--max-false-alarms {asked:g}` | {' | '.join(cells)} | {lines_each} |",
            flush=True,
        )
    for name, those in _mined(agents, pm4py).items() if pm4py else ():
        print(f"| PM4Py {name} | {' | '.join(map(_cell, those))} | |")
    print("" if pm4py else "\nPM4Py's miners are not among them: name a Python that has PM4Py, `--pm4py PYTHON`.\n")


def _mined(agents: Mapping[str, Sequence[Run]], python: str) -> dict[str, list[list[int]]]:
    found: dict[str, list[list[int]]] = {}
    for runs in agents.values():
        split = [*folds(runs)]
        given = json.dumps([[[run.calls for run in part] for part in fold] for fold in split])
        command = [python, "-W", "ignore", "-m", "benchmarks.realruns.miners"]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)  # noqa: S603  # our own
        for miner, flagged in json.loads(done.stdout[done.stdout.index('{"') :]).items():
            total = [0, 0, 0, 0]
            for (_, held_out), said in zip(split, flagged, strict=True):
                _add(total, caught(held_out, said))
            found.setdefault(miner, []).append(total)
    return found


def bounds(runs: Sequence[Run], shuffles: int) -> None:
    """Print how often the bound that is printed lies above the rate over the other half of the tests."""
    passing = by_test([run for run in runs if run.passed])
    above = {"all traces": 0, "each test": 0}
    done = dict.fromkeys(above, 0)
    for seed in range(shuffles):
        tests = sorted(passing)
        Random(seed).shuffle(tests)
        halves = [{test: passing[test] for test in half} for half in (tests[::2], tests[1::2])]
        traces = [{test: [run.trace for run in those] for test, those in half.items()} for half in halves]
        together = all_traces(traces[0], 0.15)
        if together is not None:
            flags = flagging(together.lines)
            others = [flags(trace) for those in traces[1].values() for trace in those]
            done["all traces"] += 1
            above["all traces"] += together.held_out.bound >= sum(others) / len(others)
        each, other = (per_test({t: [*map(seen_in, those)] for t, those in half.items()}, 0.05) for half in traces)
        if each is not None and other is not None:
            done["each test"] += 1
            above["each test"] += each.held_out.bound >= other.held_out.rate
    for what, number in done.items():
        print(f"- {what}: above the rate over the other half of the tests in {above[what]} of {number} shuffles")


def _add(total: list[int], more: Iterable[int]) -> None:
    total[:] = [one + other for one, other in zip(total, more, strict=True)]


def _cell(total: Sequence[int]) -> str:
    bad, failing, alarms, passing = total
    return f"{100 * bad / failing:.0f} % at {100 * alarms / passing:.1f} %"


def _share(some: float, of: float) -> str:
    return f"{100 * some / of:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realruns", description=__doc__)
    parser.add_argument("--pm4py", metavar="PYTHON", help="a Python that has PM4Py")
    parser.add_argument("--shuffles", type=int, default=100, help="of the tests, for the bounds")
    given = parser.parse_args()
    agents = {name: runs_of(path) for name, path in AGENTS.items()}
    within_a_test(agents["airline"])
    over_all_tests(agents, given.pm4py)
    bounds(agents["airline"], given.shuffles)


if __name__ == "__main__":
    sys.exit(main())
