"""What text an annotation allows, and how that is said."""

from __future__ import annotations

import re
from enum import Enum
from typing import Annotated, Any, ForwardRef, Literal, NewType, NoReturn

import pytest
from pydantic import Field, StringConstraints
from typing_extensions import TypeAliasType

from pytest_mlflow_traces import BoolTag, FloatTag, IntTag, ListTag
from pytest_mlflow_traces.core.tags.formats import (
    BoolForm,
    EitherForm,
    ItemsForm,
    NumberForm,
    OtherForm,
    TextForm,
    WordsForm,
    described,
    form_of,
)


class Color(str, Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("annotation", "form"),
    [
        (str, TextForm()),
        (Any, TextForm()),
        (object, TextForm()),
        (Annotated[str, StringConstraints(min_length=2, pattern="a")], TextForm(2, None, "a")),
        (Annotated[str, StringConstraints(pattern=re.compile("b"))], TextForm(0, None, "b")),
        (BoolTag, BoolForm()),
        (NewType("Flag", BoolTag), BoolForm()),
        (TypeAliasType("Flag", BoolTag), BoolForm()),
        (TypeAliasType("Some", ListTag[Literal["a"]]), ItemsForm(WordsForm(("a",)))),
        (IntTag | None, NumberForm(whole=True)),
        (IntTag | BoolTag | None, EitherForm((NumberForm(whole=True), BoolForm()))),
        (IntTag | (BoolTag | IntTag), EitherForm((NumberForm(whole=True), BoolForm()))),
        (Annotated[FloatTag, Field(gt=0, ge=0, lt=2, le=1)], NumberForm(False, 0, 1, low_open=True)),
        (Color, WordsForm(("red",))),
        (NoReturn, OtherForm(NoReturn)),
    ],
)
def test_forms(annotation, form):
    assert form_of(annotation) == form


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (TypeAliasType("Flag", bool), "every tag is text; for bool write BoolTag"),
        (type("Text", (str,), {}), "every tag is text; for Text write str"),
        (ForwardRef("Later"), "the name 'Later' is not defined"),
        ("Later", "the name 'Later' is not defined"),
    ],
)
def test_what_has_no_form(annotation, text):
    with pytest.raises(TypeError) as caught:
        form_of(annotation)

    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (TextForm(), "a string"),
        (TextForm(2), "a string of at least 2 characters"),
        (TextForm(0, 1), "a string of at most 1 character"),
        (TextForm(3, 3), "a string of 3 characters"),
        (TextForm(1, 9, "a"), "a string of 1 to 9 characters that matches 'a'"),
        (NumberForm(False, low=0.5), "a number of at least 0.5"),
        (NumberForm(True, high=3, high_open=True), "a whole number below 3"),
        (NumberForm(True, low=0, high=3, low_open=True), "a whole number above 0 and of at most 3"),
        (NumberForm(True, multiple_of=5), "a multiple of 5"),
        (WordsForm(("a",)), "'a'"),
        (WordsForm(("a", "b", "c")), "'a', 'b' or 'c'"),
        (ItemsForm(TextForm(), 1), "at least 1 comma-separated item, each a string"),
        (ItemsForm(BoolForm(), 0, 2), "at most 2 comma-separated items, each 'true' or 'false'"),
        (EitherForm((BoolForm(), NumberForm(True))), "'true' or 'false' or a whole number"),
        (OtherForm(complex), "a text that complex reads"),
    ],
)
def test_forms_in_words(form, text):
    assert described(form) == text
