"""Tag schemas: what the tags of a trace must be, as a pydantic model whose fields are the tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from pytest_mlflow_traces.core.portability import portability, warn_of_secrets
from pytest_mlflow_traces.core.spelling import nearest
from pytest_mlflow_traces.core.tag_findings import TagFindings
from pytest_mlflow_traces.core.tag_types import BoolTag, FloatTag, IntTag, ListTag, Metadata, TagText

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo

    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.tree import Trace

__tracebackhide__ = True  # a failure points at the test, not in here
__all__ = ["BoolTag", "FloatTag", "IntTag", "ListTag", "Metadata", "TagSchema"]
_BARE = {
    bool: "BoolTag",
    int: "IntTag",
    float: "FloatTag",
    list: "ListTag[...]",
    set: "ListTag[...]",
    tuple: "ListTag[...]",
}


class TagSchema(BaseModel):
    """Say what the tags of a trace must be: each field is a tag, its type says what the tag's text holds.

    Fields without a default must be there; unknown tags are findings unless the model says `extra="allow"`. Rules that
    span several tags are pydantic's own `@model_validator(mode="after")`. A field annotated with `Metadata(key)` is
    looked up in the trace's metadata. MLflow's own tags, `mlflow.*`, never count.

    >>> from typing import Literal
    >>> class Tags(TagSchema):
    ...     environment: Literal["dev", "prod"]
    ...     has_error: BoolTag
    ...     error_type: str | None = None
    >>> [finding.where for finding in Tags.check_tags({"environment": "prd", "has_error": "True"})]
    ["tag 'environment'", "tag 'has_error'"]

    Raises:
        TypeError: at the definition, for a field whose type no text can be: `bool`, `int`, `float`, `list`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), populate_by_name=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            _refuse_bare(cls, name, field.annotation, field.metadata)

    @classmethod
    def from_mapping(
        cls, tags: Mapping[str, Any], *, optional: Iterable[str] = (), extra: str = "forbid", name: str = "Tags"
    ) -> type[TagSchema]:
        """Make a schema from a plain table of tag names and types; those in `optional` may be absent.

        >>> Tags = TagSchema.from_mapping({"user_id": str, "error_type": str}, optional=("error_type",))
        >>> Tags.check_tags({"user_id": "ada"})
        []

        Raises:
            TypeError: for `optional` given as one string, or a type that no text can be.
            ValueError: for an empty table, an `optional` that is not in it, or an unknown `extra`.
        """
        if isinstance(optional, str):
            raise TypeError(f"from_mapping(): optional is a tuple of names: ({optional!r},)")
        if not tags:
            raise ValueError("from_mapping({}) checks nothing: name a tag")
        if extra not in {"forbid", "allow"}:
            raise ValueError(f"from_mapping(): extra is 'forbid' or 'allow', got {extra!r}")
        absent = set(optional)
        for each in sorted(absent - set(tags)):
            raise ValueError(f"from_mapping(): {each!r} is optional but not in the table{nearest(each, tags)}")
        # by alias, since the name of a tag need not be one that Python takes
        fields: dict[str, Any] = {
            f"tag_{number}": (kind, Field(None if tag in absent else ..., alias=tag))
            for number, (tag, kind) in enumerate(tags.items())
        }
        config = ConfigDict(**{**cls.model_config, "extra": extra})  # type: ignore[typeddict-item]  # checked above
        base = type(name, (cls,), {"model_config": config, "__module__": cls.__module__})
        return create_model(name, __base__=base, **fields)

    @classmethod
    def check(cls, trace: Trace) -> list[Finding]:
        """Return a finding for every tag that is not as the schema says, or that a backend would not keep.

        Tags that look like secrets are warnings (`SecretTagWarning`), with the value masked.
        """
        warn_of_secrets(trace)
        found = portability(trace)
        flagged = {finding.where for finding in found}
        return found + [each for each in cls.check_tags(trace.tags, trace.metadata) if each.where not in flagged]

    @classmethod
    def check_tags(cls, tags: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> list[Finding]:
        """Return the findings on plain mappings of tags and of metadata, one for each bad tag and each broken rule."""
        given, sources = dict(tags), {}
        for tag, field in cls.fields_by_tag().items():
            key = metadata_key(field)
            if key is not None:
                sources[tag] = key
                if metadata is not None and key in metadata:
                    given[tag] = metadata[key]
        findings = TagFindings(cls.fields_by_tag(), given, sources)
        context: dict[str, Any] = {}
        try:
            cls.model_validate({str(key): value for key, value in given.items()}, context=context)
        except ValidationError as error:
            findings.add_fields(error)
            if not findings.found:  # each tag is as it should be; what is broken spans several
                findings.add_rules(error, context.get("validated"))
        return findings.found

    @classmethod
    def fields_by_tag(cls) -> dict[str, FieldInfo]:
        """Return the fields by the names of their tags."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    def model_post_init(self, context: Any, /) -> None:
        """Note the validated tags for `check_tags`, which then asks each rule by itself."""
        if isinstance(context, dict):
            context["validated"] = self


def metadata_key(field: FieldInfo) -> str | None:
    """Return the metadata key that a field is looked up by, `None` for a tag."""
    return next((mark.key for mark in field.metadata if isinstance(mark, Metadata)), None)


def _refuse_bare(schema: type, name: str, annotation: Any, marks: Iterable[Any]) -> None:
    """Refuse a type that pydantic would read from text in its own way: its `bool` takes "yes", "on" and "True"."""
    if any(isinstance(mark, TagText) for mark in marks):
        return
    kind = get_origin(annotation) or annotation
    if kind in _BARE:
        raise TypeError(f"{schema.__name__}.{name}: every tag is text; for {annotation} write {_BARE[kind]}")
    if kind is Literal:
        for value in get_args(annotation):
            if not isinstance(value, str):
                raise TypeError(f"{schema.__name__}.{name}: every tag is text; {value!r} in Literal is none")
        return
    for part in get_args(annotation):
        inner = getattr(part, "__metadata__", ())
        _refuse_bare(schema, name, part.__origin__ if inner else part, inner)
