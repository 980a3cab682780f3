"""Matching against `pydantic_evals.otel.SpanTree`: both sides in one run, on the same spans, in Markdown.

    python benchmarks/matching.py [--sizes 1000,10000,100000] [--shapes agent,deep30,chain,wide] [--budget 6]

- *agent*: a root, agent turns, model calls with tools below them, up to six levels
- *deep30*: a root with chains of thirty spans
- *chain*: one path; *wide*: one root and its children

Trees are built from span objects that are there already. Every question makes its pattern (query) inside the clock.
"New trace" asks a trace that was never asked before, "same trace" asks one trace again, with another pattern. Best of
several runs; the garbage collector is on while trees are built and off while they are asked. Both sides must count the
same spans. What takes longer than the budget (in seconds) is given up, and larger sizes of it are skipped. A missed bar
makes the exit code 1.
"""

from __future__ import annotations

import argparse
import gc
import platform
import random
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_evals.otel import SpanNode, SpanTree

sys.path.insert(0, str(Path(__file__).parent.parent))  # run from a checkout, installed or not

from pytest_mlflow_traces.core.patterns.constructors import span
from pytest_mlflow_traces.core.spans.convert import TraceFacts
from pytest_mlflow_traces.core.spans.table import SpanTable
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_mlflow_traces.core.patterns.nodes import SpanPattern

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Row(NamedTuple):
    """One synthetic span, times in microseconds."""

    id: int
    parent: int | None
    name: str
    start: int
    end: int
    attributes: dict[str, Any]
    failed: bool = False


def agent(count: int) -> list[Row]:
    """Make a trace like an agent's: turns, model calls, tools, requests, queries."""
    rng = random.Random(7)  # a shape, no secret
    rows = [Row(1, None, "run", 0, count * 10, {"span.type": "CHAIN"})]

    def add(parent: int, name: str, length: int, failed: bool = False, **attributes: Any) -> int:
        at = len(rows)
        rows.append(Row(at + 1, parent, name, at, at + length, attributes, failed))
        return at + 1

    while len(rows) < count:
        turn = add(1, "agent_turn", 9, kind="AGENT")
        for _ in range(rng.randint(1, 3)):
            model = add(turn, "chat gpt", 5, kind="LLM", tokens=rng.randint(1, 4000))
            for _ in range(rng.randint(0, 3)):
                failed = rng.random() < 0.01
                tool = add(model, f"tool_{rng.randint(0, 9)}", 3, failed, kind="TOOL", args='{"q": 1}')
                if rng.random() < 0.6:
                    request = add(tool, "HTTP GET", 2, status_code=500 if failed else 200)
                    if rng.random() < 0.4:
                        add(request, "db.query", 1, system="pg")
    return rows[:count]


def chain(count: int) -> list[Row]:
    """Make one path."""
    return [Row(i, i - 1 or None, f"s{i % 10}", i, 2 * count - i, {"i": i}) for i in range(1, count + 1)]


def chains_of(length: int, count: int) -> list[Row]:
    """Make a root with chains of `length` spans below it."""
    rows = [Row(1, None, "run", 0, count + 1, {})]
    for i in range(2, count + 1):
        depth = (i - 2) % length
        rows.append(Row(i, i - 1 if depth else 1, f"s{i % 10}", i, i + 2 * (length - depth), {"i": i}))
    return rows


def wide(count: int) -> list[Row]:
    """Make one root and its children."""
    return chains_of(1, count)


SHAPES: dict[str, Callable[[int], list[Row]]] = {
    "agent": agent,
    "deep30": lambda count: chains_of(30, count),
    "chain": chain,
    "wide": wide,
}


@dataclass(slots=True)
class Status:
    """The status of a span."""

    status_code: str
    description: str | None = None


@dataclass(slots=True)
class Record:
    """One span as MLflow's entity has it."""

    name: str
    span_id: str
    parent_id: str | None
    start_time_ns: int
    end_time_ns: int
    attributes: dict[str, Any]
    status: Status
    span_type: str = "UNKNOWN"
    inputs: Any = None
    outputs: Any = None
    events: list[Any] = field(default_factory=list)


def their_spans(rows: list[Row]) -> list[SpanNode]:
    """Make the spans that their tree is built from."""
    return [
        SpanNode(
            name=row.name, trace_id=1, span_id=row.id, parent_span_id=row.parent,
            start_timestamp=EPOCH + timedelta(microseconds=row.start),
            end_timestamp=EPOCH + timedelta(microseconds=row.end),
            attributes=dict(row.attributes), status="error" if row.failed else "unset",
        )
        for row in rows
    ]  # fmt: skip


def their_tree(spans: list[SpanNode]) -> SpanTree:
    """Build their tree."""
    tree = SpanTree()
    tree.add_spans(spans)
    return tree


def our_spans(rows: list[Row]) -> list[Record]:
    """Make the spans that our trace is built from."""
    return [
        Record(
            row.name, str(row.id), None if row.parent is None else str(row.parent), row.start * 1000, row.end * 1000,
            dict(row.attributes), Status("ERROR" if row.failed else "UNSET"),
        )
        for row in rows
    ]  # fmt: skip


def our_trace(spans: list[Record]) -> Trace:
    """Build our trace."""
    return Trace(SpanTable(spans), TraceFacts())


def below(name: str, levels: int) -> SpanPattern:
    """Say in our words: a span with a descendant, with a descendant, ... called `name`."""
    pattern = span(name)
    for _ in range(levels):
        pattern = span(has=pattern)
    return pattern


def below_query(name: str, levels: int) -> dict[str, Any]:
    """Say the same in theirs."""
    query: dict[str, Any] = {"name_equals": name}
    for _ in range(levels):
        query = {"some_descendant_has": query}
    return query


class TooLongError(Exception):
    """Say that a measurement took longer than its budget."""


def _stop(*_: object) -> None:
    raise TooLongError


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TooLongError` after `seconds`."""
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@dataclass
class Measured:
    """The best time in seconds and what was counted, or nothing where it took too long."""

    seconds: float | None = None
    count: int | None = None

    def __str__(self) -> str:
        return "too long" if self.seconds is None else f"{self.seconds * 1e3:,.2f}"


def best(make: Callable[[], Any], ask: Callable[[Any], int], budget: float, runs: int, times: int = 1) -> Measured:
    """Time `ask(make())`, the best of `runs` and the mean of `times` in a row; making is not timed."""
    measured = Measured()
    for _ in range(runs):
        subject = make()
        if gc.isenabled():
            gc.collect()
        try:
            with limited(budget):
                started = time.perf_counter()
                for _ in range(times):
                    measured.count = ask(subject)
                seconds = (time.perf_counter() - started) / times
        except TooLongError:
            return Measured()
        measured.seconds = seconds if measured.seconds is None else min(seconds, measured.seconds)
        if seconds * times > budget / 4:
            break
    return measured


def best_again(subject: Any, ask: Callable[[Any], int], budget: float, runs: int) -> Measured:
    """Time `ask(subject)` over and over, so that what takes microseconds is not measured cold."""
    once = best(lambda: subject, ask, budget, 1)
    if once.seconds is None or once.seconds > 0.01:
        return once if once.seconds is None else best(lambda: subject, ask, budget, runs)
    return best(lambda: subject, ask, budget, runs, times=int(0.01 / once.seconds) + 1)


@dataclass
class Case:
    """One line of the tables: what both sides are asked, of a new trace each time or of the same one."""

    title: str
    theirs: Callable[[SpanTree], int]
    ours: Callable[[Trace], int]
    new_trace: bool = False
    bar: float | None = None


def cases(shape: str) -> list[Case]:
    """List what is asked of a shape."""
    name = "tool_3" if shape == "agent" else "s3"
    deep = "db.query" if shape == "agent" else "s7"

    def by_name(tree: SpanTree) -> int:
        return len(tree.find({"name_equals": name}))

    def by_descendant(levels: int, name: str) -> tuple[Callable[[SpanTree], int], Callable[[Trace], int]]:
        return (
            lambda tree: len(tree.find(below_query(name, levels))),
            lambda trace: trace.count(below(name, levels)),
        )

    hits = by_descendant(1, deep)
    return [
        Case("find by name, new trace", by_name, lambda trace: trace.count(span(name)), True, 5),
        Case("find by name, same trace", by_name, lambda trace: trace.count(span(name)), False, 20),
        Case("find by a descendant, new trace", *hits, True, 4),
        Case("find by a descendant, same trace", *hits, False, 15),
        *(Case(f"no such descendant, {levels} deep", *by_descendant(levels, "no-such")) for levels in (1, 2, 3)),
        *(Case(f"a descendant, {levels} deep", *by_descendant(levels, deep)) for levels in (1, 2, 3)),
    ]


def compare(shape: str, count: int, budget: float, runs: int, given_up: set[str]) -> list[Line]:
    """Measure one shape at one size; return the rows of its table."""
    rows = SHAPES[shape](count)
    other = best(lambda: their_spans(rows), lambda spans: len(their_tree(spans).roots), budget, runs)
    mine = best(lambda: our_spans(rows), lambda spans: len(our_trace(spans).roots), budget, runs)
    lines = [Line("build from spans", count, other, mine, 2)]
    tree, trace = their_tree(their_spans(rows)), our_trace(our_spans(rows))
    trace.count(span("no-such")), trace.count(span("none-such"))  # the same trace is one that was asked before
    gc.collect()
    gc.disable()
    try:
        for case in cases(shape):
            if case.new_trace:
                mine = best(lambda: our_trace(our_spans(rows)), case.ours, budget, runs)
            else:
                mine = best_again(trace, case.ours, budget, runs)
            if case.title in given_up:
                lines.append(Line(case.title, count, Measured(), mine, case.bar))
                continue
            other = best_again(tree, case.theirs, budget, runs)
            if other.seconds is None:
                given_up.add(case.title)
            elif other.count != mine.count:
                raise SystemExit(f"{shape}, {case.title}: they count {other.count} spans, we {mine.count}")
            lines.append(Line(case.title, count, other, mine, case.bar))
    finally:
        gc.enable()
    return lines


@dataclass
class Line:
    """One row of a table."""

    title: str
    count: int
    other: Measured
    mine: Measured
    bar: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times faster we are."""
        return self.other.seconds / self.mine.seconds if self.other.seconds and self.mine.seconds else None

    @property
    def is_missed(self) -> bool:
        """Whether there is a bar and we are below it."""
        ratio = self.ratio  # None where they gave up, which misses no bar
        return self.mine.seconds is None or (self.bar is not None and ratio is not None and ratio < self.bar)

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:,.1f}x"
        bar = "" if self.bar is None else f">= {self.bar:g}x" + (" MISSED" if self.is_missed else "")
        return f"| {self.title} | {self.count:,} | {self.other} | {self.mine} | {ratio} | {bar} |"


def nested(count: int, budget: float, runs: int) -> Line:
    """Measure the relation nested three deep beside one deep, both ours: at most four times as slow."""
    trace = our_trace(our_spans(chains_of(30, count)))
    one = best_again(trace, lambda trace: trace.count(below("s7", 1)), budget, runs)
    three = best_again(trace, lambda trace: trace.count(below("s7", 3)), budget, runs)
    return Line("a descendant", count, one, three, 0.25)


def main() -> int:
    """Run what the arguments ask for; return how many bars were missed."""
    parser = argparse.ArgumentParser(description="Matching against pydantic_evals.otel.SpanTree.")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--budget", type=float, default=6)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, pydantic-evals {version('pydantic-evals')}; milliseconds, best of runs")
    sizes = [int(size) for size in given.sizes.split(",")]
    lines = []
    for shape in given.shapes.split(","):
        print(f"\n### {shape}\n\n| | spans | SpanTree | ours | ratio | bar |\n|---|--:|--:|--:|--:|--:|")
        given_up: set[str] = set()
        for size in sizes:
            found = compare(shape, size, given.budget, given.runs, given_up)
            print(*found, sep="\n", flush=True)
            lines += found
    print("\n### chains of 30, both ours\n\n| | spans | 1 deep | 3 deep | ratio | bar |\n|---|--:|--:|--:|--:|--:|")
    for size in sizes:
        lines.append(nested(size, given.budget, given.runs))
        print(lines[-1])
    return int(any(each.is_missed for each in lines))


if __name__ == "__main__":
    sys.exit(main())
