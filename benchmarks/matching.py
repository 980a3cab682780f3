"""Matching against `pydantic_evals.otel.SpanTree`: both sides in one run, on the same spans, in Markdown.

    python benchmarks/matching.py [--sizes 1000,10000,100000] [--shapes agent,deep30,chain,wide] [--budget 20]

- *agent*: a root, agent turns, model calls with tools below them, up to six levels
- *deep30*: a root with chains of thirty spans
- *chain*: one path; *wide*: one root and its children

Every measurement makes its pattern (query) anew inside the clock. "New trace" asks a trace that was never asked before,
"same trace" asks one trace again, with another pattern. Best of several runs; the garbage collector is on while trees
are built and off while they are asked. Both sides must count the same spans. What takes longer than the budget (in
seconds) is given up, and larger sizes of it are skipped.
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

from pytest_mlflow_traces.core.convert import TraceFacts
from pytest_mlflow_traces.core.forest import Forest
from pytest_mlflow_traces.core.patterns import span
from pytest_mlflow_traces.core.tree import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_mlflow_traces.core.nodes import SpanPattern

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
    rng = random.Random(7)  # noqa: S311  # a shape, no secret
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


def theirs(rows: list[Row]) -> SpanTree:
    """Build their tree."""
    tree = SpanTree()
    tree.add_spans([
        SpanNode(
            name=row.name, trace_id=1, span_id=row.id, parent_span_id=row.parent,
            start_timestamp=EPOCH + timedelta(microseconds=row.start),
            end_timestamp=EPOCH + timedelta(microseconds=row.end),
            attributes=dict(row.attributes), status="error" if row.failed else "unset",
        )
        for row in rows
    ])  # fmt: skip
    return tree


def ours(rows: list[Row]) -> Trace:
    """Build our trace."""
    records = [
        Record(
            row.name, str(row.id), None if row.parent is None else str(row.parent), row.start * 1000, row.end * 1000,
            dict(row.attributes), Status("ERROR" if row.failed else "UNSET"),
        )
        for row in rows
    ]  # fmt: skip
    return Trace(Forest(records), TraceFacts())


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


def best(make: Callable[[], Any], ask: Callable[[Any], int], budget: float, runs: int) -> Measured:
    """Time `ask(make())`, the best of `runs`; making is not timed."""
    measured = Measured()
    for _ in range(runs):
        subject = make()
        try:
            with limited(budget):
                started = time.perf_counter()
                count = ask(subject)
                seconds = time.perf_counter() - started
        except TooLongError:
            return Measured()
        measured.count = count
        measured.seconds = seconds if measured.seconds is None else min(seconds, measured.seconds)
        if seconds > budget / 4:
            break
    return measured


@dataclass
class Case:
    """One line of the tables: what both sides are asked, of a new trace each time or of the same one."""

    title: str
    theirs: Callable[[SpanTree], int]
    ours: Callable[[Trace], int]
    new_trace: bool = False
    bar: str = ""


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
        Case("find by name, new trace", by_name, lambda trace: trace.count(span(name)), True, ">= 5x"),
        Case("find by name, same trace", by_name, lambda trace: trace.count(span(name)), False, ">= 20x"),
        Case("find by a descendant, new trace", *hits, True, ">= 4x"),
        Case("find by a descendant, same trace", *hits, False, ">= 15x"),
        *(Case(f"no such descendant, {levels} deep", *by_descendant(levels, "no-such")) for levels in (1, 2, 3)),
        *(Case(f"a descendant, {levels} deep", *by_descendant(levels, deep)) for levels in (1, 2, 3)),
    ]


def compare(shape: str, count: int, budget: float, runs: int, given_up: set[str]) -> list[str]:
    """Measure one shape at one size; return the rows of its table."""
    rows = SHAPES[shape](count)
    lines = []
    gc.collect()
    built = [best(lambda: None, lambda _, make=make: bool(make(rows)) + len(rows) - 1, budget, runs)
             for make in (lambda rows: theirs(rows) and 1, lambda rows: ours(rows) and 1)]  # fmt: skip
    lines.append(line("build", count, *built, ">= 2x"))
    tree, trace = theirs(rows), ours(rows)
    trace.count(span("no-such")), trace.count(span("none-such"))  # the same trace is one that was asked before
    gc.collect()
    gc.disable()
    try:
        for case in cases(shape):
            mine = best(lambda new=case.new_trace: ours(rows) if new else trace, case.ours, budget, runs)
            if case.title in given_up:
                lines.append(line(case.title, count, Measured(), mine, case.bar))
                continue
            other = best(lambda: tree, case.theirs, budget, runs)
            if other.seconds is None:
                given_up.add(case.title)
            elif other.count != mine.count:
                raise SystemExit(f"{shape}, {case.title}: they count {other.count} spans, we {mine.count}")
            lines.append(line(case.title, count, other, mine, case.bar))
    finally:
        gc.enable()
    return lines


def line(title: str, count: int, other: Measured, mine: Measured, bar: str) -> str:
    """Return one row of a table."""
    ratio = "" if other.seconds is None or not mine.seconds else f"{other.seconds / mine.seconds:,.1f}x"
    return f"| {title} | {count:,} | {other} | {mine} | {ratio} | {bar} |"


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Matching against pydantic_evals.otel.SpanTree.")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--budget", type=float, default=20)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, pydantic-evals {version('pydantic-evals')}; milliseconds, best of runs")
    for shape in given.shapes.split(","):
        print(f"\n## {shape}\n\n| | spans | SpanTree | ours | ratio | bar |\n|---|--:|--:|--:|--:|--:|")
        given_up: set[str] = set()
        for size in given.sizes.split(","):
            print(*compare(shape, int(size), given.budget, given.runs, given_up), sep="\n", flush=True)


if __name__ == "__main__":
    main()
