"""Hypothesis strategies for the tags of a schema: valid sets, and sets in which exactly one thing is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck

from pytest_mlflow_traces.core.tags.formats import (
    BoolForm,
    EitherForm,
    ItemsForm,
    NumberForm,
    OtherForm,
    TextForm,
    WordsForm,
)
from pytest_mlflow_traces.core.tags.portability import MAX_TAG_VALUE, is_own, tag_finding
from pytest_mlflow_traces.core.tags.validate import plan_of, problems
from pytest_mlflow_traces.core.text.suggestions import nearest
from pytest_mlflow_traces.strategies.tag_faults import faults_of
from pytest_mlflow_traces.strategies.tag_solver import TagSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_mlflow_traces.core.tags.formats import Form
    from pytest_mlflow_traces.core.tags.schema import TagSchema
    from pytest_mlflow_traces.core.tags.validate import CompiledSchema
    from pytest_mlflow_traces.strategies.tag_faults import Fault

__tracebackhide__ = True  # a failure points at the test, not in here

_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")  # which not every backend stores
_ITEM_CHARACTERS = st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"], exclude_characters=",")
_OTHERS: dict[Any, st.SearchStrategy[str]] = {
    date: st.dates().map(date.isoformat),
    datetime: st.datetimes(timezones=st.none() | st.just(timezone.utc)).map(datetime.isoformat),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False).map(str),
    UUID: st.uuids().map(str),
}
_LONGEST = 60  # characters of a text that may be of any length
_ATTEMPTS = 3  # searches, each from tags of its own, before an example is given up
_PATIENCE = 5  # examples that are given up before the schema is, where none was ever found


@dataclass(frozen=True, slots=True)
class InvalidTags:
    """Tags in which exactly one thing is wrong: the only finding on them has this `rule` and this `where`.

    >>> from pytest_mlflow_traces import BoolTag, TagSchema
    >>> class Tags(TagSchema):
    ...     has_error: BoolTag
    >>> invalid = InvalidTags({"has_error": "True"}, "tags.value", "tag 'has_error'")
    >>> [(finding.rule, finding.where) for finding in Tags.check_tags(invalid.tags)]
    [('tags.value', "tag 'has_error'")]
    """

    tags: Mapping[str, Any]
    rule: str
    where: str


class TagSets:
    """The sets of tags of one schema, and whether any was ever possible."""

    def __init__(self, schema: type[TagSchema], overrides: Mapping[str, Any], call: str) -> None:
        self.schema = schema
        self.plan = plan_of(schema)
        self.call = call
        _check_overrides(self.plan, overrides, call)
        self.strategies = {
            tag: _given(overrides[tag]) if tag in overrides else _texts_of(self.plan, tag, call)
            for tag in self.plan.names
            if tag not in self.plan.sources
        }
        self.chosen = frozenset(overrides)  # always there, unless their strategy draws None
        self.search = TagSearch(schema, self.chosen)
        self.found = 0  # examples
        self._given_up = 0

    @cached_property
    def faults(self) -> list[Fault]:
        """The kinds of faults that tags of the schema can have."""
        return faults_of(self.plan, self.search)

    def drawn(self, draw: st.DrawFn) -> dict[str, str]:
        """Draw each tag by itself."""
        tags = {}
        for tag, strategy in self.strategies.items():
            if tag in self.plan.required or tag in self.chosen or draw(st.booleans()):
                text = draw(strategy)
                if text is not None:
                    tags[tag] = text
        if self.plan.is_open:
            tags |= draw(_other_tags(self.plan))
        return tags

    def fresh(self, draw: st.DrawFn) -> Callable[[str], str | None]:
        """Return what draws another value of a tag."""
        return lambda tag: draw(self.strategies[tag])

    def valid(self, draw: st.DrawFn) -> dict[str, str]:
        """Draw tags that keep every rule; give the example up where none are found."""
        for _ in range(_ATTEMPTS):
            tags: dict[str, str] | None = self.drawn(draw)
            if tags is not None and self.search.problems(tags):
                tags = self.search.mended(tags, Random(draw(st.integers(0, 2**16))), self.fresh(draw))  # noqa: S311
            if tags is not None and not self.schema.check_tags(tags):
                return tags
        return self._give_up(lambda: self._unsatisfied(draw))

    def invalid(self, draw: st.DrawFn) -> InvalidTags:
        """Draw tags in which exactly one thing is wrong; give the example up where none are found."""
        kinds = self.faults
        first = draw(st.integers(0, max(0, len(kinds) - 1)))
        tags = self.valid(draw)
        random = Random(draw(st.integers(0, 2**16)))  # noqa: S311
        rest = kinds[first + 1 :] + kinds[:first]
        random.shuffle(rest)
        for kind in [*kinds[first : first + 1], *rest]:
            for broken in kind.broken(tags, self.search, random, self.fresh(draw)):
                findings = self.schema.check_tags(broken)
                if len(findings) == 1:
                    return InvalidTags(broken, findings[0].rule, findings[0].where)
        return self._give_up(lambda: f"{self.call}: found nothing that the schema refuses by itself")

    def _give_up(self, told: Callable[[], str]) -> NoReturn:
        """Give an example up, or the schema where none was ever found."""
        self._given_up += 1
        if not self.found and self._given_up >= _PATIENCE:
            raise UnsatisfiableSchemaError(told())
        reject()

    def _unsatisfied(self, draw: st.DrawFn) -> str:
        findings = self.schema.check_tags(self.drawn(draw))
        told = "".join(f"\n  {finding}" for finding in findings[:5])
        wrong = self.search.problems(self.drawn(draw))
        tags = [tag for each in wrong for tag in (each.reads or (each.tag,)) if tag in self.strategies]
        some = next((tag for tag in tags if tag not in self.chosen), next(iter(self.strategies), "tag"))
        return (
            f"{self.call}: found no tags that keep all rules of the schema; the nearest break{told}\n"
            f"Pass strategies or values for the tags that the rules look at: {self.call[:-1]}, {some}=...)"
        )


class UnsatisfiableSchemaError(FailedHealthCheck):  # which Hypothesis raises at once, and does not try to shrink
    """No tags were found that keep all rules of a schema, or that break one.

    >>> from hypothesis import given, settings
    >>> from pydantic import model_validator
    >>> from pytest_mlflow_traces import BoolTag, TagSchema
    >>> from pytest_mlflow_traces import strategies
    >>> class Tags(TagSchema):
    ...     has_error: BoolTag
    ...     @model_validator(mode="after")
    ...     def never(self):
    ...         raise ValueError("no tags are good enough")
    >>> @settings(derandomize=True)
    ... @given(strategies.tags(Tags))
    ... def test(tags):
    ...     pass
    >>> try:
    ...     test()
    ... except strategies.UnsatisfiableSchemaError as error:
    ...     "never" in str(error)
    True
    """


def _check_overrides(plan: CompiledSchema, overrides: Mapping[str, Any], call: str) -> None:
    for tag, value in overrides.items():
        if tag in plan.sources:
            raise TypeError(f"{call}: {tag!r} is metadata, and only tags are drawn")
        if tag not in plan.names:
            raise TypeError(f"{call}: the schema names no tag {tag!r}{nearest(tag, plan.names)}")
        if not isinstance(value, str | st.SearchStrategy):
            raise TypeError(f"{call}: {tag} is a text or a strategy of texts, got {value!r:.80}")


def _given(value: Any) -> st.SearchStrategy[str | None]:
    return st.just(value) if isinstance(value, str) else value


def _texts_of(plan: CompiledSchema, tag: str, call: str) -> st.SearchStrategy[str | None]:
    """Return what a tag may be by itself, with what its own validators make of that."""
    strategy = _of_form(plan.forms[tag], f"{call[:-1]}, {tag}=...)").filter(lambda text: tag_finding(tag, text) is None)
    certain = not plan.validators(tag) and not isinstance(plan.forms[tag], OtherForm)
    if certain or plan.looks_around(tag):
        return strategy

    def is_right(text: str) -> bool:
        return not any(each.tag == tag for each in problems(plan.schema, {tag: text}))

    return strategy.filter(is_right)


def _of_form(form: Form, cure: str) -> st.SearchStrategy[str]:
    if isinstance(form, BoolForm):
        return st.sampled_from(["false", "true"])
    if isinstance(form, WordsForm):
        return st.sampled_from(form.words)
    if isinstance(form, NumberForm):
        return _whole_numbers(form) if form.whole else _numbers(form)
    if isinstance(form, ItemsForm):
        return _lists(form, cure)
    if isinstance(form, EitherForm):
        return st.one_of([_of_form(option, cure) for option in form.options])
    if isinstance(form, TextForm):
        most = form.most if form.most is not None else max(_LONGEST, form.least)
        if form.pattern is None:
            return st.text(_CHARACTERS, min_size=form.least, max_size=min(most, MAX_TAG_VALUE))
        matching = st.from_regex(form.pattern) | st.from_regex(form.pattern, fullmatch=True)
        return matching.filter(lambda text: form.least <= len(text) <= most)
    if form.annotation not in _OTHERS:
        name = getattr(form.annotation, "__name__", form.annotation)
        raise TypeError(f"no texts are known that {name} reads: pass some, or a strategy of some, {cure}")
    return _OTHERS[form.annotation]


def _whole_numbers(form: NumberForm) -> st.SearchStrategy[str]:
    low = None if form.low == -math.inf else math.floor(form.low) + 1 if form.low_open else math.ceil(form.low)
    high = None if form.high == math.inf else math.ceil(form.high) - 1 if form.high_open else math.floor(form.high)
    if form.multiple_of is None:
        return st.integers(low, high).map(str)
    unit = int(form.multiple_of)
    least, most = None if low is None else -(-low // unit), None if high is None else high // unit
    return st.integers(least, most).map(lambda number: str(number * unit))


def _numbers(form: NumberForm) -> st.SearchStrategy[str]:
    low, high = (None if math.isinf(limit) else limit for limit in (form.low, form.high))
    if form.multiple_of is not None:
        unit = form.multiple_of
        least = None if low is None else math.ceil(low / unit)
        most = None if high is None else math.floor(high / unit)
        return st.integers(least, most).map(lambda number: str(float(number * unit)))
    floats = st.floats(
        low,
        high,
        allow_nan=False,
        allow_infinity=False,
        exclude_min=form.low_open and low is not None,
        exclude_max=form.high_open and high is not None,
    )
    return floats.map(lambda number: str(int(number)) if number.is_integer() and abs(number) < 1e6 else str(number))


def _lists(form: ItemsForm, cure: str) -> st.SearchStrategy[str]:
    item = form.item
    if isinstance(item, TextForm) and item.pattern is None:
        longest = item.most if item.most is not None else max(12, item.least)
        items = st.text(_ITEM_CHARACTERS, min_size=max(1, item.least), max_size=longest)
    else:
        items = _of_form(item, cure)
    items = items.filter(lambda text: text != "" and "," not in text and text == text.strip())
    most = form.most if form.most is not None else max(5, form.least)
    distinct = st.lists(items, min_size=form.least, max_size=most, unique=True)
    lists = st.lists(items, min_size=form.least, max_size=most)
    enough = not isinstance(item, WordsForm) or len(set(item.words)) >= form.least
    return (distinct | lists if enough else lists).map(",".join)


def _other_tags(plan: CompiledSchema) -> st.SearchStrategy[dict[str, str]]:
    """Return tags that an open schema does not name."""
    texts = st.text(_CHARACTERS, max_size=12)
    return st.dictionaries(_names(plan), texts, max_size=2).filter(
        lambda tags: not any(is_own(name, text) for name, text in tags.items())
    )


def _names(plan: CompiledSchema) -> st.SearchStrategy[str]:
    names = st.from_regex(r"[a-z][a-z0-9_.-]{0,11}", fullmatch=True)
    return names.filter(lambda name: name not in plan.names and tag_finding(name, "") is None)


@st.composite
def valid_tags(draw: st.DrawFn, sets: TagSets) -> dict[str, str]:
    """Draw a valid set of tags."""
    tags = sets.valid(draw)
    sets.found += 1
    return tags


@st.composite
def broken_tags(draw: st.DrawFn, sets: TagSets) -> InvalidTags:
    """Draw a set of tags in which exactly one thing is wrong."""
    broken = sets.invalid(draw)
    sets.found += 1
    return broken
