"""Values that a pattern compares with `==`: kept as they were, with the text and the identity they had when given.

A matcher object (`dirty_equals.IsInt()`, `pytest.approx(1)`) answers `==` for other things than itself, and some
print differently after a comparison, so neither its `==` nor its later `repr` can tell two patterns apart.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from enum import Enum
from typing import Final

__tracebackhide__ = True  # a failure points at the test, not in here

_ATOMS = (type(None), bool, int, float, complex, str, bytes)


class Unsaid(Enum):
    """Mark what a pattern does not say, where `None` is something to say."""

    UNSAID = "unsaid"

    def __repr__(self) -> str:
        return "..."


UNSAID: Final = Unsaid.UNSAID


class Operand:
    """One value to compare with; two operands are equal when they were given as the same thing."""

    __slots__ = ("_key", "is_literal", "text", "value")

    def __init__(self, value: object) -> None:
        self.value = _copied(value)
        self.text = repr(value)
        self._key, self.is_literal = _identity(value)

    def equals(self, actual: object) -> bool:
        """Return whether `actual == value`, with the expected side free to answer."""
        return bool(actual == self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Operand) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type[Operand], tuple[object]]:
        return Operand, (self.value,)


def _copied(value: object) -> object:
    """Copy plain containers, so that what the caller does to them later does not change the pattern."""
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    if type(value) is tuple:
        return tuple(_copied(item) for item in value)
    if type(value) is set:
        return set(value)
    return value


def _identity(value: object) -> tuple[Hashable, bool]:
    """Return what tells `value` apart, and whether it is a plain literal all through."""
    kind = type(value)
    if kind in _ATOMS:
        # 1, 1.0 and True are equal to Python and print differently, as do 0.0 and -0.0
        return (kind, repr(value)), True
    if isinstance(value, Mapping) and kind is dict:
        pairs = [(_identity(key), _identity(item)) for key, item in value.items()]
        return (kind, frozenset((key[0], item[0]) for key, item in pairs)), all(k[1] and i[1] for k, i in pairs)
    if kind in (list, tuple, set, frozenset):
        items = [_identity(item) for item in value]  # type: ignore[attr-defined]  # kind says that it is iterable
        keys = [item[0] for item in items]
        return (kind, tuple(keys) if kind in (list, tuple) else frozenset(keys)), all(item[1] for item in items)
    return (kind, repr(value)), False
