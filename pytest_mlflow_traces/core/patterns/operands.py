"""Values that a pattern compares with `==`: kept as they were, with the text and the identity they had when given.

A matcher object (`dirty_equals.IsInt()`, `pytest.approx(1)`) answers `==` for other things than itself, and some
print differently after a comparison, so neither its `==` nor its later `repr` can tell two patterns apart.

MLflow records values as JSON. What no such value can equal is refused, since `not in` would always pass with it.
"""

from __future__ import annotations

import contextlib
import copy
import math
import re
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__tracebackhide__ = True  # a failure points at the test, not in here

DEEPEST = 100  # containers in containers: Python itself does not read code that is nested 200 deep
_CONTAINERS = (dict, list, tuple)
_ATOMS = (type(None), bool, int, float, str)


class Unsaid(Enum):
    """The mark of what a pattern does not say, where `None` is something to say."""

    UNSAID = "unsaid"

    def __repr__(self) -> str:
        return "..."


UNSAID: Final = Unsaid.UNSAID


class Operand:
    """One value to compare with; two operands are equal when they were given as the same thing.

    `text` is its code; `is_literal` says whether that code is a plain literal all through.
    """

    __slots__ = ("_has_items", "_key", "is_literal", "text", "value")

    def __init__(self, value: object) -> None:
        taken = _taken(value, 0)
        self.value, self.text, self._key, self.is_literal, self._has_items = taken

    def equals(self, actual: object) -> bool:
        """Return whether `actual == value`, with the expected side free to answer; a tuple equals a list.

        JSON has no tuples, while OpenTelemetry keeps a list as one: which it was does not concern the code under test.
        """
        return bool(actual == self.value) or (self._has_items and _alike(actual, self.value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Operand) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return self.text


def written(value: object, leaf: Callable[[object], str]) -> str:
    """Return the code of `value`: containers as Python writes them, what they hold by `leaf`."""
    kind = type(value)
    if kind is dict:
        pairs: dict[object, object] = value  # type: ignore[assignment]  # kind says so
        return f"{{{', '.join(f'{written(key, leaf)}: {written(item, leaf)}' for key, item in pairs.items())}}}"
    if kind is list or kind is tuple:
        return _enclosed(kind, [written(item, leaf) for item in value])  # type: ignore[attr-defined]  # kind says so
    return leaf(value)


def whole_number(number: int) -> str:
    """Return the code of a number; Python refuses to write very long ones in decimal."""
    try:
        return str(number)
    except ValueError:
        return hex(number)


def answers_by_itself(value: object) -> bool:
    """Return whether the type of `value` has an `==` that is none of Python's own, as matcher objects have."""
    home = next(each for each in type(value).__mro__ if "__eq__" in vars(each))
    return home.__module__ not in {"builtins", "collections"}


def refuse_what_equals_nothing(value: object, what: str = "") -> None:
    """Raise an error where no recorded value can equal `value`, since `not in` would then always pass."""
    if type(value) is float and math.isnan(value):
        raise ValueError(f"{what}nan equals nothing, not even itself: compare with pytest.approx(nan, nan_ok=True)")
    if isinstance(value, type) and not answers_by_itself(value):
        cure = f"write dirty_equals.IsInstance({value.__name__})"
        raise TypeError(f"{what}no value equals the class {value.__name__}: {cure}, or the value itself")
    if isinstance(value, FunctionType | BuiltinFunctionType | MethodType):
        name = value.__name__
        raise TypeError(f"{what}no value equals the function {name}: write dirty_equals.FunctionCheck({name})")


def _refuse_what_json_lacks(value: Any) -> None:
    if isinstance(value, re.Pattern):
        cure = f"write dirty_equals.IsStr(regex={value.pattern!r:.60})"
        raise TypeError(f"no value equals a compiled regex: {cure}")
    kind = type(value)
    if issubclass(kind, bytes | bytearray) and not answers_by_itself(value):
        raise TypeError(f"traces hold no bytes, which MLflow stores as their text: write {str(bytes(value))!r:.60}")
    if issubclass(kind, set | frozenset) and not answers_by_itself(value):
        raise TypeError("traces hold no sets, which MLflow stores as text in any order: trace a sorted list")
    if issubclass(kind, dict) and not answers_by_itself(value):
        for key in value:
            if not isinstance(key, str):
                cure = f": write {str(key)!r}" if type(key) is int else ""
                raise TypeError(f"the keys of a recorded dict are strings, got {key!r:.60}{cure}")


def _alike(actual: Any, expected: Any) -> bool:
    """Return whether two values are equal, where a tuple equals a list; as deep as `DEEPEST`."""
    kind = type(expected)
    if kind is list or kind is tuple:
        same = isinstance(actual, list | tuple) and len(actual) == len(expected)
        return same and all(map(_alike, actual, expected))
    if kind is dict:
        same = isinstance(actual, dict) and actual.keys() == expected.keys()
        return same and all(_alike(actual[key], item) for key, item in expected.items())
    return actual is expected or bool(actual == expected)


class _Taken(NamedTuple):
    value: object
    text: str
    key: Hashable
    is_literal: bool
    has_items: bool = False  # of a list or a tuple


def _taken(value: Any, depth: int) -> _Taken:
    """Copy plain containers, lest the caller changes the pattern with them; say what tells `value` apart.

    The keys are made of texts alone, so that they stay true in another process.
    """
    # by `is`: the class of a matcher object may answer `==` and `in` like the object itself
    kind = type(value)
    if depth == DEEPEST and any(kind is each for each in _CONTAINERS):
        raise ValueError(f"a value to compare with is nested more than {DEEPEST} deep, or contains itself")
    refuse_what_equals_nothing(value)
    _refuse_what_json_lacks(value)
    if kind is dict:
        pairs = [(_taken(key, depth + 1), _taken(item, depth + 1)) for key, item in value.items()]
        return _Taken(
            {key.value: item.value for key, item in pairs},
            f"{{{', '.join(f'{key.text}: {item.text}' for key, item in pairs)}}}",
            ("dict", frozenset((key.key, item.key) for key, item in pairs)),
            all(key.is_literal and item.is_literal for key, item in pairs),
            any(item.has_items for _, item in pairs),
        )
    if kind is list or kind is tuple:
        items = [_taken(item, depth + 1) for item in value]
        return _Taken(
            kind(item.value for item in items),
            _enclosed(kind, [item.text for item in items]),
            (kind.__name__, tuple(item.key for item in items)),
            all(item.is_literal for item in items),
            has_items=True,
        )
    if any(kind is atom for atom in _ATOMS):
        # 1, 1.0 and True are equal to Python and print differently, as do 0.0 and -0.0
        text = _atom(value)
        return _Taken(value, text, (kind.__name__, text), is_literal=True)
    return _matcher(value, kind)


def _matcher(value: object, kind: type) -> _Taken:
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{kind.__name__} at {id(value):#x}, whose repr raises {type(error).__name__}>"
    if issubclass(kind, dict | list):
        with contextlib.suppress(Exception):  # it holds what cannot be copied, so it stays shared
            value = copy.deepcopy(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    # an array prints only its ends, and many objects print nothing but where they are: those equal themselves alone
    key = (name, text, id(value)) if "..." in text or " at 0x" in text else (name, text)
    return _Taken(value, text, key, is_literal=False)


def _atom(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    return whole_number(value) if type(value) is int else repr(value)


def _enclosed(kind: type, texts: list[str]) -> str:
    if kind is list:
        return f"[{', '.join(texts)}]"
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
