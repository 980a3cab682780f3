"""What an alignment of a pattern and a trace consists of, besides what agrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Item, Pattern, SpanPattern


@dataclass(frozen=True, slots=True)
class Aligned:
    """The span stands for the pattern, yet does not match it; what differs is still to be found out."""

    pattern: SpanPattern
    span: int


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing stands for `count` spans like `pattern`, which belong below `parent`, in front of `before`.

    A missing span is `lifted` where what belongs below it is there, one level up. Where `least` of a kind are expected,
    the others are there. What belongs below a span that is missing itself has that for its `holder`.
    """

    pattern: Pattern
    parent: int
    before: int
    count: int = 1
    lifted: bool = False
    least: int = 1
    holder: SpanPattern | None = None


@dataclass(frozen=True, slots=True)
class Unexpected:
    """The span stands for nothing; it is a `wrapper` where what is below it stands for something.

    Where it is one more than expected of a kind, `kind` says so and `most` how many of it there may be.
    """

    span: int
    wrapper: bool = False
    kind: Pattern | None = None
    most: int = 0


@dataclass(frozen=True, slots=True)
class Different:
    """The span stands for the pattern, and fails it in `fields`."""

    pattern: SpanPattern
    span: int
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """What belongs below `parent`, in front of `before`, stands at `span`, below another parent.

    Where the very parent is missing, that is the `holder`, which belongs somewhere below `parent`.
    """

    pattern: Pattern
    span: int
    parent: int
    before: int
    holder: SpanPattern | None = None


@dataclass(frozen=True, slots=True)
class Displaced:
    """The span belongs in front of `before`, below the same parent."""

    span: int
    before: int


@dataclass(frozen=True, slots=True)
class Disordered:
    """Spans below `parent` are out of order."""

    parent: int
    displaced: tuple[Displaced, ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """Two children of `parent` that are to run in parallel do not overlap in time."""

    parent: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Unfit:
    """The children of `parent`, from `first` on, do not fit `items` as a whole, and no better is known."""

    items: tuple[Item, ...]
    parent: int
    first: int


@dataclass(frozen=True, slots=True)
class Seated:
    """The spans of a group in any order, and the items that some stand for: no difference, and told to nobody."""

    spans: Sequence[int]
    units: Mapping[int, Pattern]


Edit: TypeAlias = "Aligned | Missing | Unexpected | Different | Moved | Disordered | Apart | Unfit | Seated"
