"""Pages of HTML in files: the tests of a page wait on disk until its head is known, then it is written in one go."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pytest_mlflow_traces.files.atomic import replacing
from pytest_mlflow_traces.reports.html.page import Kept, page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_mlflow_traces.files.spool import Slice, Spool
    from pytest_mlflow_traces.reports.html.page import Head

NEEDS = "needs Jinja2: pip install 'pytest-mlflow-traces[html]'"


def can_make_pages() -> bool:
    """Return whether what makes pages is installed."""
    return find_spec("jinja2") is not None


class Pages:
    """The tests of a page, each by a key; what comes later under the same key takes its place."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._kept: dict[tuple[str, ...], Kept] = {}

    def put(self, key: tuple[str, ...], parts: Sequence[str], *, failed: bool, has_findings: bool) -> None:
        """Keep one test, as `Entry.parts` made it; it is called as the key begins."""
        slices = [self._spool.put(part) for part in parts]
        entry, spans, values = (kept.size for kept in slices)
        self._kept[key] = Kept(key[0], failed, has_findings, (entry, spans, values), partial(self._read, slices))

    def _read(self, slices: list[Slice], which: int) -> str:
        return self._spool.get(slices[which])

    def write(self, path: Path, head: Head) -> None:
        """Write the page; the tests stand by their keys, since the order of a run depends on its workers."""
        with replacing(path) as stream:
            for piece in page(head, [self._kept[key] for key in sorted(self._kept)]):
                stream.write(piece.encode("utf-8", "backslashreplace"))
