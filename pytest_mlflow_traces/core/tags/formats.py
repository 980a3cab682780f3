"""What the text of a tag may be, as data: read from the annotation of its field, once, for whoever needs to know.

Schemas refuse by it what no text can be, findings say it in words, strategies draw from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, ForwardRef, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from pytest_mlflow_traces.core.tags.types import TagText

_BARE = {bool: "BoolTag", int: "IntTag", float: "FloatTag", list: "ListTag[...]", set: "ListTag[...]",
         frozenset: "ListTag[...]", tuple: "ListTag[...]"}  # fmt: skip
_NO_TEXT = (bytes, bytearray, complex, Collection)  # what pydantic makes of text never, or only in its own way


@dataclass(frozen=True, slots=True)
class TextForm:
    """Any string, of `least` to `most` characters, in which `pattern` is found."""

    least: int = 0
    most: int | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class BoolForm:
    """`"true"` or `"false"`."""


@dataclass(frozen=True, slots=True)
class NumberForm:
    """A number between two limits, which belong to it unless they are `open`."""

    whole: bool
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    multiple_of: float | None = None


@dataclass(frozen=True, slots=True)
class WordsForm:
    """One of some words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ItemsForm:
    """`least` to `most` comma-separated items."""

    item: Form
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class EitherForm:
    """What one of several forms allows."""

    options: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class OtherForm:
    """Text that pydantic reads by rules of its own: a date, a UUID, an address."""

    annotation: Any


Form: TypeAlias = "TextForm | BoolForm | NumberForm | WordsForm | ItemsForm | EitherForm | OtherForm"


def form_of(annotation: Any, marks: Iterable[Any] = ()) -> Form:
    """Return what text an annotation allows, `marks` being what pydantic took out of an `Annotated` around it.

    Raises:
        TypeError: for what no text can be, with what to write instead where there is such a thing.
    """
    annotation, marks = _unwrapped(annotation, list(marks))
    holds = next((mark.holds for mark in marks if isinstance(mark, TagText)), None)
    limits = _limits(marks)
    if holds == "list":
        item = form_of(*get_args(annotation)[:1] or (str,))
        _refuse_items(item)
        return ItemsForm(item, limits.get("min_length", 0), limits.get("max_length"))
    if holds == "bool":
        return BoolForm()
    if holds is not None:
        return _number(limits, whole=holds == "int")
    origin = get_origin(annotation) or annotation
    if origin in (Union, UnionType):
        return _either(annotation, marks)
    if origin is Literal:
        return WordsForm(_words(get_args(annotation), "Literal"))
    if annotation in (str, Any, object):
        return TextForm(limits.get("min_length", 0), limits.get("max_length"), limits.get("pattern"))
    _refuse_bare(annotation, origin)
    if isinstance(origin, type) and issubclass(origin, Enum):
        return WordsForm(_words(tuple(origin), origin.__name__))
    return OtherForm(annotation)


def _unwrapped(annotation: Any, marks: list[Any]) -> tuple[Any, list[Any]]:
    """Return an annotation without the wrappings that mean nothing for its text."""
    while True:
        if get_origin(annotation) is Annotated:
            marks = [*annotation.__metadata__, *marks]
            annotation = annotation.__origin__
        elif hasattr(annotation, "__supertype__"):  # a NewType
            annotation = annotation.__supertype__
        elif isinstance(annotation, TypeVar):
            annotation = annotation.__bound__ or Union[annotation.__constraints__ or (str,)]  # noqa: UP007  # of a tuple
        elif type(annotation).__name__ == "TypeAliasType":  # of `type X = ...`; of typing_extensions before 3.12
            annotation = annotation.__value__
        elif isinstance(annotation, ForwardRef | str):
            raise TypeError(f"the name {getattr(annotation, '__forward_arg__', annotation)!r} is not defined")
        else:
            return annotation, marks


def _limits(marks: Iterable[Any]) -> dict[str, Any]:
    """Return what marks such as `Field(ge=0, max_length=5)` limit, whichever way pydantic keeps them."""
    found: dict[str, Any] = {}
    for mark in marks:
        if isinstance(mark, FieldInfo):  # inside a union pydantic leaves `Field(...)` as it stands
            found |= _limits(mark.metadata)
        for word in ("min_length", "max_length", "pattern", "ge", "gt", "le", "lt", "multiple_of"):
            value = getattr(mark, word, None)
            if value is not None:
                found[word] = value
    if isinstance(found.get("pattern"), re.Pattern):
        found["pattern"] = found["pattern"].pattern
    return found


def _number(limits: Mapping[str, Any], *, whole: bool) -> NumberForm:
    low, low_open = limits.get("ge", -math.inf), False
    high, high_open = limits.get("le", math.inf), False
    if limits.get("gt", -math.inf) >= low and "gt" in limits:
        low, low_open = limits["gt"], True
    if limits.get("lt", math.inf) <= high and "lt" in limits:
        high, high_open = limits["lt"], True
    return NumberForm(whole, low, high, low_open, high_open, limits.get("multiple_of"))


def _either(annotation: Any, marks: list[Any]) -> Form:
    # None is what an absent tag means, and never what a text is
    options = [form_of(part, marks) for part in get_args(annotation) if part not in (None, NoneType)]
    flat = [each for option in options for each in (option.options if isinstance(option, EitherForm) else (option,))]
    distinct = tuple(dict.fromkeys(flat))
    return distinct[0] if len(distinct) == 1 else EitherForm(distinct)


def _words(values: Iterable[Any], where: str) -> tuple[str, ...]:
    words = []
    for value in values:
        word = value.value if isinstance(value, Enum) else value
        if not isinstance(word, str):
            raise TypeError(f"every tag is text; {word!r} in {where} is none")
        words.append(word)
    return tuple(words)


def _refuse_bare(annotation: Any, origin: Any) -> None:
    """Refuse a type that pydantic would read from text in its own way: its `bool` takes "yes", "on" and "True"."""
    if origin in (None, NoneType):
        raise TypeError("every tag is text, and None is none")
    if not isinstance(origin, type) or origin is str:
        return
    for kind, cure in _BARE.items():
        if issubclass(origin, kind):
            shown = annotation.__name__ if isinstance(annotation, type) and origin is annotation else annotation
            raise TypeError(f"every tag is text; for {shown} write {cure}")
    if issubclass(origin, str):
        if not issubclass(origin, Enum):
            raise TypeError(f"every tag is text; for {origin.__name__} write str")
    elif issubclass(origin, _NO_TEXT) or origin.__module__ == "collections.abc":
        raise TypeError(f"every tag is text, and no text is of type {origin.__name__}")


def _refuse_items(form: Form) -> None:
    """Refuse what can never stand between two commas."""
    for each in form.options if isinstance(form, EitherForm) else (form,):
        if isinstance(each, ItemsForm):
            raise TypeError("the items of a ListTag are separated by commas, so none can be a list itself")
        for word in each.words if isinstance(each, WordsForm) else ():
            if not word or "," in word or word != word.strip():
                raise TypeError(f"the items of a ListTag are separated by commas, so none can be {word!r}")


def described(form: Form) -> str:
    """Return in words what a form allows.

    >>> described(NumberForm(whole=True, low=0))
    'a whole number of at least 0'
    """
    if isinstance(form, TextForm):
        length = _counted(form.least, form.most, "character")
        matching = f" that matches {form.pattern!r}" if form.pattern is not None else ""
        return f"a string{f' of {length}' if length else ''}{matching}"
    if isinstance(form, BoolForm):
        return "'true' or 'false'"
    if isinstance(form, NumberForm):
        return _described_number(form)
    if isinstance(form, WordsForm):
        return listed_or(map(repr, form.words))
    if isinstance(form, ItemsForm):
        count = _counted(form.least, form.most, "comma-separated item") or "comma-separated items"
        return f"{count}, each {described(form.item)}"
    if isinstance(form, EitherForm):
        return listed_or(map(described, form.options))
    return f"a text that {getattr(form.annotation, '__name__', form.annotation)} reads"


def _described_number(form: NumberForm) -> str:
    limits = []
    if form.low > -math.inf:
        limits.append(f"{'above' if form.low_open else 'of at least'} {form.low}")
    if form.high < math.inf:
        limits.append(f"{'below' if form.high_open else 'of at most'} {form.high}")
    if len(limits) == 2 and not form.low_open and not form.high_open:
        limits = [f"from {form.low} to {form.high}"]
    kind = "a whole number" if form.whole else "a number"
    if form.multiple_of is not None:
        kind = f"a multiple of {form.multiple_of}"
    return " ".join([kind, " and ".join(limits)] if limits else [kind])


def _counted(least: int, most: int | None, noun: str) -> str:
    if most is None:
        return f"at least {least} {noun}{'' if least == 1 else 's'}" if least else ""
    if least == most:
        return f"{least} {noun}{'' if least == 1 else 's'}"
    return f"{least} to {most} {noun}s" if least else f"at most {most} {noun}{'' if most == 1 else 's'}"


def listed_or(words: Iterable[str]) -> str:
    """Return the words as `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
