"""What simple rules say of one trace: of each rule that has something to say, whether the trace keeps it.

A rule is a family and what it is about, by kinds of spans (name and type). What is said here of spans that overlap, and
of very many, is near enough to choose by; whoever writes a contract checks it against every trace.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.learning.aspects import Kind
from pytest_mlflow_traces.core.order.timeline import Timeline
from pytest_mlflow_traces.core.spans.records import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pytest_mlflow_traces.core.spans.table import SpanTable
    from pytest_mlflow_traces.core.trace import Trace

LIMITS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)  # with room above what was seen
_MOST = 100  # spans of a kind that are compared with those of another
_KEY = re.compile(r"\w+")


class Rule(NamedTuple):
    """A rule that a trace keeps or breaks."""

    family: str  # one of those that `facts_of` yields
    one: Kind | None = None
    other: Kind | None = None
    more: str | int = ""  # an input that both have in common, or a number


def spans_by_kind(table: SpanTable) -> dict[Kind, list[int]]:
    """Return the spans below the roots by name and type, in the order of their starts."""
    found: defaultdict[Kind, list[int]] = defaultdict(list)
    for i in sorted(range(len(table)), key=table.starts.__getitem__):
        if table.parents[i] >= 0 and table.names[i] is not UNNAMED:
            found[Kind(table.names[i], table.types[i])].append(i)
    return found


def facts_of(trace: Trace, kinds: Collection[Kind], separator: Kind | None) -> Iterator[tuple[Rule, bool]]:
    """Yield each rule about some kinds that has something to say of a trace, and whether the trace keeps it.

    Args:
        trace: The trace.
        kinds: The kinds of spans that rules are about.
        separator: The kind that begins or ends what is done at a time, such as what the user says.
    """
    table = trace.table
    present = {kind: spans for kind, spans in spans_by_kind(table).items() if kind in kinds}
    yield from _counts(table, present, kinds)
    line = Timeline([table])
    yield from _neighbours(line, present, kinds)
    few = {kind: spans[:_MOST] for kind, spans in present.items()}
    succeeded = {kind: [i for i in spans if table.statuses[i] != "ERROR"] for kind, spans in few.items()}
    for one, its in few.items():
        for other in kinds:
            if other != one:
                yield from _order(line, one, its, other, succeeded.get(other, []))
    if separator is not None:
        yield from _together(line, few, separator)


def _counts(
    table: SpanTable, present: Mapping[Kind, list[int]], kinds: Collection[Kind]
) -> Iterator[tuple[Rule, bool]]:
    for kind in kinds:
        yield Rule("has", kind), kind in present
    for kind, spans in present.items():
        yield from ((Rule("calls", kind, more=limit), len(spans) <= limit) for limit in LIMITS)
        yield Rule("fails", kind), all(table.statuses[i] != "ERROR" for i in spans)
    yield from ((Rule("size", more=limit), len(table) <= limit) for limit in LIMITS)


def _order(line: Timeline, one: Kind, its: list[int], other: Kind, others: list[int]) -> Iterator[tuple[Rule, bool]]:
    """Yield the rules that some other stands before, or behind, each one."""
    yield Rule("after", one, other), all(any(line.surely_before(k, i) for k in others) for i in its)
    yield Rule("before", one, other), all(any(line.surely_before(i, k) for k in reversed(others)) for i in its)
    if not others:
        return
    ids = [_ids(line.tables[0], i) for i in its]
    known = [_ids(line.tables[0], k) for k in others]
    for key in sorted({key for each in ids for key in each} & {key for each in known for key in each}):
        kept = all(
            key in mine
            and any(
                theirs.get(key) == mine[key] and line.surely_before(k, i)
                for k, theirs in zip(others, known, strict=True)
            )
            for i, mine in zip(its, ids, strict=True)
        )
        yield Rule("after", one, other, key), kept


def _ids(table: SpanTable, i: int) -> dict[str, str | int]:
    """Return the inputs of a span that may name a thing."""
    inputs = table.inputs(i)
    if not isinstance(inputs, dict):
        return {}
    return {key: value for key, value in inputs.items() if type(value) in (str, int) and _KEY.fullmatch(key)}


def _neighbours(
    line: Timeline, present: Mapping[Kind, list[int]], kinds: Collection[Kind]
) -> Iterator[tuple[Rule, bool]]:
    """Yield the rules that no other follows one with nothing between the two."""
    kind_of = {i: kind for kind, spans in present.items() for i in spans}
    ordered = sorted(range(len(line)), key=line.starts.__getitem__)
    followed = set()
    for number, i in enumerate(ordered):
        ended: float = float("inf")  # when the first span that came after this one had
        for k in ordered[number + 1 :]:
            if line.starts[k] >= ended:
                break
            if not line.related(i, k):
                if i in kind_of and k in kind_of:
                    followed.add((kind_of[i], kind_of[k]))
                end = line.ends[k]
                if end is not None and line.surely_before(i, k):
                    ended = min(ended, end)
    for one in present:
        yield from ((Rule("next", one, other), (one, other) not in followed) for other in kinds)


def _together(line: Timeline, present: Mapping[Kind, list[int]], separator: Kind) -> Iterator[tuple[Rule, bool]]:
    """Yield the rules that no one comes after an other with no separator between the two."""
    cuts = [(line.starts[i], i) for i in present.get(separator, ())]
    turns = {
        kind: [bisect_left(cuts, (line.starts[i], i)) for i in spans]
        for kind, spans in present.items()
        if kind != separator
    }
    for one, its in turns.items():
        for other, theirs in turns.items():
            if one != other:
                pairs = (
                    (i, k)
                    for i, at in zip(present[one], its, strict=True)
                    for k, turn in zip(present[other], theirs, strict=True)
                    if turn == at
                )
                yield Rule("turn", one, other), not any(line.possibly_before(k, i) for i, k in pairs)
