"""The word that a content model reads: a list of sibling spans, numbered from 0."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.patterns.nodes import OneOf, SpanPattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_mlflow_traces.core.spans.table import SpanTable

Ask: TypeAlias = "Callable[[SpanPattern, int], bool]"


class PatternTooComplexError(ValueError):
    """The error for a pattern that would take too long to decide, with what to write instead; it is neither yes nor no.

    >>> issubclass(PatternTooComplexError, ValueError)
    True
    """


class Units:
    """One-span patterns, any of which will do, by the names of the spans that they can match."""

    def __init__(self, parts: Iterable[SpanPattern | Units]) -> None:
        self._parts = tuple(parts)  # not flattened before it is needed, as a deep pattern makes a union at each level

    @cached_property
    def patterns(self) -> tuple[SpanPattern, ...]:
        """All patterns, each once."""
        if len(self._parts) == 1 and isinstance(self._parts[0], SpanPattern):
            return (self._parts[0],)
        found: dict[int, SpanPattern] = {}
        seen: set[int] = set()
        stack = list(reversed(self._parts))
        while stack:
            part = stack.pop()
            if isinstance(part, SpanPattern):
                found[id(part)] = part
            elif id(part) not in seen:
                seen.add(id(part))
                stack += reversed(part._parts)
        return tuple(found.values())

    @cached_property
    def pattern(self) -> SpanPattern | OneOf:
        """The one pattern, or all of them as alternatives."""
        return OneOf(self.patterns) if self.only is None else self.only

    @cached_property
    def only(self) -> SpanPattern | None:
        """The pattern, where there is just one."""
        return self.patterns[0] if len(self.patterns) == 1 else None

    @cached_property
    def named(self) -> dict[str, list[SpanPattern]]:
        """The patterns that say a name, by that name."""
        found: dict[str, list[SpanPattern]] = {}
        for pattern in self.patterns:
            if isinstance(pattern.name, str):
                found.setdefault(pattern.name, []).append(pattern)
        return found

    @cached_property
    def unnamed(self) -> list[SpanPattern]:
        """The patterns that say no name, or one of many."""
        return [pattern for pattern in self.patterns if not isinstance(pattern.name, str)]


class Siblings:
    """The sibling spans of one table, and whom to ask whether a one-span pattern matches one of them."""

    __slots__ = ("_ask", "_spans", "_table")

    def __init__(self, table: SpanTable, spans: Sequence[int], ask: Ask) -> None:
        self._table, self._spans, self._ask = table, spans, ask

    def __len__(self) -> int:
        return len(self._spans)

    def part(self, start: int, stop: int) -> Siblings:
        """Return the siblings from `start` to before `stop`, numbered from 0."""
        return Siblings(self._table, self._spans[start:stop], self._ask)

    def which(self, units: Units, k: int) -> list[SpanPattern]:
        """Return those of `units` that match the span at `k`."""
        i, ask = self._spans[k], self._ask
        named = units.named.get(self._table.names[i])
        if named is None:
            return [pattern for pattern in units.unnamed if ask(pattern, i)]
        return [pattern for patterns in (named, units.unnamed) for pattern in patterns if ask(pattern, i)]

    def matches(self, units: Units, k: int) -> bool:
        """Return whether one of `units` matches the span at `k`."""
        if units.only is not None:
            return self._ask(units.only, self._spans[k])
        # all of them are asked, so that whatever is open is settled in one go
        return bool(self.which(units, k))

    def starts(self) -> list[int]:
        """Return the start times of all."""
        return [self._table.starts[i] for i in self._spans]

    def ends(self) -> list[int | None]:
        """Return the end times of all."""
        return [self._table.ends[i] for i in self._spans]
