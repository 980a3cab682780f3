"""Where patterns and contracts are written: the file and line that made them, noted while somebody wants to know."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

Place: TypeAlias = "tuple[str, int]"  # a file and a line of it, which counts from 1

_OURS = f"{__name__.partition('.')[0]}."
_BETWEEN = ("contextlib", "dataclasses", "functools")  # what our own calls go through


class Noting:
    """Whether places are noted, and the text that is being read, which then is where things are written."""

    def __init__(self) -> None:
        self.wanted = 0  # by how many runs: pytest runs inside of pytest, too
        self.text: Place | None = None  # with its first line
        self.line = 1  # of that text


NOTING = Noting()


@contextmanager
def written_in(file: str, first: int) -> Iterator[None]:
    """Note what is made meanwhile as written in a text that begins at the line `first` of a file."""
    before = NOTING.text, NOTING.line
    NOTING.text, NOTING.line = (file, first), 1
    try:
        yield
    finally:
        NOTING.text, NOTING.line = before


def here() -> Place | None:
    """Return the place outside of this package that is running, or that of the text that is being read."""
    if NOTING.text is not None:
        file, first = NOTING.text
        return file, first + NOTING.line - 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(_OURS) and module not in _BETWEEN:
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def place_of(made: object) -> Place | None:
    """Return where a pattern or a contract is written; `None` for what was made while nobody wanted to know."""
    place: Place | None = getattr(made, "_place", None)
    return place
