"""Literal values as text on one line, and back: JSON's, and Python's where JSON has none.

Written are Python's words and double quotes, as in `{"a": [True, None, (1,)]}`; JSON's words and single quotes are read
too. Whatever a string holds, its text is one line of printable characters.
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
_CLOSING = {"[": "]", "(": ")", "frozenset(": ")"}
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


def read_literal(text: str, at: int, depth: int = 0) -> tuple[object, int]:
    """Return the value whose text begins at `at`, and where it ends; raise `ReadingError` where there is none."""
    at = _skipped(text, at)
    opening = _OPENING.match(text, at)
    if not opening or text.startswith(tuple(_EMPTY), at):
        return _read_atom(text, at)
    if depth == DEEPEST:
        raise ReadingError(at, f"values nested at most {DEEPEST} deep")
    if opening[0] == "{":
        return _read_braces(text, opening.end(), depth + 1)
    return _read_sequence(text, opening.end(), opening[0], depth + 1)


def _read_sequence(text: str, at: int, opening: str, depth: int) -> tuple[object, int]:
    items: list[object] = []
    closing, is_frozen = _CLOSING[opening], opening == "frozenset("
    while not text.startswith(closing, start := _skipped(text, at)):
        value, at = read_literal(text, start, depth)
        if is_frozen and not isinstance(value, set):
            raise ReadingError(start, "a set")
        items.append(value)
        at = _after_item(text, at, closing, "" if is_frozen else "`,` or ")
    if opening == "[":
        return items, start + 1
    if is_frozen:
        return frozenset(items[0] if items else ()), start + 1  # type: ignore[call-overload]  # a set, by the check
    if len(items) == 1 and not text[:start].rstrip(" ").endswith(","):
        raise ReadingError(start, "`,`", "; a tuple of one is written (1,)")
    return tuple(items), start + 1


def _read_braces(text: str, at: int, depth: int) -> tuple[object, int]:
    pairs: dict[object, object] = {}
    is_dict = True
    while not text.startswith("}", start := _skipped(text, at)):
        key, at = read_literal(text, start, depth)
        try:
            is_known = key in pairs
        except TypeError:
            raise ReadingError(start, "a value to be found by, not a list or a dict") from None
        if is_known:
            raise ReadingError(start, "another value: this one stands here twice")
        at = _skipped(text, at)
        has_colon, may_have = text.startswith(":", at), "" if pairs else "`:`, "
        is_dict = is_dict if pairs else has_colon
        if is_dict and not has_colon:
            raise ReadingError(at, "`:`")
        pairs[key], at = read_literal(text, at + 1, depth) if is_dict else (None, at)
        at = _after_item(text, at, "}", f"{'' if is_dict else may_have}`,` or ")
    return pairs if is_dict else set(pairs), start + 1


def _after_item(text: str, at: int, closing: str, others: str) -> int:
    """Return where the next item may begin: behind a comma, or at the closing bracket."""
    at = _skipped(text, at)
    if text.startswith(closing, at):
        return at
    if not others or not text.startswith(",", at):
        raise ReadingError(at, f"{others}`{closing}`")
    return at + 1


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
