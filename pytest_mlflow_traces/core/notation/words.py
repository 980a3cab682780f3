"""One word of the notation: a name or a type as a bare word, a "string" or a /regex/, and back.

A bare word never looks like notation: what is a keyword of it, or one slip away from one, stands in quotes, so that
`any_order` or `paralel` is an error and not a span of that name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.notation.literals import ReadingError, quoted, read_string
from pytest_mlflow_traces.core.patterns.constructors import STATUSES
from pytest_mlflow_traces.core.patterns.nodes import said_flags
from pytest_mlflow_traces.core.text.suggestions import nearest

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.patterns.nodes import Text

__tracebackhide__ = True  # a failure points at the test, not in here

SPAN, GAP, ANY_ORDER, PARALLEL, ONE_OF, HAS, LACKS = "span", "...", "any order", "parallel", "one of", "has:", "lacks:"
GROUPS = (ANY_ORDER, PARALLEL, ONE_OF)

_EXACT = {"any": ANY_ORDER, "one": ONE_OF, "has": HAS, "lacks": LACKS}

_BARE = re.compile(r"[\w<][\w.:/<>,@+$%&~()\[\]-]*", re.ASCII)  # letters of other scripts can pass for a keyword's
_REGEX = re.compile(r"/([^/\\]*(?:\\.[^/\\]*)*)/")
_ESCAPED = re.compile(r"\\.")
_SLASH = r"\/"
_FLAGS = {re.ASCII: "a", re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}
_LETTERS = {letter: flag for flag, letter in _FLAGS.items()}


def word_at(line: str, at: int) -> str:
    """Return what stands from `at` to the next space."""
    end = line.find(" ", at)
    return line[at:] if end < 0 else line[at:end]


def after_space(line: str, at: int) -> int:
    """Return where the next word begins, after one that ended at `at`."""
    if at < len(line) and line[at] != " ":
        raise ReadingError(at, "a space")
    while at < len(line) and line[at] == " ":
        at += 1
    return at


def text_word(text: Text, what: str) -> str:
    """Return a name or a type (`what` says which) as one word."""
    if isinstance(text, str):
        return text if _BARE.fullmatch(text) and not _why_quoted(text, what) else quoted(text)
    letters = "".join(_FLAGS[flag] for flag in said_flags(text))
    if not text.pattern.isprintable() or _SLASH in _ESCAPED.findall(text.pattern):
        return f"re{quoted(text.pattern)}{letters}"
    escaped = text.pattern.replace("/", _SLASH)
    return f"/{escaped}/{letters}"


def read_text(line: str, at: int, what: str) -> tuple[Text, int]:
    """Return the name or type that begins at `at`, and where it ends."""
    word = word_at(line, at)
    if word.startswith(("/", 're"', "re'")):
        return _read_regex(line, at)
    if word.startswith(('"', "'")):
        return read_string(line, at)
    found = _BARE.match(word)
    if not found:
        expected = "a name or `*`" if what == "name" else f"a {what}"
        raise ReadingError(at, expected, f"; a {what} that begins with {quoted(word[0])} stands in quotes")
    cause = _why_quoted(found[0], what)
    if cause is not None:
        raise ReadingError(at, f"a {what}", f"; {cause}")
    if found.end() < len(word):
        odd = quoted(word[found.end()])
        raise ReadingError(at + found.end(), "a space", f"; a {what} with {odd} in it stands in quotes")
    return word, at + len(word)


def _read_regex(line: str, at: int) -> tuple[re.Pattern[str], int]:
    if line.startswith("re", at):
        text, end = read_string(line, at + 2)
    elif found := _REGEX.match(line, at):
        text, end = _ESCAPED.sub(lambda pair: "/" if pair[0] == _SLASH else pair[0], found[1]), found.end()
    else:
        raise ReadingError(at, "a regex that ends on its line: the closing slash is missing")
    flags = 0
    for letter in word_at(line, end):
        if letter not in _LETTERS:
            raise ReadingError(end, f"a space, or a flag of the regex ({', '.join(_LETTERS)})")
        flags |= _LETTERS[letter]
        end += 1
    try:
        return re.compile(text, flags), end
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ReadingError(at, "a regex", f"; Python says: {error}") from None


def _why_quoted(word: str, what: str) -> str | None:
    """Return why `word` cannot stand without quotes, or `None` where it can."""
    in_quotes = f"a {what} of this spelling stands in quotes"
    if ".." in word:
        return "write a space before `...`"
    if keyword := _near_keyword(re.sub("[-_.:]", "", word.casefold())):
        return f"did you mean `{keyword}`? ({in_quotes})"
    if word.endswith(":"):
        return f"{in_quotes}{nearest(word, (HAS, LACKS))}"
    if word.upper() in STATUSES:
        return f"the status is written `{'* ' if what == 'name' else ''}{word.upper()}`; {in_quotes}"
    return None


def _near_keyword(word: str) -> str | None:
    # one slip spares the beginning or the end, which tells most names apart at little cost
    if (
        word in _EXACT
        or len(word) > 10
        or not (word.startswith(("an", "pa", "on")) or word.endswith(("er", "el", "of")))
    ):
        return _EXACT.get(word)
    return next((_KEYWORDS[slip] for slip in _slips(word) if slip in _KEYWORDS), None)


def _slips(word: str) -> list[str]:
    """Return `word` and what is left of it without one letter: words one slip apart have one of these in common."""
    return [word, *(word[:i] + word[i + 1 :] for i in range(len(word)))]


_KEYWORDS = {slip: keyword for keyword in GROUPS for slip in _slips(keyword.replace(" ", ""))}
