"""The rules of a schema that span several tags, each asked by itself, and what each of them looks at.

Pydantic runs the `@model_validator(mode="after")` of a model in a chain that stops at the first to refuse, and not at
all where some field is wrong. Here each is asked on a copy of the schema without rules that notes which fields are
read, and that knows which are unknown: a rule that reads one of those stays undecided.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from operator import getitem
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, create_model, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

UNKNOWN = object()
# what tells of all fields at once; methods of the schema itself are followed
_WHOLE = {"__dict__", "__iter__", *(name for name in dir(BaseModel) if not name.startswith("__"))}
_HARMLESS = {"model_config", "model_fields", "model_computed_fields"}
_DUMPS = {"model_dump", "model_dump_json"}  # what tells of the fields that it is asked for


class _UndecidedError(BaseException):
    """A rule reads what is unknown. No `Exception`: a rule that catches those must not swallow it."""


@dataclass(slots=True)
class _Watch:
    fields: tuple[str, ...]
    read: dict[str, None] = field(default_factory=dict)  # in the order of the first look
    is_dumping: bool = False

    def look(self, values: dict[str, Any], name: str) -> None:
        looked_at: Iterable[str] = ()
        if name in self.fields:
            looked_at = (name,)
        elif name in _WHOLE and name not in _HARMLESS and not self.is_dumping:
            looked_at = self.fields
        for each in looked_at:
            self.read[each] = None
            if values.get(each) is UNKNOWN:
                raise _UndecidedError

    def dump(self, values: dict[str, Any], dump: Any, said: dict[str, Any]) -> Any:
        """Look at the fields that a dump is asked for, and return what it gives."""
        include, exclude = said.get("include"), said.get("exclude") or ()
        if isinstance(exclude, Mapping):
            exclude = [name for name, part in exclude.items() if part is True or part is ...]
        for name in self.fields:
            if (include is None or name in include) and name not in exclude:
                self.look(values, name)
        self.is_dumping = True
        try:
            return dump(**said)
        finally:
            self.is_dumping = False


_watch: ContextVar[_Watch | None] = ContextVar("_watch", default=None)


class _Watched:
    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        watch = _watch.get()
        if watch is not None:
            values = object.__getattribute__(self, "__dict__")
            if name in _DUMPS:
                dump = super().__getattribute__(name)
                return lambda **said: watch.dump(values, dump, said)
            watch.look(values, name)
        return super().__getattribute__(name)


@dataclass(frozen=True, slots=True)
class Rule:
    """A `@model_validator` by its name in the schema, and how it is called."""

    name: str
    call: Any
    takes_info: bool


def rules_of(schema: type[BaseModel], mode: str) -> tuple[Rule, ...]:
    """Return the model validators of a mode, in the order in which they are inherited and defined."""
    found = []
    for name, each in schema.__pydantic_decorators__.model_validators.items():
        if each.info.mode == mode:
            call = getattr(schema, name)
            found.append(Rule(name, call, takes_info(call)))
    return tuple(found)


def takes_info(validator: Any) -> bool:
    """Return whether a validator takes pydantic's info after the value."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(validator).parameters.values()
    except (TypeError, ValueError):  # of a builtin, which says nothing of its parameters
        return False
    needed = [each for each in parameters if each.kind in positional and each.default is inspect.Parameter.empty]
    return len(needed) >= 2


def without_rules(schema: type[BaseModel]) -> type[BaseModel]:
    """Return the schema with no rules, and in which every field may be unknown."""

    def held(self: Any) -> Any:
        return self

    fields: dict[str, Any] = {}
    for name, info in schema.model_fields.items():
        parts = (info.annotation, *info.metadata)
        annotation: Any = getitem(Annotated, parts) if info.metadata else info.annotation
        if info.is_required():
            said: dict[str, Any] = {"default": UNKNOWN, "validate_default": False}
        elif info.default_factory is not None:
            said = {"default_factory": info.default_factory}
        else:
            said = {"default": info.default}
        aliases = {"alias": info.alias, "validation_alias": info.validation_alias}
        said.update((key, alias) for key, alias in aliases.items() if alias is not None)
        fields[name] = (annotation, Field(**said))
    validators: dict[str, Any] = {rule.name: model_validator(mode="after")(held) for rule in rules_of(schema, "after")}
    bases: Any = (_Watched, schema)
    made: type[BaseModel] = create_model(
        schema.__name__, __base__=bases, __module__=schema.__module__, __validators__=validators, **fields
    )
    return made


def broken_after(
    schema: type[BaseModel], rules: Iterable[Rule], values: BaseModel
) -> Iterator[tuple[str, str, list[str]]]:
    """Yield which of the `rules` refuse `values`, an instance of `without_rules(schema)`; not what is undecided.

    Each by its name, with its message and the fields that it looked at.
    """
    fields = tuple(schema.model_fields)
    for rule in rules:
        watch = _Watch(fields)
        token = _watch.set(watch)
        try:
            result = _asked(rule, values, schema)
            message = None if result is None or isinstance(result, schema) else answered(result, "self")
        except _UndecidedError:
            continue
        except (ValueError, AssertionError) as error:
            message = str(error) or "it gives no reason"
        except Exception as error:
            message = crash(error)
        finally:
            _watch.reset(token)
        if message is not None:
            yield rule.name, message, [*watch.read]
        elif isinstance(result, type(values)):
            values = result  # the next one sees what this one made of it, as in pydantic's chain


def broken_before(schema: type[BaseModel], given: dict[str, Any], message: str) -> str | None:
    """Return which rule that comes before the fields has refused the tags with `message`; `None` if that is unclear."""
    return next((rule.name for rule in rules_of(schema, "before") if _refuses(rule, schema, given, message)), None)


def _refuses(rule: Rule, schema: type[BaseModel], given: dict[str, Any], message: str) -> bool:
    try:
        _asked(rule, dict(given), schema)
    except (ValueError, AssertionError) as error:
        return str(error) in message
    except Exception:
        return False
    return False


def _asked(rule: Rule, subject: Any, schema: type[BaseModel]) -> Any:
    if not rule.takes_info:
        return rule.call(subject)
    # pydantic's own ValidationInfo cannot be made
    info = SimpleNamespace(context=None, config=dict(schema.model_config), mode="python", data={}, field_name=None)
    return rule.call(subject, info)


def answered(result: object, instead: str) -> str:
    """Return what is wrong with a validator that returns a truth: pydantic takes that for the value, and for right."""
    return f"it returned {result!r:.40}: return {instead}, and raise a ValueError where it does not hold"


def crash(error: Exception) -> str:
    """Return what was raised in place of an answer, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    where = f" in {frames[-1].name}, {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"it raised {what}{where}"
