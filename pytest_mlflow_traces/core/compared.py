"""`==` of traces and spans with what is no pattern: it is False for ever, so that `!=` would always pass."""

from __future__ import annotations

import opcode
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_mlflow_traces.core.patterns.nodes import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable

__tracebackhide__ = True  # a failure points at the test, not in here

_IN = opcode.opmap.get("CONTAINS_OP")


class Compared:
    """What is equal to a pattern that it matches, and else to itself alone; `None` and others of its kind are unequal.

    A matcher or a baseline answers for itself. To compare with what knows nothing of traces and spans is a TypeError.
    """

    __slots__ = ()
    _kind: ClassVar[str]

    def _is(self, pattern: Pattern) -> bool:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return self._is(other) if isinstance(other, Pattern) else self._answer(other, "__eq__", self is other)

    def __ne__(self, other: object) -> bool:
        return not self._is(other) if isinstance(other, Pattern) else self._answer(other, "__ne__", self is not other)

    __hash__ = object.__hash__

    def _answer(self, other: object, method: str, itself: bool) -> Any:
        if self is other or other is None or type(other) is type(self):
            return itself
        home = next(each for each in type(other).__mro__ if method in vars(each))
        if home.__module__ == "unittest.mock":
            return NotImplemented  # a mock answers when Python asks it, and notes that
        if other is ... and sys._getframe(2).f_globals.get("__name__", "").startswith("inline_snapshot."):
            return method == "__ne__"  # what inline-snapshot has in the place of a snapshot that is empty
        answer = NotImplemented if issubclass(home, Compared) else self._matched(other, vars(home)[method])
        if answer is NotImplemented:
            raise TypeError(f"a {self._kind} is compared with {_instead(other)}")
        return answer

    def _matched(self, other: object, compare: Callable[[object, object], Any]) -> Any:
        """Return what a matcher, or a baseline, answers by its own `==` or `!=`."""
        return compare(other, self)


def _instead(other: object) -> str:
    if isinstance(other, str):
        return f"a pattern, not with a string: write span({other!r:.80})"
    if isinstance(other, list | tuple | set | frozenset):
        return (
            f"one pattern, not with a {type(other).__name__}: children stand in brackets behind it, span('name')[...]"
        )
    if callable(other):
        return f"a pattern, not with {getattr(other, '__name__', other)!r:.80}: call it, as in span('name')"
    return f"a pattern such as span('name'), got {other!r:.80}"


def refuse_in_container(frame: int = 3) -> None:
    """Raise a TypeError where a container of traces looks for a pattern: it would compare the roots alone.

    A container does not say for what it compares, but the code that runs does.
    """
    caller = sys._getframe(frame)
    if caller.f_code.co_code[caller.f_lasti] == _IN:
        cure = "any(pattern in trace for trace in traces), or `pattern in mlflow_traces`"
        raise TypeError(f"`in` on a container of traces looks at their roots alone: write {cure}")


class FoundSpans(tuple[Any, ...]):  # noqa: SLOT001  # what is of no fixed size can have no slots
    """The spans that `find()` found: to look for a pattern in them could mean these alone, or what is below them."""

    def __contains__(self, item: object) -> bool:
        if isinstance(item, Pattern):
            cure = "`pattern in trace` looks everywhere, any(each == pattern for each in found) at these spans alone"
            raise TypeError(f"`in` on what find() returned could mean two things: {cure}")
        return any(each == item for each in self)
