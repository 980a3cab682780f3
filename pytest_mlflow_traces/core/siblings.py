"""The word that a content model reads: a list of sibling spans, numbered from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces.core.forest import Forest
    from pytest_mlflow_traces.core.nodes import SpanPattern

Ask: TypeAlias = "Callable[[SpanPattern, int], bool]"


class PatternTooComplexError(ValueError):
    """Say that deciding this pattern would take too long, and what to write instead; it is neither yes nor no."""


class Units:
    """Hold one-span patterns, any of which will do, by the names of the spans that they can match."""

    __slots__ = ("named", "patterns", "unnamed")

    def __init__(self, patterns: tuple[SpanPattern, ...]) -> None:
        self.patterns = patterns
        self.named: dict[str, list[SpanPattern]] = {}
        self.unnamed: list[SpanPattern] = []
        for pattern in patterns:
            if isinstance(pattern.name, str):
                self.named.setdefault(pattern.name, []).append(pattern)
            else:
                self.unnamed.append(pattern)


class Siblings:
    """Hold sibling spans of one forest, and whom to ask whether a one-span pattern matches one of them."""

    __slots__ = ("_ask", "_forest", "_spans")

    def __init__(self, forest: Forest, spans: Sequence[int], ask: Ask) -> None:
        self._forest, self._spans, self._ask = forest, spans, ask

    def __len__(self) -> int:
        return len(self._spans)

    def part(self, start: int, stop: int) -> Siblings:
        """Return the siblings from `start` to before `stop`, numbered from 0."""
        return Siblings(self._forest, self._spans[start:stop], self._ask)

    def matches(self, units: Units, k: int) -> bool:
        """Return whether one of `units` matches the span at `k`."""
        i, answer = self._spans[k], False
        for candidates in (units.named.get(self._forest.names[i], ()), units.unnamed):
            for pattern in candidates:
                if self._ask(pattern, i):
                    answer = True  # the others are asked too, so that whatever is open is settled in one go
        return answer

    def name(self, k: int) -> str:
        """Return the name of the span at `k`."""
        return self._forest.names[self._spans[k]]

    def starts(self) -> list[int]:
        """Return the start times of all."""
        return [self._forest.starts[i] for i in self._spans]

    def ends(self) -> list[int | None]:
        """Return the end times of all."""
        return [self._forest.ends[i] for i in self._spans]
