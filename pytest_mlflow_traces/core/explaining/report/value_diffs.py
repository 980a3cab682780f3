"""Values in messages: on one line, shortened in the middle, and where two of them differ."""

from __future__ import annotations

from reprlib import Repr
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 60
ABSENT = "absent"
_TOLD = 3  # places told of one value
_SEEN = 20_000  # parts of a value that are compared
_ITEMS = (list, tuple)

_repr = Repr()
_repr.maxlevel, _repr.maxdict, _repr.maxlist, _repr.maxtuple = 5, 12, 12, 12
_repr.maxset = _repr.maxfrozenset = _repr.maxdeque = _repr.maxarray = 12
_repr.maxstring = _repr.maxother = _repr.maxlong = 4 * WIDTH


class Differing(NamedTuple):
    """One place where a value is not as expected: `['domains'][0]`, and both sides as text.

    The last one may have only an `actual`: how many more places there are.
    """

    place: str
    expected: str | None
    actual: str


def shortened(text: str, width: int = WIDTH) -> str:
    """Return `text` on one line, without its middle where it is longer than `width`."""
    shown = visible(text[: 2 * width] + text[-2 * width :] if len(text) > 4 * width else text)
    if len(shown) <= width:
        return shown
    tail = (width - 3) // 3
    return f"{shown[: width - 3 - tail]}...{shown[-tail:]}"


def shown(value: object, width: int = WIDTH) -> str:
    """Return the `repr` of `value`, shortened; values that cannot be printed are named by their type."""
    return shortened(_repr.repr(value), width)


def differing(expected: Any, actual: Any, text: str) -> list[Differing]:
    """Return the first places where `actual` is not as expected; `text` is the whole of `expected` as it was given.

    Plain dicts and lists are compared part by part, without recursion; anything else as a whole. A tuple equals a list.
    """
    found: list[Differing] = []
    stack = [("", expected, actual)]
    seen = left_out = 0
    while stack:
        place, one, two = stack.pop()
        seen += 1
        if _equal(one, two):
            continue
        if seen > _SEEN or len(found) >= _TOLD:
            left_out += 1
            continue
        if type(one) is dict and type(two) is dict:
            stack.extend(reversed(list(_entries(place, one, two))))
        elif type(one) in _ITEMS and type(two) in _ITEMS:
            if len(one) != len(two):
                found.append(Differing(place, _items(one), _items(two)))
            stack.extend((f"{place}[{k}]", one[k], two[k]) for k in reversed(range(min(len(one), len(two)))))
        else:
            expected, actual = _both(one, two)
            # a matcher may print differently once it has been compared
            found.append(Differing(place, expected if place or type(one) is str else shortened(text), actual))
    if left_out:
        found.append(Differing("", None, f"{left_out} more place{' differs' if left_out == 1 else 's differ'}"))
    return found


class _Absent:
    """What stands for a key that is not there, which is not `None`."""

    def __repr__(self) -> str:
        return ABSENT


_ABSENT = _Absent()


def _entries(place: str, one: dict[Any, Any], two: dict[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in one:
        yield f"{place}[{shown(key, 30)}]", one[key], two.get(key, _ABSENT)
    for key in two:
        if key not in one:
            yield f"{place}[{shown(key, 30)}]", _ABSENT, two[key]


def _both(one: Any, two: Any) -> tuple[str, str]:
    """Show two values; of two long strings, from where they begin to differ."""
    if type(one) is str and type(two) is str and min(len(one), len(two)) > WIDTH // 2:
        same = next((k for k, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
        if same > WIDTH // 2:
            start = same - 12
            return tuple(f"'...{shown(text[start:])[1:]}" for text in (one, two))  # type: ignore[return-value]  # two
    return shown(one), shown(two)


def _items(values: list[Any] | tuple[Any, ...]) -> str:
    return counted(len(values), "item")


def _equal(one: Any, two: Any) -> bool:
    if one is two:
        return True
    try:
        return bool(two == one)
    except Exception:  # whatever a foreign `==` does, the value is then not equal
        return False
