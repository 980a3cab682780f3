"""What is wrong with a set of tags, as findings: in the words of tags, with the likely fix."""

from __future__ import annotations

import math
import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.tags.formats import (
    BoolForm,
    EitherForm,
    ItemsForm,
    NumberForm,
    OtherForm,
    WordsForm,
    described,
)
from pytest_mlflow_traces.core.tags.portability import metadata_where, tag_where
from pytest_mlflow_traces.core.tags.validate import plan_of
from pytest_mlflow_traces.core.text.redaction import masked, secret_kind, shown
from pytest_mlflow_traces.core.text.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from pytest_mlflow_traces.core.tags.formats import Form
    from pytest_mlflow_traces.core.tags.validate import CompiledSchema, Problem

_ALIKE = 0.8  # of two names, from which on one is taken for the other misspelt
_MOST_SHOWN = 400  # characters of the tags that a rule looked at
_BOOLS = {
    **dict.fromkeys(("true", "yes", "y", "on", "1", "t"), "true"),
    **dict.fromkeys(("false", "no", "n", "off", "0", "f"), "false"),
}


def findings_of(schema: type[BaseModel], given: Mapping[Any, Any], problems: Sequence[Problem]) -> list[Finding]:
    """Return a finding for each problem, `given` having the values by tag; a misspelt tag is one, not two."""
    plan = plan_of(schema)
    missing = [each.tag for each in problems if each.kind == "missing"]
    found = []
    for each in problems:
        if each.kind == "rule":
            found.append(_of_rule(each, given, plan))
        elif each.kind == "unknown":
            found.append(_of_unknown(each.tag, given, plan, missing))
        elif each.kind == "value":
            found.append(_of_value(each, given.get(each.tag), plan))
    for tag in missing:
        hint = _set_metadata(plan, tag) if tag in plan.sources else None
        found.append(Finding("tags.missing", _where(plan, tag), described(plan.forms[tag]), "nothing", hint))
    return found


def _where(plan: CompiledSchema, tag: str) -> str:
    return metadata_where(plan.sources[tag]) if tag in plan.sources else tag_where(tag)


def _set_metadata(plan: CompiledSchema, tag: str) -> str:
    return f"set it by mlflow.update_current_trace(metadata={{{plan.sources[tag]!r}: ...}})"


def _of_unknown(tag: str, given: Mapping[Any, Any], plan: CompiledSchema, missing: list[str]) -> Finding:
    """Return the finding on a tag that the schema does not name; take the one that was meant from `missing`."""
    hint: str | None = None
    if tag in plan.sources:
        hint = f"it is metadata: {_set_metadata(plan, tag)}"
        missing[:] = [other for other in missing if other != tag]
    else:
        absent = [
            other for other in plan.names if other not in plan.sources and (other in missing or other not in given)
        ]
        alike = [other for other in absent if SequenceMatcher(None, tag.casefold(), other.casefold()).ratio() >= _ALIKE]
        meant = nearest(tag, alike or absent).lstrip("; ")
        hint = meant or 'add it to the schema, or say extra="allow"'
        missing[:] = [other for other in missing if other not in alike or repr(other) not in meant]
    return Finding("tags.unknown", tag_where(tag), "only tags that the schema names", shown(tag, given.get(tag)), hint)


def _of_value(problem: Problem, value: Any, plan: CompiledSchema) -> Finding:
    where, form = _where(plan, problem.tag), plan.forms[problem.tag]
    own = [each["msg"] for each in problem.errors if each["type"] in ("value_error", "assertion_error")]
    words = [re.sub(r"^(Value error|Assertion failed), ", "", text) for text in own]
    custom = [text for text in words if not text.startswith("Input should be")]
    hidden = secret_kind(problem.tag, value) is not None
    if custom:
        said = _veiled("; ".join(custom), value) if hidden else "; ".join(custom)
        return Finding("tags.value", where, "a value that its validator takes", shown(problem.tag, value), said)
    expected = described(form)
    if isinstance(form, OtherForm):
        said = "; ".join(re.sub(r"^Input should be ", "", each["msg"]) for each in problem.errors)
        expected = _veiled(said, value) if hidden else said
    hint = None if hidden else _mend(form, value) or _wrong_item(form, value, problem)
    return Finding("tags.value", where, expected, shown(problem.tag, value), hint)


def _of_rule(problem: Problem, given: Mapping[Any, Any], plan: CompiledSchema) -> Finding:
    parts = []
    for tag in plan.names if problem.reads is None else problem.reads:
        if tag in given:
            parts.append(f"{tag}={shown(tag, given[tag])}")
        elif problem.reads is not None:
            parts.append(f"no {tag}")
    actual = ", ".join(parts)
    if len(actual) > _MOST_SHOWN:
        actual = f"{actual[: _MOST_SHOWN - 3]}..."
    message = re.sub(r"^(Value error|Assertion failed), ?", "", problem.message)
    for tag, value in given.items():
        if secret_kind(tag, value) is not None:
            message = _veiled(message, value)
    where = f"schema {plan.schema.__name__!r}" if problem.rule is None else f"rule {problem.rule!r}"
    return Finding("tags.rule", where, "the rule to hold", actual or "these tags", _reason(message))


def _reason(message: str) -> str:
    """Return what a rule says on one line, without what pytest adds to the `assert` of a test module."""
    said, asserted, _ = message.partition("\nassert ")
    if not asserted and message.startswith("assert "):
        said = message.partition("\n")[0]
    return " ".join(said.split())


def _veiled(text: str, secret: Any) -> str:
    return text.replace(str(secret), masked(secret)) if str(secret) else text


def _mend(form: Form, value: Any) -> str | None:
    """Return the likely mend of a value, where there is one."""
    if not isinstance(value, str):
        return None
    if isinstance(form, BoolForm):
        meant = _BOOLS.get(value.strip().lower())
        why = f": str({value}) is '{value}'" if value in ("True", "False") else ""
        return f"write {meant!r}{why}" if meant else None
    if isinstance(form, NumberForm):
        return _mended_number(form, value)
    if isinstance(form, WordsForm):
        return nearest(value, form.words).lstrip("; ") or None
    if isinstance(form, ItemsForm):
        return _mended_items(form, value)
    if isinstance(form, EitherForm):
        return next((mend for option in form.options if (mend := _mend(option, value)) is not None), None)
    return None


def _mended_number(form: NumberForm, value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number) or (form.whole and not number.is_integer()):
        return None
    meant = str(int(number)) if form.whole else str(number)
    low = form.low < number if form.low_open else form.low <= number
    high = number < form.high if form.high_open else number <= form.high
    return f"write {meant!r}" if meant != value and low and high and len(meant) < 30 else None


def _mended_items(form: ItemsForm, value: str) -> str | None:
    if value[:1] in "[({" and value[-1:] in "])}" and len(value) > 1:  # str(["a", "b"])
        meant = ",".join(re.findall(r"[^\[\](){}'\",\s]+", value))
        return f"write {meant!r}: items are separated by commas alone"
    items = [item.strip() for item in value.split(",")]
    meant = ",".join(filter(None, items))
    if meant != value:
        return f"write {meant!r}: items are separated by commas alone"
    return _mend(form.item, value) if len(items) == 1 else None


def _wrong_item(form: Form, value: Any, problem: Problem) -> str | None:
    """Return which item of a list is the first that is wrong."""
    places = [part for each in problem.errors for part in each["loc"][1:] if isinstance(part, int)]
    items = value.split(",") if isinstance(value, str) else []
    if len(items) < 2 or not places or places[0] >= len(items):
        return None
    item = items[places[0]]
    mend = _mend(form.item, item) if isinstance(form, ItemsForm) else None
    return f"item {places[0] + 1} is {item!r}{f': {mend}' if mend else ''}"
