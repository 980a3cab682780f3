"""Values that a pattern compares with `==`: kept as they were, with the text and the identity they had when given.

A matcher object (`dirty_equals.IsInt()`, `pytest.approx(1)`) answers `==` for other things than itself, and some
print differently after a comparison, so neither its `==` nor its later `repr` can tell two patterns apart.

MLflow records values as JSON. What no such value can equal is refused, since `not in` would always pass with it. That
is asked of the value itself: if its `==` declines each kind of JSON, it equals none of it, be it a date, a model or an
object without an `==`. What answers True or False may be a matcher, and stays.
"""

from __future__ import annotations

import math
import re
from dataclasses import is_dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__tracebackhide__ = True  # a failure points at the test, not in here

DEEPEST = 100  # containers in containers: Python itself does not read code that is nested 200 deep
_CONTAINERS = (dict, list, tuple)
_ATOMS = (type(None), bool, int, float, str)
_JSON: tuple[object, ...] = (None, True, 1, 0.5, "a", [], ["a"], {}, {"a": 1}, ("a",))  # of each kind
# where matchers of dirty-equals keep the type that they ask for, and those that ask for a kind of class
_ASKED = ("allowed_types", "allowed_type", "expected_types", "expected_type")
_ASKS_FOR_CLASSES = re.compile("Is(Partial|Strict)?Dataclass(Type)?|IsEnum")


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
    return _home(type(value)).__module__ not in {"builtins", "collections"}


def _home(kind: type) -> type:
    return next(each for each in kind.__mro__ if "__eq__" in vars(each))


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


def _refuse_what_json_lacks(value: Any, kind: type) -> None:
    if isinstance(value, re.Pattern):
        cure = f"write dirty_equals.IsStr(regex={value.pattern!r:.60})"
        raise TypeError(f"no value equals a compiled regex: {cure}")
    if issubclass(kind, bytes | bytearray) and not answers_by_itself(value):
        raise TypeError(f"traces hold no bytes, which MLflow stores as their text: write {str(bytes(value))!r:.60}")
    if issubclass(kind, set | frozenset) and not answers_by_itself(value):
        raise TypeError("traces hold no sets, which MLflow stores as text in any order: trace a sorted list")
    if issubclass(kind, complex) and not answers_by_itself(value):
        raise TypeError(f"traces hold no complex numbers, which MLflow stores as their text: write {str(value)!r}")
    if _declines_json(value, kind):
        raise TypeError(f"no recorded value equals {_repr(value)[:60]}, of type {kind.__name__}: {_cure(value, kind)}")
    if _asks_for_no_json(value, kind):
        cure = "say iso_string=True" if hasattr(value, "iso_string") else "write what JSON makes of it"
        raise TypeError(f"{_repr(value)[:60]} asks for a type that no recorded value has: {cure}")


def _declines_json(value: object, kind: type) -> bool:
    """Return whether `==` of `value` is not implemented for any kind of JSON, so that it is False for each."""
    if issubclass(kind, _ATOMS):  # it is one
        return False
    home = _home(kind)
    library = home.__module__.partition(".")[0]
    if home is object or library in {"pydantic", "pydantic_core"}:
        return True
    if home.__module__ == "unittest.mock":  # not by asking, which a mock would note as a call
        return kind.__name__ != "_ANY"
    equal = vars(home)["__eq__"]
    if isinstance(equal, FunctionType) and "NotImplemented" not in equal.__code__.co_names:
        return False  # nor a matcher, which may print differently after the question
    try:
        return all(equal(value, each) is NotImplemented for each in _JSON)
    except Exception:  # whoever compares is told
        return False


def _cure(value: Any, kind: type) -> str:
    if hasattr(kind, "model_dump"):
        return "write its model_dump(mode='json')"
    if is_dataclass(kind):
        return "write dataclasses.asdict() of it"
    text = "" if kind.__module__ == "unittest.mock" else _repr(value, str)
    if isinstance(value, Enum):
        return f"write {value.value!r:.60}, its value, or {text[:60]!r}, which MLflow makes of it"
    if hasattr(kind, "isoformat"):
        return f"write {value.isoformat()!r}, or {text!r}, which MLflow makes of it"
    if not text or " at 0x" in text:
        return "write what was recorded, or a matcher such as unittest.mock.ANY"
    return f"write {text[:60]!r}, which MLflow makes of it"


def _asks_for_no_json(value: Any, kind: type) -> bool:
    """Return whether `value` is a matcher of dirty-equals for a type that JSON does not have."""
    if kind.__module__.partition(".")[0] != "dirty_equals":
        return False
    if any(getattr(value, way, False) for way in ("iso_string", "unix_number", "format_string")):
        return False
    if _ASKS_FOR_CLASSES.fullmatch(value.__name__ if isinstance(value, type) else kind.__name__):
        return True
    asked: Any = next((getattr(value, name) for name in _ASKED if hasattr(value, name)), object)
    kinds = asked if isinstance(asked, tuple) else (asked,)
    legal = (*_ATOMS, dict, list)
    return all(isinstance(each, type) and not any(issubclass(one, each) for one in legal) for each in kinds)


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
    """Copy containers, lest the caller changes the pattern with them; say what tells `value` apart.

    A container that compares as Python's own do is taken for what it holds: a `defaultdict` is a dict, and a named
    tuple a tuple. The keys are made of texts alone, so that they stay true in another process.
    """
    # by `is`: the class of a matcher object may answer `==` and `in` like the object itself
    kind = _container(value) or type(value)
    if depth == DEEPEST and any(kind is each for each in _CONTAINERS):
        raise ValueError(f"a value to compare with is nested more than {DEEPEST} deep, or contains itself")
    if kind is dict:
        for key in value:
            if not isinstance(key, str):
                cure = f": write {str(key)!r}" if type(key) is int else ""
                raise TypeError(f"the keys of a recorded dict are strings, got {key!r:.60}{cure}")
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
    refuse_what_equals_nothing(value)
    if any(kind is atom for atom in _ATOMS):
        # 1, 1.0 and True are equal to Python and print differently, as do 0.0 and -0.0
        text = _atom(value)
        return _Taken(value, text, (kind.__name__, text), is_literal=True)
    _refuse_what_json_lacks(value, kind)
    text, name = _repr(value), f"{kind.__module__}.{kind.__qualname__}"
    # an array prints only its ends, and many objects print nothing but where they are: those equal themselves alone
    key = (name, text, id(value)) if "..." in text or " at 0x" in text else (name, text)
    return _Taken(value, text, key, is_literal=False)


def _container(value: object) -> type | None:
    kind = next((each for each in _CONTAINERS if issubclass(type(value), each)), None)
    return None if kind is None or answers_by_itself(value) else kind


def _repr(value: object, write: Callable[[object], str] = repr) -> str:
    try:
        return write(value)
    except Exception as error:
        return f"<{type(value).__name__} at {id(value):#x}, whose {write.__name__} raises {type(error).__name__}>"


def _atom(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    return whole_number(value) if type(value) is int else repr(value)


def _enclosed(kind: type, texts: list[str]) -> str:
    if kind is list:
        return f"[{', '.join(texts)}]"
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
