"""Validators that answer True or False where they should give the value, which pydantic takes for the value.

A validator may stand anywhere in an annotation: around a field, in a member of a union, at the items of a list. In
pydantic's core schema all have one form, so each is asked there, and what it was given is compared with what it gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pydantic_core import SchemaValidator

from pytest_mlflow_traces.core.tags.types import OWN_VALIDATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from pydantic import BaseModel

_OWN = [mark.func for mark in OWN_VALIDATORS]
_ASIDE = ("metadata", "serialization", "json_schema_input_schema")  # of a schema, what validates nothing

_field: ContextVar[str | None] = ContextVar("_field", default=None)
_answers: ContextVar[dict[str, bool]] = ContextVar("_answers")


class Watch:
    """The validators of a schema without rules; text may mean a truth in the fields that are `booleans`."""

    def __init__(self, bare: type[BaseModel], booleans: Container[str]) -> None:
        self._booleans = booleans
        self.functions: dict[str | None, list[Mapping[str, Any]]] = {}  # by field; of None, those that fields share
        self._config: Any = None
        schema = self._watching(bare.__pydantic_core_schema__, None)
        self._validator = SchemaValidator(schema, self._config)

    def answers(self, given: Mapping[str, Any]) -> dict[str, bool]:
        """Return the fields of which a validator answers with a truth, and with which."""
        found: dict[str, bool] = {}
        token = _answers.set(found)
        try:
            self._validator.validate_python(dict(given))
        except Exception:  # noqa: S110  # what is wrong with the values is told by whoever asks for them
            pass
        finally:
            _answers.reset(token)
        return found

    def _watching(self, node: Any, field: str | None) -> Any:
        if isinstance(node, list | tuple):
            return type(node)(self._watching(each, field) for each in node)
        if not isinstance(node, Mapping):
            return node
        kind = node.get("type")
        if kind == "model":  # what it is made of alone: of the model pydantic takes the validator that it has already
            self._config = node.get("config")
            return self._watching(node["schema"], field)
        if kind == "model-fields":
            return {**node, "fields": {name: self._entered(name, each) for name, each in node["fields"].items()}}
        new = {key: value if key in _ASIDE else self._watching(value, field) for key, value in node.items()}
        if isinstance(kind, str) and kind.startswith("function-"):
            function = node["function"]
            if function["function"] not in _OWN and not _module(function).startswith("pydantic."):
                self.functions.setdefault(field, []).append(function)
            new["function"] = {**function, "function": self._asking(function["function"])}
        return new

    def _entered(self, name: str, node: Mapping[str, Any]) -> dict[str, Any]:
        """Return the schema of a field that notes its name while it validates, inside of what gives its default."""
        inner = node["schema"]
        if inner["type"] == "default":
            return {**node, "schema": {**inner, "schema": self._noting(name, inner["schema"])}}
        return {**node, "schema": self._noting(name, inner)}

    def _noting(self, name: str, node: Any) -> dict[str, Any]:
        def validate(value: Any, handler: Any) -> Any:
            token = _field.set(name)
            try:
                return handler(value)
            finally:
                _field.reset(token)

        function = {"type": "no-info", "function": validate}
        return {"type": "function-wrap", "function": function, "schema": self._watching(node, name)}

    def _asking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def validate(value: Any, *rest: Any) -> Any:
            seen = [value]
            if rest and callable(rest[0]):  # of a validator that wraps others: what they made of the value
                inner = rest[0]

                def handler(*given: Any) -> Any:
                    seen.append(inner(*given))
                    return seen[-1]

                rest = (handler, *rest[1:])
            result = function(value, *rest)
            self._note(result, seen[-1])
            return result

        return validate

    def _note(self, result: object, value: object) -> None:
        field = _field.get()
        read = field in self._booleans and isinstance(value, str)
        if field is not None and isinstance(result, bool) and result is not value and not read:
            _answers.get({}).setdefault(field, result)


def _module(function: Mapping[str, Any]) -> str:
    called = function["function"]
    return str(getattr(getattr(called, "func", called), "__module__", None))
