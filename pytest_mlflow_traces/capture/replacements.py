"""Functions of others that ours stand in for, beside whoever else wraps the same ones.

Instrumentations (wrapt), debuggers and tests wrap these functions, too, before us, after us, or both. What is there now
may hold what was there before: an older function put back would take away a newer one's wrapper, and cut off what that
wrapper still calls. So ours goes only from where it still stands, and else stays, and does nothing from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_GONE = object()


class Replacements:
    """What stands in for what, in one part of this package."""

    def __init__(self) -> None:
        self._standing: list[tuple[Any, str, Any, Any]] = []

    def put(self, holder: Any, name: str, make: Callable[[Callable[..., Any]], Any]) -> None:
        """Put in what `make` makes of the function that is there: ours, which calls that where it has nothing to do."""
        before = vars(holder).get(name, _GONE)
        ours = make(_callable(holder, name, before))
        setattr(holder, name, ours)
        self._standing.append((holder, name, ours, before))

    def __bool__(self) -> bool:
        return bool(self._standing)

    def take_out(self) -> None:
        """Take out all that still stand where they were put."""
        while self._standing:
            holder, name, ours, before = self._standing.pop()
            if vars(holder).get(name, _GONE) is not ours:
                continue
            if before is _GONE:
                delattr(holder, name)
            else:
                setattr(holder, name, before)


def _callable(holder: Any, name: str, before: Any) -> Callable[..., Any]:
    """Return what calls the function that was there; a method is bound, since a wrapper of wrapt asks what it is of."""
    if not isinstance(holder, type):
        function: Callable[..., Any] = getattr(holder, name, before)
        return function

    def call(instance: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return before.__get__(instance, type(instance))(*args, **kwargs)

    return call
