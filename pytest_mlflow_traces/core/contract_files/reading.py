"""A contract file's text to a contract: scanned, parsed, validated, and then made by the constructors that Python uses.

Nothing runs that the text names. Every error says line and column.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic_core import SchemaError

from pytest_mlflow_traces.core.budgets.budget import Budget, if_present
from pytest_mlflow_traces.core.contract_files.model import ContractFile, OptionalCalls, OptionalDuration, TagTable
from pytest_mlflow_traces.core.contract_files.places import ContractFileError, Places, decoded
from pytest_mlflow_traces.core.contract_files.tag_tables import OTHERS, annotation_of, refuse_name, schema_of
from pytest_mlflow_traces.core.contract_files.validating import validated
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.notation import NotationError, parse
from pytest_mlflow_traces.core.order.rule import each, never
from pytest_mlflow_traces.core.order.terms import BETWEEN
from pytest_mlflow_traces.core.patterns.constructors import is_one_span, one_of
from pytest_mlflow_traces.core.patterns.nodes import OneOf, Pattern, SpanPattern
from pytest_mlflow_traces.core.patterns.written import NOTING, written_in
from pytest_mlflow_traces.core.references import Reference
from pytest_mlflow_traces.core.text.suggestions import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_mlflow_traces.core.contract_files.model import BudgetTable, ContractTable, OrderTable
    from pytest_mlflow_traces.core.contract_files.places import Key
    from pytest_mlflow_traces.core.order.rule import Rule

__tracebackhide__ = True  # a failure points at the test, not in here

T = TypeVar("T")
P = TypeVar("P")
EXPECTING = ("shape", "has", "never", "order", "budget", "tags", "metadata", "expect", "contract")
_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_CODE = re.compile(r"[\w.]+:\w+")
_PREFIX = re.compile(r"^((Budget|from_mapping|Contract)\(\)|Tags\.tag_\d+): ")  # of messages to those who write Python


def contract_of(text: str, make: Callable[..., T], file: str | None = None) -> T:
    """Return what the text of a contract file says, as `make` makes it of the arguments of `Contract`.

    What is made is written in `file`, and without that where it is read.

    Raises:
        ContractFileError: for what is not a contract.
    """
    said, places = read_model(text)
    return _Reading(places, make, file).contract(said, ())


def read_model(text: str) -> tuple[ContractFile, Places]:
    """Return what a text says as a model, and where everything stands in it.

    Raises:
        ContractFileError: for what is no TOML, or not of this format.
    """
    places = Places(text)
    try:
        data = decoded(places.text)
    except ValueError as error:
        found = _PLACE.fullmatch(str(error))
        end = places.error_at("", len(places.text))
        message, *place = found.groups() if found else (str(error), None, None)
        line, column = (int(place[0]), int(place[1])) if place[0] and place[1] else end.place
        raise ContractFileError(f"no TOML: {message}", line, column) from None
    return validated(data, places), places


def one_span_of(text: str) -> Pattern | None:
    """Return the pattern of a line, which leaves the children free; `None` where it is not of one span.

    Raises:
        NotationError: for what is no pattern.
    """
    pattern = parse(text)
    if isinstance(pattern, OneOf) and is_one_span(pattern):
        return one_of(*map(_freed, pattern.alternatives))
    return _freed(pattern) if is_one_span(pattern) else None


def _freed(pattern: Pattern) -> Pattern:
    is_leaf = isinstance(pattern, SpanPattern) and pattern.children == ()
    return replace(pattern, children=None) if is_leaf else pattern  # type: ignore[type-var]  # is_leaf says so


class _Reading(Generic[T]):
    """One reading of a text: what its parts stand for."""

    def __init__(self, places: Places, make: Callable[..., T], file: str | None) -> None:
        self._places = places
        self._make = make
        self._file = file

    def contract(self, said: ContractTable, path: Key) -> T:
        """Return the contract of a table."""
        expectations: list[Any] = []
        if said.shape is not None:
            expectations.append(self._parsed((*path, "shape"), said.shape, parse))
        expectations += [Has(line) for line in self._lines((*path, "has"), said.has)]
        expectations += map(never, self._lines((*path, "never"), said.never))
        expectations += [self._rule(rule, (*path, "order", number)) for number, rule in enumerate(said.order or ())]
        if said.budget is not None:
            expectations.append(self._budget(said.budget, (*path, "budget")))
        expectations += self._schemas(said, path)
        expectations += [
            Reference(self._named_code((*path, "expect", n), name)) for n, name in enumerate(said.expect or ())
        ]
        expectations += [self.contract(inner, (*path, "contract", n)) for n, inner in enumerate(said.contract or ())]
        if not expectations:
            raise self._places.error(
                f"the contract {said.name!r:.80} expects nothing: give it one of {listed(EXPECTING)}", path
            )
        applies_to = None if said.applies_to is None else self._line((*path, "applies_to"), said.applies_to)
        only = self._lines((*path, "only"), said.only) or None
        with self._at((*path, "name")), self._written((*path, "name"), is_key=True):
            return self._make(said.name, *expectations, applies_to=applies_to, only=only, about=said.about)

    def _lines(self, path: Key, lines: list[str] | None) -> list[Pattern]:
        return [self._line((*path, number), line) for number, line in enumerate(lines or ())]

    def _line(self, path: Key, line: str, *, is_key: bool = False) -> Pattern:
        pattern = self._parsed(path, line, one_span_of, is_key=is_key)
        if pattern is None:
            raise self._places.error(f"{_named(path)}: expected a pattern of one span, got {line!r:.80}", path)
        return pattern

    def _parsed(self, path: Key, text: str, read: Callable[[str], P], *, is_key: bool = False) -> P:
        try:
            with self._written(path, is_key=is_key):
                return read(text)
        except NotationError as error:
            _, _, message = str(error).partition(": ")
            message = f"{_named(path)}: {message or error}"
            if is_key:
                raise self._places.error(message, path) from None
            lines = text.split("\n")[: error.line - 1]
            index = sum(len(line) + 1 for line in lines) + error.column - 1
            raise self._places.error_inside(message, path, index) from None

    def _rule(self, said: OrderTable, path: Key) -> Rule:
        given = said.model_fields_set
        word = self._one_of(given, ("each", "never"), path)
        begin = {"each": each, "never": never}[word]
        rule = begin(self._line((*path, word), getattr(said, word)), per=said.per)
        if word == "each" or given - {word, "per", "if_present"}:
            relation = self._one_of(given, ("after", "before", "inside"), path)
            other = self._line((*path, relation), getattr(said, relation))
            keywords: dict[str, Any] = {}
            for between in ("since", "until"):
                if between in given:
                    if BETWEEN.get(relation) != between:
                        home = "after" if between == "since" else "before"
                        raise self._places.error(
                            f"{between} stands beside {home}, not beside {relation}", (*path, between)
                        )
                    keywords[between] = self._line((*path, between), getattr(said, between))
            with self._at((*path, "same")):
                rule = getattr(rule, relation)(other, same=said.same, **keywords)
        if said.if_present and word == "never":
            raise self._places.error("never holds where no such span is: leave if_present out", (*path, "if_present"))
        return if_present(rule) if said.if_present else rule

    def _one_of(self, given: set[str], words: tuple[str, ...], path: Key) -> str:
        found = [word for word in words if word in given]
        if len(found) != 1:
            got = f"got {listed(found)}" if found else "got none"
            last = (*path, found[-1]) if found else path
            raise self._places.error(f"a rule of order has one of {listed(words)}, {got}", last)
        return found[0]

    def _budget(self, said: BudgetTable, path: Key) -> Budget:
        limits: dict[str, Any] = {}
        for word in type(said).model_fields:
            value = getattr(said, word)
            if isinstance(value, dict) and value:
                limits[word] = {}
                for key, limit in value.items():
                    place = (*path, word, key)
                    pattern = self._line(place, key, is_key=True)
                    with self._at(place):
                        if pattern in limits[word]:
                            raise ValueError(f"{word} has two limits for {pattern!r:.80}")
                        limits[word][pattern] = _limit(limit)
                        _budget_of({word: {pattern: limits[word][pattern]}})
            elif value is not None:
                with self._at((*path, word)):
                    _budget_of({word: value})
                limits[word] = value
        if not limits:
            raise self._places.error(f"[budget] limits nothing: give it one of {listed(type(said).model_fields)}", path)
        return _budget_of(limits)

    def _schemas(self, said: ContractTable, path: Key) -> list[Any]:
        """Return what is said of tags and metadata, as schemas."""
        found: list[Any] = []
        tags, extra = said.tags, "forbid"
        if tags is not None and isinstance(tags.get("schema"), str) and ":" in str(tags["schema"]):
            found.append(Reference(self._named_code((*path, "tags", "schema"), str(tags["schema"])), is_schema=True))
            for other in tags.keys() - {"schema"}:
                raise self._places.error(
                    "the schema in code says it all: nothing stands beside it", (*path, "tags", other)
                )
            tags = None
        if tags is not None and OTHERS in tags:
            if tags[OTHERS] != "str":
                raise self._places.error(
                    f'{OTHERS!r} is "str": tags that are not named may be any text', (*path, "tags", OTHERS)
                )
            extra = "allow"
            tags = {tag: kind for tag, kind in tags.items() if tag != OTHERS}
        elif tags == {} and said.metadata is None:
            raise self._places.error("[tags] names no tag", (*path, "tags"))
        if tags is None and said.metadata is None:
            return found
        rows = self._tags(tags or {}, (*path, "tags")), self._tags(said.metadata or {}, (*path, "metadata"))
        with self._at((*path, "metadata" if tags is None else "tags")):
            return [*found, schema_of(*rows, extra="allow" if tags is None else extra)]

    def _tags(self, said: Mapping[str, str | list[str] | TagTable], path: Key) -> dict[str, tuple[Any, bool]]:
        found = {}
        for tag, kind in said.items():
            with self._at((*path, tag)):
                refuse_name(tag, is_metadata=path[-1] == "metadata")
                found[tag] = annotation_of(kind), isinstance(kind, TagTable) and kind.optional
        return found

    def _named_code(self, path: Key, name: str) -> str:
        if not _CODE.fullmatch(name):
            raise self._places.error(f"{_named(path)}: write code as module:NAME, got {name!r:.80}", path)
        return name

    def _written(self, path: Key, *, is_key: bool) -> AbstractContextManager[None]:
        """Let what is made be written in the file: at a key, or from the first line of the string behind it on."""
        if self._file is None or not NOTING.wanted:
            return nullcontext()
        place = self._places.error("", path) if is_key else self._places.error_inside("", path, 0)
        return written_in(self._file, place.line)

    @contextmanager
    def _at(self, path: Key) -> Iterator[None]:
        """Say the place of what cannot be."""
        try:
            yield
        except SchemaError as error:  # of a regular expression, the only part of a type that pydantic compiles
            why = str(error).rpartition(": ")[2]
            raise self._places.error(f"pattern: no regular expression: {why}", path) from None
        except (TypeError, ValueError) as error:
            raise self._places.error(_PREFIX.sub("", str(error)), path) from None


def _budget_of(limits: dict[str, Any]) -> Budget:
    return Budget(**limits)


def _limit(said: Any) -> Any:
    if isinstance(said, OptionalCalls | OptionalDuration):
        limit = _limit(said.limit)
        return if_present(limit) if said.if_present else limit
    return tuple(said) if isinstance(said, list) else said


def _named(path: Key) -> str:
    """Return the name of what stands at a path."""
    return next(part for part in reversed(path) if isinstance(part, str))
