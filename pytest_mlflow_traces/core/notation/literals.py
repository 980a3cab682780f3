"""Literal values as text on one line, and back: JSON's, and Python's where JSON has none.

Written are Python's words and double quotes, as in `{"a": [True, None, (1,)]}`; JSON's words and single quotes are read
too. Whatever a string holds, its text is one line of printable characters. Reading does not recurse.
"""

from __future__ import annotations

import re

from pytest_mlflow_traces.core.patterns.operands import DEEPEST, whole_number, written
from pytest_mlflow_traces.core.text.suggestions import nearest

__tracebackhide__ = True  # a failure points at the test, not in here

_STRING = re.compile(r'b?"([^"\\]*(?:\\.[^"\\]*)*)"' + r"|b?'([^'\\]*(?:\\.[^'\\]*)*)'")
_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)(?![\w.])")
_WORD = re.compile(r"-?\w+")
_WORDS = {"None": None, "null": None, "True": True, "true": True, "False": False, "false": False}
_FLOATS = ("nan", "NaN", "inf", "Infinity", "-inf", "-Infinity")
_EMPTY = {"set()": set, "frozenset()": frozenset}
_OPENING = re.compile(r"frozenset\(|[\[({]")
_CLOSING = {"[": "]", "(": ")", "{": "}", "frozenset(": ")"}
_SPACES = re.compile(r" *")

_WRITTEN = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_READ = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"} | {char: char for char in "\\/\"'"}
# two escapes of four digits that make one character are one, as in JSON; surrogates are written with eight digits each
_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?:u([0-9a-fA-F]{4})|U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))|(.))"
)


class ReadingError(ValueError):
    """What was expected at which place of a line, and what may help; `got` where what stands there tells more."""

    def __init__(self, at: int, expected: str, hint: str = "", *, got: bool = True) -> None:
        super().__init__(f"expected {expected} at {at}{hint}")
        self.at, self.expected, self.hint, self.got = at, expected, hint, got


def quoted(text: str) -> str:
    """Return `text` as a string literal in double quotes, of printable characters."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def literal_text(value: object) -> str:
    """Return the text of a value made of literals all through."""
    return written(value, _atom_text)


def _atom_text(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    return whole_number(value) if type(value) is int else repr(value)


def _escaped(char: str) -> str:
    if char in _WRITTEN:
        return _WRITTEN[char]
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0xD800 or 0xE000 <= code < 0x10000 else f"\\U{code:08x}"


def read_string(text: str, at: int) -> tuple[str, int]:
    """Return the string whose literal begins at `at`, and where it ends."""
    value, end = _read_atom(text, at)
    if not isinstance(value, str):
        raise ReadingError(at, "a string in quotes")
    return value, end


def read_literal(text: str, at: int) -> tuple[object, int]:
    """Return the value whose text begins at `at`, and where it ends; raise `ReadingError` where there is none."""
    stack: list[_Container] = []
    while True:
        at = start = _skipped(text, at)
        if stack and stack[-1].may_end and text.startswith(stack[-1].closing, at):
            container = stack.pop()
            value, start, at = container.value(at), container.start, at + 1
        elif (opening := _OPENING.match(text, at)) and not text.startswith(tuple(_EMPTY), at):
            if len(stack) == DEEPEST:
                raise ReadingError(at, f"values nested at most {DEEPEST} deep")
            stack.append(_Container(opening[0], at))
            at = opening.end()
            continue
        else:
            value, at = _read_atom(text, at)
        while stack:  # what follows a complete value says where it belongs
            stack[-1].take(value, start)
            at = _skipped(text, at)
            if text.startswith(stack[-1].closing, at) and not stack[-1].lacks_value:
                container = stack.pop()
                value, start, at = container.value(at), container.start, at + 1
                continue
            stack[-1].separate(text[at : at + 1], at)
            at += 1
            break
        else:
            return value, at


class _Container:
    """What stands between two brackets."""

    def __init__(self, opening: str, start: int) -> None:
        self.start = start
        self.closing = _CLOSING[opening]
        self.may_end = True  # at the beginning, and after a comma
        self.lacks_value = False  # after the key of a dict
        self._opening = opening
        self._items: list[object] = []
        self._pairs: dict[object, object] | None = None
        self._seen: set[object] = set()
        self._separated = False

    def take(self, value: object, at: int) -> None:
        self.may_end = False
        if self._pairs is not None and self.lacks_value:
            self._pairs[self._items[-1]] = value
            self.lacks_value = False
            return
        if self._opening == "{":
            try:
                hash(value)  # `in` would take a set for a frozenset
            except TypeError:
                raise ReadingError(at, "a value to be found by, not a list or a dict") from None
            if value in self._seen:
                raise ReadingError(at, "another value: this one stands here twice")
            self._seen.add(value)
            self.lacks_value = self._pairs is not None
        elif self._opening == "frozenset(" and not isinstance(value, set):
            raise ReadingError(at, "a set")
        self._items.append(value)

    def separate(self, mark: str, at: int) -> None:
        undecided = self._opening == "{" and self._pairs is None and not self._separated
        if mark == ":" and (self.lacks_value or (undecided and len(self._items) == 1)):
            self._pairs = {} if self._pairs is None else self._pairs
            self.lacks_value = True
        elif mark == "," and not self.lacks_value and self._opening != "frozenset(":
            self.may_end = self._separated = True
        else:
            commas = "" if self._opening == "frozenset(" else "`,` or "
            colon = "`:`, " if undecided else ""
            raise ReadingError(at, "`:`" if self.lacks_value else f"{colon}{commas}`{self.closing}`")

    def value(self, at: int) -> object:
        if self._opening == "[":
            return self._items
        if self._opening == "(":
            if len(self._items) == 1 and not self._separated:
                raise ReadingError(at, "`,`", "; a tuple of one is written (1,)")
            return tuple(self._items)
        if self._opening == "frozenset(":
            return frozenset(self._items[0] if self._items else ())  # type: ignore[call-overload]  # a set, says `take`
        return self._pairs if self._pairs is not None else set(self._items) if self._items else {}


def _read_atom(text: str, at: int) -> tuple[object, int]:
    if found := _STRING.match(text, at):
        inner = found.start(1 if found[2] is None else 2)
        if text[at] == "b":
            return _bytes(found[1] or found[2] or "", inner), found.end()
        return _unescaped(found[1] or found[2] or "", inner), found.end()
    if text.startswith(('"', "'", 'b"', "b'"), at):
        raise ReadingError(at, "a string that ends on its line: the closing quote is missing")
    for empty, kind in _EMPTY.items():
        if text.startswith(empty, at):
            return kind(), at + len(empty)
    if found := _NUMBER.match(text, at):
        return _number(found, at), found.end()
    found = _WORD.match(text, at)
    word = found[0] if found else ""
    if found and word in _FLOATS:
        return float(word), found.end()
    if not found or word not in _WORDS:
        raise ReadingError(at, "a value", nearest(word, ("None", "True", "False")) if word else "")
    return _WORDS[word], found.end()


def _number(found: re.Match[str], at: int) -> int | float:
    if found[1] or found[2]:
        return float(found[0])
    try:
        return int(found[0], 0)
    except ValueError:
        raise ReadingError(at, "a shorter number: write one of so many digits in hexadecimal, 0x...") from None


def _unescaped(inner: str, at: int) -> str:
    if "\\" not in inner:
        return inner

    def read(found: re.Match[str]) -> str:
        high, low, *digits, char = found.groups()
        if high:
            return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
        for given in digits:
            if given:
                return chr(int(given, 16))
        if char not in _READ:
            raise ReadingError(at + found.start(), r"an escape such as \n, \" or \u00e9; a backslash is written \\")
        return _READ[char]

    return _ESCAPE.sub(read, inner)


def _bytes(inner: str, at: int) -> bytes:
    text = _unescaped(inner, at)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ReadingError(at, f"bytes, not the character {text[error.start]!r}") from None


def _skipped(text: str, at: int) -> int:
    found = _SPACES.match(text, at)
    return found.end() if found else at
