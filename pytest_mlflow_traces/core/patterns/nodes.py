"""The nodes that patterns are made of, as immutable data.

A pattern is one of four nodes: `SpanPattern` (one span), `Repeat` (`optional`, `repeat`), `OneOf` and `AnyOrder`
(`any_order`, `parallel`); `...` stands for a gap in a list of children. Together they are a regular tree grammar with
interleave, as in RELAX NG (James Clark, "The Design of RELAX NG"). Nodes are hashable and equal by structure; their
`repr` is the code that makes them. Nothing here walks a trace, and nothing recurses: a pattern may be nested thousands
deep. `constructors` has the functions that make and check them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import TYPE_CHECKING, TypeAlias

from pytest_mlflow_traces.core.patterns.folding import flattened, unflattened
from pytest_mlflow_traces.core.patterns.operands import UNSAID, Operand, Unsaid, whole_number
from pytest_mlflow_traces.core.patterns.written import NOTING, here
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.durations import exact_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

_FLAGS = (re.ASCII, re.IGNORECASE, re.MULTILINE, re.DOTALL, re.VERBOSE)

__tracebackhide__ = True  # a failure points at the test, not in here

Text: TypeAlias = "str | re.Pattern[str]"
Item: TypeAlias = "Pattern | EllipsisType"
Code: TypeAlias = "list[str | Pattern]"


class Pattern:
    """What every form of the language is: comparable by structure, joinable with `|`, printable as code."""

    # the first is for whoever compares many traces with it, the last for whoever asks where it is written
    __slots__ = ("_content", "_hash", "_place")
    _hash: int

    def __post_init__(self) -> None:
        # the parts carry their hashes already, so this is not recursion
        object.__setattr__(self, "_hash", hash((type(self), self._said(), self.parts)))
        if NOTING.wanted:
            object.__setattr__(self, "_place", here())

    @property
    def parts(self) -> tuple[Item, ...]:
        """The patterns and gaps that this one is made of."""
        raise NotImplementedError

    def _said(self) -> Hashable:
        """Return all that this node says apart from its parts."""
        raise NotImplementedError

    def _code(self) -> Code:
        """Return the code of this node in pieces, parts standing for their own code."""
        raise NotImplementedError

    def __or__(self, other: Pattern) -> OneOf:
        if not isinstance(other, Pattern):
            return NotImplemented
        return OneOf((*alternatives_of(self), *alternatives_of(other)))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):  # a list of names has no pattern, so that `not in` would always pass
            raise TypeError(f"a pattern is compared with a trace or a span, not with a string such as {other!r:.80}")
        if not isinstance(other, Pattern):
            return NotImplemented  # a trace on the other side answers for itself
        stack: list[tuple[Item, Item]] = [(self, other)]
        compared = set()  # a part may stand in many places, in exponentially many where that nests
        while stack:
            one, two = stack.pop()
            if one is two or (id(one), id(two)) in compared:
                continue
            compared.add((id(one), id(two)))
            if not isinstance(one, Pattern) or not isinstance(two, Pattern):
                return False
            if one._hash != two._hash or type(one) is not type(two) or one._said() != two._said():
                return False
            if len(one.parts) != len(two.parts):
                return False
            stack.extend(zip(one.parts, two.parts, strict=True))
        return True

    def __bool__(self) -> bool:
        # `assert span("x")`, with `in trace` forgotten, would always pass
        raise TypeError(f"{short(self)} has no truth value; write `trace == pattern` or `pattern in trace`")

    def __repr__(self) -> str:
        pieces: list[str] = []
        stack: list[str | Pattern] = [self]
        while stack:
            piece = stack.pop()
            if isinstance(piece, str):
                pieces.append(piece)
            else:
                stack.extend(reversed(piece._code()))
        return "".join(pieces)

    def __copy__(self) -> Pattern:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Pattern:
        return self

    def __reduce__(self) -> tuple[Callable[..., Pattern], tuple[object, ...]]:
        # flat, since pickle recurses; made anew, since hashes of strings differ from process to process
        return unflattened, (flattened(self),)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SpanPattern(Pattern):
    """One span; what is `None` (or `UNSAID`) is not checked. Made by `span()`."""

    name: Text | None = None
    type: Text | None = None
    status: str | None = None
    inputs: Operand | Unsaid = UNSAID
    outputs: Operand | Unsaid = UNSAID
    attributes: tuple[tuple[str, Operand], ...] | None = None
    error: str | bool | None = None
    within_ns: int | None = None
    has: tuple[Pattern, ...] = ()
    lacks: tuple[Pattern, ...] = ()
    children: tuple[Item, ...] | None = None

    @property
    def parts(self) -> tuple[Item, ...]:
        return self.has + self.lacks + (self.children or ())

    @property
    def label(self) -> str:
        """The name and type as a tree shows those of a span: `cost_agent  AGENT`, `*  TOOL`, `/re/`."""
        return "  ".join([_shown(self.name), *([] if self.type is None else [_shown(self.type)])])

    def _said(self) -> Hashable:
        lengths = (len(self.has), len(self.lacks), None if self.children is None else len(self.children))
        attributes = None if self.attributes is None else frozenset(self.attributes)
        return (
            *(_same(text) for text in (self.name, self.type)),
            *(self.status, self.inputs, self.outputs, attributes, self.error, self.within_ns, lengths),
        )

    def _code(self) -> Code:
        said: list[str] = [] if self.name is None else [_text_code(self.name)]
        said += [f"type={_text_code(self.type)}"] if self.type is not None else []
        said += [f"status={self.status!r}"] if self.status is not None else []
        said += [f"inputs={self.inputs.text}"] if isinstance(self.inputs, Operand) else []
        said += [f"outputs={self.outputs.text}"] if isinstance(self.outputs, Operand) else []
        if self.attributes is not None:
            said.append(f"attributes={{{', '.join(f'{key!r}: {value.text}' for key, value in self.attributes)}}}")
        said += [f"error={self.error!r}"] if self.error is not None else []
        said += [f"within={exact_duration(self.within_ns)!r}"] if self.within_ns is not None else []
        code: Code = ["span(", ", ".join(said)]
        for keyword, patterns in (("has", self.has), ("lacks", self.lacks)):
            if patterns:
                code += [", " if len(code) > 2 or said else "", f"{keyword}="]
                code += patterns if len(patterns) == 1 else ["(", *_separated(patterns), ")"]
        code.append(")")
        if self.children is not None:
            code += ["[", *(_separated(self.children) if self.children else ["()"]), "]"]
        return code

    def __getitem__(self, children: Item | tuple[Item, ...]) -> SpanPattern:
        if self.children is not None:
            raise TypeError(f"{short(self)} has its children already; write them in one pair of brackets: p[a, b]")
        items = children if isinstance(children, tuple) else (children,)
        for item in items:
            if not isinstance(item, Pattern | EllipsisType):
                raise no_item(item, f"a child of {short(self)}")
        if not items and self.has:
            raise ValueError(f"{short(self)} cannot have no children, [()], and a descendant, has={self.has[0]!r}")
        return replace(self, children=items)

    def __iter__(self) -> Iterator[Pattern]:
        # with __getitem__ alone, Python would try p[0], p[1], ... for ever
        raise TypeError(f"{short(self)} is one pattern; it cannot be iterated")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Repeat(Pattern):
    """A run of consecutive matches, `min` to `max` of them (`None`: no limit)."""

    item: Pattern
    min: int = 0
    max: int | None = None

    @property
    def parts(self) -> tuple[Item, ...]:
        return (self.item,)

    def _said(self) -> Hashable:
        return self.min, self.max

    def _code(self) -> Code:
        if (self.min, self.max) == (0, 1):
            return ["optional(", self.item, ")"]
        limits = [f"min={whole_number(self.min)}"] if self.min else []
        limits += [f"max={whole_number(self.max)}"] if self.max is not None else []
        return ["repeat(", self.item, "".join(f", {limit}" for limit in limits), ")"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OneOf(Pattern):
    """Whichever of the alternatives matches."""

    alternatives: tuple[Pattern, ...]

    @property
    def parts(self) -> tuple[Item, ...]:
        return self.alternatives

    def _said(self) -> Hashable:
        return None

    def _code(self) -> Code:
        return ["one_of(", *_separated(self.alternatives), ")"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AnyOrder(Pattern):
    """All items in any order, each span used once; `gap` lets other spans stand between."""

    items: tuple[Pattern, ...]
    gap: bool = False
    overlapping: bool = False

    @property
    def parts(self) -> tuple[Item, ...]:
        return self.items

    def _said(self) -> Hashable:
        return self.gap, self.overlapping

    def _code(self) -> Code:
        items: tuple[Item, ...] = (*self.items, ...) if self.gap else self.items
        return ["parallel(" if self.overlapping else "any_order(", *_separated(items), ")"]


def no_item(given: object, what: str) -> TypeError:
    """Build the error for what cannot stand in a list of children, `what` saying where it was given."""
    if isinstance(given, str):
        return TypeError(f"{what} is a pattern or `...`, not a string: write span({given!r})")
    return TypeError(f"{what} is a pattern such as span('name') or `...`, got {given!r}")


def alternatives_of(pattern: Pattern) -> tuple[Pattern, ...]:
    """Return what `pattern` adds to a list of alternatives: its own where it is `one_of`, or itself."""
    return pattern.alternatives if isinstance(pattern, OneOf) else (pattern,)


def span_patterns_of(pattern: Pattern) -> tuple[SpanPattern, ...]:
    """Return the span patterns, one of which a pattern of one span stands for."""
    return tuple(each for each in alternatives_of(pattern) if isinstance(each, SpanPattern))


def asks_structure_alone(pattern: Pattern) -> bool:
    """Return whether `pattern` looks at nothing but names, types, statuses, and who is below whom in which order."""
    stack: list[Item] = [pattern]
    seen: set[int] = set()
    while stack:
        each = stack.pop()
        if id(each) in seen or not isinstance(each, Pattern):
            continue
        seen.add(id(each))
        if isinstance(each, AnyOrder) and each.overlapping:
            return False
        if isinstance(each, SpanPattern) and (
            isinstance(each.inputs, Operand)
            or isinstance(each.outputs, Operand)
            or not (each.attributes is None and each.error is None and each.within_ns is None)
        ):
            return False
        stack.extend(each.parts)
    return True


def short(pattern: Pattern, width: int = 60) -> str:
    """Return the code of `pattern`, cut where it is longer than `width`."""
    text, stack = "", list(reversed(pattern._code()))
    while stack and len(text) <= width:
        piece = stack.pop()
        if isinstance(piece, str):
            text += piece
        else:
            stack.extend(reversed(piece._code()))
    return text if len(text) <= width else f"{text[: width - 4]} ..."


def said_flags(regex: re.Pattern[str]) -> tuple[re.RegexFlag, ...]:
    """Return the flags that decide what `regex` matches; not UNICODE, which is the rule, nor DEBUG."""
    return tuple(flag for flag in _FLAGS if regex.flags & flag)


def _separated(items: Iterable[Item]) -> Code:
    code: Code = []
    for item in items:
        code += [", ", "..." if isinstance(item, EllipsisType) else item]
    return code[1:]


def _shown(text: Text | None) -> str:
    return "*" if text is None else visible(text) if isinstance(text, str) else f"/{visible(text.pattern)}/"


def _same(text: Text | None) -> Hashable:
    return (text.pattern, said_flags(text)) if isinstance(text, re.Pattern) else text


def _text_code(text: Text) -> str:
    if isinstance(text, str):
        return repr(text)
    # repr(re.Pattern) cuts at 200 characters
    flags = "".join(f"{' | ' if i else ', '}re.{flag.name}" for i, flag in enumerate(said_flags(text)))
    return f"re.compile({text.pattern!r}{flags})"
