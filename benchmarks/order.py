"""Rules of order against counting the spans that they speak of, both in one run, by the number of spans.

Of ten spans one is a p and one a q, and one of a hundred an r. Each question is put to a trace that was never asked
before: the best of several runs, the garbage collector off meanwhile. The bar is for those with two patterns.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))  # run from a checkout, installed or not

from pytest_mlflow_traces import each, never, span
from pytest_mlflow_traces.core.spans.convert import TraceFacts
from pytest_mlflow_traces.core.spans.table import SpanTable
from pytest_mlflow_traces.core.trace import Trace
from tests.support.building import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.core.order.rule import Rule

BAR, GROWTH = 3.0, 16.0  # times what counting costs; ten times the spans against the time
NAMES = ("turn", "model", "tool", "q", "step", "tool", "model", "p", "step", "answer")
P, Q, R = span("p"), span("q"), span("r")


def spans(count: int) -> list[Record]:
    """Make turns of ten spans below one root, some in others; in every tenth turn the answer is an r."""
    made = [Record("root", "0", None, "AGENT", 0, count * 10 + 10)]
    for i in range(1, count):
        turn, place = divmod(i - 1, 10)
        name = "r" if place == 9 and turn % 10 == 9 else NAMES[place]
        above = 0 if not place else turn * 10 + 1 if place in (1, 4, 9) else i - 1 if place == 2 else turn * 10 + 2
        record = Record(name, str(i), str(above), "TOOL", i * 10, turn * 100 + 110 if place in (0, 1) else i * 10 + 5)
        record.inputs = {"order": turn}
        made.append(record)
    return made


def broken(trace: Trace, rule: Rule) -> None:
    """Check a rule that does not hold."""
    if not rule.check(trace):
        raise AssertionError(f"{rule!r} holds")


QUESTIONS: dict[str, Callable[[Trace], object]] = {
    "count p and q": lambda trace: (trace.count(P), trace.count(Q)),
    "each(p).after(q)": lambda trace: each(P).after(Q).check(trace),
    "each(q).before(p)": lambda trace: each(Q).before(P).check(trace),
    "never(q).inside(p)": lambda trace: never(Q).inside(P).check(trace),
    "each(p).after(q, since=r)": lambda trace: each(P).after(Q, since=R).check(trace),
    "each(p).after(q, same=...)": lambda trace: each(P).after(Q, same="inputs.order").check(trace),
    "each(q).after(p, since=q, same=...), which all break": lambda trace: broken(
        trace, each(Q).after(P, since=Q, same="inputs.order")
    ),
    "never(q).after(p, since=r), which nearly all break": lambda trace: broken(trace, never(Q).after(P, since=R)),
}
HELD = 3  # the rules that the bar is about, the first ones


def seconds(ask: Callable[[Trace], object], made: list[Record], runs: int) -> float:
    """Return the best time of a question."""
    taken = []
    for _ in range(runs):
        trace = Trace(SpanTable(made), TraceFacts(id="tr"))
        gc.collect()
        gc.disable()
        started = time.perf_counter()
        ask(trace)
        taken.append(time.perf_counter() - started)
        gc.enable()
    return min(taken)


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=100_000, help="how many spans (default 100,000)")
    parser.add_argument("--runs", type=int, default=7, help="runs of each question (default 7)")
    given = parser.parse_args(argv)
    few, many = spans(given.spans // 10), spans(given.spans)
    counting = seconds(QUESTIONS["count p and q"], many, given.runs)
    print(f"| question | {given.spans // 10:,} spans, ms | {given.spans:,} spans, ms | growth | times counting |")
    print("|---|---|---|---|---|")
    met = True
    for number, (name, ask) in enumerate(QUESTIONS.items()):
        one, ten = seconds(ask, few, given.runs), seconds(ask, many, given.runs)
        bar = f" (bar {BAR:g})" if 0 < number <= HELD else ""
        print(f"| `{name}` | {one * 1e3:.2f} | {ten * 1e3:.1f} | {ten / one:.1f} | {ten / counting:.2f}{bar} |")
        met &= not bar or ten <= BAR * counting
        met &= ten / one <= GROWTH
    return met


if __name__ == "__main__":
    sys.exit(not main())
