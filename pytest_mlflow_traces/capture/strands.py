"""Which tasks, threads and works of a pool were there at one time, so that the order of their spans is not fixed.

Two siblings that take turns need not overlap in time: a model that asks for two instant tools has both run at once, and
one is first. So it is noted, by a number that only grows, when each such strand was made and when each span ended: what
was made before another had ended might have come first.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

    from pytest_mlflow_traces.capture.replacements import Replacements
    from pytest_mlflow_traces.core.spans.table import SpanTable


@dataclass(eq=False, slots=True)
class _Strand:
    """A task, a thread or a work: when it was made, and in which other."""

    born: int
    parent: _Strand | None


@dataclass(eq=False, slots=True)
class _Ran:
    """In which strand a span started, and when it ended."""

    strand: _Strand | None
    ended: int | None = None


@contextmanager
def standing(mapping: MutableMapping[Any, Any], key: Any, value: Any) -> Iterator[None]:
    """Have a mapping tell a value for a while."""
    before = mapping.get(key)
    mapping[key] = value
    try:
        yield
    finally:
        mapping[key] = before


class Strands:
    """The strands that are running, and the spans that started in them."""

    def __init__(self) -> None:
        self._clock = count()
        self._of_tasks: WeakKeyDictionary[Any, _Strand] = WeakKeyDictionary()
        self.of_threads: WeakKeyDictionary[threading.Thread, _Strand | None] = WeakKeyDictionary()
        self._spans: dict[str, _Ran] = {}

    def watch(self, replacements: Replacements) -> None:
        """Note each task that is made from now on; threads and works are told of."""

        def noting(make: Callable[..., Any]) -> Callable[..., Any]:
            def create_task(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                strand = self.made()
                task = make(*args, **kwargs)
                self._of_tasks[task] = strand
                return task

            return create_task

        replacements.put(asyncio.BaseEventLoop, "create_task", noting)

    def made(self) -> _Strand:
        """Make a strand, in the one that runs here."""
        return _Strand(next(self._clock), self._here())

    def begin(self, thread: threading.Thread) -> None:
        """Note a thread that is about to begin."""
        self.of_threads[thread] = self.made()

    def _here(self) -> _Strand | None:
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        strand = None if task is None else self._of_tasks.get(task)
        return strand or self.of_threads.get(threading.current_thread())

    def started(self, span: Any) -> None:
        """Note a span that starts here."""
        self._spans[_id_of(span)] = _Ran(self._here())

    def ended(self, span: Any) -> None:
        """Note a span that ends, wherever."""
        ran = self._spans.get(_id_of(span))
        if ran is not None:
            ran.ended = next(self._clock)

    def turns(self, table: SpanTable) -> dict[str, int]:
        """Return, by id, the number of the set in which a span took turns with siblings; most spans have none."""
        found: dict[str, int] = {}
        ids = [record.span_id for record in table.records]
        known = [self._spans.get(each) for each in ids]
        for parent in range(len(table)):
            run: list[int] = []  # siblings one after another, each in a race with one before it
            for i in table.children(parent):
                if not any(_might_have_been_later(known[k], known[i]) for k in reversed(run)):
                    run = []
                run.append(i)
                if len(run) > 1:
                    found.update((ids[k], run[0]) for k in (run[0], i))
        return found

    def forget(self) -> None:
        """Forget the spans of earlier tests."""
        self._spans.clear()


def _might_have_been_later(ran: _Ran | None, later: _Ran | None) -> bool:
    """Return whether the strand of a span that started later was there before the other span had ended."""
    if ran is None or later is None:
        return False
    for one, other in zip(_line_to(ran.strand), _line_to(later.strand), strict=False):
        if one is not other:  # the two that were made in the strand that they have in common, or in none
            return ran.ended is None or other.born < ran.ended
    return False  # one of them ran in that strand itself


def _line_to(strand: _Strand | None) -> list[_Strand]:
    """Return the strands from the outermost to this one."""
    line: list[_Strand] = []
    while strand is not None:
        line.append(strand)
        strand = strand.parent
    return line[::-1]


def _id_of(span: Any) -> str:
    return f"{span.context.span_id:016x}"


strands = Strands()
