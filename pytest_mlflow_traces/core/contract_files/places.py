"""Where each key and each value of a TOML text stands, which the parser of Python does not tell.

One pass over the tokens. It asks less than TOML does: what it does not understand, the parser refuses. It also refuses
what would take the parser long, or to the end of the stack: keys of many parts, deep nesting, very long numbers.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__tracebackhide__ = True  # a failure points at the test, not in here

LONGEST = 2**18  # characters of a file; people review it
MOST_PARTS = 32  # of a key
MOST_OPEN = 32  # brackets at one place
_MOST_DIGITS = 400

_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+|\#[^\n]*)|(?P<end>\n)|(?P<mark>[\[\]{},=.])|(?P<word>[^\s\[\]{},=.\#"']+)"""
    r'''|(?P<text>"""[^"\\]*(?:(?:\\[\s\S]|"(?!""))[^"\\]*)*""""{0,2}|"(?!"")[^"\\\n]*(?:\\.[^"\\\n]*)*"'''
    r"""|\'\'\'[\s\S]*?\'\'\'\'{0,2}|'(?!'')[^'\n]*')"""
)
# what one character of a string is written as, or (with no character) the end of a line that goes on
_WRITTEN = re.compile(r"\\[ \t]*\n[ \t\n]*|\\u.{4}|\\U.{8}|\\x.{2}|\\?.", re.DOTALL)
_CONTINUED = re.compile(r"\\[ \t]*\n")

Key: TypeAlias = "tuple[str | int, ...]"


class ContractFileError(ValueError):
    """What is wrong with the text of a contract, and where; `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line, self.column = line, column

    @property
    def place(self) -> tuple[int, int]:
        """Line and column, in that order."""
        return self.line, self.column


class _UnknownTextError(Exception):
    """The scan is at what is no TOML, as the parser will say."""


class Places:
    """The places of all keys and values of a text, by their paths: `("order", 0, "after")`."""

    def __init__(self, text: str) -> None:
        """Scan a text.

        Raises:
            ContractFileError: for a key twice, and for what no contract needs and a parser had better not see.
        """
        self.text = text.replace("\r\n", "\n")  # as the parser has it
        self.keys: dict[Key, int] = {}
        self.values: dict[Key, int] = {}
        self._defined: dict[Key, int] = {}
        self._arrays: dict[Key, int] = {}  # how many tables each array of tables has so far
        self._at = 0
        if len(text) > LONGEST:
            raise ContractFileError(f"a contract file has at most {LONGEST:,} characters, got {len(text):,}", 1, 1)
        try:
            self._scan()
        except _UnknownTextError:
            return

    def error(self, message: str, path: Key) -> ContractFileError:
        """Build the error for what stands at a path, or is missing there."""
        return self.error_at(message, self.offset(path))

    def offset(self, path: Key) -> int:
        """Return where the key of a path stands, or else the nearest one above."""
        while path and path not in self.keys:
            path = path[:-1]
        return self.keys.get(path, 0)

    def error_inside(self, message: str, path: Key, index: int) -> ContractFileError:
        """Build the error for what stands in the string at a path, `index` characters from its beginning."""
        start = self.values[path]
        quote = self.text[start]
        at = start + (3 if self.text.startswith(3 * quote, start) else 1)
        at += at > start + 1 and self.text.startswith("\n", at)  # of a string of several lines
        if quote == "'":
            return self.error_at(message, at + index)
        while index > 0 or _CONTINUED.match(self.text, at):
            index -= not _CONTINUED.match(self.text, at)
            found = _WRITTEN.match(self.text, at)
            at = found.end() if found else at + 1
        return self.error_at(message, at)

    def error_at(self, message: str, at: int) -> ContractFileError:
        """Build the error for what stands at an offset of the text."""
        return ContractFileError(message, self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at))

    # The scan

    def _scan(self) -> None:
        table: Key = ()
        while self._skip(newlines=True) is not None:
            if self._is("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip()
            if self._at < len(self.text) and self.text[self._at] != "\n":
                raise _UnknownTextError

    def _header(self) -> Key:
        is_array = self.text.startswith("[[", self._at)
        self._at += 1 + is_array
        self._skip()
        start, parts = self._at, self._key()
        table: Key = ()
        for number, part in enumerate(parts, 1):
            table = (*table, part)
            self.keys.setdefault(table, start)
            if table in self._arrays and number < len(parts):
                table = (*table, self._arrays[table] - 1)
        if is_array:
            self._arrays[table] = self._arrays.get(table, 0) + 1
            table = (*table, self._arrays[table] - 1)
            self.keys[table] = start
        else:
            self._define(table, start)
        for _ in range(1 + is_array):
            self._take("]")
        return table

    def _pair(self, table: Key, depth: int = 0) -> None:
        start = self._at
        path = table
        for part in self._key():
            path = (*path, part)
            self.keys.setdefault(path, start)
        self._define(path, start)
        self._take("=")
        self._skip()
        self._value(path, depth)

    def _define(self, path: Key, start: int) -> None:
        first = self._defined.setdefault(path, start)
        if first != start:
            line = self.text.count("\n", 0, first) + 1
            raise self.error_at(f"{path[-1]!r:.80} stands here twice; the first is on line {line}", start)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            start = self._at
            token = self._next("word", "text")
            parts.append(_key_text(token))
            if len(parts) > MOST_PARTS:
                raise self.error_at(f"a key has at most {MOST_PARTS} parts", start)
            self._skip()
            if not self._is("."):
                return parts
            self._at += 1
            self._skip()

    def _value(self, path: Key, depth: int) -> None:
        self.values[path] = start = self._at
        if depth > MOST_OPEN:
            raise self.error_at(f"at most {MOST_OPEN} brackets stand in each other", start)
        if self._is("["):
            self._items("]", lambda number: self._item((*path, number), depth + 1))
        elif self._is("{"):
            self._items("}", lambda _: self._pair(path, depth + 1))
        elif self._is('"') or self._is("'"):
            self._next("text")
        else:
            while self._at < len(self.text) and self.text[self._at] not in ",]}\n#":
                self._next("word", "mark", "blank")
            if self._at - start > _MOST_DIGITS:
                raise self.error_at(f"a number has at most {_MOST_DIGITS} digits", start)

    def _item(self, path: Key, depth: int) -> None:
        self.keys[path] = self._at
        self._value(path, depth)

    def _items(self, closing: str, read: Callable[[int], None]) -> None:
        self._at += 1
        number = 0
        while self._skip(newlines=True) is not None and not self._is(closing):
            read(number)
            number += 1
            if self._skip(newlines=True) == ",":
                self._at += 1
            elif not self._is(closing):
                raise _UnknownTextError
        self._take(closing)

    def _is(self, mark: str) -> bool:
        return self.text.startswith(mark, self._at)

    def _take(self, mark: str) -> None:
        if not self._is(mark):
            raise _UnknownTextError
        self._at += 1

    def _skip(self, *, newlines: bool = False) -> str | None:
        """Go to the next character that says something; return it, `None` at the end."""
        while found := _TOKEN.match(self.text, self._at):
            if found.lastgroup != "blank" and not (newlines and found.lastgroup == "end"):
                break
            self._at = found.end()
        return self.text[self._at] if self._at < len(self.text) else None

    def _next(self, *kinds: str) -> str:
        found = _TOKEN.match(self.text, self._at)
        if found is None and self.text[self._at : self._at + 1] in {'"', "'"}:
            raise self.error_at("a string that does not end: the closing quotes are missing", self._at)
        if found is None or found.lastgroup not in kinds:
            raise _UnknownTextError
        self._at = found.end()
        return found[0]


def _key_text(token: str) -> str:
    """Return what a part of a key says."""
    if token[0] not in "\"'":
        return token
    if "\\" not in token:
        return token[1:-1]
    try:
        return str(decoded(f"key = {token}")["key"])
    except ValueError:
        raise _UnknownTextError from None


def decoded(text: str) -> dict[str, Any]:
    """Return the data of a TOML text.

    Raises:
        ValueError: for what is no TOML, with the place in its text.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    data: dict[str, Any] = tomllib.loads(text)
    return data
