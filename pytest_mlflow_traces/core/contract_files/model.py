"""What a contract file may say, as pydantic models: they validate it, and their JSON Schema helps editors.

`python -m pytest_mlflow_traces.core.contract_files.model` prints that schema, which stands beside this file.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

FORMAT = 1

Line = Annotated[str, Field(description="One span, as a line of the notation: `refund TOOL OK`; children are free.")]
Lines = Annotated[list[Line], Field(min_length=1)]
CodeName = Annotated[str, Field(description="Code, as module:NAME.", json_schema_extra={"pattern": "^[\\w.]+:\\w+$"})]
Duration = Annotated[str, Field(description="A duration, such as 800ms, 2s or 1.5m.")]
Calls = int | Annotated[list[int], Field(min_length=2, max_length=2)]
Number = int | float
Unsaid = SkipJsonSchema[None]  # TOML has no null


class Table(BaseModel):
    """One table of a contract file."""

    model_config = ConfigDict(extra="forbid", strict=True)


class OrderTable(Table):
    """A rule of order: `each` or `never`, and what comes before, after or around it."""

    each: Line | Unsaid = None
    never: Line | Unsaid = None
    after: Line | Unsaid = None
    before: Line | Unsaid = None
    inside: Line | Unsaid = None
    since: Annotated[Line | Unsaid, Field(description="With after: a span that must not lie between.")] = None
    until: Annotated[Line | Unsaid, Field(description="With before: likewise.")] = None
    same: Annotated[
        str | list[str] | dict[str, str] | Unsaid,
        Field(description="What both have in common: a path such as inputs.order, several, or a table of both sides'."),
    ] = None
    per: Literal["trace", "session"] = "trace"
    if_present: Annotated[bool, Field(description="Whether it holds where no such span is.")] = False


class OptionalDuration(Table):
    """A limit that no span need come under."""

    limit: Duration
    if_present: bool = False


class OptionalCalls(Table):
    """A number of calls that holds only where there are any."""

    limit: Calls
    if_present: bool = False


Durations = dict[str, Duration | OptionalDuration]


class BudgetTable(Table):
    """What a trace may take: of time, tokens, money and calls."""

    latency: Annotated[Duration | Unsaid, Field(description="How long the whole trace may take.")] = None
    latency_of: Annotated[Durations | Unsaid, Field(description="How long each such span may take.")] = None
    self_time_of: Annotated[
        Durations | Unsaid, Field(description="Likewise, the time in which none of its children ran.")
    ] = None
    tokens: Annotated[int | Unsaid, Field(description="The most tokens in all.")] = None
    cost_usd: Annotated[Number | Unsaid, Field(description="The highest cost, in US dollars.")] = None
    calls: Annotated[
        dict[str, Calls | OptionalCalls] | Unsaid,
        Field(description="How many such spans there may be: at most a number, or [min, max]."),
    ] = None
    p95_of: Annotated[Durations | Unsaid, Field(description="What 95 % of such spans of all traces may take each.")] = (
        None
    )


class TagTable(Table):
    """What the text of a tag may be: `type` with its limits, or one of `values`."""

    type: Annotated[
        str | Unsaid,
        Field(
            description="What the text holds.",
            json_schema_extra={"pattern": r"^(str|int|float|bool|list(\[(str|int|float|bool)\])?)$"},
        ),
    ] = None
    values: Annotated[list[str] | Unsaid, Field(description="The texts that are allowed.")] = None
    items: Annotated[
        str | list[str] | TagTable | Unsaid, Field(description='With type = "list": what each item is.')
    ] = None
    ge: Number | Unsaid = None
    gt: Number | Unsaid = None
    le: Number | Unsaid = None
    lt: Number | Unsaid = None
    multiple_of: Number | Unsaid = None
    min_length: Annotated[int | Unsaid, Field(description="Of a text its characters, of a list its items.")] = None
    max_length: int | Unsaid = None
    pattern: Annotated[str | Unsaid, Field(description="A regular expression that is found in the text.")] = None
    optional: Annotated[bool, Field(description="Whether the tag may be absent.")] = False


Tags = dict[str, str | list[str] | TagTable]


class ContractTable(Table):
    """A contract: what is expected of the traces that it applies to."""

    name: Annotated[str, Field(description="What reports call it.")]
    about: Annotated[str | Unsaid, Field(description="What it is for.")] = None
    applies_to: Annotated[Line | Unsaid, Field(description="The traces that have such a span.")] = None
    only: Annotated[Lines | Unsaid, Field(description="The spans that are looked at, beside the roots.")] = None
    shape: Annotated[str | Unsaid, Field(description="The whole tree, in the notation.")] = None
    has: Annotated[Lines | Unsaid, Field(description="What is somewhere in the tree.")] = None
    never: Annotated[Lines | Unsaid, Field(description="What is nowhere in the tree.")] = None
    order: Annotated[
        list[OrderTable] | Unsaid, Field(min_length=1, description="What comes before, after or inside of what.")
    ] = None
    budget: BudgetTable | Unsaid = None
    tags: Annotated[
        Tags | Unsaid,
        Field(description='Each tag, and what its text may be; or schema = "module:NAME". "*" = "str" lets others be.'),
    ] = None
    metadata: Annotated[Tags | Unsaid, Field(description="Likewise, of trace metadata.")] = None
    expect: Annotated[list[CodeName] | Unsaid, Field(min_length=1, description="Expectations in code.")] = None
    contract: Annotated[
        list[ContractTable] | Unsaid,
        Field(min_length=1, description="Contracts that apply where this one does, too."),
    ] = None


class ContractFile(ContractTable):
    """A whole contract file of pytest-mlflow-traces."""

    format: Annotated[Literal[1], Field(description="The version of this format.")]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a contract file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_plain(ContractFile.model_json_schema())}


def _plain(schema: Any) -> Any:
    """Drop what says nothing: titles made of names, and the default `null`, which TOML does not have."""
    if isinstance(schema, dict):
        said = {key: each for key, each in schema.items() if (key, each) != ("default", None)}
        return {key: _plain(each) for key, each in said.items() if key != "title" or not isinstance(each, str)}
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))  # noqa: T201  # what it is for
