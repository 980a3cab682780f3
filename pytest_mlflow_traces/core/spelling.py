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
    # difflib costs 8 ms to import, and most runs never misspell a thing
    from difflib import get_close_matches

    candidates = list(legal)
    folded = {candidate.casefold(): candidate for candidate in candidates}
    found = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""


def unknown_keywords(call: str, unknown: Iterable[str], legal: Iterable[str]) -> TypeError:
    """Build the error for keywords that `call` does not have."""
    words = list(legal)
    parts = [f"{word!r}{nearest(word, words).rstrip('?')}" for word in unknown]
    return TypeError(f"{call}: unknown keyword {', '.join(parts)} (legal: {listed(words)})")
