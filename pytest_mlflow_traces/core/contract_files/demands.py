"""What a contract asks of the spans of a trace: which must be there, which must not, and where one may be.

A contract inside another asks for all that the outer one does, unless it looks at other spans (`only`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_mlflow_traces.core.budgets.budget import Budget
from pytest_mlflow_traces.core.contract_files.by_name import ByName
from pytest_mlflow_traces.core.contract_files.writing import line_of
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.order.rule import Rule
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern
from pytest_mlflow_traces.core.patterns.relations import all_spans, excludes, implies, required_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.budgets.limits import Limit
    from pytest_mlflow_traces.core.contract_files.model import ContractTable
    from pytest_mlflow_traces.core.contract_files.places import Key
    from pytest_mlflow_traces.core.order.terms import Terms


@dataclass(frozen=True, slots=True)
class Parts:
    """A contract as it was read, for those who look at it and check nothing."""

    name: str
    expectations: tuple[Any, ...]
    applies_to: Pattern | None
    only: tuple[Pattern, ...]
    about: str | None

    @classmethod
    def made(cls, name: str, *expectations: Any, only: Sequence[Pattern] | None, **said: Any) -> Parts:
        """Take what the constructor of a contract takes."""
        return cls(name, expectations, only=tuple(only or ()), **said)

    def keyed(self, said: ContractTable, path: Key) -> Iterator[tuple[Key, Any]]:
        """Yield each expectation about spans, with the path of the text that says it."""
        keys: list[Key] = [] if said.shape is None else [(*path, "shape")]
        for word in ("has", "never", "order"):
            keys += [(*path, word, number) for number in range(len(getattr(said, word) or ()))]
        keys += [] if said.budget is None else [(*path, "budget")]
        return zip(keys, self.expectations, strict=False)

    def inside(self, said: ContractTable, path: Key) -> Iterator[tuple[Key, ContractTable, Parts]]:
        """Yield the contracts inside, each with its path and its text."""
        tables = said.contract or []
        first = len(self.expectations) - len(tables)
        for number, table in enumerate(tables):
            yield (*path, "contract", number), table, self.expectations[first + number]


class Part(NamedTuple):
    """A pattern in a contract, by its path, with the words for it: `has 'search TOOL'`."""

    key: Key
    said: str
    pattern: Pattern


class Reason(NamedTuple):
    """Why no span can be like a pattern: the path of the part that says so, and words."""

    key: Key
    text: str


class Shape(NamedTuple):
    """A shape in a contract: the spans that it has a place for, and whether it is open to others, too."""

    key: Key
    pattern: Pattern
    spans: ByName[SpanPattern]
    is_open: bool


class Relation(NamedTuple):
    """A rule of order in a contract that is about two spans, and the second of them."""

    key: Key
    terms: Terms
    word: str
    other: Pattern


@dataclass
class View:
    """What a contract asks of the spans that it looks at, and what those outside it that look at the same ones do."""

    only: tuple[Pattern, ...] = ()
    outer: View | None = None
    shapes: list[Shape] = field(default_factory=list)
    present: list[Part] = field(default_factory=list)
    absent: ByName[Part] = field(default_factory=ByName)
    limits: list[Part] = field(default_factory=list)
    rules: list[Relation] = field(default_factory=list)

    def inside(self, only: tuple[Pattern, ...]) -> View:
        """Return the view of a contract inside, before it says anything."""
        return View(only) if only else View(self.only, self)

    def add(self, said: ContractTable, parts: Parts, path: Key) -> None:
        """Add what the contract says."""
        if parts.applies_to is not None and not parts.only:
            self._ask((*path, "applies_to"), "applies_to", parts.applies_to)
        for key, expectation in parts.keyed(said, path):
            if isinstance(expectation, Pattern):
                self._add_shape(key, expectation)
            elif isinstance(expectation, Has):
                self._ask(key, "has", expectation.pattern)
            elif isinstance(expectation, Rule):
                self._add_rule(key, expectation.terms)
            elif isinstance(expectation, Budget):
                for word, limits in expectation.said.items():
                    if isinstance(limits, tuple):
                        self._add_limits(key, word, [*getattr(said.budget, word)], limits)

    def inherited(self) -> Iterator[Part]:
        """Yield what the contracts outside ask for."""
        outer = self.outer
        while outer is not None:
            yield from outer.present
            outer = outer.outer

    def gone(self, part: Part, *, here: bool = False) -> Reason | None:
        """Return why no span is like the pattern of a part, by the other parts; `None` where one may be.

        Args:
            part: Some part of this contract, or of one outside.
            here: Whether to leave out what the contracts outside say.
        """
        found = self.out_of_place(part.pattern, here=here)
        if found is not None:
            return found
        for other in self.absent.implied_by(part.pattern):
            if other.key != part.key and implies(part.pattern, other.pattern):
                return Reason(other.key, f"{other.said} forbids {line(part.pattern)}")
        return None if here or self.outer is None else self.outer.gone(part)

    def out_of_place(self, pattern: Pattern, *, here: bool = False) -> Reason | None:
        """Return why no shape has a place for a span, `None` where one has."""
        for shape in self.shapes:
            if not self._has_place(shape, pattern):
                return Reason(shape.key, f"the shape has no place for {line(pattern)}")
        return None if here or self.outer is None else self.outer.out_of_place(pattern)

    def _has_place(self, shape: Shape, pattern: Pattern) -> bool:
        is_open = shape.is_open
        if isinstance(shape.pattern, SpanPattern) and self.only:  # below the root, only these are looked at
            is_open &= not all(excludes(pattern, each) for each in self.only)
        return is_open or not all(excludes(pattern, each) for each in shape.spans.beside(pattern))

    def _add_shape(self, key: Key, pattern: Pattern) -> None:
        places = ByName[SpanPattern]()
        spans, is_open = all_spans(pattern)
        for each in spans:
            places.add(each, each)
        self.shapes.append(Shape(key, pattern, places, is_open))
        self.present += [Part(key, f"the shape's {line(each)}", each) for each in required_spans(pattern)]

    def _add_rule(self, key: Key, terms: Terms) -> None:
        if terms.relation is None or terms.other is None:
            self.absent.add(terms.pattern, Part(key, f"never {line(terms.pattern)}", terms.pattern))
            return
        self.rules.append(Relation(key, terms, terms.relation, terms.other))
        if terms.word == "each" and not terms.optional:
            self._ask(key, "each", terms.pattern)
            self._ask(key, f"each {line(terms.pattern)} {terms.relation}", terms.other)

    def _add_limits(self, key: Key, word: str, keys: Sequence[str], limits: Sequence[Limit]) -> None:
        for name, limit in zip(keys, limits, strict=True):
            part = Part((*key, word, name), f"{word} {line(limit.pattern)}", limit.pattern)
            if word == "calls" and not limit.most:
                self.absent.add(part.pattern, part._replace(said=f"{part.said} = 0"))
            elif limit.optional or (word == "calls" and not limit.least):
                self.limits.append(part)
            else:
                self.present.append(part)

    def _ask(self, key: Key, words: str, pattern: Pattern) -> None:
        self.present.append(Part(key, f"{words} {line(pattern)}", pattern))


def line(pattern: Pattern) -> str:
    """Return a pattern of one span as it is written in a contract file, in quotes; of its children nothing."""
    bare = replace(pattern, children=None) if isinstance(pattern, SpanPattern) else pattern
    return repr(line_of(bare, ""))
