"""What a gap or an absent line gives up: spans for which lines had been lost, and lines for spans that had been new.

A gap takes spans at no cost, so a line whose span merely moved seems to be lost while the gap holds the span. Were that
left so, an update would drop the demand, and the span could vanish unseen.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.align import is_unit
from pytest_mlflow_traces.core.baselines.line_tree import Entry, members, name_of
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, Repeat, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from pytest_mlflow_traces.core.baselines.align import Fitter, Step
    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Item
    from pytest_mlflow_traces.core.spans.table import SpanTable


def reclaimed(table: SpanTable, matcher: Matcher, fitter: Fitter, steps: Sequence[Step]) -> list[Step]:
    """Take from gaps the spans of lost lines, and those that hold such a span, as where that got wrapped."""
    lost = [entry.unit for entry, stood in steps if entry and not stood and not may_be_absent(entry) and is_unit(entry)]
    found = sorted(k for unit in lost if unit is not None for k in matcher.find(unit)) if lost else []
    called_for = _called_for(table, fitter, steps)
    taken: list[Step] = []
    for entry, stood in steps:
        if not entry or not entry.is_gap:
            taken += _without(entry, stood, called_for)
            continue
        taken.append((entry, ()))
        for i in stood:
            holds = bisect(found, i) < bisect(found, table.stops[i] - 1)
            if holds or i in called_for:
                taken.append((None, (i,)))
            elif taken[-1][0] is None:
                taken.append((Entry("...", ...), (i,)))
            else:
                taken[-1] = taken[-1][0], (*taken[-1][1], i)
    return _with_absent_moved(fitter, taken, called_for)


def _without(entry: Entry | None, stood: tuple[int, ...], called_for: Container[int]) -> list[Step]:
    """Return the steps of a line that gives up what is called for at the ends of its run."""
    begin, end = 0, len(stood)
    while begin < end and stood[begin] in called_for:
        begin += 1
    while begin < end and stood[end - 1] in called_for:
        end -= 1
    new: list[Step] = [(None, (i,)) for i in stood]
    return [*new[:begin], (entry, stood[begin:end]), *new[end:]]


def _spared(steps: Sequence[Step]) -> list[int]:
    """Return the spans in gaps, and those at the ends of runs whose lines ask for no span of that name."""
    found: list[int] = []
    for entry, stood in steps:
        if entry and entry.is_gap:
            found += stood
        elif entry and is_unit(entry) and len(stood) > entry.limits[0]:
            found += stood[-1:] if len(stood) == 1 + entry.limits[0] else [stood[0], stood[-1]]
    return found


def _called_for(table: SpanTable, fitter: Fitter, steps: Sequence[Step]) -> set[int]:
    """Return which spans that can be spared lost lines are about: as many of a name as they ask for, nearest first."""
    free = _spared(steps)
    found: set[int] = set()
    if not free:
        return found
    missing: Counter[str] = Counter()
    asking: dict[str, list[Entry]] = {}
    for entry, stood in steps:
        held = Counter(table.names[i] for i in stood)
        if entry is None:
            missing.subtract(held)
        for each in demanding(entry) if entry else ():
            name, low = name_of(each), each.limits[0]
            if name is not None:
                taken = min(low, held[name])
                held[name] -= taken
                missing[name] += low - taken
                asking.setdefault(name, []).append(each)
            elif not stood:
                found.update([i for i in free if i not in found and fitter.cost(each, i) == 0][:low])
    for name, lines in asking.items():
        there = [i for i in free if table.names[i] == name and i not in found] if missing[name] > 0 else []
        there.sort(key=lambda i: min(fitter.cost(each, i) for each in lines))
        found.update(there[: missing[name]])
    return found


def _with_absent_moved(fitter: Fitter, steps: list[Step], called_for: Container[int]) -> list[Step]:
    """Let a line that may be absent, and is, stand for new spans that it matches, wherever they are."""
    absent = [entry for entry, stood in steps if entry and not stood and is_unit(entry) and may_be_absent(entry)]
    moved: set[int] = set()
    made: list[Step] = []
    for entry, stood in steps:
        if entry is None and stood[0] not in called_for:
            last, there = made[-1] if made else (None, ())
            if last and id(last) in moved and _may_stand(fitter, last, stood[0], len(there)):
                made[-1] = last, (*there, *stood)
                continue
            free = (each for each in absent if id(each) not in moved and _may_stand(fitter, each, stood[0], 0))
            entry = next(free, None)
            if entry:
                moved.add(id(entry))
        made.append((entry, stood))
    return [(entry, stood) for entry, stood in made if stood or id(entry) not in moved]


def _may_stand(fitter: Fitter, entry: Entry, i: int, before: int) -> bool:
    high = entry.limits[1]
    return (high is None or before < high) and fitter.cost(entry, i) == 0


def demanding(entry: Entry) -> Iterator[Entry]:
    """Yield the lines of an entry that each ask for one span or more: itself, or the items of a group."""
    if isinstance(entry.pattern, AnyOrder):
        for _, each in members(entry):
            yield from demanding(each)
    elif is_unit(entry) and entry.limits[0] > 0:
        yield entry


def may_be_absent(entry: Entry) -> bool:
    """Return whether a line holds where no span stands for it."""
    stack: list[Item | None] = [entry.pattern]
    while stack:
        pattern = stack.pop()
        if isinstance(pattern, SpanPattern) or pattern is None:
            return False
        if isinstance(pattern, Repeat) and pattern.min == 0:
            continue
        if isinstance(pattern, Repeat | AnyOrder):
            stack.extend(pattern.parts)
        elif isinstance(pattern, Pattern):
            return False
    return True
