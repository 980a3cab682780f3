"""The data of a contract file against its model, with an error that a person can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pytest_mlflow_traces.core.contract_files.model import (
    FORMAT,
    BudgetTable,
    ContractFile,
    ContractTable,
    OptionalDuration,
    OrderTable,
    TagTable,
)
from pytest_mlflow_traces.core.tags.formats import listed_or
from pytest_mlflow_traces.core.text.suggestions import listed, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from pytest_mlflow_traces.core.contract_files.places import ContractFileError, Key, Places

__tracebackhide__ = True  # a failure points at the test, not in here

_LOOKED_AT = 10_000  # of the errors of a file, the first of which is told
_EXPECTED = {  # by the types of pydantic's errors
    "string_type": "a text in quotes",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
}


def validated(data: Mapping[str, Any], places: Places) -> ContractFile:
    """Return the data of a text as a model.

    Raises:
        ContractFileError: for another format, a key that is unknown or missing, a value of the wrong type.
    """
    _check_format(data, places)
    try:
        return ContractFile.model_validate(data)
    except ValidationError as error:
        raise _first(error.errors(include_url=False)[:_LOOKED_AT], data, places) from None


def _check_format(data: Mapping[str, Any], places: Places) -> None:
    given = data.get("format")
    if given is None:
        raise places.error(f"the format is missing: begin with `format = {FORMAT}`", ())
    if type(given) is int and given > FORMAT:
        newer = (
            f"format {given} is newer than {FORMAT}, the newest that this version reads: update pytest-mlflow-traces"
        )
        raise places.error(newer, ("format",))
    if type(given) is not int or given != FORMAT:
        raise places.error(f"format: expected {FORMAT}, got {given!r:.80}", ("format",))


def _first(errors: list[Any], data: Mapping[str, Any], places: Places) -> ContractFileError:
    """Return the error that stands first in the text; where a value may be of several types, what all say of it."""
    found: dict[Key, list[Any]] = {}
    for each in errors:
        found.setdefault(_path(each["loc"], data), []).append(each)
    # a value inside a table tells more than that the table is no text
    above = {path[:length] for path in found for length in range(len(path))}
    first = min((path for path in found if path not in above), key=places.offset)
    return places.error(_message(first, found[first]), first)


def _path(location: tuple[str | int, ...], data: Any) -> Key:
    """Return the path of an error, without the names of alternatives that pydantic puts in."""
    path: Key = ()
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            continue
        path = (*path, part)
    return path


def _message(path: Key, errors: list[Any]) -> str:
    kinds = {each["type"]: each for each in errors}
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    if "extra_forbidden" in kinds:
        legal = [*_model_at(path[:-1]).model_fields]
        return f"unknown key {name!r:.80} (legal: {listed(legal)}){nearest(name, legal)}"
    if "missing" in kinds:
        return f"{kinds['missing']['loc'][-1]} is missing"
    value = next(each["input"] for each in errors)
    wanted = list(dict.fromkeys(_EXPECTED[kind] for kind in kinds if kind in _EXPECTED))
    if "too_short" in kinds or "too_long" in kinds:
        size = next(kinds[kind]["ctx"] for kind in ("too_short", "too_long") if kind in kinds)
        many = size.get("min_length", size.get("max_length"))
        wanted.append(f"a list of {'two' if many == 2 else 'at least one'}")
    if "literal_error" in kinds:
        wanted.append(kinds["literal_error"]["ctx"]["expected"])
    return f"{name}: expected {listed_or(wanted or [errors[0]['msg']])}, got {value!r:.60}"


def _model_at(path: Key) -> type[BaseModel]:
    """Return the model of the table at a path."""
    words = [part for part in path if isinstance(part, str)]
    while words[:1] == ["contract"]:
        del words[0]
    if not words:
        return ContractTable if path else ContractFile
    models: dict[str, type[BaseModel]] = {"order": OrderTable, "tags": TagTable, "metadata": TagTable}
    return models.get(words[0], BudgetTable if len(words) == 1 else OptionalDuration)
