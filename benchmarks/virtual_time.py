"""What virtual time saves on a time-out test: the reference agent with a worker that hangs, in threads and in tasks.

On the real clock the test takes the time-out. `time_machine.travel` alone changes nothing about that: it moves the time
of day, and no wait. The worker asks every 0.5 s whether there is an answer. The first run of each side warms up.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from pytest_mlflow_traces import capture_traces, span
from pytest_mlflow_traces.clock import virtual_time
from reference_agent import stub_orchestrator
from reference_agent.clocks import SystemClock
from reference_agent.stubs import StubGenie

if TYPE_CHECKING:
    from collections.abc import Callable

BAR_S = 0.5  # for a time-out of 30 s
QUESTION = "Are queries slow?"


def invoke(timeout: float) -> None:
    """Ask the agent, whose workers are threads."""
    agent(timeout).invoke(QUESTION, user_id="u1")


def ainvoke(timeout: float) -> None:
    """Ask the agent, whose workers are tasks."""
    asyncio.run(agent(timeout).ainvoke(QUESTION, user_id="u1"))


def agent(timeout: float):  # noqa: ANN201  # what stub_orchestrator returns
    """Make an agent that asks a space which never answers."""
    genie = StubGenie(faults={"performance": "hang"})
    limits = {"agent_timeout_seconds": timeout, "genie_timeout_seconds": 2 * timeout}
    return stub_orchestrator(genie=genie, clock=SystemClock(), **limits)


def measured(ask: Callable[[float], None], timeout: float, *, virtual: bool, rounds: int) -> tuple[float, set[float]]:
    """Return the median seconds of a test, and how many milliseconds the worker took in each."""
    seconds, taken = [], set()
    for _ in range(rounds):
        began = time.clock_gettime(time.CLOCK_MONOTONIC)  # which nothing replaces
        with virtual_time() if virtual else nullcontext(), capture_traces() as traces:
            with suppress(TimeoutError):  # the only worker hung
                ask(timeout)
            taken.add(traces.one().find_one(span("performance_agent")).duration_ms)
        seconds.append(time.clock_gettime(time.CLOCK_MONOTONIC) - began)
    return statistics.median(seconds), taken


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="the time-out on the real clock (default 3)")
    parser.add_argument("--rounds", type=int, default=7, help="how many runs in virtual time (default 7)")
    said = parser.parse_args(argv)
    print("| workers | clock | time-out | the test takes | the worker took, in ms |")
    print("|---|---|---|---|---|")
    fast = True
    for workers, ask in (("threads", invoke), ("tasks", ainvoke)):
        measured(ask, 1, virtual=True, rounds=1)
        took, spans = measured(ask, said.seconds, virtual=False, rounds=1)
        print(f"| {workers} | real | {said.seconds:g} s | {took:.2f} s | {told(spans)} |")
        for timeout in (30, 600):
            took, spans = measured(ask, timeout, virtual=True, rounds=said.rounds)
            print(f"| {workers} | virtual | {timeout} s | {took:.2f} s | {told(spans)} |")
            fast = fast and (timeout != 30 or (took < BAR_S and spans == {30_000}))
    print(f"\nBar: a time-out of 30 s, to the millisecond, in under {BAR_S} s.")
    return fast


def told(milliseconds: set[float]) -> str:
    """Return the numbers, of which virtual time has one only."""
    return ", ".join(f"{each:,.3f}" for each in sorted(milliseconds))


if __name__ == "__main__":
    sys.exit(not main())
