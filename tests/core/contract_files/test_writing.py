"""What data cannot say is an error that names the part, and tells what to write."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import pydantic
import pytest
from dirty_equals import IsInt
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from pytest_mlflow_traces import Budget, Contract, IntTag, ListTag, Metadata, TagSchema, each, never, span
from pytest_mlflow_traces.core.contract_files.writing import DEEPEST
from tests.support.messages import exactly


class Own:
    def check(self, trace):
        return []

    def __repr__(self):
        return "Own()"


class Ruled(TagSchema):
    team: str

    @model_validator(mode="after")
    def is_red(self):
        return self


class Validated(TagSchema):
    team: str

    @field_validator("team")
    @classmethod
    def is_red(cls, value):
        return value


class Items(TagSchema):
    teams: ListTag[Annotated[str, AfterValidator(str.upper)]]


class Stripped(TagSchema):
    team: Annotated[str, StringConstraints(strip_whitespace=True)]


class Compiled(TagSchema):
    team: Annotated[str, Field(pattern=re.compile("a", re.IGNORECASE))]


class Configured(TagSchema):
    model_config = ConfigDict(str_to_lower=True)
    team: str


class Judging(TagSchema):
    team: str

    @classmethod
    def check(cls, trace):
        return []


class Either(TagSchema):
    team: IntTag | Literal["none"]


FREE = ": a line leaves the children free: say lacks=span() instead of [()]"
KEPT = " has no text form: {}, which is not a literal; keep this pattern in code"
TWICE = "is said twice: make one of both, or put one into a contract inside"


def nested(depth):
    contract = Contract("c", never(span("a")))
    for _ in range(depth):
        contract = Contract("c", contract)
    return contract


def named(schema):
    return f': name it, as [tags] schema = "{__name__}:{schema}"'


@pytest.mark.parametrize(
    ("expectations", "said", "message"),
    [
        ([span("a", inputs=IsInt)], {}, f"shape: span('a', inputs=IsInt){KEPT.format('inputs is IsInt')}"),
        ([never(span("a", outputs={"x": IsInt}))], {},
         "never: span('a', outputs={'x': IsInt})" + KEPT.format("outputs is {'x': IsInt}")),
        ([never(span("a")[()])], {}, f"never: span('a')[()]{FREE}"),
        ([each(span("a")).after(span("b") | span("c")[()])], {}, f"after: span('c')[()]{FREE}"),
        ([never(span("a"))], {"applies_to": span("a")[()]}, f"applies_to: span('a')[()]{FREE}"),
        ([never(span("a"))], {"only": [span("a")[()]]}, f"only: span('a')[()]{FREE}"),
        ([Budget(latency_of={span("a")[()]: "1s"})], {}, f"budget.latency_of: span('a')[()]{FREE}"),
        ([Budget(tokens=10**400)], {}, "budget.tokens: a number of more than 400 digits has no text form"),
        ([Own()], {},
         f'Own() is an expectation of your own, which data cannot say: name it, as expect = ["{__name__}:NAME"]'),
        ([span("a"), span("b")], {}, f"shape {TWICE}"),
        ([Budget(tokens=1), Budget(latency="1s")], {}, f"budget {TWICE}"),
        ([Ruled], {}, f"tags: Ruled: it has rules in Python (is_red){named('Ruled')}"),
        ([Validated], {}, f"tags: Validated: the tag 'team' has a validator in Python{named('Validated')}"),
        ([Items], {}, f"tags: Items: the tag 'teams' has a validator in Python{named('Items')}"),
        ([Stripped], {}, f"tags: Stripped: the tag 'team' says strip_whitespace, which data cannot{named('Stripped')}"),
        ([Configured], {}, f"tags: Configured: it says str_to_lower in its model_config{named('Configured')}"),
        ([Judging], {}, f"tags: Judging: it judges by a method of its own{named('Judging')}"),
        ([Either], {}, f"tags: Either: the tag 'team' has a type that data cannot say{named('Either')}"),
        ([TagSchema], {},
         ("tags: TagSchema: it names no tag: name it, as"
          ' [tags] schema = "pytest_mlflow_traces.core.tags.schema:TagSchema"')),
        ([never(span("a"))], {"about": "\ud800"}, "about: '\\ud800' is no text that a file can hold"),
        ([nested(DEEPEST)], {}, f"contracts in contracts, more than {DEEPEST} deep, have no text form"),
    ],
)  # fmt: skip
def test_what_data_cannot_say_is_named(expectations, said, message):
    contract = Contract("c", *expectations, **said)

    with pytest.raises(ValueError, match=exactly(f"contract 'c': {message}")):
        contract.to_toml()


@pytest.mark.skipif(pydantic.VERSION.startswith("2.7."), reason="this pydantic takes the flags from a pattern itself")
def test_the_flags_of_a_pattern_are_not_lost():
    message = "tags: Compiled: the tag 'team' says a compiled pattern, which data cannot"

    with pytest.raises(ValueError, match=exactly(f"contract 'c': {message}{named('Compiled')}")):
        Contract("c", Compiled).to_toml()


@pytest.mark.skipif(pydantic.VERSION.startswith("2.7."), reason="this pydantic refuses it itself")
def test_a_limit_between_two_whole_numbers_is_said_in_whole_ones():
    schema = TagSchema.from_mapping({"level": Annotated[IntTag, Field(ge=0.5)]})

    with pytest.raises(ValueError, match=r"the tag 'level' is a whole number with the limit 0\.5, which is none: name"):
        Contract("c", schema).to_toml()


def test_a_schema_in_code_that_data_can_say_becomes_data():
    class Tags(TagSchema):
        team: str
        level: IntTag = 3
        run: Annotated[str, Metadata("run")]

    contract = Contract("c", Tags)

    assert (
        contract.to_toml()
        == """\
format = 1
name = "c"

[tags]
team = "str"

[tags.level]
type = "int"
optional = true

[metadata]
run = "str"
"""
    )
    assert Contract.from_toml(contract.to_toml()) == contract


def test_a_contract_nests_as_deep_as_can_be_read():
    contract = nested(DEEPEST - 1)

    assert Contract.from_toml(contract.to_toml()) == contract


def test_a_name_with_a_carriage_return_keeps_it():
    contract = Contract("a\r\nb", span("x")[span("y")])

    assert Contract.from_toml(contract.to_toml()) == contract


def test_contracts_that_expect_the_same_are_equal_in_any_order():
    one, other = never(span("a")), span("b")

    assert Contract("c", one, other) == Contract("c", other, one)
    assert hash(Contract("c", one, other)) == hash(Contract("c", other, one))
    assert Contract("c", one, one) != Contract("c", one, other)
    assert Contract("c", one) != Contract("c", one, one)
    assert Contract("c", one) != Contract("c", one, about="x")
    assert Contract("c", one) != Contract("c", one, only=span("x"))
    assert Contract("c", Ruled) != Contract("c", Validated)
    assert Contract("c", Ruled) == Contract("c", Ruled)
    assert Contract("c", one) != one
