"""What is wrong with a set of tags, as findings: pydantic's errors in the words of tags, with the likely mend."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.portability import masked, secret_kind, tag_where
from pytest_mlflow_traces.core.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

_RULES = "rule"  # where the findings on rules stand that span several tags


class TagFindings:
    """Collect one finding for each bad tag, and one for each broken rule."""

    def __init__(self, fields: Mapping[str, FieldInfo], given: Mapping[Any, Any], sources: Mapping[str, str]) -> None:
        self.found: list[Finding] = []
        self._fields = fields
        self._given = given
        self._sources = sources  # of fields that are metadata: their keys

    def add_fields(self, error: ValidationError) -> None:
        """Add what pydantic found on single tags."""
        by_tag: dict[str, list[Any]] = {}
        for each in error.errors(include_url=False):
            if each["loc"]:
                by_tag.setdefault(str(each["loc"][0]), []).append(each)
        missing = [tag for tag, errors in by_tag.items() if errors[0]["type"] == "missing"]
        for tag, errors in by_tag.items():
            kind = errors[0]["type"]
            if kind == "extra_forbidden":
                self._add_unknown(tag, missing)
            elif kind != "missing":
                self._add_value(tag, errors)
        for tag in missing:
            self.found.append(Finding("tags.missing", self._where(tag), _wanted(self._fields.get(tag)), "nothing"))

    def _add_unknown(self, tag: str, missing: list[str]) -> None:
        meant = nearest(tag, missing)
        for each in missing:
            if repr(each) in meant:
                missing.remove(each)  # one tag misspelt is one finding, not one missing and one unknown
                break
        value = self._shown(tag)
        if meant:
            self.found.append(Finding("tags.unknown", tag_where(tag), "a tag of the schema", value, meant.lstrip("; ")))
            return
        hint = 'add it to the schema, or say extra="allow"'
        self.found.append(Finding("tags.unknown", tag_where(tag), "only the tags of the schema", value, hint))

    def _add_value(self, tag: str, errors: list[Any]) -> None:
        field = self._fields.get(tag)
        parts = []
        for each in errors:
            item = f"item {each['loc'][1] + 1} " if len(each["loc"]) > 1 and isinstance(each["loc"][1], int) else ""
            parts.append(item + re.sub(r"^(Value error, )?(Input|String) should (be|have|match) ?", "", each["msg"]))
        hint = _mend(self._given.get(tag), field)
        self.found.append(Finding("tags.value", self._where(tag), "; ".join(parts), self._shown(tag), hint))

    def add_rules(self, error: ValidationError, validated: BaseModel | None) -> None:
        """Add each broken rule over several tags; pydantic stops at the first, so each is asked again by itself."""
        broken = _broken_rules(validated) if validated is not None else []
        for each in broken or [(_RULES, item["msg"]) for item in error.errors(include_url=False)]:
            name, message = each
            text = re.sub(r"^(Value|Assertion) error,? ?", "", message)
            self.found.append(Finding("tags.rule", name, text or "what the rule says", self._tags_shown()))

    def _tags_shown(self) -> str:
        shown = ", ".join(f"{tag}={self._shown(tag)}" for tag in self._given if tag in self._fields)
        return shown if len(shown) <= 200 else f"{shown[:197]}..."

    def _shown(self, tag: str) -> str:
        value = self._given.get(tag)
        if secret_kind(tag, value) is not None:
            return masked(value)
        text = repr(value)
        return text if len(text) <= 80 else f"{text[:60]}...{text[-17:]}"

    def _where(self, tag: str) -> str:
        key = self._sources.get(tag)
        return tag_where(tag) if key is None else f"metadata {key!r}"


def _broken_rules(validated: BaseModel) -> list[tuple[str, str]]:
    """Return the name and the message of each `@model_validator(mode="after")` that refuses the tags."""
    broken = []
    for name, decorator in type(validated).__pydantic_decorators__.model_validators.items():
        if decorator.info.mode != "after":
            continue
        try:
            getattr(validated, name)()
        except (ValueError, AssertionError) as error:
            broken.append((f"rule {name!r}", str(error)))
        except TypeError:
            return []  # it takes pydantic's info as well; then its first error is all there is
    return broken


def _wanted(field: FieldInfo | None) -> str:
    if field is None:
        return "a tag"
    literal = _literals(field.annotation)
    return f"one of {', '.join(map(repr, literal))}" if literal else "a value"


def _literals(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(value for part in get_args(annotation) for value in _literals(part))


def _mend(value: object, field: FieldInfo | None) -> str | None:
    """Return the likely mend of a value, where there is one."""
    if not isinstance(value, str) or field is None:
        return None
    legal = _literals(field.annotation)
    if any(getattr(mark, "holds", None) == "bool" for mark in _marks(field)):
        return f"write {value.lower()!r}: str(True) is 'True'" if value.lower() in {"true", "false"} else None
    wrong = [item for item in value.split(",") if item not in legal] if legal else []
    stripped = ",".join(item.strip() for item in value.split(","))
    if any(getattr(mark, "holds", None) == "list" for mark in _marks(field)) and stripped != value:
        return f"write {stripped!r}"
    return nearest(wrong[0], legal).lstrip("; ") or None if wrong else None


def _marks(field: FieldInfo) -> list[Any]:
    return [
        *field.metadata,
        *(mark for part in get_args(field.annotation) for mark in getattr(part, "__metadata__", ())),
    ]
