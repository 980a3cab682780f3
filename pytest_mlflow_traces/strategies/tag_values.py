"""What the text of one tag may be, by its form, what a rule may want of it beside others, and what is wrong with it."""

from __future__ import annotations

import math
import operator
from datetime import date, datetime, timezone
from decimal import Decimal
from functools import partial
from itertools import cycle, islice, permutations
from types import CodeType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hypothesis import strategies as st

from pytest_mlflow_traces.core.tags.formats import BoolForm, EitherForm, ItemsForm, NumberForm, TextForm, WordsForm
from pytest_mlflow_traces.core.tags.portability import MAX_TAG_VALUE
from pytest_mlflow_traces.core.tags.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_mlflow_traces.core.tags.formats import Form
    from pytest_mlflow_traces.core.tags.validate import CompiledSchema

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")  # which not every backend stores
_ITEM_CHARACTERS = st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"], exclude_characters=",")
_OTHERS: dict[Any, st.SearchStrategy[str]] = {
    date: st.dates().map(date.isoformat),
    datetime: st.datetimes(timezones=st.none() | st.just(timezone.utc)).map(datetime.isoformat),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False).map(str),
    UUID: st.uuids().map(str),
}
_NO_STRINGS = (True, False, None, 0, 0.5, ["a"], {"a": "b"})
_MISSPELT = ("True", "yes", "None", "", " ", "0", "01", "1.0", "0.5", "nan", "1e999", "unknown", "a,,b")
_NAMES = ("extra", "version", "user", "error", "tag", "unexpected_tag")
_LONGEST = 60  # characters of a text that may be of any length
_MOST_ITEMS = 50  # of a list that is made as long as another tag says


def texts_of(form: Form, cure: str) -> st.SearchStrategy[str]:
    """Return a strategy of the texts that a form allows; `cure` is the call that would do without."""
    if isinstance(form, BoolForm):
        return st.sampled_from(["false", "true"])
    if isinstance(form, WordsForm):
        return st.sampled_from(form.words)
    if isinstance(form, NumberForm):
        return _numbers(form)
    if isinstance(form, ItemsForm):
        return _lists(form, cure)
    if isinstance(form, EitherForm):
        return st.one_of([texts_of(option, cure) for option in form.options])
    if isinstance(form, TextForm):
        most = form.most if form.most is not None else max(_LONGEST, form.least)
        if form.pattern is None:
            return st.text(CHARACTERS, min_size=form.least, max_size=min(most, MAX_TAG_VALUE))
        matching = st.from_regex(form.pattern) | st.from_regex(form.pattern, fullmatch=True)
        return matching.filter(lambda text: form.least <= len(text) <= most)
    if form.annotation not in _OTHERS:
        name = getattr(form.annotation, "__name__", form.annotation)
        raise TypeError(f"no texts are known that {name} reads: pass some, or a strategy of some, {cure}")
    return _OTHERS[form.annotation]


def _numbers(form: NumberForm) -> st.SearchStrategy[str]:
    unit = form.multiple_of
    numbers: st.SearchStrategy[float] = st.integers()
    if not form.whole and unit is None:
        numbers = st.floats(allow_nan=False, allow_infinity=False)
    above, below = operator.lt if form.low_open else operator.le, operator.gt if form.high_open else operator.ge
    for is_right, limit in ((above, form.low), (below, form.high)):
        if math.isfinite(limit):  # Hypothesis makes limits of its own of such filters
            numbers = numbers.filter(partial(is_right, limit if unit is None else limit / unit))
    if unit is not None:
        return numbers.map(lambda number: str(int(number * unit) if form.whole else float(number * unit)))
    return numbers.map(_text)


def _text(number: float) -> str:
    return str(int(number)) if isinstance(number, int) or (number.is_integer() and abs(number) < 1e6) else str(number)


def _lists(form: ItemsForm, cure: str) -> st.SearchStrategy[str]:
    item = form.item
    if isinstance(item, TextForm) and item.pattern is None:
        longest = item.most if item.most is not None else max(12, item.least)
        items = st.text(_ITEM_CHARACTERS, min_size=max(1, item.least), max_size=longest)
    else:
        items = texts_of(item, cure)
    items = items.filter(lambda text: text != "" and "," not in text and text == text.strip())
    most = form.most if form.most is not None else max(5, form.least)
    distinct = st.lists(items, min_size=form.least, max_size=most, unique=True)
    lists = st.lists(items, min_size=form.least, max_size=most)
    enough = not isinstance(item, WordsForm) or len(set(item.words)) >= form.least
    return (distinct | lists if enough else lists).map(",".join)


def nearby(form: Form, text: str, beside: list[str]) -> list[str]:
    """Return what a rule that looks at the texts `beside` a text may want in its place; not all need be legal."""
    if isinstance(form, EitherForm):
        return [each for option in form.options for each in nearby(option, text, beside)]
    if isinstance(form, BoolForm):
        return ["false", "true"]
    if isinstance(form, WordsForm):
        return list(form.words)
    if isinstance(form, NumberForm):
        return _nearby_numbers(text, beside)
    if isinstance(form, ItemsForm):
        return _nearby_lists(form, text, beside)
    return ["", *beside, *(item for each in beside for item in each.split(","))]


def _nearby_numbers(text: str, beside: list[str]) -> list[str]:
    known = {0.0, _number(text) or 0.0}
    for each in beside:
        number = _number(each)
        known |= {len(each), len(_items(each))} if number is None else {number}
    made = [number + step for number in known for step in (-1, 0, 1)]
    made += [number for one, two in permutations(known, 2) for number in (one + two, one - two)]
    return [_text(float(number)) for number in dict.fromkeys(made)]


def _nearby_lists(form: ItemsForm, text: str, beside: list[str]) -> list[str]:
    own = _items(text)
    words = dict.fromkeys([*own, *(item for each in beside for item in _items(each)), *nearby(form.item, "x", [])])
    lists = [list(dict.fromkeys(own)), *map(_items, beside)]
    lists += [own[:at] + own[at + 1 :] for at in range(len(own))]
    lists += [[*own, word] for word in words if word]
    for each in beside:
        length = _number(each)
        if length is not None and 0 <= length <= _MOST_ITEMS:
            lists.append(list(islice(cycle(filter(None, words)), int(length))))
    return [",".join(items) for items in lists]


def _items(text: str) -> list[str]:
    return text.split(",") if text else []


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def constants_of(code: Any) -> Iterator[str]:
    """Yield the strings and numbers in the code of a rule, as texts."""
    if isinstance(code, CodeType):
        code = code.co_consts
    if isinstance(code, str) and code.count(" ") <= 2:  # the rest are messages
        yield code
    elif isinstance(code, tuple | frozenset):
        for each in code:
            yield from constants_of(each)
    elif isinstance(code, int | float):
        yield str(code)


def faults_of(plan: CompiledSchema) -> list[tuple[str, str | None]]:
    """Return the faults that tags of a schema can have: the kind, and the tag or the rule."""
    tags = [tag for tag in plan.names if tag not in plan.sources]
    rules = [rule.name for rule in (*plan.rules, *rules_of(plan.schema, "before"))]
    return [
        *(("rule", rule) for rule in rules),
        *([("rule", None)] if rules_of(plan.schema, "wrap") else []),
        *(("value", tag) for tag in tags),
        *(("missing", tag) for tag in tags if tag in plan.required),
        *([] if plan.is_open else [("unknown", None)]),
        *(("type", tag) for tag in tags),
        *(("length", tag) for tag in tags if isinstance(plan.forms[tag], TextForm)),
    ]


def faulty(kind: str, tag: str | None, plan: CompiledSchema, tags: Mapping[str, str]) -> st.SearchStrategy[Any]:
    """Return a strategy of `tags` that are likely to have a fault of this kind, and no other; not of rules."""
    if tag is None:
        names = st.sampled_from([*_NAMES, *(f"{name}{name[-1]}" for name in tags)])
        return names.map(lambda name: {**tags, name: "x"})
    if kind == "missing":
        return st.just({name: text for name, text in tags.items() if name != tag})
    values: st.SearchStrategy[Any] = st.sampled_from(_NO_STRINGS)
    if kind == "length":
        values = st.integers(MAX_TAG_VALUE + 1, MAX_TAG_VALUE + 100).map(lambda length: "x" * length)
    elif kind == "value":
        values = st.sampled_from(list(dict.fromkeys(_wrong_texts(plan.forms[tag], tags.get(tag, "")))))
    return values.map(lambda value: {**tags, tag: value})


def _wrong_texts(form: Form, text: str) -> Iterator[str]:
    """Yield texts that are near a legal one, and that most forms do not allow."""
    yield from _beyond(form)
    yield from (text.upper(), text.title(), f" {text}", f"{text}s", text[:-1], f"'{text}'")
    yield from (f"{text},", f"{text},unknown item", ",".join([text] * 10))
    yield from _MISSPELT


def _beyond(form: Form) -> Iterator[str]:
    """Yield texts just beyond the limits of a form."""
    if isinstance(form, EitherForm):
        for option in form.options:
            yield from _beyond(option)
    elif isinstance(form, ItemsForm):
        yield ", ".join(form.item.words if isinstance(form.item, WordsForm) else ("1", "2"))
        yield from _beyond(form.item)
    elif isinstance(form, NumberForm):
        limits = [int(limit) for limit in (form.low, form.high) if math.isfinite(limit)]
        yield from (str(limit + step) for limit in limits for step in (-1, 0, 1))
    elif isinstance(form, TextForm):
        yield from ("x" * length for length in (form.least - 1, (form.most or 0) + 1) if length >= 0)
