"""Texts on disk until the end of a run, when they are put together: those of a large one would fill the memory."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a text of the spool begins, and how many bytes it has."""

    start: int
    size: int


class Spool:
    """Texts that are written once and read again, in any order."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._end = 0

    def put(self, text: str) -> Slice:
        """Keep a text."""
        encoded = text.encode()
        self._file.seek(self._end)
        self._file.write(encoded)
        kept = Slice(self._end, len(encoded))
        self._end += len(encoded)
        return kept

    def get(self, kept: Slice) -> str:
        """Return a text."""
        self._file.seek(kept.start)
        return self._file.read(kept.size).decode()

    def close(self) -> None:
        """Give up all texts."""
        self._file.close()
