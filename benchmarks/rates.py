"""Rates of an agent: how often simulated gates err, and how many runs a test needs that stops where the answer is sure.

A gate is a test with `repeat` and `at_least`, whose runs hold by chance at a true rate, or an `assert_rate` over runs.
The bars: at `at_least`, red is no more frequent than the confidence allows, and neither is green at the rate that the
plan tells it from; where the agent is clearly good (from `at_least` on) or clearly bad (from that rate down), half of
the runs are enough on average; `assert_rate` errs at the rate itself as seldom as its confidence says.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent))  # run from a checkout, installed or not

from pytest_mlflow_traces.core.rates.rates import Rate
from pytest_mlflow_traces.core.rates.repetitions import Repetitions
from pytest_mlflow_traces.core.rates.sequential import Plan, plan

PLANS = [(0.9, 20, 0.95), (0.9, 50, 0.95), (0.95, 20, 0.95), (0.8, 30, 0.9), (0.99, 100, 0.95)]
SHOWN = [(0.95, 59), (0.95, 200), (0.9, 46), (0.99, 1_000)]
NOISE = 3.0  # standard deviations that a simulation may be off


def gate(made: Plan, rate: float, random: Random) -> tuple[str, int]:
    """Run a test until it is green or red; return which, and after how many runs."""
    runs = Repetitions(made)
    while (verdict := runs.verdict) is None:
        runs.hold() if random.random() < rate else runs.fail([])
    return verdict, runs.runs


def share(wrong: int, gates: int, allowed: float) -> tuple[str, bool]:
    """Say how often a gate erred, and whether that is allowed, but for the noise of a simulation."""
    noise = NOISE * math.sqrt(allowed * (1 - allowed) / gates)
    return f"{100 * wrong / gates:.2f} % (bar {100 * allowed:g} %)", wrong / gates <= allowed + noise


def repeated(gates: int, random: Random) -> bool:
    """Print what comes of tests that are repeated; return whether the bars were met."""
    print("| at least, runs at most, confidence | true rate | green | red | runs on average | of the most |")
    print("|---|---|---|---|---|---|")
    met = True
    for asked in PLANS:
        made, (at_least, most, confidence) = plan(*asked), asked
        middle = (at_least + made.below) / 2
        for rate in (made.below / 2, made.below, middle, at_least, (1 + at_least) / 2, 1.0):
            ends = [gate(made, rate, random) for _ in range(gates)]
            average = sum(runs for _, runs in ends) / gates
            green = sum(verdict == "green" for verdict, _ in ends)
            said = {"green": f"{100 * green / gates:.2f} %", "red": f"{100 * (gates - green) / gates:.2f} %"}
            is_clear = rate != middle
            if is_clear:
                error = "red" if rate >= at_least else "green"
                said[error], is_rare = share(gates - green if error == "red" else green, gates, 1 - confidence)
                met &= is_rare and average <= most / 2
            bar = " (bar 50 %)" if is_clear else ""
            print(f"| {at_least:g}, {most}, {confidence:g} | {rate:.3f} | {said['green']} | {said['red']} |"
                  f" {average:.1f} | {100 * average / most:.0f} %{bar} |")  # fmt: skip
    return met


def shown(gates: int, random: Random) -> bool:
    """Print how often `assert_rate` passes an agent that is just below the rate; return whether that is allowed."""
    print("\n| `assert_rate`, at least | runs | passes at that rate | says that it is lower |")
    print("|---|---|---|---|")
    met = True
    for at_least, runs in SHOWN:
        held = [sum(random.random() < at_least for _ in range(runs)) for _ in range(gates)]
        verdicts = {each: Rate(each, runs - each, 0, at_least, 0.95).verdict for each in set(held)}
        said = []
        for wrong in ("holds", "fails"):
            text, is_rare = share(sum(verdicts[each] == wrong for each in held), gates, 0.05)
            met &= is_rare
            said.append(text)
        print(f"| {at_least:g} | {runs} | {said[0]} | {said[1]} |")
    return met


def main(argv: list[str] | None = None) -> bool:
    """Print the tables; return whether the bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gates", type=int, default=10_000, help="gates for each true rate (default 10,000)")
    parser.add_argument("--seed", type=int, default=1934)
    given = parser.parse_args(argv)
    started = time.perf_counter()
    met = repeated(given.gates, Random(given.seed)) & shown(given.gates, Random(given.seed))
    print(f"\n{given.gates:,} gates for each true rate, {time.perf_counter() - started:.0f} s")
    return met


if __name__ == "__main__":
    sys.exit(not main())
