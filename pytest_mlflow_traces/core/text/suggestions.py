"""The nearest legal word to a misspelt one, for error texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__tracebackhide__ = True  # a failure points at the test, not in here


def listed(words: Iterable[str]) -> str:
    """Return the words quoted and comma separated, in their order."""
    return ", ".join(repr(word) for word in words)


def nearest(word: str, legal: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the legal word closest to `word`, or nothing where none is close."""
    return _suggested(filter(None, [closest(word, legal)]))


def unknown_keywords(call: str, unknown: Iterable[str], legal: Iterable[str]) -> TypeError:
    """Build the error for keywords that `call` does not have."""
    words, legal = list(unknown), list(legal)
    meant = dict.fromkeys(filter(None, (closest(word, legal) for word in words)))
    several = "s" if len(words) > 1 else ""
    return TypeError(f"{call}: unknown keyword{several} {listed(words)} (legal: {listed(legal)}){_suggested(meant)}")


def closest(word: str, legal: Iterable[object]) -> str | None:
    """Return the text among `legal` closest to `word`, or `None` where none is close."""
    # difflib costs 8 ms to import, and most runs never misspell a thing
    from difflib import get_close_matches

    folded = {candidate.casefold(): candidate for candidate in legal if isinstance(candidate, str)}
    found = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def _suggested(words: Iterable[str]) -> str:
    meant = listed(words)
    return f"; did you mean {meant}?" if meant else ""
