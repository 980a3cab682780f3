"""Counts in words, and lists that end where a reader would stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def counted(number: int, what: str) -> str:
    """Say how many there are: `1 test`, `1,204 tokens`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def capped(lines: Sequence[str], most: int, rest: str = "... {} more lines") -> list[str]:
    """Return the first lines, and below them how many there are besides."""
    more = len(lines) - most
    return [*lines[:most], *([rest.format(more)] if more > 0 else [])]
