"""One line of the notation: what a span, a group or a gap says by itself, as text and back.

    NAME TYPE STATUS inputs=VALUE outputs=VALUE attributes={...} error=NAME within=2s {1,3} ...

All but `NAME` may be left out; `*` stands for any name. The line of a group has its quantifiers only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.notation.literals import ReadingError, literal_text, quoted, read_literal, read_string
from pytest_mlflow_traces.core.notation.words import GROUPS, SPAN, after_space, read_text, text_word, word_at
from pytest_mlflow_traces.core.patterns.constructors import STATUSES
from pytest_mlflow_traces.core.patterns.nodes import short
from pytest_mlflow_traces.core.patterns.operands import Operand, whole_number
from pytest_mlflow_traces.core.text.durations import exact_duration, parse_duration
from pytest_mlflow_traces.core.text.suggestions import nearest

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.patterns.nodes import SpanPattern

__tracebackhide__ = True  # a failure points at the test, not in here

_HEAD = re.compile(r"(any order|parallel|one of|has:|lacks:|\.\.\.)(?= |$)")
_TEXT = re.compile(r"[\"'/\w<]")
_FIELD = re.compile(r"(\w+)=")
_FIELDS = ("inputs", "outputs", "attributes", "error", "within")
_QUANTIFIER = re.compile(r"\{ *(0x[0-9a-fA-F]+|[0-9]*) *(,?) *(0x[0-9a-fA-F]+|[0-9]*) *\}")
_ERROR_NAME = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
_NO_ERROR_NAMES = ("true", "false", "none", "null")
_AFTER_NAME = ("a type", "a status", "a field", "a quantifier", "`...`", "the end of the line")
_STATUS, _QUANTIFIED, _END = (_AFTER_NAME.index(each) for each in ("a status", "a quantifier", "the end of the line"))


@dataclass(frozen=True, slots=True)
class Head:
    """What one line says: its kind, the arguments of `span()`, its quantifiers, the innermost first."""

    kind: str
    said: dict[str, Any] = field(default_factory=dict)
    quantifiers: tuple[tuple[int, int | None], ...] = ()
    unchecked: bool = False  # the children


def span_line(pattern: SpanPattern, quantifiers: str) -> str:
    """Return the line of a span, without its `has`, its `lacks` and its children."""
    words = ["*" if pattern.name is None else text_word(pattern.name, "name")]
    words += [text_word(pattern.type, "type")] if pattern.type is not None else []
    words += [pattern.status] if pattern.status is not None else []
    for key, operand in (("inputs", pattern.inputs), ("outputs", pattern.outputs)):
        words += [f"{key}={_value(pattern, key, operand)}"] if isinstance(operand, Operand) else []
    if pattern.attributes is not None:
        pairs = (f"{quoted(key)}: {_value(pattern, f'attribute {key!r}', each)}" for key, each in pattern.attributes)
        words.append(f"attributes={{{', '.join(pairs)}}}")
    if pattern.error is not None:
        bare = isinstance(pattern.error, bool) or _is_error_name(pattern.error)
        words.append(f"error={pattern.error if bare else quoted(str(pattern.error))}")
    words += [f"within={exact_duration(pattern.within_ns)}"] if pattern.within_ns is not None else []
    words += [quantifiers] if quantifiers else []
    words += ["..."] if pattern.children is None else []
    return " ".join(words)


def quantifier(least: int, most: int | None) -> str:
    """Return the text of `repeat(..., min=least, max=most)`."""
    if (least, most) == (0, 1):
        return "?"
    if least == most:
        return f"{{{whole_number(least)}}}"
    return f"{{{whole_number(least)},{'' if most is None else whole_number(most)}}}"


def read_head(line: str, at: int) -> Head:
    """Read what stands on a line from `at` on; raise `ReadingError` where it is not the notation."""
    found = _HEAD.match(line, at)
    kind = found[1] if found else SPAN
    said: dict[str, Any] = {}
    if found:
        at, stage = after_space(line, found.end()), _QUANTIFIED if kind in GROUPS else _END
    else:
        at, stage = _read_span(line, at, said)
    quantifiers = []
    while stage <= _QUANTIFIED and (limits := _read_quantifier(line, at)):
        quantifiers.append(limits[:2])
        at, stage = after_space(line, limits[2]), _QUANTIFIED
    unchecked = kind == SPAN and line[at:] == "..."
    if at < len(line) and not unchecked:
        may_follow = [each for each in _AFTER_NAME[stage:] if kind == SPAN or each != "`...`"]
        raise _stuck(line, at, may_follow)
    return Head(kind, said, tuple(quantifiers), unchecked)


def _read_span(line: str, at: int, said: dict[str, Any]) -> tuple[int, int]:
    """Put the arguments of `span()` into `said`; return where they end, and the first of what may follow."""
    stage = 0
    said["name"], at = (None, at + 1) if word_at(line, at) == "*" else read_text(line, at, "name")
    at = after_space(line, at)
    if _TEXT.match(line, at) and not _FIELD.match(line, at) and word_at(line, at) not in STATUSES:
        said["type"], at = read_text(line, at, "type")
        at, stage = after_space(line, at), _STATUS
    if word_at(line, at) in STATUSES:
        said["status"] = word_at(line, at)
        at, stage = after_space(line, at + len(said["status"])), _STATUS + 1
    while key := _FIELD.match(line, at):
        if key[1] not in _FIELDS:
            raise ReadingError(at, f"a field ({', '.join(_FIELDS)})", nearest(key[1], _FIELDS))
        if key[1] in said:
            raise ReadingError(at, f"another field: {key[1]}= stands on this line already")
        said[key[1]], at = _read_field(line, key[1], key.end())
        at, stage = after_space(line, at), _STATUS + 1
    return at, stage


def _read_field(line: str, key: str, at: int) -> tuple[object, int]:
    word = word_at(line, at)
    if key in ("error", "within"):
        text, end = read_string(line, at) if word.startswith(('"', "'")) else (word, at + len(word))
        if key == "within":
            return _checked_duration(text, at), end
        if text != word or _is_error_name(word):
            return text, end
        if word.casefold() not in ("true", "false"):
            raise ReadingError(at, "the name of an exception, True or False")
        return word.casefold() == "true", end
    value, end = read_literal(line, at)
    if key == "attributes" and not (value and isinstance(value, dict) and all(isinstance(name, str) for name in value)):
        raise ReadingError(at, 'attributes by name, as in {"llm.model": "gpt"}')
    return value, end


def _checked_duration(text: str, at: int) -> str:
    try:
        parse_duration(text, "within")
    except ValueError:
        raise ReadingError(at, "a duration such as 800ms or 2s") from None
    return text


def _read_quantifier(line: str, at: int) -> tuple[int, int | None, int] | None:
    """Return the limits of the quantifier at `at` and where it ends; `None` where none begins."""
    if line.startswith("?", at):
        return 0, 1, at + 1
    if not line.startswith("{", at):
        return None
    found = _QUANTIFIER.match(line, at)
    if not found or not (found[1] or found[3]):
        raise ReadingError(at, "a quantifier: `?`, `{3}`, `{1,3}` or `{1,}`")
    try:
        least, most = (int(each, 16 if each[:2] == "0x" else 10) if each else None for each in (found[1], found[3]))
    except ValueError:
        raise ReadingError(at, "shorter numbers; in hexadecimal, 0x..., they may be of any length") from None
    most = most if found[2] else least
    least = least or 0
    if most is not None and least > most:
        raise ReadingError(at, "a quantifier with its smaller number first")
    return least, most, found.end()


def _stuck(line: str, at: int, may_follow: list[str]) -> ReadingError:
    word = word_at(line, at)
    hint = nearest(word, STATUSES) if _AFTER_NAME[_STATUS] in may_follow else ""
    if word.startswith("#"):
        hint = "; a comment stands on a line of its own"
    elif word == "...":
        hint = "; `...` stands at the end of a line, or on its own"
    elif word in ("*", "+"):
        hint = f"; any number of spans is {'{0,}' if word == '*' else '{1,}'}"
    before = ", ".join(may_follow[:-1])
    return ReadingError(at, f"{before} or {may_follow[-1]}" if before else may_follow[-1], hint)


def _value(pattern: SpanPattern, what: str, operand: Operand) -> str:
    if operand.is_literal:
        return literal_text(operand.value)
    raise ValueError(
        f"{short(pattern)} has no text form: {what} is {operand.text}, which is not a literal; "
        "keep this pattern in code"
    )


def _is_error_name(text: str) -> bool:
    return bool(_ERROR_NAME.fullmatch(text)) and text.casefold() not in _NO_ERROR_NAMES
