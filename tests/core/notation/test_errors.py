import dirty_equals
import pytest

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.notation import NotationError
from pytest_mlflow_traces.core.patterns.constructors import any_order, span
from tests.support.messages import exactly

A = span("a")
AFTER_TYPE = "expected a status, a field, a quantifier, `...` or the end of the line"
AFTER_NAME = "expected a type, a status, a field, a quantifier, `...` or the end of the line"
BELOW_HAS = "expected one span below `has:`, or `one of` spans, without a quantifier"
NO_LITERAL = "which is not a literal; keep this pattern in code"


# What has no text


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            span("a", outputs=dirty_equals.IsInt()),
            f"span('a', outputs=IsInt()) has no text form: outputs is IsInt(), {NO_LITERAL}",
        ),
        (
            any_order(span(inputs={"n": [dirty_equals.IsInt()]})[A]),
            f"span(inputs={{'n': [IsInt()]}})[span('a')] has no text form: inputs is {{'n': [IsInt()]}}, {NO_LITERAL}",
        ),
        (
            span(attributes={"k": 1, "n": dirty_equals.IsStr()}),
            f"span(attributes={{'k': 1, 'n': IsStr()}}) has no text form: attribute 'n' is IsStr(), {NO_LITERAL}",
        ),
    ],
    ids=["bare", "nested", "attribute"],
)
def test_a_matcher_object_has_no_text(pattern, message):
    with pytest.raises(ValueError, match=exactly(message)):
        notation.format(pattern)


@pytest.mark.parametrize("thing", ["a", None, ..., [A]])
def test_only_patterns_are_formatted(thing):
    with pytest.raises(TypeError, match=exactly(f"format() takes a pattern such as span('name'), got {thing!r}")):
        notation.format(thing)


# Errors


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a\n  b {x}", 2, 5, "expected a quantifier: `?`, `{3}`, `{1,3}` or `{1,}`, got `{x}`"),
        ("a {}", 1, 3, "expected a quantifier: `?`, `{3}`, `{1,3}` or `{1,}`, got `{}`"),
        ("a {,}", 1, 3, "expected a quantifier: `?`, `{3}`, `{1,3}` or `{1,}`, got `{,}`"),
        ("a {1", 1, 3, "expected a quantifier: `?`, `{3}`, `{1,3}` or `{1,}`, got `{1`"),
        ("a {3,1}", 1, 3, "expected a quantifier with its smaller number first, got `{3,1}`"),
        (
            "a {" + "9" * 5000 + "}",
            1,
            3,
            f"expected shorter numbers; in hexadecimal, 0x..., they may be of any length, got `{{{'9' * 39}...`",
        ),
        ("a T ok", 1, 5, AFTER_TYPE + ", got `ok`; did you mean 'OK'?"),
        ("a T T", 1, 5, AFTER_TYPE + ", got `T`"),
        ("a OK T", 1, 6, "expected a field, a quantifier, `...` or the end of the line, got `T`"),
        ("a OK OK", 1, 6, "expected a field, a quantifier, `...` or the end of the line, got `OK`"),
        ("a ? T", 1, 5, "expected a quantifier, `...` or the end of the line, got `T`"),
        ("a ? OK", 1, 5, "expected a quantifier, `...` or the end of the line, got `OK`"),
        ("a *", 1, 3, AFTER_NAME + ", got `*`; any number of spans is {0,}"),
        ("a +", 1, 3, AFTER_NAME + ", got `+`; any number of spans is {1,}"),
        ("a # b", 1, 3, AFTER_NAME + ", got `#`; a comment stands on a line of its own"),
        ("a ... ?", 1, 3, AFTER_NAME + ", got `...`; `...` stands at the end of a line, or on its own"),
        ("a ?{2}", 1, 4, "expected a space, got `{2}`"),
        ("any order T", 1, 11, "expected a quantifier or the end of the line, got `T`"),
        (
            "any order ...",
            1,
            11,
            "expected a quantifier or the end of the line, got `...`; `...` stands at the end of a line, or on its own",
        ),
        ("a\n  has: b", 2, 8, "expected the end of the line, got `b`"),
        ("a\n  has: ?", 2, 8, "expected the end of the line, got `?`"),
        ("a\n  ... b", 2, 7, "expected the end of the line, got `b`"),
        # names and types
        (
            "any_order\n  a",
            1,
            1,
            "expected a name, got `any_order`; did you mean `any order`? (a name of this spelling stands in quotes)",
        ),
        (
            "any ordr\n  a",
            1,
            1,
            "expected a name, got `any`; did you mean `any order`? (a name of this spelling stands in quotes)",
        ),
        (
            "one-of\n  a",
            1,
            1,
            "expected a name, got `one-of`; did you mean `one of`? (a name of this spelling stands in quotes)",
        ),
        (
            "Paralell ?\n  a",
            1,
            1,
            "expected a name, got `Paralell`; did you mean `parallel`? (a name of this spelling stands in quotes)",
        ),
        (
            "a\n  has\n    b",
            2,
            3,
            "expected a name, got `has`; did you mean `has:`? (a name of this spelling stands in quotes)",
        ),
        (
            "a\n  Lacks:\n    b",
            2,
            3,
            "expected a name, got `Lacks:`; did you mean `lacks:`? (a name of this spelling stands in quotes)",
        ),
        (
            "a\n  lack:\n    b",
            2,
            3,
            "expected a name, got `lack:`; a name of this spelling stands in quotes; did you mean 'lacks:'?",
        ),
        (
            "a any",
            1,
            3,
            "expected a type, got `any`; did you mean `any order`? (a type of this spelling stands in quotes)",
        ),
        (
            "OK",
            1,
            1,
            "expected a name, got `OK`; the status is written `* OK`; a name of this spelling stands in quotes",
        ),
        (
            "a Error",
            1,
            3,
            "expected a type, got `Error`; the status is written `ERROR`; a type of this spelling stands in quotes",
        ),
        ("a...", 1, 1, "expected a name, got `a...`; write a space before `...`"),
        ("a T...", 1, 3, "expected a type, got `T...`; write a space before `...`"),
        ("{1}", 1, 1, 'expected a name or `*`, got `{1}`; a name that begins with "{" stands in quotes'),
        ("(depth", 1, 1, 'expected a name or `*`, got `(depth`; a name that begins with "(" stands in quotes'),
        ("a=b", 1, 2, 'expected a space, got `=b`; a name with "=" in it stands in quotes'),
        ("a\u2028b", 1, 2, 'expected a space, got `\\u2028b`; a name with "\\u2028" in it stands in quotes'),
        ("a T!", 1, 4, 'expected a space, got `!`; a type with "!" in it stands in quotes'),
        ('"a"b', 1, 4, "expected a space, got `b`"),
        ("*a", 1, 1, 'expected a name or `*`, got `*a`; a name that begins with "*" stands in quotes'),
        ('a "b', 1, 3, 'expected a string that ends on its line: the closing quote is missing, got `"b`'),
        (r'"\q"', 1, 2, r'expected an escape such as \n, \" or \u00e9; a backslash is written \\, got `\q"`'),
        ("/a", 1, 1, "expected a regex that ends on its line: the closing slash is missing, got `/a`"),
        (r"/a\/", 1, 1, r"expected a regex that ends on its line: the closing slash is missing, got `/a\/`"),
        ("/a/iq", 1, 5, "expected a space, or a flag of the regex (a, i, m, s, x), got `q`"),
        ("/(/", 1, 1, "expected a regex, got `/(/`; Python says: missing ), unterminated subpattern at position 0"),
        ("re'a", 1, 3, "expected a string that ends on its line: the closing quote is missing, got `'a`"),
        # fields
        (
            "a input=1",
            1,
            3,
            "expected a field (inputs, outputs, attributes, error, within), got `input=1`; did you mean 'inputs'?",
        ),
        ("a status=OK", 1, 3, "expected a field (inputs, outputs, attributes, error, within), got `status=OK`"),
        ("a inputs=1 inputs=2", 1, 12, "expected another field: inputs= stands on this line already, got `inputs=2`"),
        ("a inputs=", 1, 10, "expected a value, got the end of the line"),
        ("a inputs=[1, x]", 1, 14, "expected a value, got `x]`"),
        ("a inputs={1: 2", 1, 15, "expected `,` or `}`, got the end of the line"),
        ("a inputs=1,2", 1, 11, "expected a space, got `,2`"),
        ("a attributes=1", 1, 14, 'expected attributes by name, as in {"llm.model": "gpt"}, got `1`'),
        ("a attributes={}", 1, 14, 'expected attributes by name, as in {"llm.model": "gpt"}, got `{}`'),
        ("a attributes={1: 2}", 1, 14, 'expected attributes by name, as in {"llm.model": "gpt"}, got `{1:`'),
        ("a error=3", 1, 9, "expected the name of an exception, True or False, got `3`"),
        ("a error=None", 1, 9, "expected the name of an exception, True or False, got `None`"),
        ("a error=", 1, 9, "expected the name of an exception, True or False, got the end of the line"),
        ("a within=2", 1, 10, "expected a duration such as 800ms or 2s, got `2`"),
        ("a within=", 1, 10, "expected a duration such as 800ms or 2s, got the end of the line"),
        # the tree
        ("  a", 1, 3, "expected the first line without an indent, got `a`"),
        ("# c\n\n   a", 3, 4, "expected an indent of two spaces a level, got `a`"),
        ("a\n   b", 2, 4, "expected an indent of two spaces a level, got `b`"),
        ("a\n\tb", 2, 1, "expected an indent of two spaces a level, not a tab, got `\\tb`"),
        ("a\n    b", 2, 5, "expected an indent of at most 2 spaces, one level below the line before, got `b`"),
        ("a\nb", 2, 1, "expected an indent: a text has one pattern, got `b`; several roots stand below `any order`"),
        ("(depth 3) a", 1, 1, "expected a depth above 24, after 48 spaces, got `(depth`"),
        ("a\n" + " " * 48 + "(depth 24) b", 2, 49, "expected a depth above 24, after 48 spaces, got `(depth`"),
        (
            "a\n" + " " * 48 + "(depth 30) b",
            2,
            49,
            "expected a depth of at most 1, one level below the line before, got `(depth`",
        ),
        ("...", 1, 1, "expected a span or a group, got `...`"),
        ("has:\n  a", 1, 1, "expected a span or a group, got `has:`"),
        ("a ...\n  b", 2, 3, "expected no children, as line 1 leaves them unchecked with its `...`, got `b`"),
        ("a ...\n  ...", 2, 3, "expected no children, as line 1 leaves them unchecked with its `...`, got `...`"),
        ("a\n  ...\n    b", 3, 5, "expected nothing below `...`, got `b`"),
        (
            "one of\n  a\n  ...",
            3,
            3,
            "expected a span: `...` stands below a span, `any order` or `parallel`, got `...`",
        ),
        (
            "a ...\n  has:\n    ...",
            3,
            5,
            "expected a span: `...` stands below a span, `any order` or `parallel`, got `...`",
        ),
        ("any order\n  has:\n    a", 2, 3, "expected a span: `has:` stands below a span, got `has:`"),
        ("a\n  has:\n    lacks:\n      b", 3, 5, "expected a span: `lacks:` stands below a span, got `lacks:`"),
        (
            "a\n  has:\n    b ?",
            3,
            5,
            "expected one span below `has:`, or `one of` spans, without a quantifier, got `b`",
        ),
        (
            "a\n  lacks:\n    any order\n      b",
            3,
            5,
            "expected one span below `lacks:`, or `one of` spans, without a quantifier, got `any`",
        ),
        (
            "a\n  has:\n    one of ?\n      b",
            3,
            5,
            "expected one span below `has:`, or `one of` spans, without a quantifier, got `one`",
        ),
        ("a\n  has:\n    one of\n      b ?", 3, 5, "expected `one of` spans below `has:`, and of nothing else"),
        ("any order", 1, 1, "expected a line below `any order`, indented by two more spaces"),
        ("a\n  one of ?\n  b", 2, 3, "expected a line below `one of`, indented by two more spaces"),
        ("any order\n  a\n  any order", 3, 3, "expected a line below `any order`, indented by two more spaces"),
        ("a\n  has:\n  b", 2, 3, "expected a line below `has:`, indented by two more spaces"),
    ],
    ids=lambda value: f"{value!r:.30}",
)
def test_an_error_says_where_and_what_was_expected(text, line, column, message):
    with pytest.raises(NotationError) as raised:
        notation.parse(text)

    first, shown, caret = str(raised.value).split("\n")
    assert first == f"line {line}, column {column}: {message}"
    assert (raised.value.line, raised.value.column) == (line, column)
    assert shown.startswith("    ")
    assert caret.strip() == "^"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("any order\n  ...", "any_order() needs at least one pattern: with none, there is nothing to check"),
        (
            "a ERROR error=False ...",
            "span(): status='ERROR' contradicts error=False: an ERROR span always has an error",
        ),
        (
            "x\n  has:\n    a ...",
            "span('x', has=span('a')) cannot have no children, [()], and a descendant, has=span('a')",
        ),
        (
            "x ...\n  has:\n    a ...\n  lacks:\n    a ...",
            "span(): span('a') stands in has and in lacks: no span matches that",
        ),
        ("a inputs=[{1}]", "traces hold no sets, which MLflow stores as text in any order: trace a sorted list"),
    ],
    ids=["no items", "status", "leaf", "both", "no JSON"],
)
def test_what_the_language_refuses_is_an_error_of_the_line(text, message):
    with pytest.raises(NotationError) as raised:
        notation.parse(text)

    first = str(raised.value).split("\n")[0]
    assert first == f"line 1, column 1: expected a pattern that can match; {message}"


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n  # here", " \t\r\n"])
def test_an_empty_text_is_no_pattern(text):
    with pytest.raises(NotationError, match=exactly("the text has no pattern: expected a line with a span or a group")):
        notation.parse(text)


def test_the_line_is_shown_with_a_caret():
    with pytest.raises(NotationError) as raised:
        notation.parse("agent AGENT\n  cost_agent AGENT OKAY\n")

    assert str(raised.value).split("\n") == [
        f"line 2, column 20: {AFTER_TYPE}, got `OKAY`; did you mean 'OK'?",
        "      cost_agent AGENT OKAY",
        "                       ^",
    ]


def test_of_a_long_line_the_part_around_the_caret_is_shown():
    with pytest.raises(NotationError) as raised:
        notation.parse(f"a inputs=[{'1, ' * 50}\x1b, {'2, ' * 50}]")

    assert str(raised.value).split("\n") == [
        r"line 1, column 161: expected a value, got `\x1b,`",
        rf"    ...{'1, ' * 20}\x1b, {'2, ' * 12}2...",
        f"       {' ' * 60}^",
    ]


def test_the_error_is_a_value_error():
    assert issubclass(NotationError, ValueError)
