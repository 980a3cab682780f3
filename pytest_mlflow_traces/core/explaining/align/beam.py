"""What keeps a long search going forward, so that it ends: what is certain at first, then what is ahead."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.align.graph import Point

_ROW = 12  # exact matches in a row that are not accident
_BEHIND = 24  # items and spans
FAR = 96  # items and spans
_PATIENCE, _HASTE = 2_000, 100  # points of one search; of one that comes after many others


class Beam:
    """What a long search still looks at: what is certain at first, and what is ahead when it takes too long.

    A row of exact matches is not an accident, and what is far behind one is not looked at again. After so many points,
    nor is what is far behind the point that is ahead; the distance shrinks, so that the search comes to an end.
    """

    def __init__(self, spans: Sequence[int], items: int, *, has_gap: bool, hurried: bool) -> None:
        self.count = 0
        self._patience = _HASTE if hurried else _PATIENCE
        self._has_gap = has_gap
        self._spans = spans
        self._short = len(spans) + items <= FAR and not hurried
        self._floor = self._ahead = 0

    def is_left_behind(self, point: Point) -> bool:
        return not self._short and self._progress(point) < self._floor

    def reached(self, point: Point, run: int) -> None:
        self.count += 1
        if self._short:
            return
        progress = self._progress(point)
        self._ahead = max(self._ahead, progress)
        if run >= _ROW:
            self._floor = max(self._floor, progress - 2 * _ROW - _BEHIND)
        if self.count > self._patience:
            self._floor = max(self._floor, self._ahead - max(4, FAR * self._patience // self.count))

    def _progress(self, point: Point) -> int:
        rank = point[0].rank
        # a gap gets to the end of the spans at once, which is not progress
        return 2 * rank if self._has_gap else rank + bisect_right(self._spans, point[1])
