import json

import pytest
from hypothesis import given, settings

from pytest_mlflow_traces.core.notation.literals import ReadingError, literal_text, quoted, read_literal, read_string
from pytest_mlflow_traces.core.patterns.operands import DEEPEST, Operand
from tests.support.generating import literals, texts


def read(text: str) -> object:
    value, end = read_literal(text, 0)
    assert end == len(text)
    return value


@given(literals)
@settings(max_examples=200)
def test_the_text_of_a_literal_reads_as_the_same_literal(value):
    text = literal_text(Operand(value).value)

    assert text.isprintable()
    assert Operand(read(text)) == Operand(value)


@given(texts)
def test_a_string_is_one_printable_line(text):
    assert quoted(text).isprintable()
    assert read_string(f"  {quoted(text)} ", 2) == (text, 2 + len(quoted(text)))


@given(literals)
@settings(max_examples=100)
def test_what_json_writes_is_read(value):
    text = json.dumps(value)
    if r"\ud83d\ude00" not in text:  # JSON cannot tell two surrogates from the one character
        assert Operand(read(text)) == Operand(json.loads(text))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        ([True, False, -1, 1.5, -0.0, 1e300], "[True, False, -1, 1.5, -0.0, 1e+300]"),
        ([float("inf"), -float("inf")], "[inf, -inf]"),
        ({"q": "why?", "n": [(), (1,), (1, 2)]}, '{"q": "why?", "n": [(), (1,), (1, 2)]}'),
        ([[], {}, ""], '[[], {}, ""]'),
        ('it\'s "so" \\ é 😀', '"it\'s \\"so\\" \\\\ é 😀"'),
        ("\n\r\t\x00\x85\u2028\xa0\U000e0001", '"\\n\\r\\t\\u0000\\u0085\\u2028\\u00a0\\U000e0001"'),
        ("\ud83d\ude00", '"\\U0000d83d\\U0000de00"'),
    ],
)
def test_literals_are_written_with_pythons_words_and_double_quotes(value, text):
    assert literal_text(value) == text
    assert Operand(read(text)) == Operand(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("[true, false]", [True, False]),
        ("[Infinity, -Infinity]", [float("inf"), -float("inf")]),
        (r'"\ud83d\ude00\u00e9\/"', "😀é/"),
        (r"'a\'b\x41\U0001f600\b\f'", "a'b\x41😀\b\f"),
        ("{ 'a' :1 , 'b':[ 2,] , }", {"a": 1, "b": [2]}),
        ("(1, 2,)", (1, 2)),
        ("1E5", 1e5),
        ("0x1F", 31),
        ("-0x1f", -31),
        ("-0", 0),
    ],
)
def test_json_and_other_spellings_are_read(text, value):
    assert Operand(read(text)) == Operand(value)


@pytest.mark.parametrize(
    "value", [set(), {1}, {1, "a"}, frozenset(), frozenset({1}), b"", b"a\xff\n", {1: "a", None: {2: 3}}, {(1, 2): 3}]
)
def test_what_no_operand_can_be_is_read_so_that_the_pattern_says_why(value):
    # each means what it means in Python
    assert read(repr(value)) == value
    assert type(read(repr(value))) is type(value)


def test_more_spellings_of_these_are_read():
    assert read("{1,}") == {1}
    assert read("frozenset( { 1 } )") == frozenset({1})


@pytest.mark.parametrize(
    ("text", "at", "expected", "hint"),
    [
        ("", 0, "a value", ""),
        ("x", 0, "a value", ""),
        ("none", 0, "a value", "; did you mean 'None'?"),
        ("[1, Ture]", 4, "a value", "; did you mean 'True'?"),
        ("[,]", 1, "a value", ""),
        ("[1,,2]", 3, "a value", ""),
        ("(,)", 1, "a value", ""),
        ("[", 1, "a value", ""),
        ("[1", 2, "`,` or `]`", ""),
        ("[1}", 2, "`,` or `]`", ""),
        ("[1 2]", 3, "`,` or `]`", ""),
        ("[1: 2]", 2, "`,` or `]`", ""),
        ("(1)", 2, "`,`", "; a tuple of one is written (1,)"),
        ("(1", 2, "`,` or `)`", ""),
        ("{1", 2, "`:`, `,` or `}`", ""),
        ("{1:}", 3, "a value", ""),
        ("{1: 2", 5, "`,` or `}`", ""),
        ("{1: 2, 3}", 8, "`:`", ""),
        ("{1: 2, 3, 4}", 8, "`:`", ""),
        ("{1, 2: 3}", 5, "`,` or `}`", ""),
        ("{1: 2: 3}", 5, "`,` or `}`", ""),
        ("{1: 2, 1: 3}", 7, "another value: this one stands here twice", ""),
        ("{1, True}", 4, "another value: this one stands here twice", ""),
        ("{[1]: 2}", 1, "a value to be found by, not a list or a dict", ""),
        ("{{1}}", 1, "a value to be found by, not a list or a dict", ""),
        ("{([],)}", 1, "a value to be found by, not a list or a dict", ""),
        ("frozenset(1)", 10, "a set", ""),
        ("frozenset([1])", 10, "a set", ""),
        ("frozenset({1}, {2})", 13, "`)`", ""),
        ("set(1)", 0, "a value", ""),
        ('"a', 0, "a string that ends on its line: the closing quote is missing", ""),
        ("['a\\']", 1, "a string that ends on its line: the closing quote is missing", ""),
        ('b"', 0, "a string that ends on its line: the closing quote is missing", ""),
        (r'["a", "b\q"]', 8, r"an escape such as \n, \" or \u00e9; a backslash is written \\", ""),
        (r'"\u12"', 1, r"an escape such as \n, \" or \u00e9; a backslash is written \\", ""),
        (r'"\U00110000"', 1, r"an escape such as \n, \" or \u00e9; a backslash is written \\", ""),
        (r'b"\u0100"', 2, "bytes, not the character 'Ā'", ""),
        ("1.", 0, "a value", ""),
        (".5", 0, "a value", ""),
        ("007", 0, "a value", ""),
        ("1_000", 0, "a value", ""),
        ("+1", 0, "a value", ""),
        ("1j", 0, "a value", ""),
        ("-x", 0, "a value", ""),
        ("9" * 5000, 0, "a shorter number: write one of so many digits in hexadecimal, 0x...", ""),
        ("[" * 200, DEEPEST, f"values nested at most {DEEPEST} deep", ""),
        ("[" * 100_000, DEEPEST, f"values nested at most {DEEPEST} deep", ""),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_what_is_no_literal_says_where_and_what_was_expected(text, at, expected, hint):
    with pytest.raises(ReadingError) as raised:
        read_literal(f"  {text}", 2)

    assert (raised.value.at, raised.value.expected, raised.value.hint) == (at + 2, expected, hint)


def test_reading_stops_where_the_value_ends():
    assert read_literal("x=[1] OK", 2) == ([1], 5)
    assert read_literal("x=1 2", 2) == (1, 3)


def test_a_name_is_a_string():
    with pytest.raises(ReadingError, match="expected a string in quotes"):
        read_string("None", 0)


def test_values_nest_as_deep_as_operands_do():
    deep: object = []
    for _ in range(DEEPEST - 1):
        deep = [deep]

    assert read(literal_text(Operand(deep).value)) == deep


def test_a_very_long_value_is_read_in_linear_time():
    value = {"texts": ["x" * 100_000, "\n" * 100_000], "numbers": list(range(50_000))}

    assert read(literal_text(value)) == value
