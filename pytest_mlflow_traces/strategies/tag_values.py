"""What the text of one tag may be changed to, by its form and by the tags that stand beside it in a rule."""

from __future__ import annotations

import math
from collections.abc import Iterable
from types import CodeType
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.tags.formats import BoolForm, EitherForm, ItemsForm, NumberForm, TextForm, WordsForm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_mlflow_traces.core.tags.formats import Form


def options(
    form: Form, text: str | None, others: Mapping[str, str], forms: Mapping[str, Form], constants: list[str]
) -> Iterator[str]:
    """Yield what the text of a tag may be changed to, at least one; `others` are what a rule looks at beside it."""
    if isinstance(form, EitherForm):
        for option in form.options:
            yield from options(option, text, others, forms, constants)
    elif isinstance(form, BoolForm):
        yield from ("false", "true")
    elif isinstance(form, WordsForm):
        yield from form.words
    elif isinstance(form, NumberForm):
        yield from _numbers(form, text, others, forms, constants)
    elif isinstance(form, ItemsForm):
        yield from _lists(form, text, others, forms, constants)
    else:
        yield from _texts(text, others, constants)
        if isinstance(form, TextForm):
            yield from ("x" * length for length in (form.least, form.most) if length is not None)


def _numbers(
    form: NumberForm, text: str | None, others: Mapping[str, str], forms: Mapping[str, Form], constants: list[str]
) -> Iterator[str]:
    found: list[float] = [0, 1, 2, form.low, form.high]
    for other, value in others.items():
        found += [len(_items(value)) if isinstance(forms[other], ItemsForm) else len(value)]
    known = [number for value in others.values() if (number := _number(value)) is not None]
    known += [number for value in constants if (number := _number(value)) is not None]
    own = _number(text or "")
    found += [*known, *(number + step for number in [*known, *([] if own is None else [own])] for step in (-1, 1))]
    found += [made for one in known[:6] for two in known[:6] for made in (one + two, one - two, one * two)]
    yield from ("0",)
    for number in found:
        if math.isfinite(number) and form.low <= number <= form.high:
            if float(number).is_integer():
                yield str(int(number))
            if not form.whole:
                yield str(float(number))


def _lists(
    form: ItemsForm, text: str | None, others: Mapping[str, str], forms: Mapping[str, Form], constants: list[str]
) -> Iterator[str]:
    own = _items(text or "")
    lists = [_items(value) for other, value in others.items() if isinstance(forms[other], ItemsForm)]
    words = [*options(form.item, None, others, forms, constants), *(item for items in [own, *lists] for item in items)]
    words = list(dict.fromkeys(word for word in words if word and "," not in word and word == word.strip()))[:20]
    yield ""
    for items in [own, *lists]:
        yield ",".join(items)
        yield from (",".join(items[:at] + items[at + 1 :]) for at in range(len(items)))
        yield ",".join(sorted(items))
        yield ",".join(dict.fromkeys(items))
    for items in (own, []):
        yield from (",".join([*items, word]) for word in words)
    for value in (*others.values(), *map(str, (form.least, form.most))):
        count = _number(value)
        if count is not None and 0 <= count <= 50 and words:
            length = int(count)
            longest = list(dict.fromkeys([*own, *words]))
            yield ",".join((longest * (length // len(longest) + 1))[:length])


def _texts(text: str | None, others: Mapping[str, str], constants: list[str]) -> Iterator[str]:
    yield from ("", "x")
    yield from constants
    for value in others.values():
        yield value
        yield from _items(value)
    if text is not None:
        yield from (text.lower(), text.upper(), text.strip(), text.title(), f"{text}x", text[:-1])


def _items(text: str) -> list[str]:
    return text.split(",") if text else []


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e15 else None


def constants_of(rule: Any) -> Iterator[str]:
    """Yield the strings and numbers in the code of a rule, as texts."""
    waiting: list[Any] = [getattr(rule, "__code__", None)]
    while waiting:
        each = waiting.pop()
        if isinstance(each, CodeType):
            waiting += each.co_consts
        elif isinstance(each, str) and each.count(" ") <= 2:  # the rest are messages
            yield from (each, *each.split(","))
        elif isinstance(each, int | float) and not isinstance(each, bool):
            yield str(each)
        elif isinstance(each, Iterable) and not isinstance(each, bytes):
            waiting += each
