"""Which trace and which span a finding is about: by the path that it names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.explaining.report.paths import Paths
from pytest_mlflow_traces.core.spans.records import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.spans.table import SpanTable
    from pytest_mlflow_traces.core.trace import Trace

_NUMBERED = re.compile(r"\[([0-9]+)\] (.+)", re.DOTALL)  # which of several traces


class Places:
    """The spans of the traces of one test, by their paths."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._traces = [_positions(trace.table) for trace in traces]
        self._names = [(trace.name, f"trace {visible(trace.name)!r}") for trace in traces]

    def of(self, finding: Finding) -> tuple[int, int | None]:
        """Return the number of the trace, and the position of the span in it: of a missing one, of what it misses in.

        What names no span is about the trace as a whole; what names no trace either, about the first.
        """
        numbered = _NUMBERED.fullmatch(finding.where)
        where = finding.where if numbered is None else numbered[2]
        # of several traces that have it, one cannot know more; a rule may say more than the path: "agent, attribute x"
        wanted = range(len(self._traces)) if numbered is None else range(int(numbered[1]), int(numbered[1]) + 1)
        numbers = [number for number in wanted if number < len(self._traces)] or [0]
        for path in _nearest_first(where):
            for number in numbers:
                if path in self._traces[number]:
                    return number, self._traces[number][path]
        named = (number for number in numbers if where in self._names[number])
        return next(named, numbers[0]), None


def _positions(table: SpanTable) -> dict[str, int]:
    paths, found = Paths(table), dict[str, int]()
    for i in range(len(table)):
        found.setdefault(paths.of(i), i)
    return found


def _nearest_first(where: str) -> list[str]:
    """Return the path, then those of the spans above."""
    steps = where.partition(", ")[0].split(" > ")
    return [where, *(" > ".join(steps[:count]) for count in range(len(steps), 0, -1))]
