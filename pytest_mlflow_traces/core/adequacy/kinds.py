"""What of spans is recorded, as a hash of each subtree: the order of what overlapped, or took turns, does not count.

Two runs of the same code differ in that order, and in ids in names. So traces of one `shape` are those that a baseline
takes for the same, and a span has one `place` in all of them.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.patterns.recorded import overlapping, volatile
from pytest_mlflow_traces.core.spans.records import UNNAMED

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.spans.table import SpanTable


def kinds(table: SpanTable) -> list[str]:
    """Return a hash for each span, the same for those whose trees are recorded as the same."""
    found = [""] * len(table)
    for i in range(len(table) - 1, -1, -1):
        regex = volatile(table, i)
        exact = None if table.names[i] is UNNAMED else table.names[i]
        name = (exact, False) if regex is None else (regex.pattern, True)
        below = [sorted(found[k] for k in group) for group in overlapping(table, table.children(i))]
        found[i] = _hash(repr((name, table.types[i], table.statuses[i], below)))
    return found


def shape(table: SpanTable, kinds: list[str]) -> str:
    """Return the hash of the whole."""
    roots = sorted(kinds[i] for i in table.roots())
    return roots[0] if len(roots) == 1 else _hash(repr(roots))


def places(table: SpanTable, kinds: list[str]) -> list[int]:
    """Return where each span stands in the pre-order in which what overlapped is ordered by its kind."""
    found, place = [0] * len(table), 0
    waiting = _ordered(table, table.roots(), kinds)[::-1]
    while waiting:
        i = waiting.pop()
        found[i] = place
        place += 1
        waiting += _ordered(table, table.children(i), kinds)[::-1]
    return found


def _ordered(table: SpanTable, siblings: list[int], kinds: list[str]) -> list[int]:
    return [i for group in overlapping(table, siblings) for i in sorted(group, key=kinds.__getitem__)]


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
