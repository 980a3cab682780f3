"""What is wrong with a set of tags by a schema, as data: missing, unknown and illegal tags, and broken rules.

A rule that spans several tags is decided where all that it reads is known, whatever is wrong with other tags.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, PydanticUndefinedAnnotation, ValidationError

from pytest_mlflow_traces.core.spans.convert import is_system
from pytest_mlflow_traces.core.tags.formats import BoolForm, EitherForm, ItemsForm, OtherForm, form_of
from pytest_mlflow_traces.core.tags.portability import is_own, name_problem
from pytest_mlflow_traces.core.tags.rules import (
    UNKNOWN,
    answered,
    broken_after,
    broken_before,
    crash,
    rules_of,
    without_rules,
)
from pytest_mlflow_traces.core.tags.types import OWN_VALIDATORS, Metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from pytest_mlflow_traces.core.tags.formats import Form
    from pytest_mlflow_traces.core.tags.rules import Rule

_PLAN = "__tag_plan__"
_OWN = [mark.func for mark in OWN_VALIDATORS]
_ASIDE = ("metadata", "serialization", "json_schema_input_schema")  # of a core schema, what validates nothing
_MEANT = {"true": True, "false": False}
_SAID = ("value_error", "assertion_error")  # the types of errors that validators raise


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which tags are not what a schema says; `kind` is missing, unknown, value or rule."""

    kind: str
    tag: str = ""
    errors: tuple[Any, ...] = ()  # of a value: what pydantic says
    rule: str | None = None  # of a rule: its name, where it is known
    message: str = ""
    reads: tuple[str, ...] | None = None  # of a rule: the tags it looked at, where they are known


@dataclass(frozen=True)
class CompiledSchema:
    """What a schema says, read once: by tag, the name of its field and the form of its text."""

    schema: type[BaseModel]
    names: Mapping[str, str]
    forms: Mapping[str, Form]
    required: AbstractSet[str]
    sources: Mapping[str, str]  # of the fields that are metadata: their keys
    tags: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", {name: tag for tag, name in self.names.items()})

    @property
    def is_open(self) -> bool:
        """Whether tags that the schema does not name are welcome."""
        return self.schema.model_config.get("extra") == "allow"

    @property
    def has_rules(self) -> bool:
        """Whether there is any rule over several tags."""
        return bool(self.schema.__pydantic_decorators__.model_validators)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules over tags that are right by themselves."""
        return rules_of(self.schema, "after")

    def nodes(self, tag: str) -> Iterator[Mapping[str, Any]]:
        """Yield the parts of pydantic's core schema that are about one tag."""
        core: Any = self.schema.__pydantic_core_schema__
        fields = next(node["fields"] for node in _nodes(core) if node.get("type") == "model-fields")
        return _nodes([fields[self.names[tag]], core.get("definitions")])

    def validators(self, tag: str) -> list[Any]:
        """Return the validators of one tag beside its type, as pydantic's core schema has them."""
        found = [node["function"] for node in self.nodes(tag) if str(node.get("type")).startswith("function-")]
        return [each for each in found if each["function"] not in _OWN and not _module(each).startswith("pydantic.")]

    def looks_around(self, tag: str) -> bool:
        """Return whether a validator of one tag may look at others."""
        return any(each["type"] == "with-info" for each in self.validators(tag))

    def answered(self, given: Mapping[str, Any], values: BaseModel) -> list[Problem]:
        """Return the tags of which a validator says True or False, instead of their value."""
        found = []
        for tag, name in self.names.items():
            value = getattr(values, name, None) if tag in given else None
            for answer in _answers(self.forms[tag], given.get(tag), value):
                says = answered(answer, "the value")
                found.append(Problem("value", tag, ({"type": "value_error", "msg": says, "loc": (tag,)},)))
                break
        return found

    @cached_property
    def bare(self) -> type[BaseModel]:
        """The schema without its rules."""
        return without_rules(self.schema)


def _nodes(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, list | tuple):
        for each in schema:
            yield from _nodes(each)
    elif isinstance(schema, dict):
        yield schema
        yield from _nodes([value for key, value in schema.items() if key not in _ASIDE])


def _module(function: Mapping[str, Any]) -> str:
    called = function["function"]
    return str(getattr(getattr(called, "func", called), "__module__", None))


def _answers(form: Form, text: Any, value: object) -> list[bool]:
    """Return each truth in the value of a tag that its text does not mean."""
    if isinstance(value, list):
        item = form.item if isinstance(form, ItemsForm) else form
        return [answer for pair in zip(str(text).split(","), value, strict=False) for answer in _answers(item, *pair)]
    if not isinstance(value, bool):
        return []
    kinds = [type(each) for each in (form.options if isinstance(form, EitherForm) else (form,))]
    may_mean = BoolForm in kinds or (OtherForm in kinds and text in _MEANT)
    return [] if may_mean and _MEANT.get(text, value) is value else [value]


def plan_of(schema: type[BaseModel]) -> CompiledSchema:
    """Return what a schema says.

    Raises:
        TypeError: for what no tag can be.
    """
    plan: CompiledSchema | None = schema.__dict__.get(_PLAN)
    if plan is None:
        try:
            schema.model_rebuild()  # of a schema that named what was not defined yet; else it does nothing
        except PydanticUndefinedAnnotation as error:
            raise TypeError(f"{schema.__name__}: the name {error.name!r} is not defined") from None
        plan = _read(schema)
        type.__setattr__(schema, _PLAN, plan)
    return plan


def _read(schema: type[BaseModel]) -> CompiledSchema:
    extra = schema.model_config.get("extra")
    if extra not in {"forbid", "allow"}:
        raise TypeError(f"{schema.__name__}: extra is 'forbid' or 'allow', got {extra!r}")
    names: dict[str, str] = {}
    forms: dict[str, Form] = {}
    sources: dict[str, str] = {}
    for name, info in schema.model_fields.items():
        tag = info.alias if info.validation_alias is None else info.validation_alias
        tag = name if tag is None else tag
        where = f"{schema.__name__}.{name}"
        if not isinstance(tag, str):
            raise TypeError(f"{where}: a tag has one name, and {tag!r} is several")
        if tag in names:
            raise TypeError(f"{where}: the tag {tag!r} has a field already, {names[tag]}")
        try:
            forms[tag] = form_of(info.annotation, info.metadata)
        except TypeError as error:
            raise TypeError(f"{where}: {error}") from None
        names[tag] = name
        key = next((mark.key for mark in info.metadata if isinstance(mark, Metadata)), None)
        if key is not None:
            sources[tag] = key
        elif is_system(tag):
            raise TypeError(f"{where}: {tag!r} is MLflow's own, and its tags never count; is it Metadata({tag!r})?")
        elif (refused := name_problem(tag)) is not None:
            raise TypeError(f"{where}: no tag can have {refused}")
    required = {tag for tag, name in names.items() if schema.model_fields[name].is_required()}
    return CompiledSchema(schema, names, forms, required, sources)


def problems(
    schema: type[BaseModel],
    tags: Mapping[Any, Any],
    metadata: Mapping[Any, Any] | None = None,
    *,
    unknown: AbstractSet[str] = frozenset(),
) -> list[Problem]:
    """Return what is wrong by the schema; the tags in `unknown` are there, and nothing can be said of their values.

    Where `metadata` is None, nothing is known of the fields that are metadata.
    """
    plan = plan_of(schema)
    given = {
        tag: value
        for tag, value in tags.items()
        if isinstance(tag, str)
        and tag not in unknown
        and tag not in plan.sources
        and not is_system(tag)
        and (tag in plan.names or not is_own(tag, value))
    }
    unknown = {tag for tag in unknown if tag in plan.names}
    for tag, key in plan.sources.items():
        if metadata is None:
            unknown.add(tag)
        elif key in metadata and tag not in unknown:
            given[tag] = metadata[key]
    found = [] if plan.is_open else [Problem("unknown", tag) for tag in plan.sources if tag in tags]
    stopped: Problem | None = None
    if not unknown:
        try:
            made: Any = schema.model_validate(given)
        except ValidationError as error:
            stopped = Problem("rule", message=_first_message(error))
        except Exception as error:
            stopped = Problem("rule", message=crash(error))
        else:
            if made is None or (isinstance(made, schema) and not plan.answered(given, made)):
                return found
            stopped = Problem("rule", message=answered(made, "what the handler returns"))
    found += _one_by_one(plan, given, unknown)
    return found or ([] if stopped is None else [stopped])


def _one_by_one(plan: CompiledSchema, given: Mapping[str, Any], unknown: AbstractSet[str]) -> list[Problem]:
    errors, values, stopped = _validated(plan, given)
    found = [
        Problem("unknown" if each[0]["type"] == "extra_forbidden" else "value", tag, tuple(each))
        for tag, each in errors.items()
    ]
    missing = [tag for tag in plan.names if tag in plan.required and tag not in given and tag not in unknown]
    found += [Problem("missing", tag) for tag in missing]
    if values is None:  # a validator that raised for want of a tag says nothing that is not said already
        return found or ([] if stopped is None else [stopped])
    answers = [each for each in plan.answered(given, values) if each.tag not in errors]
    found += answers
    for tag in {*errors, *unknown, *missing, *(each.tag for each in answers)} & set(plan.names):
        values.__dict__[plan.names[tag]] = UNKNOWN
    for rule, message, reads in broken_after(plan.schema, plan.rules, values):
        found.append(Problem("rule", rule=rule, message=message, reads=tuple(plan.tags[name] for name in reads)))
    return found


def _validated(
    plan: CompiledSchema, given: Mapping[str, Any]
) -> tuple[dict[str, list[Any]], BaseModel | None, Problem | None]:
    """Return the errors by tag, the values of the tags that have none, and what has stopped pydantic, if anything."""
    errors: dict[str, list[Any]] = {}
    try:
        return errors, plan.bare.model_validate(given), None
    except ValidationError as error:
        for each in error.errors(include_url=False):
            if not each["loc"]:  # a rule that comes before the fields: nothing more is known
                message = _first_message(error)
                rule = broken_before(plan.schema, dict(given), message)
                return errors, None, Problem("rule", rule=rule, message=message)
            errors.setdefault(_tag_at(plan, each), []).append(each)
    except Exception as error:
        for tag in given if len(given) > 1 else ():
            alone, _, _ = _validated(plan, {tag: given[tag]})
            # not what a validator says, which may look at other tags
            own = [each for each in alone.get(tag, ()) if each["type"] not in _SAID or "Input should be" in each["msg"]]
            errors |= {tag: own} if own else {}
        return errors, None, Problem("rule", message=crash(error))
    try:
        return errors, plan.bare.model_validate({tag: given[tag] for tag in given if tag not in errors}), None
    except Exception:
        return errors, None, None


def _tag_at(plan: CompiledSchema, error: Any) -> str:
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden" or name in plan.names:
        return name
    return plan.tags.get(name, name)  # where the schema says loc_by_alias=False


def _first_message(error: ValidationError) -> str:
    return str(error.errors(include_url=False)[0]["msg"])
