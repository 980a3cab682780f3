"""Which item of a list stands for which span, also where it matches: an alignment as an editor of the list needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.explaining.align.edits import Aligned, Seated, Unexpected
from pytest_mlflow_traces.core.explaining.align.graph import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_mlflow_traces.core.explaining.align.edits import Edit
    from pytest_mlflow_traces.core.explaining.align.graph import ContentGraph, Point
    from pytest_mlflow_traces.core.explaining.align.search import Search
    from pytest_mlflow_traces.core.patterns.nodes import Pattern


class Row(NamedTuple):
    """One span, and what stands for it.

    Where no item of the list does, it is `new` in front of the item at `rank`; `unit` is then what it is elsewhere in
    the pattern, as far as that came out: in a missing span around it, or in another place of the list. The unit of a
    span in a gap, and of one that is unexpected in a group, is `None`.
    """

    rank: int
    span: int
    unit: Pattern | None = None
    new: bool = False


class Listing:
    """One list of children, aligned."""

    def __init__(self, content: ContentGraph, spans: Sequence[int], searches: Sequence[Search]) -> None:
        self._content, self._spans, self._searches = content, spans, searches

    def edits(self) -> list[Edit]:
        """Return what is different."""
        return [edit for each in self._searches for edit in each.edits()]

    def rows(self) -> list[Row]:
        """Return what stands for each span; spans below others where these are wrapped around them."""
        found: list[Row] = []
        steps = [step for step in reversed(self._content.steps or ()) if step.kind is not Kind.END]
        place = 0
        for search in (*self._searches, None):
            while steps and (search is None or steps[-1].rank < search.ranks[0]):  # what is sure was not searched
                step = steps.pop()
                found.append(Row(step.rank, self._spans[place], step.unit))
                place += 1
            if search is not None:
                found += _rows(search.path())
                place += len(search.spans)
                while steps and steps[-1].rank < search.ranks[1]:
                    steps.pop()
        return found


def _rows(path: Iterable[tuple[Point, Point, Sequence[Edit]]]) -> Iterator[Row]:
    for (step, k, _), (_, after, _), edits in path:
        if step.kind is Kind.GROUP:
            yield from _group(step.rank, edits)
        elif not edits and after != k:
            yield Row(step.rank, k, step.unit, new=step.holder is not None)
        for edit in edits:
            if isinstance(edit, Aligned) and step.kind is not Kind.GROUP:
                yield Row(step.rank, edit.span, step.unit, new=step.holder is not None)
            elif isinstance(edit, Unexpected) and step.kind is not Kind.GROUP:
                yield Row(step.rank, edit.span, edit.kind, new=edit.kind is None)


def _group(rank: int, edits: Sequence[Edit]) -> Iterator[Row]:
    seated = next(edit for edit in edits if isinstance(edit, Seated))
    rows = {span: Row(rank, span, seated.units.get(span)) for span in {*seated.spans, *seated.units}}
    for edit in edits:
        if isinstance(edit, Unexpected):
            rows[edit.span] = Row(rank, edit.span)
    yield from (rows[span] for span in sorted(rows))
