"""What a contract asks of the spans of a trace: which must be there, which must not, and where one may be.

A contract inside another asks for all that the outer one does, unless it looks at other spans (`only`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pytest_mlflow_traces.core.budgets.budget import Budget
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

Size: TypeAlias = "tuple[int, int]"


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


class Shape(NamedTuple):
    """A shape in a contract: the spans that it has a place for, and whether it is open to others, too."""

    key: Key
    pattern: Pattern
    spans: list[SpanPattern]
    is_open: bool


class Relation(NamedTuple):
    """A rule of order in a contract that is about two spans, and the second of them."""

    key: Key
    terms: Terms
    word: str
    other: Pattern


@dataclass
class View:
    """What is asked of the spans that some contracts look at."""

    only: tuple[Pattern, ...] = ()
    shapes: list[Shape] = field(default_factory=list)
    present: list[Part] = field(default_factory=list)
    absent: list[Part] = field(default_factory=list)
    limits: list[Part] = field(default_factory=list)
    rules: list[Relation] = field(default_factory=list)

    def inside(self) -> View:
        """Return the view of a contract inside, to which its own part comes."""
        return replace(self, shapes=[*self.shapes], present=[*self.present], absent=[*self.absent], limits=[], rules=[])

    def add(self, said: ContractTable, parts: Parts, path: Key) -> None:
        """Add what a contract says."""
        if parts.applies_to is not None and not parts.only:
            self._ask((*path, "applies_to"), "applies_to", parts.applies_to)
        for key, expectation in parts.keyed(said, path):
            if isinstance(expectation, Pattern):
                self.shapes.append(Shape(key, expectation, *all_spans(expectation)))
                self.present += [Part(key, f"the shape's {line(each)}", each) for each in required_spans(expectation)]
            elif isinstance(expectation, Has):
                self._ask(key, "has", expectation.pattern)
            elif isinstance(expectation, Rule):
                self._add_rule(key, expectation.terms)
            elif isinstance(expectation, Budget):
                for word, limits in expectation.said.items():
                    if isinstance(limits, tuple):
                        self._add_limits(key, word, [*getattr(said.budget, word)], limits)

    def gone(self, pattern: Pattern, key: Key, since: Size = (0, 0)) -> tuple[Key, str] | None:
        """Return what says that no span is like a pattern of the part at `key`, and in words why; `None` if one may be.

        Only what came after a view had this size is asked.
        """
        found = self.out_of_place(pattern, since[0])
        if found is not None:
            return found
        for part in self.absent[since[1] :]:
            if part.key != key and implies(pattern, part.pattern):
                return part.key, f"{part.said} forbids {line(pattern)}"
        return None

    def out_of_place(self, pattern: Pattern, since: int = 0) -> tuple[Key, str] | None:
        """Return the same of shapes alone."""
        for shape in self.shapes[since:]:
            if not self._has_place(shape, pattern):
                return shape.key, f"the shape has no place for {line(pattern)}"
        return None

    @property
    def size(self) -> Size:
        """How many shapes and absences there are."""
        return len(self.shapes), len(self.absent)

    def _has_place(self, shape: Shape, pattern: Pattern) -> bool:
        is_open = shape.is_open
        if isinstance(shape.pattern, SpanPattern) and self.only:  # below the root, only these are looked at
            is_open &= not all(excludes(pattern, each) for each in self.only)
        return is_open or not all(excludes(pattern, each) for each in shape.spans)

    def _add_rule(self, key: Key, terms: Terms) -> None:
        if terms.relation is None or terms.other is None:
            self.absent.append(Part(key, f"never {line(terms.pattern)}", terms.pattern))
            return
        self.rules.append(Relation(key, terms, terms.relation, terms.other))
        if terms.word == "each" and not terms.optional:
            self._ask(key, "each", terms.pattern)
            self._ask(key, f"each {line(terms.pattern)} {terms.relation}", terms.other)

    def _add_limits(self, key: Key, word: str, keys: Sequence[str], limits: Sequence[Limit]) -> None:
        for name, limit in zip(keys, limits, strict=True):
            part = Part((*key, word, name), f"{word} {line(limit.pattern)}", limit.pattern)
            if word == "calls" and not limit.most:
                self.absent.append(part._replace(said=f"{part.said} = 0"))
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
