"""What ran, and which of it some expectation names: by the name of a span, by its type, or by both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_mlflow_traces.core.patterns.folding import walked
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern, said_flags

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator

    from pytest_mlflow_traces.core.patterns.nodes import Text
    from pytest_mlflow_traces.core.spans.table import SpanTable

Kind: TypeAlias = "tuple[str, str]"  # the name and the type of spans


@dataclass(frozen=True, slots=True)
class Named:
    """The names and the types that an expectation looks at; it says at least one of the two."""

    name: Text | None
    type: Text | None

    def is_like(self, kind: Kind) -> bool:
        """Return whether spans of a name and a type are looked at."""
        return all(_is_like(said, text) for said, text in zip((self.name, self.type), kind, strict=True))

    def to_data(self) -> list[Any]:
        """Return it as plain data."""
        return [_data(self.name), _data(self.type)]

    @classmethod
    def from_data(cls, said: list[Any]) -> Named:
        """Read what `to_data` returned."""
        return cls(*map(_text, said))


def named_in(pattern: Pattern) -> Iterator[Named]:
    """Yield what a pattern names, and what it forbids: who says that a span is never there has looked for it."""
    for node in walked(pattern, lambda each: each.parts, Pattern):
        if isinstance(node, SpanPattern) and (node.name is not None or node.type is not None):
            yield Named(node.name, node.type)


def kinds_in(table: SpanTable) -> set[Kind]:
    """Return the names and types of the spans of a trace."""
    return set(zip(table.names, table.types, strict=True))


def unnamed(ran: Counter[Kind], named: Iterable[Named]) -> dict[Kind, int]:
    """Return what ran that nothing looks at, and in how many traces, what ran most first."""
    looks = list(named)
    left = {kind: count for kind, count in ran.items() if not any(each.is_like(kind) for each in looks)}
    return dict(sorted(left.items(), key=lambda each: (-each[1], each[0])))


def _is_like(said: Text | None, text: str) -> bool:
    return said is None or (said == text if isinstance(said, str) else said.fullmatch(text) is not None)


def _data(text: Text | None) -> Any:
    return [text.pattern, sum(said_flags(text))] if isinstance(text, re.Pattern) else text


def _text(said: Any) -> Text | None:
    return re.compile(*said) if isinstance(said, list | tuple) else said
