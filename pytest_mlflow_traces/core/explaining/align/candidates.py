"""Which slots of a group a span may take: those that it matches exactly, and of the others those that save the most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.matching.bipartite import BipartiteMatching
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern, alternatives_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.align.context import Context
    from pytest_mlflow_traces.core.explaining.align.graph import Slot


class Candidates:
    """The slots of a group that a span matches, looked for only where its name does not rule them out."""

    def __init__(self, slots: Sequence[Slot], context: Context) -> None:
        self._slots = slots
        self._context = context
        self._hashed: dict[int, int] = {}  # by kind of subtree, as bits
        self._named: dict[str, list[int]] = {}
        self._any: list[int] = []
        for number, slot in enumerate(slots):
            names = {each.name if isinstance(each, SpanPattern) else None for each in alternatives_of(slot.unit)}
            kind = context.costs.hashes.hash_of(slot.unit)
            if kind is not None:
                self._hashed[kind] = self._hashed.get(kind, 0) | 1 << number
            elif all(isinstance(name, str) for name in names):
                for name in names:
                    self._named.setdefault(str(name), []).append(number)
            else:
                self._any.append(number)
        self._known: dict[int, int] = {}

    def of(self, span: int) -> int:
        """Return the set of the slots whose pattern matches the span at `span`, as bits."""
        known = self._known.get(span)
        if known is None:
            known = self._hashed.get(self._context.costs.hashes.prints[span], 0)
            for number in (*self._named.get(self._context.table.names[span], ()), *self._any):
                if self._context.matcher.matches(self._slots[number].unit, span):
                    known |= 1 << number
            self._known[span] = known
        return known


def matched(slots: Sequence[Slot], spans: Sequence[int], candidates: Candidates) -> BipartiteMatching:
    """Give as many of `spans` as can be a slot that they match, at first so that no slot lacks one needlessly."""
    matching = BipartiteMatching([slot.low for slot in slots], candidates.of)
    waiting = [span for span in spans if not matching.insert(span)]
    matching.widen([len(spans) + slot.low if slot.high is None else slot.high for slot in slots])
    for span in waiting:
        matching.insert(span)
    return matching
