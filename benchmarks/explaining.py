"""What a failed match costs until its message is there: CPU seconds, memory, findings, lines; each case in a process.

    python -m benchmarks.explaining [--only WORDS]

The first cases have the bars of the design; the next are what may make a matcher or an aligner hang, each to be
answered in three seconds, or refused with an error that says what to write instead; the last have to come to an end.
Building the trace and the pattern is not timed, but counts as memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.explaining import explain
from pytest_mlflow_traces.core.matching.matcher import PatternTooComplexError, matches
from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, parallel, repeat, span
from tests.support.building import Record
from tests.support.building import trace_of as trace_of_records
from tests.support.mutating import EDITS, Node, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces import Trace
    from pytest_mlflow_traces.core.patterns.nodes import Pattern

    Subject = tuple[Trace, Pattern]

LIMIT = 60  # seconds, after which a case counts as one that hangs
HARD, LONG = 3.0, 45.0  # of what is to be answered at once, and of what only has to come to an end
COUNTED = ("megabytes", "findings", "lines", "bytes")


@dataclass(frozen=True)
class Case:
    """What is explained, and what that may take."""

    title: str
    make: Callable[[], Subject]
    seconds: float = HARD  # of matching and explaining together
    megabytes: int | None = None
    findings: int | None = None
    lines: int | None = None
    bytes: int | None = None  # of the message
    holds: bool = False  # it matches, and there is nothing to explain
    prints: bool = False  # the whole tree is drawn, too
    matching: bool = True  # the bar is about matching, too


# -- what is explained -------------------------------------------------------------------------------------------------


def agent(count: int) -> Node:
    """Make a trace like an agent's, below a super root: turns, model calls, tools, requests."""
    rng = random.Random(7)
    top, run, made = Node("", ""), Node("run", "CHAIN"), 1
    top.add(run)

    def add(parent: Node, name: str, kind: str) -> Node:
        nonlocal made
        made += 1
        new = Node(name, kind)
        parent.add(new)
        return new

    while made < count:
        turn = add(run, "agent_turn", "AGENT")
        for _ in range(rng.randint(1, 3)):
            model = add(turn, "chat", "CHAT_MODEL")
            for _ in range(rng.randint(0, 3)):
                tool = add(model, f"tool_{rng.randint(0, 9)}", "TOOL")
                if rng.random() < 0.6:
                    add(tool, "HTTP GET", "UNKNOWN")
    return top


def edited(count: int, seed: int) -> Subject:
    """Make an agent's trace with ten edits, each of another kind, and the pattern of what it was."""
    top, rng = agent(count), random.Random(seed)
    pattern = trace_of(top).to_pattern()
    kinds = [kind for kind in EDITS if kind not in ("sibling to child", "child to sibling", "reorder")]
    for kind in rng.sample(kinds, 10):
        while not EDITS[kind][0](rng, top):
            pass
    return trace_of(top), pattern


def renamed(top: Node, count: int) -> Subject:
    """Rename so many spans of a trace."""
    pattern = trace_of(top).to_pattern()
    for node in random.Random(1).sample(list(top.walk())[2:], count):
        node.name = "renamed"
    return trace_of(top), pattern


def records(names: Sequence[str], parent: Callable[[int], int]) -> list[Record]:
    """Make spans below each other, each inside its parent in time."""
    count = len(names)
    return [
        Record(name, str(i), str(parent(i)) if i else None, start_time_ns=i, end_time_ns=2 * count - i)
        for i, name in enumerate(names)
    ]


def chain(names: Sequence[str]) -> Trace:
    """Make one path."""
    return trace_of_records(records(names, lambda i: i - 1))


def wide(*names: str) -> Trace:
    """Make one root `r` and its children."""
    return trace_of_records(records(("r", *names), lambda _: 0))


def forks(names: Sequence[str]) -> Trace:
    """Make a tree in which every span has four children."""
    return trace_of_records(records(names, lambda i: (i - 1) // 4))


def caterpillar(turns: int, *renamed: int) -> Trace:
    """Make turns below turns, each beside a call."""
    names = [name for k in range(turns) for name in ("turn", "renamed" if k in renamed else "call")]
    return trace_of_records(records(names, lambda i: i - 2 + i % 2))


def nested(around: Callable[[Any, int], Pattern], levels: int = 3_000) -> Pattern:
    """Put so many forms around a span."""
    made: Pattern = span("x")
    for level in range(levels):
        made = around(made, level)
    return made


def steps(start: int, stop: int) -> list[str]:
    """Return names that occur once."""
    return [f"s{k}" for k in range(start, stop)]


def spans(names: Sequence[str]) -> list[Pattern]:
    """Return a pattern for each name."""
    return [span(name) for name in names]


def cycle(count: int, *changed: int) -> list[str]:
    """Return names that come again every ten, some of them changed."""
    return ["changed" if k in changed else f"s{k % 10}" for k in range(count)]


AB = repeat(any_order(span("a"), span("b")))
SHUFFLED = random.Random(3).sample(range(1_000), 1_000)

CASES = [
    *(
        Case(f"10 edits in 10,000 spans ({seed})", lambda seed=seed: edited(10_000, seed), 0.5, 150, 12, matching=False)
        for seed in (1, 2, 3, 4, 5)
    ),
    Case(
        "a chain of 100,000 spans, one edit: match, print, explain",
        lambda: (chain(cycle(100_000, 99_990)), chain(cycle(100_000)).to_pattern()),
        *(10, 700, 1),
        prints=True,
    ),
    Case(
        "the same, all names different",
        lambda: (chain([*steps(0, 50_000), "new", *steps(50_000, 99_999)]), chain(steps(0, 100_000)).to_pattern()),
        *(10, 700),
        prints=True,
    ),
    *(
        Case(f"300 renames in 3,000 spans, {title}", make, 3, findings=300, lines=60, bytes=20_000)
        for title, make in (
            ("an agent's", lambda: renamed(agent(3_000), 300)),
            ("siblings", lambda: (wide(*cycle(3_000, *range(0, 3_000, 10))), wide(*cycle(3_000)).to_pattern())),
            ("a chain", lambda: (chain(cycle(3_000, *range(9, 3_000, 10))), chain(cycle(3_000)).to_pattern())),
        )
    ),
    Case("repeat(any_order(a, b)), 3,000 spans", lambda: (wide(*"ab" * 1_500), span("r")[AB]), holds=True),
    Case("one more at the end", lambda: (wide(*"ab" * 1_500, "c"), span("r")[AB])),
    Case("one more in the middle", lambda: (wide(*"ab" * 750, "c", *"ab" * 750), span("r")[AB])),
    Case("one less in the middle", lambda: (wide(*"ab" * 750, "a", *"ab" * 750), span("r")[AB])),
    Case(
        "repeat(any_order(a, ...)), 3,000 spans",
        lambda: (wide(*"ab" * 1_500), span("r")[repeat(any_order(span("a"), span("c"), ...))]),
    ),
    Case(
        "any_order, 1,000 x 1,000",
        lambda: (wide(*(f"s{k}" for k in SHUFFLED)), span("r")[any_order(*spans(steps(0, 1_000)))]),
        holds=True,
    ),
    Case(
        "one renamed",
        lambda: (wide(*(f"s{k or 'x'}" for k in SHUFFLED)), span("r")[any_order(*spans(steps(0, 1_000)))]),
    ),
    Case("all renamed", lambda: (wide(*(f"x{k}" for k in SHUFFLED)), span("r")[any_order(*spans(steps(0, 1_000)))])),
    Case(
        "one of another type",
        lambda: (
            wide(*["s"] * 1_000),
            span("r")[any_order(*[span("s", type="TOOL" if k == 7 else "UNKNOWN") for k in range(1_000)])],
        ),
    ),
    Case(
        "none named, all of another type",
        lambda: (wide(*["s"] * 1_000), span("r")[any_order(*[span(type="TOOL")] * 1_000)]),
    ),
    Case(
        "a span behind it is missing",
        lambda: (wide(*(f"s{k}" for k in SHUFFLED)), span("r")[any_order(*spans(steps(0, 1_000))), span("y")]),
    ),
    Case(
        "parallel, 1,000 x 1,000, one after another",
        lambda: (wide(*steps(0, 1_000)), span("r")[parallel(*spans(steps(0, 1_001)))]),
    ),
    Case(
        "any_order with gaps, then a span, 3,000 spans",
        lambda: (wide(*cycle(3_000)), span("r")[any_order(*spans(steps(0, 20)), ...), span("y")]),
    ),
    Case("repeat(min=10**9)", lambda: (wide(*["s"] * 3_000), span("r")[repeat(span("s"), min=10**9)])),
    Case(
        "repeat of repeat(min=10**9)",
        lambda: (wide(*["s"] * 3_000), span("r")[repeat(repeat(span("s"), min=10**9), min=10**9)]),
    ),
    Case(
        "repeat of a group, min=10**9",
        lambda: (wide(*"ab" * 1_500), span("r")[repeat(any_order(span("a"), span("b")), min=10**9)]),
    ),
    Case("span in span, 3,000 deep", lambda: (chain(["n"] * 3_000), nested(lambda inner, _: span("n")[inner]))),
    Case("the same, on a short trace", lambda: (chain("nn"), nested(lambda inner, _: span("n")[inner]))),
    Case("has in has, 3,000 deep", lambda: (chain(["n"] * 3_000), nested(lambda inner, _: span(has=inner)))),
    Case(
        "lacks in lacks, 3,000 deep", lambda: (chain(["n"] * 3_000), nested(lambda inner, _: span(lacks=inner), 3_001))
    ),
    Case(
        "optional in one_of in repeat, 3,000 deep",
        lambda: (
            wide("y"),
            span("r")[
                nested(lambda inner, k: (optional(inner), one_of(inner, span(f"q{k}")), repeat(inner, 1, 2))[k % 3])
            ],
        ),
    ),
    Case(
        "any_order in any_order, 3,000 deep",
        lambda: (wide(*["y"] * 40), span("r")[nested(lambda inner, k: any_order(inner, span(f"q{k}")))]),
    ),
    Case("parts shared 2**40 times", lambda: (forks(["a"] * 30), nested(lambda inner, _: span("a")[inner, inner], 40))),
    Case(
        "groups shared 2**40 times",
        lambda: (wide(*"abcabc"), span("r")[nested(lambda inner, _: any_order(inner, optional(inner)), 40)]),
    ),
    Case(
        "all of 3,000 siblings renamed",
        lambda: (wide(*(f"x{k}" for k in range(3_000))), wide(*steps(0, 3_000)).to_pattern()),
    ),
    Case("all of 3,000 alike renamed", lambda: (wide(*["x"] * 3_000), wide(*["s"] * 2_000).to_pattern())),
    Case("3,000 siblings, reversed", lambda: (wide(*steps(0, 3_000)[::-1]), wide(*steps(0, 3_000)).to_pattern())),
]

# what nobody writes, or nothing is left of: no bar but to come to an end
CASES += [
    replace(case, seconds=LONG)
    for case in (
        Case(
            "100,000 siblings, one renamed", lambda: (wide(*cycle(100_000, 50_000)), wide(*cycle(100_000)).to_pattern())
        ),
        Case(
            "gaps around three spans, 20,000 siblings",
            lambda: (wide(*cycle(20_000)), span("r")[..., span("z"), ..., span("s3"), ..., span("y"), ...]),
        ),
        Case(
            "gaps between 40 spans, 2,000 siblings",
            lambda: (
                wide(*steps(0, 2_000)),
                span("r")[tuple(item for k in range(40) for item in (..., span(f"s{1_999 - 50 * k}")))],
            ),
        ),
        Case(
            "10,000 spans in forks, all renamed",
            lambda: (forks([f"x{k % 10}" for k in range(10_000)]), forks(cycle(10_000)).to_pattern()),
        ),
        Case(
            "10,000 spans in forks, all shuffled",
            lambda: (
                forks([f"s{k * 7 % 10}" for k in range(10_000)]),
                forks([f"s{k * 3 % 10}" for k in range(10_000)]).to_pattern(),
            ),
        ),
        Case(
            "a chain of 5,000, shuffled",
            lambda: (
                chain(["r", *random.Random(1).sample(steps(0, 5_000), 5_000)]),
                chain(["r", *steps(0, 5_000)]).to_pattern(),
            ),
        ),
        Case("a chain of 20,000, all renamed", lambda: (chain(["x"] * 20_000), chain(["s"] * 20_000).to_pattern())),
        Case(
            "turns in turns, 10,000 deep, one renamed",
            lambda: (caterpillar(10_000, 9_990), caterpillar(10_000).to_pattern()),
        ),
        Case(
            "turns in turns, 10,000 deep, ten renamed",
            lambda: (caterpillar(10_000, *range(500, 10_000, 1_000)), caterpillar(10_000).to_pattern()),
        ),
    )
]


# -- how it is measured ------------------------------------------------------------------------------------------------


def measured(case: Case) -> dict[str, Any]:
    """Match, explain and print, in this process; return what it took."""
    trace, pattern = case.make()
    table = trace.table
    began = time.process_time()
    try:
        found = matches(table, pattern, table.roots())
        refused = False
    except PatternTooComplexError:
        found, refused = False, True
    drawn = len(trace.tree()) if case.prints else 0
    matching = time.process_time() - began
    took: dict[str, Any] = {"match": matching, "explain": 0.0, "found": found, "refused": refused, "drawn": drawn}
    if not found and not refused:
        began = time.process_time()
        explanation = explain.mismatch(table, pattern, table.roots(), "trace 'r'")
        text = explanation.text()
        took |= {"explain": time.process_time() - began, "findings": len(explanation.findings)}
        took |= {"lines": text.count("\n") + 1, "bytes": len(text.encode()), "said": explanation.headline}
        took["counted"] = "more difference" in text or len(explanation.findings) <= took["lines"]
    return took


def run(case: Case) -> dict[str, Any] | None:
    """Measure a case in a process of its own; nothing where it takes too long."""
    command = [sys.executable, "-m", "benchmarks.explaining", "--case", str(CASES.index(case))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own words
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return None if status else {**json.loads(output), "megabytes": used.ru_maxrss // 1024}


def missed(case: Case, took: dict[str, Any] | None) -> list[str]:
    """Return the bars that were missed."""
    if took is None:
        return ["took too long, or failed"]
    seconds = took["explain"] + (took["match"] if case.matching else 0.0)
    found = [f"{seconds:.2f} s"] if seconds >= case.seconds else []
    if took["found"] is not case.holds:
        found.append("it matches" if took["found"] else "it does not match")
    for name in COUNTED:
        most = getattr(case, name)
        if most is not None and took.get(name, 0) > most:
            found.append(f"{took[name]:,} {name}")
    if not took.get("counted", True):
        found.append("does not say how many more")
    return found


def main() -> int:
    """Print the table; return whether a bar was missed."""
    parser = argparse.ArgumentParser(description="What a failed match costs until its message is there.")
    parser.add_argument("--only", default="", help="only the cases whose title has these words (default all)")
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        print(json.dumps(measured(CASES[options.case])))
        return 0
    print("| | match s | explain s | MB | findings | lines | bytes | bar |")
    print("|---|--:|--:|--:|--:|--:|--:|---|")
    failed = False
    for case in CASES:
        if options.only not in case.title:
            continue
        took = run(case)
        wrong = missed(case, took)
        failed |= bool(wrong)
        bars = [
            f"< {case.seconds:g} s",
            *(f"<= {getattr(case, name):,} {name}" for name in COUNTED if getattr(case, name) is not None),
        ]
        bar = ", ".join(bars) + (f" MISSED: {', '.join(wrong)}" if wrong else "")
        took = took or {}
        seconds = [f"{took[name]:.2f}" if name in took else "" for name in ("match", "explain")]
        counts = [f"{took[name]:,}" if name in took else "" for name in COUNTED]
        print("|", " | ".join([case.title, *seconds, *counts, bar]), "|", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
