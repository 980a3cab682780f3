"""Ways to make one thing wrong with valid tags: leave a tag out, misspell its value, break a rule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pytest_mlflow_traces.core.tags.formats import EitherForm, ItemsForm, NumberForm, TextForm
from pytest_mlflow_traces.core.tags.portability import MAX_TAG_VALUE
from pytest_mlflow_traces.core.tags.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_mlflow_traces.core.tags.formats import Form
    from pytest_mlflow_traces.core.tags.validate import CompiledSchema

_NO_STRINGS = (True, False, None, 0, 0.5, ["a"], {"a": "b"})
_MISSPELT = ("True", "yes", "None", "", " ", "0", "01", "1.0", "0.5", "nan", "1e999", "unknown", "a,,b")
_NAMES = ("extra", "version", "user", "error", "tag", "unexpected_tag")


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
    yield from (f"{text},", f"{text},unknown item", text.replace(",", ", "), ",".join([text] * 10))
    yield from _MISSPELT


def _beyond(form: Form) -> Iterator[str]:
    """Yield texts just beyond the limits of a form."""
    if isinstance(form, EitherForm):
        for option in form.options:
            yield from _beyond(option)
    elif isinstance(form, ItemsForm):
        yield from _beyond(form.item)
    elif isinstance(form, NumberForm):
        limits = [int(limit) for limit in (form.low, form.high) if math.isfinite(limit)]
        yield from (str(limit + step) for limit in limits for step in (-1, 0, 1))
    elif isinstance(form, TextForm):
        yield from ("x" * length for length in (form.least - 1, (form.most or 0) + 1) if length >= 0)
