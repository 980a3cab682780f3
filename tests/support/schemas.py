"""Schemas of tags for tests of what is drawn from them: one with every type of tag, and any number of random ones."""

from __future__ import annotations

from datetime import date  # noqa: TC003  # pydantic reads it
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID  # noqa: TC003  # likewise

from pydantic import AfterValidator, ConfigDict, Field, create_model, field_validator, model_validator

from pytest_mlflow_traces import BoolTag, FloatTag, IntTag, ListTag, Metadata, TagSchema

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

WORDS = ("cost", "security", "performance", "reliability", "quality")


class Color(Enum):
    RED = "red"
    BLUE = "blue"


def _lower(text: str) -> str:
    if text != text.lower():
        raise ValueError("must be lower case")
    return text


class Counted(TagSchema):
    """A schema with a rule over two tags; what has more rules, or more tags, is made from it."""

    domains: ListTag[Literal["cost", "security"]]
    domain_count: IntTag
    has_error: BoolTag
    error_type: str | None = None

    @model_validator(mode="after")
    def counted(self) -> Counted:
        if self.domain_count != len(self.domains):
            raise ValueError("domain_count is not the number of domains")
        return self


class EveryType(TagSchema):
    """A tag of each type that a schema takes."""

    model_config = ConfigDict(extra="allow")

    text: str
    anything: Any
    short: Annotated[str, Field(min_length=2, max_length=4)]
    matching: Annotated[str, Field(pattern="^[a-z]+-[0-9]+$", max_length=20)]
    found: Annotated[str, Field(pattern="x")]
    lower: Annotated[str, AfterValidator(_lower)]
    word: Literal["a", "b", "c"]
    color: Color
    flag: BoolTag
    number: IntTag
    positive: Annotated[IntTag, Field(gt=0)]
    level: Annotated[IntTag, Field(ge=-2, lt=3)]
    fives: Annotated[IntTag, Field(multiple_of=5, ge=-12, le=12)]
    ratio: Annotated[FloatTag, Field(ge=0, le=1)]
    open_ratio: Annotated[FloatTag, Field(gt=0, lt=1)]
    halves: Annotated[FloatTag, Field(multiple_of=0.5)]
    texts: ListTag[str]
    words: ListTag[Literal["a", "b"]]
    numbers: ListTag[IntTag]
    some: Annotated[ListTag[Annotated[IntTag, Field(ge=0)]], Field(min_length=1, max_length=3)]
    mixed: ListTag[IntTag | Literal["x"]]
    either: IntTag | Literal["none"]
    day: date
    id: UUID
    aliased: str = Field(alias="a b/c")
    optional: str | None = None
    optional_list: ListTag[Literal["a", "b"]] | None = None
    session: Annotated[str, Metadata("mlflow.trace.session")]

    @field_validator("short", "text")
    @classmethod
    def stripped(cls, value: str) -> str:
        if value != value.strip():
            raise ValueError("must not begin or end with a space")
        return value


def random_schema(random: Random) -> type[TagSchema]:
    """Make a schema of some tags, and of some rules over them that do not contradict each other."""
    made = _Making(random)
    for make in random.sample([getattr(made, name) for name in _RULES], k=random.randint(2, 6)):
        make()
    for number in range(random.randint(0, 3)):
        made.add(random.choice([str, BoolTag, IntTag, Literal["x", "y"], ListTag[str]]), f"free_{number}")
    validators: Any = {f"rule_{number}": model_validator(mode="after")(rule) for number, rule in enumerate(made.rules)}
    extra = random.choice(["forbid", "allow"])
    base = type("Base", (TagSchema,), {"model_config": ConfigDict(extra=extra), "__module__": __name__})
    return create_model("Random", __base__=base, __module__=__name__, __validators__=validators, **made.fields)


class _Making:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.fields: dict[str, Any] = {}
        self.rules: list[Any] = []

    def add(self, annotation: Any, name: str) -> str:
        """Add a field, optional by chance where `annotation` allows None."""
        unique = f"{name}_{len(self.fields)}"
        self.fields[unique] = (annotation, ... if not _allows_none(annotation) else None)
        return unique

    def list_field(self) -> str:
        known = [name for name in self.fields if name.startswith("list")]
        return self.random.choice(known) if known and self.random.random() < 0.6 else self.add(ListTag[Any], "list")

    def rule(self, holds: Callable[[Any], bool], says: str) -> None:
        def rule(self: Any) -> Any:
            if not holds(self):
                raise ValueError(says)
            return self

        self.rules.append(rule)

    def counted(self) -> None:
        items, count = self.list_field(), self.add(IntTag, "count")
        self.rule(lambda tags: getattr(tags, count) == len(getattr(tags, items)), f"{count} counts {items}")

    def several(self) -> None:
        items, flag = self.list_field(), self.add(BoolTag, "flag")
        self.rule(lambda tags: getattr(tags, flag) == (len(getattr(tags, items)) > 1), f"{flag} when several {items}")

    def present(self) -> None:
        flag, text = self.add(BoolTag, "flag"), self.add(str | None, "text")
        self.rule(lambda tags: getattr(tags, flag) == (getattr(tags, text) is not None), f"{text} exactly when {flag}")

    def subset(self) -> None:
        items, some = self.list_field(), self.add(ListTag[Literal[WORDS]] | None, "some")
        self.rule(lambda tags: set(getattr(tags, some) or ()) <= set(getattr(tags, items)), f"{some} are {items}")

    def ordered(self) -> None:
        low, high = self.add(IntTag, "low"), self.add(IntTag, "high")
        self.rule(lambda tags: getattr(tags, low) <= getattr(tags, high), f"{low} <= {high}")

    def summed(self) -> None:
        one, two, total = self.add(IntTag, "one"), self.add(IntTag, "two"), self.add(IntTag, "total")
        self.rule(lambda tags: getattr(tags, total) == getattr(tags, one) + getattr(tags, two), f"{total} is the sum")

    def implied(self) -> None:
        word, text = self.add(Literal[WORDS], "word"), self.add(str | None, "text")
        self.rule(lambda tags: getattr(tags, word) != "cost" or getattr(tags, text) is not None, f"cost needs {text}")

    def listed(self) -> None:
        items, chosen = self.list_field(), self.add(str, "chosen")
        self.rule(lambda tags: getattr(tags, chosen) in ("", *getattr(tags, items)), f"{chosen} is of {items}")

    def distinct(self) -> None:
        items = self.list_field()
        self.rule(lambda tags: len(set(getattr(tags, items))) == len(getattr(tags, items)), f"{items} are distinct")

    def same(self) -> None:
        one, two = self.add(str, "one"), self.add(str, "two")
        self.rule(lambda tags: getattr(tags, one) == getattr(tags, two), f"{one} is {two}")

    def bounded(self) -> None:
        ratio, flag = self.add(Annotated[FloatTag, Field(ge=0, le=1)], "ratio"), self.add(BoolTag, "flag")
        self.rule(lambda tags: getattr(tags, flag) == (getattr(tags, ratio) > 0.75), f"{flag} when {ratio} is high")

    def constant(self) -> None:
        word, text = self.add(Literal["x", "y"], "word"), self.add(str, "text")
        self.rule(lambda tags: getattr(tags, word) == "x" or getattr(tags, text) == "needle", f"y needs {text}=needle")


_RULES = sorted(
    name for name in vars(_Making) if not name.startswith("_") and name not in {"add", "rule", "list_field"}
)


def _allows_none(annotation: Any) -> bool:
    return type(None) in getattr(annotation, "__args__", ())
