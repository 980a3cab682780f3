"""Tag schemas: what the tags of a trace must be, as a pydantic model whose fields are the tags."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

from pydantic import BaseModel, ConfigDict, Field, create_model

from pytest_mlflow_traces.core.tags.formats import form_of
from pytest_mlflow_traces.core.tags.messages import findings_of
from pytest_mlflow_traces.core.tags.portability import metadata_findings, tag_finding, tag_findings, warn_of_secrets
from pytest_mlflow_traces.core.tags.types import BoolTag, FloatTag, IntTag, ListTag, Metadata
from pytest_mlflow_traces.core.tags.validate import plan_of, problems
from pytest_mlflow_traces.core.text.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.trace import Trace

__tracebackhide__ = True  # a failure points at the test, not in here
__all__ = ["BoolTag", "FloatTag", "IntTag", "ListTag", "Metadata", "TagSchema"]


class TagSchema(BaseModel):
    """What the tags of a trace must be: each field is a tag, its type says what the tag's text holds.

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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Before pydantic collects the fields: it would take what has the name already for the default of the field.
        for name, annotation in inspect.get_annotations(cls).items():
            taken = hasattr(TagSchema, name)
            if (taken or name.startswith("_")) and not _is_class_var(annotation):
                why = "the schema needs this name for itself" if taken else "pydantic takes no field that begins with _"
                cure = f"{name.strip('_') or 'tag'}_: ... = Field(alias={name!r})"
                raise TypeError(f"{cls.__name__}.{name}: {why}; write {cure}")
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls.__pydantic_complete__:  # else at the first check: it names what is not defined yet
            plan_of(cls)

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
        for tag, kind in tags.items():
            if not isinstance(tag, str):
                raise TypeError(f"from_mapping(): the name of a tag is a string, got {tag!r}")
            try:
                form_of(kind)
            except TypeError as error:
                raise TypeError(f"from_mapping(): {tag!r}: {error}") from None
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

        >>> import mlflow
        >>> from pytest_mlflow_traces import capture_traces
        >>> with capture_traces() as traces, mlflow.start_span("agent"):
        ...     pass
        >>> print(*TagSchema.from_mapping({"user_id": str}).check(traces.one()))
        tags.missing at tag 'user_id': expected a string, got nothing
        """
        warn_of_secrets(trace)
        return cls._found(tag_findings(trace), trace.tags, trace.metadata)

    @classmethod
    def check_tags(cls, tags: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> list[Finding]:
        """Return the findings on plain mappings of tags and of metadata, one for each bad tag and each broken rule.

        Without `metadata`, nothing is known of the fields that are metadata: they are not missing, and a rule that
        looks at them is not decided.
        """
        flagged = {key: each for key, value in tags.items() if (each := tag_finding(key, value)) is not None}
        return cls._found(flagged, tags, metadata)

    @classmethod
    def _found(
        cls, flagged: dict[Any, Finding], tags: Mapping[str, Any], metadata: Mapping[str, Any] | None
    ) -> list[Finding]:
        """Return what backends do not keep, then what the schema says of the tags that have no finding yet."""
        plan = plan_of(cls)
        if cls is TagSchema or (plan.is_open and not plan.names and not plan.has_rules):
            raise TypeError(f"{cls.__name__} checks nothing: it names no tag, and has no rules")
        flagged_metadata = {} if metadata is None else metadata_findings(metadata)
        keys = plan.sources.items()
        unknown = {*flagged, *(tag for tag, key in keys if key in flagged_metadata)}
        wrong = problems(cls, tags, metadata, unknown=unknown)
        known = {} if metadata is None else metadata
        given = {**tags, **{tag: known[key] for tag, key in keys if key in known}} if wrong else {}
        return [*flagged.values(), *flagged_metadata.values(), *findings_of(cls, given, wrong)]


def _is_class_var(annotation: Any) -> bool:
    text = annotation if isinstance(annotation, str) else ""
    return get_origin(annotation) is ClassVar or annotation is ClassVar or "ClassVar" in text.partition("[")[0]
