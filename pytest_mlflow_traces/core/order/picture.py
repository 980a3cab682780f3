"""A few spans in the order of time, with those above them, in as few lines as a reader looks at."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.spans.render import Row, draw, span_label
from pytest_mlflow_traces.core.text.durations import readable_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.order.timeline import Timeline

_LINES = 12


class Picture:
    """Draw spans of one line of time."""

    def __init__(self, line: Timeline) -> None:
        self._line = line

    @cached_property
    def _zero(self) -> int:
        return min(self._line.starts)

    def lines(self, concerned: Sequence[int]) -> list[str]:
        """Return the spans concerned, the first of them marked, and as many of those above as there is room for."""
        line, kept = self._line, self._kept(concerned)
        below: dict[int, list[int]] = {}
        above = {i: self._above(i, kept) for i in kept}
        for i in sorted(kept, key=lambda i: (line.starts[i], i)):
            below.setdefault(above[i], []).append(i)
        rows: list[Row] = []
        waiting = [(i, 0) for i in reversed(below[-1])]
        while waiting:
            i, depth = waiting.pop()
            table, k = line.home(i)
            label = ("" if above[i] == line.parents[i] else "... > ") + span_label(table, k)
            number = f"[{line.trace_of(i)}] " if depth == 0 and len(line.tables) > 1 else ""
            rows.append(Row(depth, f"{number}{label}", self._times(i), ">" if i == concerned[0] else ""))
            waiting += [(child, depth + 1) for child in reversed(below.get(i, []))]
        return draw(rows)

    def _kept(self, concerned: Sequence[int]) -> set[int]:
        """Return the spans to draw: those above from the top down, since they say which part of the trace this is."""
        chains = []
        for i in concerned:
            chain = []
            while (i := self._line.parents[i]) >= 0:
                chain.append(i)
            chains.append(chain)
        kept = set(concerned)
        while any(chains):
            for chain in chains:
                if chain and len(kept) < _LINES:
                    kept.add(chain.pop())
                else:
                    chain.clear()
        return kept

    def _above(self, i: int, kept: set[int]) -> int:
        i = self._line.parents[i]
        while i >= 0 and i not in kept:
            i = self._line.parents[i]
        return i

    def _times(self, i: int) -> str:
        start, end = self._line.starts[i], self._line.ends[i]
        begun = readable_duration(start - self._zero)
        return f"{begun}, unfinished" if end is None else f"{begun} to {readable_duration(end - self._zero)}"
