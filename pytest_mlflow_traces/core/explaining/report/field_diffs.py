"""What a span says otherwise than its pattern, field by field, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.explaining.report.value_diffs import ABSENT, differing, shortened, shown
from pytest_mlflow_traces.core.patterns.nodes import Pattern, SpanPattern, short
from pytest_mlflow_traces.core.patterns.operands import Operand
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.durations import readable_duration
from pytest_mlflow_traces.core.text.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_mlflow_traces.core.matching.matcher import Matcher
    from pytest_mlflow_traces.core.patterns.nodes import Text
    from pytest_mlflow_traces.core.spans.table import SpanTable

# mlflow.entities.SpanType
SPAN_TYPES = (
    *("AGENT", "CHAIN", "CHAT_MODEL", "EMBEDDING", "EVALUATOR", "GUARDRAIL", "LLM", "MEMORY", "PARSER"),
    *("RERANKER", "RETRIEVER", "TASK", "TOOL", "UNKNOWN", "WORKFLOW"),
)

_WIDE = 72
_LOOKED_AT = 5_000  # spans below one
_COMPARED = 50_000  # words that are compared with what may be misspelt, for one trace


class FieldDifference(NamedTuple):
    """One field that is not as expected, both sides as text."""

    field: str
    expected: str | None  # where there is none, `actual` speaks for itself
    actual: str

    def __str__(self) -> str:
        if self.expected is None:
            return f"{self.field}: {self.actual}"
        return f"{self.field}: expected {self.expected}, got {self.actual}"

    def lines(self) -> list[str]:
        """Return the text on one line, or with both sides below each other where that is too long to compare."""
        text = str(self)
        if len(text) <= _WIDE or self.expected is None:
            return [text]
        return [f"{self.field}: expected {self.expected}", f"{'':<{len(self.field)}}       got {self.actual}"]


def field_differences(table: SpanTable, matcher: Matcher, pattern: SpanPattern, i: int) -> list[FieldDifference]:
    """Return what the span at `i` says otherwise than `pattern`, its children apart."""
    found: list[FieldDifference] = []
    for field in matcher.local_failures(pattern, i):
        if field == "name":
            found.append(FieldDifference(field, _text(pattern.name), shown(table.names[i])))
        elif field == "type":
            found.append(FieldDifference(field, _text(pattern.type), shown(table.types[i])))
        elif field == "status":
            found.append(FieldDifference(field, shown(pattern.status), shown(table.statuses[i])))
        elif field == "within":
            end, limit = table.ends[i], pattern.within_ns or 0
            lasted = "an unfinished span"
            if end is not None:
                took = end - table.starts[i]
                lasted = readable_duration(took, exact=readable_duration(took) == readable_duration(limit))
                lasted += ", it ends before it starts" if took < 0 else ""
            found.append(FieldDifference(field, f"at most {readable_duration(limit, exact=True)}", lasted))
        elif field == "error":
            found.append(FieldDifference(field, _error(pattern.error), _recorded(table, i)))
        elif field == "inputs" and isinstance(pattern.inputs, Operand):
            found += _values(field, pattern.inputs, table.inputs(i))
        elif field == "outputs" and isinstance(pattern.outputs, Operand):
            found += _values(field, pattern.outputs, table.outputs(i))
        elif field == "has":
            found += _has(matcher, pattern, i, table)
        elif field == "lacks":
            found += _lacks(matcher, pattern, i, table)
        else:
            found += _attribute(field.partition(".")[2], pattern, table, i)
    return found


class Hints:
    """What may be misspelt in patterns: types, or names, that neither MLflow nor the trace knows."""

    def __init__(self, table: SpanTable) -> None:
        self._names = dict.fromkeys(table.names)
        self._types = dict.fromkeys(table.types)
        self._left = _COMPARED

    def of(self, pattern: SpanPattern, fields: tuple[str, ...] = ()) -> list[str]:
        """Return what may be misspelt in `pattern`; a name that is among the `fields` that differ needs no hint."""
        found = []
        kind, name = pattern.type, pattern.name
        if isinstance(kind, str) and kind not in SPAN_TYPES and kind not in self._types:
            near = self._nearest(kind, dict.fromkeys([*SPAN_TYPES, *self._types]))
            found.append(f"neither MLflow nor this trace has a span type {shown(kind)}{near}")
        if isinstance(name, str) and "name" not in fields and name not in self._names:
            near = self._nearest(name, self._names)
            if near:
                found.append(f"no span of this trace is called {shown(name)}{near}")
        return found

    def _nearest(self, word: str, legal: Collection[str]) -> str:
        self._left -= len(legal)
        return nearest(word, legal) if self._left >= 0 else ""


def _text(text: Text | None) -> str:
    return shown(text) if isinstance(text, str) or text is None else shortened(f"/{text.pattern}/")


def _error(said: str | bool | None) -> str:
    return str(said) if isinstance(said, str) else "an error" if said else "no error"


def _recorded(table: SpanTable, i: int) -> str:
    error = table.error(i)
    if error is None:
        return "no error"
    if error.type is None:
        return f"an error without an exception{f': {shortened(error.message)}' if error.message else ''}"
    return visible(str(error.type)) + (f": {shortened(str(error.message))}" if error.message else "")


def _values(field: str, operand: Operand, actual: object) -> list[FieldDifference]:
    found = differing(operand.value, actual, operand.text)
    return [FieldDifference(f"{field}{each.place}", each.expected, each.actual) for each in found] or [
        FieldDifference(field, shortened(operand.text), shown(actual))
    ]


def _attribute(key: str, pattern: SpanPattern, table: SpanTable, i: int) -> list[FieldDifference]:
    operand, attributes = dict(pattern.attributes or ())[key], table.attributes(i)
    field = f"attributes[{shown(key)}]"
    if key not in attributes:
        near = nearest(key, map(str, attributes)).rstrip("?")
        return [FieldDifference(field, shortened(operand.text), f"{ABSENT}{near and near + '?'}")]
    return _values(field, operand, attributes[key])


def _has(matcher: Matcher, pattern: SpanPattern, i: int, table: SpanTable) -> list[FieldDifference]:
    return [
        FieldDifference("has", f"{short(each)} below", f"none{_near(matcher, each, i, table)}")
        for each in pattern.has
        if not _below(matcher, each, i, table)
    ]


def _near(matcher: Matcher, pattern: Pattern, i: int, table: SpanTable) -> str:
    """Say what comes near to a span that is not there: one of its name, or of a name that may be meant."""
    below = range(i + 1, min(table.stops[i], i + _LOOKED_AT))
    if not isinstance(pattern, SpanPattern) or not isinstance(pattern.name, str):
        return ""
    for k in below:
        if table.names[k] == pattern.name:
            return f": {table.path(k)} differs in {', '.join(matcher.local_failures(pattern, k)) or 'children'}"
    return nearest(pattern.name, {table.names[k] for k in below})


def _lacks(matcher: Matcher, pattern: SpanPattern, i: int, table: SpanTable) -> list[FieldDifference]:
    found = []
    for each in pattern.lacks:
        below = _below(matcher, each, i, table)
        if below:
            more = f" and {len(below) - 1} more" if len(below) > 1 else ""
            found.append(FieldDifference("lacks", f"no {short(each)} below", f"{table.path(below[0])}{more}"))
    return found


def _below(matcher: Matcher, pattern: Pattern, i: int, table: SpanTable) -> list[int]:
    return [k for k in matcher.find(pattern) if i < k < table.stops[i]]
