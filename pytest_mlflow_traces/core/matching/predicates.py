"""What a pattern says of one span by itself, field by field, the cheapest first.

Matching and explaining both ask here, so that they cannot disagree. A test that raises (an operand whose `==` does)
raises through, with a note of the span and the field: taken for "does not match", it would make `not in` pass.
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_mlflow_traces.core.patterns.operands import Operand
from pytest_mlflow_traces.core.spans.records import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.core.patterns.nodes import SpanPattern, Text
    from pytest_mlflow_traces.core.spans.table import SpanTable

Check: TypeAlias = "Callable[[int], bool]"


class Predicates:
    """The checks of patterns against one table."""

    def __init__(self, table: SpanTable) -> None:
        self._table = table
        self._everywhere: list[int] | None = None
        self._of_texts: dict[tuple[Text | None, ...], tuple[tuple[str, Check], ...]] = {}

    def checks(self, pattern: SpanPattern) -> tuple[tuple[str, Check], ...]:
        """Return the fields that `pattern` speaks of, each with the check of a position in the table.

        The fields are `name`, `type`, `status`, `within`, `error`, `attributes.KEY`, `inputs` and `outputs`. `has`,
        `lacks` and the children are no matter of the span alone.
        """
        texts = pattern.name, pattern.type, pattern.status
        said = self._of_texts.get(texts)
        if said is None:  # a strict pattern of a large trace says the same few texts thousands of times
            table = self._table
            columns = zip(("name", "type", "status"), (table.names, table.types, table.statuses), texts, strict=True)
            said = tuple((field, _text(column, text)) for field, column, text in columns if text is not None)
            self._of_texts[texts] = said
        rarer = _rarer_checks(self._table, pattern)
        return (*said, *rarer) if rarer else said

    def narrowed(self, pattern: SpanPattern) -> list[int]:
        """Return the positions of all spans that pass every check of `pattern`, in pre-order."""
        said = self.checks(pattern)
        if isinstance(pattern.name, str):
            positions, said = self._table.named(pattern.name), said[1:]
        else:
            if self._everywhere is None:
                self._everywhere = list(range(len(self._table)))
            positions = self._everywhere
        for _, check in said:
            positions = list(compress(positions, map(check, positions)))
        return positions


def _rarer_checks(table: SpanTable, pattern: SpanPattern) -> list[tuple[str, Check]]:
    said: list[tuple[str, Check]] = []
    if pattern.within_ns is not None:
        said.append(("within", _within(table, pattern.within_ns)))
    if pattern.error is not None:
        said.append(("error", _error(table, pattern.error)))
    for key, operand in pattern.attributes or ():
        said.append((f"attributes.{key}", _attribute(table, key, operand)))
    if isinstance(pattern.inputs, Operand):
        said.append(("inputs", _equal(table, "inputs", table.inputs, pattern.inputs)))
    if isinstance(pattern.outputs, Operand):
        said.append(("outputs", _equal(table, "outputs", table.outputs, pattern.outputs)))
    return said


def _text(column: list[str], said: Text) -> Check:
    if isinstance(said, str):
        return lambda i: column[i] == said
    fullmatch = said.fullmatch
    return lambda i: fullmatch(column[i]) is not None and column[i] is not UNNAMED


def _within(table: SpanTable, longest_ns: int) -> Check:
    starts, ends = table.starts, table.ends

    def test(i: int) -> bool:
        end = ends[i]
        return end is not None and 0 <= end - starts[i] <= longest_ns  # not one that ends before it starts

    return test


def _error(table: SpanTable, said: str | bool) -> Check:
    def test(i: int) -> bool:
        error = table.error(i)
        if isinstance(said, bool):
            return (error is not None) is said
        if error is None or error.type is None:
            return False
        recorded = str(error.type)
        return said == (recorded if "." in said else recorded.rpartition(".")[2])

    return test


def _attribute(table: SpanTable, key: str, operand: Operand) -> Check:
    # absent is not None, so the key is looked for before its value
    value = _equal(table, f"attributes[{key!r}]", lambda i: table.attributes(i)[key], operand)
    return lambda i: key in table.attributes(i) and value(i)


def _equal(table: SpanTable, field: str, actual: Callable[[int], Any], operand: Operand) -> Check:
    equals = operand.equals

    def test(i: int) -> bool:
        value = actual(i)
        try:
            return equals(value)
        except Exception as error:
            _add_note(error, f"while comparing {field} of span {table.path(i)} with {operand.text}")
            raise

    return test


def _add_note(error: Exception, note: str) -> None:
    # BaseException.add_note, which Python 3.10 does not have yet; pytest shows these notes there too
    error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]
