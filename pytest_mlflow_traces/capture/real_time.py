"""Which spans are open, in what threads, while virtual time is on: where a wait belongs that it does not see."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans.real_waits import RealWait

if TYPE_CHECKING:
    from collections.abc import Iterable


class RealTime:
    """The spans that are open in virtual time, and the waits in real time of these and of those that ended."""

    def __init__(self) -> None:
        self.is_on = False  # virtual time is
        self._open: dict[str, tuple[int, str | None]] = {}  # the thread and the parent of each
        self._waits: dict[str, list[RealWait]] = {}

    def started(self, span: Any) -> None:
        """Note a span that starts in this thread."""
        if self.is_on:
            parent = None if span.parent is None else _id_of(span.parent)
            self._open[_id_of(span.context)] = get_ident(), parent

    def ended(self, span: Any) -> None:
        """Note a span that ends."""
        if self._open:
            self._open.pop(_id_of(span.context), None)

    def note(self, thread: int, where: str, *, is_all: bool) -> RealWait | None:
        """Note a wait of a thread, for its spans and those above; or, where it has none and all wait, for all.

        Return it, to be told how long it is, or `None` where no span is open there.
        """
        spans = dict(self._open)
        mine = {each for each, (started_in, _) in spans.items() if started_in == thread}
        if not mine and is_all:
            mine = set(spans)
        if not mine:
            return None
        wait = RealWait(where, frozenset(mine - {spans[each][1] for each in mine}))
        above = set()
        for each in mine:
            at: str | None = each
            while at is not None and at in spans and at not in above:
                above.add(at)
                at = spans[at][1]
        for each in above:
            self._waits.setdefault(each, []).append(wait)
        return wait

    def waits_of(self, spans: Iterable[str]) -> dict[str, list[RealWait]]:
        """Return the waits of these spans."""
        return {each: self._waits[each] for each in spans if each in self._waits} if self._waits else {}

    def forget(self) -> None:
        """Forget the spans of earlier tests."""
        self._open.clear()
        self._waits.clear()


def _id_of(context: Any) -> str:
    return f"{context.span_id:016x}"


real_time = RealTime()
