"""The tags of a contract file as a schema, and a schema as the tags of a contract file.

user_id = "str"
environment = ["dev", "prod"]
domain_count = { type = "int", ge = 0, le = 5 }
domains = { type = "list", items = ["cost", "security"], optional = true }
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from pytest_mlflow_traces.core.contract_files.model import TagTable
from pytest_mlflow_traces.core.spans.convert import is_system
from pytest_mlflow_traces.core.tags.formats import BoolForm, ItemsForm, NumberForm, TextForm, WordsForm, form_of
from pytest_mlflow_traces.core.tags.portability import name_problem
from pytest_mlflow_traces.core.tags.schema import BoolTag, FloatTag, IntTag, ListTag, Metadata, TagSchema
from pytest_mlflow_traces.core.tags.validate import plan_of
from pytest_mlflow_traces.core.text.suggestions import listed, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mlflow_traces.core.tags.formats import Form
    from pytest_mlflow_traces.core.tags.validate import CompiledSchema

__tracebackhide__ = True  # a failure points at the test, not in here

OTHERS = "*"  # what stands for the tags that are not named, as `"*" = "str"`; no tag can have this name
_TYPES: dict[str, Any] = {"str": str, "int": IntTag, "float": FloatTag, "bool": BoolTag}
_LIST: Any = ListTag  # to be given what its items are
_TYPES |= {f"list[{word}]": _LIST[kind] for word, kind in _TYPES.items()}
_LENGTHS = ("min_length", "max_length")
_SIZES = ("ge", "gt", "le", "lt", "multiple_of")
_LIMITS = {  # what may stand beside each type
    "str": (*_LENGTHS, "pattern"),
    "int": _SIZES,
    "float": _SIZES,
    "bool": (),
    **dict.fromkeys(("list", *(word for word in _TYPES if word.startswith("list"))), _LENGTHS),
}
_METHODS = ("check", "check_tags", "_found")  # of a schema, by which it judges
_CHANGING = ("strip_whitespace", "to_lower", "to_upper")  # what pydantic does to a text before it looks
_BUILT_IN = {"extra", "title"}


# of a tag: whether it is metadata, its name or key, the form of its text, and whether it must be there
Row: TypeAlias = "tuple[bool, str, Form, bool]"


def refuse_name(name: str, *, is_metadata: bool) -> None:
    """Raise a ValueError for what no tag is called, or no piece of metadata."""
    if is_metadata:
        Metadata(name)
    elif is_system(name):
        raise ValueError(f"{name!r} is MLflow's own, and its tags never count: does it stand in [metadata]?")
    elif (refused := name_problem(name)) is not None:
        raise ValueError(f"no tag can have {refused}")


def annotation_of(said: str | list[str] | TagTable) -> Any:
    """Return the annotation of a field for what a file says of a tag.

    Raises:
        TypeError: for items that cannot be those of a list.
        ValueError: for what is no type.
        SchemaError: for a pattern that is no regular expression.
    """
    if isinstance(said, str):
        if said not in _TYPES:
            raise ValueError(
                f"unknown type {said!r:.80} (legal: {listed(_TYPES)}, or a list of texts){nearest(said, _TYPES)}"
            )
        return _TYPES[said]
    if isinstance(said, list):
        if not said:
            raise ValueError("[] allows no text at all: name those that are allowed")
        return Literal[tuple(said)]
    given = {word: value for word in TagTable.model_fields if (value := getattr(said, word)) is not None}
    del given["optional"]
    if sorted(given) == ["values"]:
        return annotation_of(given["values"])
    kind, items = given.pop("type", None), given.pop("items", None)
    if kind is None or "values" in given:
        raise ValueError("say its type, or its values and nothing else")
    if kind == "list":
        if items is None:
            raise ValueError('say what the items are: type = "list[str]", or items = ["a", "b"]')
        base = _LIST[annotation_of(items)]
    else:
        base = annotation_of(kind)
        given |= {} if items is None else {"items": items}
    _refuse_limits(kind, given)
    annotation: Any = Annotated[base, Field(**given)] if given else base
    form_of(annotation)
    if "pattern" in given:
        TypeAdapter(annotation)  # which compiles it
    return annotation


def _refuse_limits(kind: str, given: Mapping[str, Any]) -> None:
    for word, size in given.items():
        if word not in _LIMITS[kind]:
            legal = listed(_LIMITS[kind]) or "none"
            raise ValueError(f"{word} is no limit of the type {kind!r} (legal: {legal}){nearest(word, _LIMITS[kind])}")
        if kind == "int" and isinstance(size, float):
            raise ValueError(f"{word} is a whole number where the type is 'int', got {size!r}")


def schema_of(
    tags: Mapping[str, tuple[Any, bool]], metadata: Mapping[str, tuple[Any, bool]], *, extra: str
) -> type[TagSchema]:
    """Return the schema of tags and metadata, each with its annotation and whether it is optional."""
    fields, optional = {}, []
    for is_metadata, table in ((False, tags), (True, metadata)):
        for key, (annotation, is_optional) in table.items():
            name = f"metadata {key}" if is_metadata and key in tags else key
            fields[name] = Annotated[annotation, Metadata(key)] if is_metadata else annotation
            optional += [name] if is_optional else []
    return TagSchema.from_mapping(fields, optional=optional, extra=extra)


def table_of(schema: type[TagSchema]) -> tuple[bool, list[Row]]:
    """Return what a schema says: whether other tags are welcome, and of each tag.

    Raises:
        ValueError: for one that says more than data can, naming what.
    """
    plan = plan_of(schema)
    if not all(getattr(schema, word).__func__ is getattr(TagSchema, word).__func__ for word in _METHODS):
        raise ValueError("it judges by a method of its own")
    odd = [
        key
        for key, value in schema.model_config.items()
        if key not in _BUILT_IN and TagSchema.model_config.get(key) != value
    ]
    if odd:
        raise ValueError(f"it says {odd[0]} in its model_config")
    if plan.has_rules:
        raise ValueError(f"it has rules in Python ({', '.join(schema.__pydantic_decorators__.model_validators)})")
    if not plan.names:
        raise ValueError("it names no tag")
    rows = []
    for tag, form in plan.forms.items():
        _refuse_unsayable(plan, tag)
        rows.append((tag in plan.sources, plan.sources.get(tag, tag), form, tag in plan.required))
    return plan.is_open, rows


def compared(schema: type[TagSchema]) -> tuple[bool, frozenset[Row]] | type[TagSchema]:
    """Return what two schemas are compared by: what they say, where data can say it."""
    try:
        is_open, rows = table_of(schema)
    except (TypeError, ValueError):
        return schema
    return is_open, frozenset(rows)


def _refuse_unsayable(plan: CompiledSchema, tag: str) -> None:
    if plan.validators(tag):
        raise ValueError(f"the tag {tag!r} has a validator in Python")
    said = [word for node in plan.nodes(tag) for word in _CHANGING if node.get(word)]
    said += ["a compiled pattern" for node in plan.nodes(tag) if isinstance(node.get("pattern"), re.Pattern)]
    if said:
        raise ValueError(f"the tag {tag!r} says {said[0]}, which data cannot")
    said_as(plan.forms[tag], tag)


def said_as(form: Form, tag: str) -> str | list[str] | dict[str, Any]:
    """Return what a file says of a tag whose text has a form."""
    if isinstance(form, WordsForm):
        return [*form.words]
    if isinstance(form, BoolForm):
        return "bool"
    if isinstance(form, TextForm):
        return _with_limits("str", min_length=form.least or None, max_length=form.most, pattern=form.pattern)
    if isinstance(form, NumberForm):
        low, high = ("gt" if form.low_open else "ge"), ("lt" if form.high_open else "le")
        given = {low: form.low, high: form.high, "multiple_of": form.multiple_of}
        limits = {word: size for word, size in given.items() if size not in (None, -math.inf, math.inf)}
        if form.whole:
            limits = {word: _whole(size, tag) for word, size in limits.items()}
        return _with_limits("int" if form.whole else "float", **limits)
    if isinstance(form, ItemsForm):
        items = said_as(form.item, tag)
        plain = isinstance(items, str)
        lengths = {"min_length": form.least or None, "max_length": form.most}
        return _with_limits(f"list[{items}]", **lengths) if plain else _with_limits("list", items=items, **lengths)
    raise ValueError(f"the tag {tag!r} has a type that data cannot say")


def _whole(size: float, tag: str) -> int:
    if size != int(size):
        raise ValueError(f"the tag {tag!r} is a whole number with the limit {size}, which is none")
    return int(size)


def _with_limits(kind: str, **limits: Any) -> str | dict[str, Any]:
    said = {word: value for word, value in limits.items() if value is not None}
    return {"type": kind, **said} if said else kind
