"""Edits of the tree: spans gone, doubled, swapped, moved, renamed, of another type.

A span keeps its times, as far as the new tree allows: what comes later starts later. No edit makes a trace of several
roots or of none, which no run does.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.adequacy.kinds import kinds
from pytest_mlflow_traces.core.adequacy.mutant import Mutant
from pytest_mlflow_traces.core.patterns.recorded import overlapping, volatile
from pytest_mlflow_traces.core.spans.records import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mlflow_traces.core.trace import Trace

_NAMES = ("renamed", "another")  # the first that is not the name already
_TYPES = ("UNKNOWN", "RETYPED")


def shape_edits(trace: Trace) -> Iterator[Mutant]:
    """Yield each edit of the tree that makes another one."""
    table = trace.table
    for i in range(len(table)):
        if table.parents[i] >= 0:
            yield Mutant("gone", i, "", partial(_gone, trace, i))
            yield Mutant("twice", i, "", partial(_twice, trace, i))
            yield from _moves(trace, i)
        children = table.children(i)
        if len(children) == 1 or (children and table.parents[i] >= 0):
            yield Mutant("lifted", i, "", partial(_lifted, trace, i))
        yield from _relabelled(trace, i)
    yield from _swaps(trace)


def _gone(trace: Trace, i: int) -> Trace:
    table = trace.table
    return trace.edited(table.rearranged([*range(i), *range(table.stops[i], len(table))], table.parents))


def _lifted(trace: Trace, i: int) -> Trace:
    return trace.edited(trace.table.without([i]))


def _twice(trace: Trace, i: int) -> Trace:
    """Repeat a span with all below it: one after the other, in the time that the one took."""
    table = trace.table
    stop, parents = table.stops[i], table.parents
    size = stop - i
    new = table.picked(
        [*range(stop), *range(i, len(table))],
        [
            *parents[:stop],
            parents[i],
            *(parent + size for parent in parents[i + 1 : stop]),
            *(parent if parent < stop else parent + size for parent in parents[stop:]),
        ],
    )
    start, end = table.starts[i], table.ends[i]
    if end is not None and end > start:
        for k in range(i, stop + size):
            base = start if k < stop else end
            new.starts[k] = (new.starts[k] + base) // 2
            until = new.ends[k]
            new.ends[k] = None if until is None else (until + base) // 2
    return trace.edited(new)


def _moves(trace: Trace, i: int) -> Iterator[Mutant]:
    table = trace.table
    parent, stop = table.parents[i], table.stops[i]
    if table.parents[parent] >= 0:
        yield Mutant("raised", i, "", partial(_raised, trace, i))
    siblings = table.children(parent)
    place = siblings.index(i)
    if place:
        before = siblings[place - 1]
        yield Mutant("lowered", i, table.names[before], partial(_lowered, trace, i, before, [*range(len(table))]))
    elif stop < table.stops[parent]:
        order = [*range(i), stop, *range(i, stop), *range(stop + 1, len(table))]
        yield Mutant("lowered", i, table.names[stop], partial(_lowered, trace, i, stop, order))


def _raised(trace: Trace, i: int) -> Trace:
    """Move a span behind its parent."""
    table = trace.table
    parent, stop, behind = table.parents[i], table.stops[i], table.stops[table.parents[i]]
    above = [*table.parents]
    above[i] = above[parent]
    order = [*range(i), *range(stop, behind), *range(i, stop), *range(behind, len(table))]
    return trace.edited(table.rearranged(order, above))


def _lowered(trace: Trace, i: int, sibling: int, order: list[int]) -> Trace:
    """Move a span into the sibling beside it, which then takes as long as both."""
    table = trace.table
    above = [*table.parents]
    above[i] = sibling
    new = table.rearranged(order, above)
    at, start = order.index(sibling), table.starts[i]
    new.starts[at] = min(new.starts[at], start)
    ends = table.ends[i], table.ends[sibling]
    new.ends[at] = None if None in ends else max(end for end in ends if end is not None)
    return trace.edited(new)


def _relabelled(trace: Trace, i: int) -> Iterator[Mutant]:
    table = trace.table
    name, kind = table.names[i], table.types[i]
    regex = volatile(table, i)
    another = next(each for each in _NAMES if each != name)
    # what has no name, or nothing but an id, is recorded as any
    if name is not UNNAMED and (regex is None or regex.fullmatch(another) is None):
        yield Mutant("renamed", i, "", partial(_with, trace, i, "names", another))
    other = next(each for each in _TYPES if each != kind)
    yield Mutant("retyped", i, "", partial(_with, trace, i, "types", other))


def _with(trace: Trace, i: int, column: str, value: str) -> Trace:
    table = trace.table
    new = table.picked(range(len(table)), table.parents)
    getattr(new, column)[i] = value
    return trace.edited(new)


def _swaps(trace: Trace) -> Iterator[Mutant]:
    """Yield the swaps of neighbours that differ, of which one came after the other and had to."""
    table = trace.table
    kind = kinds(table)
    for parent in range(len(table)):
        groups = overlapping(table, table.children(parent))
        for i, k in ((one[-1], two[0]) for one, two in pairwise(groups)):
            if kind[i] != kind[k]:
                yield Mutant("swapped", i, table.names[k], partial(_swapped, trace, i, k))


def _swapped(trace: Trace, i: int, k: int) -> Trace:
    """Have the second of two neighbours run first, in the time that both took."""
    table = trace.table
    stop = table.stops[k]
    order = [*range(i), *range(k, stop), *range(i, k), *range(stop, len(table))]
    new = table.rearranged(order, table.parents)
    end, last = table.ends[i], table.ends[k]
    earlier = table.starts[i] - table.starts[k]
    later = 0 if end is None or last is None else last - end
    middle = i + stop - k
    for at, shift in ((range(i, middle), earlier), (range(middle, stop), later)):
        for each in at:
            new.starts[each] += shift
            until = new.ends[each]
            new.ends[each] = None if until is None else until + shift
    return trace.edited(new)
