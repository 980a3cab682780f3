"""What the text of a tag holds: `BoolTag`, `IntTag`, `FloatTag`, `ListTag[T]`; and fields that are metadata.

Every MLflow tag is a string, so each type says which strings are legal and what they mean. To a type checker `BoolTag`
is `bool`, `IntTag` `int`, `FloatTag` `float` and `ListTag[T]` `list[T]`: validators of a schema see the meaning.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BeforeValidator

from pytest_mlflow_traces.core.text.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_MOST_DIGITS = 4096  # a longer value is cut by a server, and int() takes time by the square of the length
_OF_TRACES = "mlflow.trace."
_NAMES = ("session", "user")  # of the metadata that people set
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class TagText:
    """The mark of an annotation as one of a tag: `holds` says what the text holds."""

    holds: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """The mark of a field that is not a tag but a piece of trace metadata, such as the session.

    >>> from typing import Annotated
    >>> from pytest_mlflow_traces import TagSchema
    >>> class Tags(TagSchema):
    ...     environment: str
    ...     session: Annotated[str, Metadata("mlflow.trace.session")]

    Raises:
        TypeError: for a key that is not a string.
        ValueError: for an empty key, or one that misspells the session or the user.
    """

    key: str

    def __post_init__(self) -> None:
        if not isinstance(self.key, str):
            raise TypeError(f"Metadata() takes the key of the metadata, a string, got {self.key!r}")
        if not self.key:
            raise ValueError("Metadata(''): the key is empty")
        # an optional field of a misspelt key would be absent for ever, and nobody would know
        name = self.key.removeprefix(_OF_TRACES)
        if name not in _NAMES and name != self.key and nearest(name, _NAMES):
            meant = nearest(self.key, [f"{_OF_TRACES}{each}" for each in _NAMES])
            raise ValueError(f"Metadata({self.key!r}): MLflow has no such metadata{meant}")


def _reading(is_one: Callable[[str], Any], read: Callable[[str], Any], what: str) -> BeforeValidator:
    def validate(text: Any) -> Any:
        if isinstance(text, str) and is_one(text):
            return read(text)
        raise ValueError(f"Input should be {what}")

    return BeforeValidator(validate)


def _read_list(text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError("Input should be comma-separated text")
    items = text.split(",") if text else []
    for number, item in enumerate(items, 1):
        if not item or item != item.strip():
            raise ValueError(f"Input should be comma-separated text; item {number} is {item!r}")
    return items


_BOOL = _reading(("true", "false").__contains__, "true".__eq__, "'true' or 'false'")
_INT = _reading(lambda text: len(text) <= _MOST_DIGITS and _WHOLE.fullmatch(text), int, "a whole number")
# 1e999 looks like a number, and is infinite
_FLOAT = _reading(lambda text: _NUMBER.fullmatch(text) and math.isfinite(float(text)), float, "a number")
_LIST = BeforeValidator(_read_list)
OWN_VALIDATORS = (_BOOL, _INT, _FLOAT, _LIST)

BoolTag = Annotated[bool, _BOOL, TagText("bool")]
"""A tag that is `"true"` or `"false"`, nothing else: `str(True)` is neither.

>>> from pytest_mlflow_traces import TagSchema
>>> class Tags(TagSchema):
...     has_error: BoolTag
>>> Tags.check_tags({"has_error": "true"})
[]
>>> print(*Tags.check_tags({"has_error": "True"}))
tags.value at tag 'has_error': expected 'true' or 'false', got 'True' (write 'true': str(True) is 'True')
"""

IntTag = Annotated[int, _INT, TagText("int")]
"""A tag that is a whole number as `str(int)` writes it.

>>> from pytest_mlflow_traces import TagSchema
>>> class Tags(TagSchema):
...     domain_count: IntTag
>>> Tags.check_tags({"domain_count": "2"})
[]
>>> print(*Tags.check_tags({"domain_count": "2.0"}))
tags.value at tag 'domain_count': expected a whole number, got '2.0' (write '2')
"""

FloatTag = Annotated[float, _FLOAT, TagText("float")]
"""A tag that is a finite number as `str(float)` or `str(int)` writes it.

>>> from pytest_mlflow_traces import TagSchema
>>> class Tags(TagSchema):
...     confidence: FloatTag
>>> Tags.check_tags({"confidence": "0.9"})
[]
>>> print(*Tags.check_tags({"confidence": "high"}))
tags.value at tag 'confidence': expected a number, got 'high'
"""

ListTag = Annotated[list[T], _LIST, TagText("list")]
"""A tag of comma-separated items, each what `T` says; the empty text is the empty list.

>>> from pytest_mlflow_traces import TagSchema
>>> class Tags(TagSchema):
...     counts: ListTag[IntTag]
>>> Tags.check_tags({"counts": "1,2"})
[]
>>> print(*Tags.check_tags({"counts": "1,two"}))
tags.value at tag 'counts': expected comma-separated items, each a whole number, got '1,two' (item 2 is 'two')
"""
