"""Where the time of a trace went: its critical path, and how much ran at once.

The critical path is found as in CRISP (Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice
Architectures", USENIX ATC 2022): back from the end, at each moment through the child that kept its parent waiting. It
differs in one thing: where the child that comes next started while others ran, the moment before belongs to one of
these, not to the parent. So the parent's own part of the path is its self time, no more.

Times that cannot be are read as follows. A child counts only while its parent runs, whether it starts before it, ends
after it or is unfinished. An unfinished root runs until the last moment that its tree recorded. A span that ends
before it starts took no time.

Both are O(n log n), and neither recurses.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.spans.render import span_label
from pytest_mlflow_traces.core.text.durations import readable_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.spans.table import SpanTable

_SHOWN = 9  # lines of a path in a message
_INDENTED = 12  # levels; deeper ones stay there


@dataclass(frozen=True, slots=True)
class Step:
    """One span of a critical path: its position, when the path runs through it, and its own part of that."""

    position: int
    start_ns: int
    end_ns: int
    own_ns: int


_Visit: TypeAlias = "tuple[int, int, int]"  # a position, and from when to when


def critical_path(table: SpanTable, top: int | None = None) -> list[Step]:
    """Return the critical path of the subtree at `top`, or of the whole trace, parents first and then by time.

    The own parts add up to the duration, but for what passes between the roots of a trace that has several.
    """
    tops = table.roots() if top is None else [top]
    ends = _ends(table, tops)
    first = min((table.starts[i] for i in tops), default=0)
    visits = _backwards(table, tops, ends, first, max((ends[i] for i in tops), default=0))
    if not visits and tops:  # none of them took any time
        visits = [(tops[0], first, first)]
    steps = []
    while visits:
        i, start, end = visits.pop()
        below = _backwards(table, table.children(i), ends, start, end)
        steps.append(Step(i, start, end, end - start - sum(visit[2] - visit[1] for visit in below)))
        visits += below
    return steps


def path_lines(table: SpanTable, top: int | None = None) -> list[str]:
    """Return the critical path as about ten lines, each span with its own part; the least parts are only summed up."""
    steps = critical_path(table, top)
    shown = sorted(sorted(range(len(steps)), key=lambda k: -steps[k].own_ns)[:_SHOWN])
    if len(steps) == _SHOWN + 1:  # the line that counts the rest could as well show it
        shown = list(range(len(steps)))
    depths = [table.depth(steps[k].position) for k in shown]
    times = [readable_duration(steps[k].own_ns) for k in shown]
    width = max(map(len, times), default=0)
    lines = [
        f"{time:>{width}}  {'  ' * min(depth - min(depths), _INDENTED)}{span_label(table, steps[k].position)}"
        for k, depth, time in zip(shown, depths, times, strict=True)
    ]
    rest = [step.own_ns for k, step in enumerate(steps) if k not in set(shown)]
    return lines + ([f"{readable_duration(sum(rest)):>{width}}  ... {len(rest):,} more spans"] if rest else [])


def max_concurrency(table: SpanTable) -> int:
    """Return the most strands of work that ran at one moment: spans that run while no child of theirs does.

    Touching ends do not overlap, and an unfinished span runs on.
    """
    running: set[int] = set()
    children = [0] * len(table)  # how many of them run
    strands = most = 0

    def move(i: int, step: int) -> None:
        nonlocal strands
        parent = table.parents[i]
        if parent >= 0:
            before = parent in running and not children[parent]
            children[parent] += step
            strands += (parent in running and not children[parent]) - before
        strands += step if not children[i] else 0
        if step > 0:
            running.add(i)
        else:
            running.discard(i)

    moments = sorted(_moments(table))
    for k, (moment, order, i) in enumerate(moments):
        if order == _INSTANT:
            move(i, 1)
            most = max(most, strands)
            move(i, -1)
            continue
        move(i, 1 if order == _START else -1)
        # counted when all who start at this moment have: a parent may stand before a child that was early
        if moments[k + 1 : k + 2] and moments[k + 1][:2] != (moment, order):
            most = max(most, strands)
    return most


_END, _INSTANT, _START = range(3)  # at one moment: who ends has gone before anyone starts


def _moments(table: SpanTable) -> Iterator[tuple[float, int, int]]:
    for i, (start, end) in enumerate(zip(table.starts, table.ends, strict=True)):
        if end is not None and end <= start:
            yield start, _INSTANT, i
            continue
        yield start, _START, i
        yield float("inf") if end is None else end, _END, i


def _ends(table: SpanTable, tops: Sequence[int]) -> dict[int, int]:
    """Return when each span of the subtrees at `tops` ended as far as its parent is concerned."""
    ends: dict[int, int] = {}
    for top in tops:
        below = range(top, table.stops[top])
        end = table.ends[top]
        if end is None:
            end = max(moment for i in below for moment in (table.starts[i], table.ends[i]) if moment is not None)
        ends[top] = end
        for i in below[1:]:  # parents come first
            limit, end = ends[table.parents[i]], table.ends[i]
            ends[i] = limit if end is None else min(end, limit)
    return ends


def _backwards(table: SpanTable, spans: Sequence[int], ends: dict[int, int], first: int, last: int) -> list[_Visit]:
    """Return which of the siblings the path runs through between two moments, and when, the latest first.

    At each moment the next one is, of those that run just before it: one that ends at this very moment before one
    that runs on, since it may have been waited for; then the one that started first, since it explains most.
    """
    starts = table.starts
    by_end = sorted((i for i in spans if starts[i] < ends[i]), key=lambda i: (ends[i], -starts[i], -i))
    running: list[tuple[int, int]] = []
    visits = []
    moment = last
    while moment > first:
        while by_end and ends[by_end[-1]] > moment:
            i = by_end.pop()
            heappush(running, (starts[i], i))
        while running and running[0][0] >= moment:
            heappop(running)
        chosen = None
        if by_end and ends[by_end[-1]] == moment:
            chosen = by_end.pop()
        elif running:
            chosen = running[0][1]
        if chosen is not None:
            start = max(starts[chosen], first)
            visits.append((chosen, start, moment))
            moment = start
        elif by_end:
            moment = ends[by_end[-1]]  # nobody runs in between: the parent's own time
        else:
            break
    return visits
