"""What was put in under patterns of one span, by their names: of thousands, few can be about the same spans."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_mlflow_traces.core.patterns.nodes import span_patterns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mlflow_traces.core.patterns.nodes import Pattern

T = TypeVar("T")


class ByName(Generic[T]):
    """Items under patterns; those whose pattern has no name, or a regex for it, may be about spans of any name."""

    def __init__(self) -> None:
        self.all: list[T] = []
        self._named: defaultdict[str | None, list[T]] = defaultdict(list)

    def add(self, pattern: Pattern, item: T) -> None:
        """Put an item in under a pattern."""
        self.all.append(item)
        for name in _names(pattern):
            self._named[name].append(item)

    def implied_by(self, pattern: Pattern) -> Iterator[T]:
        """Yield those among which are all that a pattern can imply."""
        name = next(iter(_names(pattern)))
        yield from self._named.get(name, ())
        if name is not None:
            yield from self._named.get(None, ())

    def beside(self, pattern: Pattern) -> Iterator[T]:
        """Yield those among which are all that can be about a span like the pattern."""
        names = _names(pattern)
        if None in names:
            yield from self.all
            return
        for name in (*names, None):
            yield from self._named.get(name, ())


def _names(pattern: Pattern) -> dict[str | None, None]:
    """Return the names of a pattern, each once; `None` for one that is not said as text."""
    names = (each.name for each in span_patterns_of(pattern))
    return dict.fromkeys(name if isinstance(name, str) else None for name in names)
