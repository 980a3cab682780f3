"""What each type of tag takes, what it says of the rest, and which types no tag can have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar, Union

import pytest
from pydantic import ConfigDict, Field, ValidationError

from pytest_mlflow_traces import BoolTag, FloatTag, IntTag, ListTag, TagSchema


class Color(Enum):
    RED = "red"
    BLUE = "blue"


def schema(annotation: Any, default: Any = ..., **config: Any) -> type[TagSchema]:
    """A schema with one tag, `tag`."""
    space = {"__annotations__": {"tag": annotation}, "__module__": __name__, "model_config": ConfigDict(**config)}
    return type("Tags", (TagSchema,), space if default is ... else {**space, "tag": default})


def says(schema: type[TagSchema], tags: dict[Any, Any]) -> list[str]:
    return [str(finding) for finding in schema.check_tags(tags)]


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (str, ["", "a", "None", "true", "a,b", "\n", "é"]),
        (Any, ["", "a"]),
        (BoolTag, ["true", "false"]),
        (IntTag, ["0", "-1", "10", "9" * 4096]),
        (FloatTag, ["0", "-1", "0.5", "1e-07", "1e+22", "-0.0", "1.7976931348623157e+308"]),
        (ListTag[str], ["", "a", "a,b", "a b,c", "a,a"]),
        (ListTag[IntTag], ["", "1", "1,-2"]),
        (ListTag[Literal["a", "b"]], ["", "a", "b,a", "a,a"]),
        (ListTag, ["", "a,b"]),
        (Literal["a", "b"], ["a", "b"]),
        (Color, ["red", "blue"]),
        (date, ["2024-02-29"]),
        (Optional[IntTag], ["5"]),  # noqa: UP045  # as it was written before `|`
        (Union[IntTag, BoolTag], ["5", "true"]),  # noqa: UP007  # likewise
        (IntTag | None, ["5"]),
        (IntTag | Literal["none"], ["5", "none"]),
        (ListTag[Literal["a", "b"]] | None, ["a,b"]),
        (ListTag[IntTag | Literal["x"]], ["1,x"]),
        (Annotated[str, Field(min_length=2, max_length=3, pattern="^a")], ["ab", "abc"]),
        (Annotated[IntTag, Field(ge=0, lt=3)], ["0", "2"]),
        (Annotated[ListTag[str], Field(min_length=1, max_length=2)], ["a", "a,b"]),
        (Annotated[BoolTag | None, "a note"], ["true"]),
    ],
)
def test_legal_values(annotation, values):
    for value in values:
        assert says(schema(annotation), {"tag": value}) == []


def expected(text):
    return f"tags.value at tag 'tag': expected {text}"


@pytest.mark.parametrize(
    ("annotation", "value", "finding"),
    [
        (BoolTag, "True", "'true' or 'false', got 'True' (write 'true': str(True) is 'True')"),
        (BoolTag, "False", "'true' or 'false', got 'False' (write 'false': str(False) is 'False')"),
        (BoolTag, "yes", "'true' or 'false', got 'yes' (write 'true')"),
        (BoolTag, "0", "'true' or 'false', got '0' (write 'false')"),
        (BoolTag, "", "'true' or 'false', got ''"),
        (IntTag, "1.0", "a whole number, got '1.0' (write '1')"),
        (IntTag, "01", "a whole number, got '01' (write '1')"),
        (IntTag, "-0", "a whole number, got '-0' (write '0')"),
        (IntTag, "1_000", "a whole number, got '1_000' (write '1000')"),
        (IntTag, "\u0661", "a whole number, got '\u0661' (write '1')"),
        (IntTag, "1.5", "a whole number, got '1.5'"),
        (IntTag, "None", "a whole number, got 'None'"),
        (IntTag, "", "a whole number, got ''"),
        (FloatTag, "nan", "a number, got 'nan'"),
        (FloatTag, "inf", "a number, got 'inf'"),
        (FloatTag, "1e999", "a number, got '1e999'"),
        (FloatTag, ".5", "a number, got '.5' (write '0.5')"),
        (FloatTag, " 1", "a number, got ' 1' (write '1.0')"),
        (FloatTag, "0x1", "a number, got '0x1'"),
        (Literal["dev", "prod"], "prd", "'dev' or 'prod', got 'prd' (did you mean 'prod'?)"),
        (Literal["dev", "prod"], "DEV", "'dev' or 'prod', got 'DEV' (did you mean 'dev'?)"),
        (Literal["dev", "stage", "prod"], "", "'dev', 'stage' or 'prod', got ''"),
        (Color, "green", "'red' or 'blue', got 'green'"),
        (
            ListTag[Literal["cost", "security"]],
            "cost, security",
            ("comma-separated items, each 'cost' or 'security', got 'cost, security'"
            " (write 'cost,security': items are separated by commas alone)"),
        ),
        (
            ListTag[Literal["cost", "security"]],
            "['cost', 'security']",
            ("comma-separated items, each 'cost' or 'security', got \"['cost', 'security']\""
            " (write 'cost,security': items are separated by commas alone)"),
        ),
        (
            ListTag[Literal["cost", "security"]],
            "COST",
            "comma-separated items, each 'cost' or 'security', got 'COST' (did you mean 'cost'?)",
        ),
        (
            ListTag[Literal["cost", "security"]],
            "cost,securty",
            ("comma-separated items, each 'cost' or 'security', got 'cost,securty'"
            " (item 2 is 'securty': did you mean 'security'?)"),
        ),
        (ListTag[str], "a,,b", ("comma-separated items, each a string, got 'a,,b'"
         " (write 'a,b': items are separated by commas alone)")),
        (
            ListTag[IntTag],
            "1,2.0",
            "comma-separated items, each a whole number, got '1,2.0' (item 2 is '2.0': write '2')",
        ),
        (ListTag[IntTag], "1,x", "comma-separated items, each a whole number, got '1,x' (item 2 is 'x')"),
        (IntTag | None, "", "a whole number, got ''"),
        (IntTag | Literal["none"], "nine", "a whole number or 'none', got 'nine' (did you mean 'none'?)"),
        (Annotated[IntTag, Field(ge=0)], "-1", "a whole number of at least 0, got '-1'"),
        (Annotated[IntTag, Field(ge=0, le=3)], "9", "a whole number from 0 to 3, got '9'"),
        (Annotated[FloatTag, Field(gt=0, lt=1)], "1", "a number above 0 and below 1, got '1'"),
        (Annotated[FloatTag, Field(le=1)], "1.5", "a number of at most 1, got '1.5'"),
        (Annotated[IntTag, Field(multiple_of=5)], "7", "a multiple of 5, got '7'"),
        (Annotated[str, Field(min_length=2)], "a", "a string of at least 2 characters, got 'a'"),
        (Annotated[str, Field(min_length=1, max_length=3)], "abcd", "a string of 1 to 3 characters, got 'abcd'"),
        (Annotated[str, Field(max_length=1)], "ab", "a string of at most 1 character, got 'ab'"),
        (Annotated[str, Field(pattern="^a+$")], "b", "a string that matches '^a+$', got 'b'"),
        (Annotated[str | None, Field(max_length=1)], "ab", "a string of at most 1 character, got 'ab'"),
        (Annotated[str, Field(max_length=1)] | None, "ab", "a string of at most 1 character, got 'ab'"),
        (ListTag[Annotated[IntTag, Field(ge=0)]], "1,-1", ("comma-separated items, each a whole number of at least 0,"
         " got '1,-1' (item 2 is '-1')")),
        (
            Annotated[ListTag[str], Field(min_length=1, max_length=1)],
            "a,b",
            "1 comma-separated item, each a string, got 'a,b'",
        ),
    ],
)  # fmt: skip
def test_illegal_values(annotation, value, finding):
    assert says(schema(annotation), {"tag": value}) == [expected(finding)]


def test_values_that_pydantic_reads_keep_its_words():
    (finding,) = schema(date).check_tags({"tag": "2024-13-01"})

    assert finding.rule == "tags.value"
    assert "month value is outside expected range of 1-12" in str(finding.expected)


@pytest.mark.parametrize("annotation", [str, Any, str | None, BoolTag, IntTag, ListTag[str], Literal["a"]])
@pytest.mark.parametrize("value", [None, True, 1, 0.5, b"a", ["a"], {"a": 1}, {"a"}])
def test_a_value_that_is_no_string_is_one_finding_whatever_the_type(annotation, value):
    (finding,) = schema(annotation, coerce_numbers_to_str=True).check_tags({"tag": value})

    assert (finding.rule, finding.where) == ("tags.type", "tag 'tag'")


def test_long_values_are_shortened():
    assert says(schema(IntTag), {"tag": "x" * 200}) == [
        expected(f"a whole number, got '{'x' * 59}...{'x' * 16}'"),
    ]


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (bool, "every tag is text; for bool write BoolTag"),
        (int, "every tag is text; for int write IntTag"),
        (float, "every tag is text; for float write FloatTag"),
        (list[str], "every tag is text; for list[str] write ListTag[...]"),
        (set, "every tag is text; for set write ListTag[...]"),
        (tuple[str, ...], "every tag is text; for tuple[str, ...] write ListTag[...]"),
        (dict[str, str], "every tag is text, and no text is of type dict"),
        (bytes, "every tag is text, and no text is of type bytes"),
        (None, "every tag is text, and None is none"),
        (int | None, "every tag is text; for int write IntTag"),
        (Annotated[int, Field(ge=0)], "every tag is text; for int write IntTag"),
        (ListTag[bool], "every tag is text; for bool write BoolTag"),
        (ListTag[ListTag[str]], "the items of a ListTag are separated by commas, so none can be a list itself"),
        (ListTag[Literal["a,b"]], "the items of a ListTag are separated by commas, so none can be 'a,b'"),
        (Literal["a", 1], "every tag is text; 1 in Literal is none"),
        (Literal["a", None], "every tag is text; None in Literal is none"),  # noqa: PYI061  # another thing
        (Enum("Number", "ONE"), "every tag is text; 1 in Number is none"),
        (NewType("Flag", bool), "every tag is text; for bool write BoolTag"),
        (TypeVar("T", bound=bool), "every tag is text; for bool write BoolTag"),
        (Sequence[str], "every tag is text, and no text is of type Sequence"),
    ],
)
def test_a_type_that_no_text_can_be_is_refused_at_the_definition(annotation, text):
    with pytest.raises(TypeError) as caught:
        schema(annotation)

    assert str(caught.value) == f"Tags.tag: {text}"


def test_an_instance_is_made_of_texts_as_well():
    class Tags(TagSchema):
        domains: ListTag[str]
        done: BoolTag

    assert Tags(domains="a,b", done="true").domains == ["a", "b"]
    for wrong in ({"domains": ["a"], "done": "true"}, {"domains": "a", "done": ["true"]}):
        with pytest.raises(ValidationError, match="1 validation error"):
            Tags(**wrong)
