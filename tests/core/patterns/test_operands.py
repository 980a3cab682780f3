import copy
import math
import pickle
import re
import time
from collections import Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from functools import partial
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import NamedTuple
from unittest import mock
from uuid import UUID

import dirty_equals
import pytest
from hypothesis import given, settings
from pydantic import BaseModel, SecretStr

from pytest_mlflow_traces.core.patterns.operands import DEEPEST, UNSAID, Operand, whole_number
from tests.support.generating import literals
from tests.support.messages import exactly

NONE = "no recorded value equals"
WRITE, MADE = "write", "which MLflow makes of it"
INSTEAD = "write what was recorded, or a matcher such as unittest.mock.ANY"
ASKS = "asks for a type that no recorded value has:"


class Color(str, Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Sub(str):
    __slots__ = ()


@dataclass
class Point:
    x: int


class Order(BaseModel):
    total: int


class Plain(Enum):
    RED = "red"


class Pair(NamedTuple):
    one: object
    two: object


class Money:
    """A value that compares as Python's documentation says: with its own kind alone."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __eq__(self, other: object) -> bool:
        return self.amount == other.amount if isinstance(other, Money) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.amount} EUR"

    def __repr__(self) -> str:
        return f"Money({self.amount})"


class StartsWith:
    """A matcher of texts alone."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return other.startswith(self.text) if isinstance(other, str) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


class Silent:
    """What can be compared, and not printed."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError


class Array:
    """Compare like an array of numpy, and print like a long one."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value of an array with more than one element is ambiguous")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "array([0, ..., 9])"


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@given(literals)
@settings(max_examples=150)
def test_a_literal_is_equal_to_what_its_text_evaluates_to(value):
    operand = Operand(value)
    again = Operand(eval(operand.text))

    assert operand.is_literal
    assert again == operand
    assert hash(again) == hash(operand)


@pytest.mark.parametrize("one", [0, 0.0, -0.0, False, None, "", (), [], {}, math.inf])
@pytest.mark.parametrize("two", [0, 0.0, -0.0, False, None, "", (), [], {}, math.inf])
def test_falsy_values_are_operands_each_its_own(one, two):
    assert (Operand(one) == Operand(two)) is (repr(one) == repr(two))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, True),
        (1, 1.0),
        ([1], [True]),
        ({"a": 0.0}, {"a": -0.0}),
        ((1, 2), [1, 2]),
        ("red", Color.RED),
        (1, Level.LOW),
        ("a", Sub("a")),
        ({"a": {"b": 1}}, {"a": {"b": True}}),
    ],
)
def test_what_python_takes_for_equal_is_told_apart(one, two):
    assert Operand(one) != Operand(two)


def test_the_order_of_keys_does_not_tell_apart():
    assert Operand({"a": 1, "b": 2}) == Operand({"b": 2, "a": 1})
    assert Operand([1, 2]) != Operand([2, 1])


def test_an_operand_is_no_value():
    assert Operand(1) != 1
    assert Operand("a") != "a"


@pytest.mark.parametrize(
    "value",
    [dirty_equals.IsInt(), mock.ANY, Color.RED, Level.LOW, Sub("a"), Decimal(1), MappingProxyType({}), UserDict()],
)
def test_what_is_no_plain_literal_says_so_wherever_it_stands(value):
    assert not Operand(value).is_literal
    assert not Operand({"a": [(value,)]}).is_literal


def test_a_matcher_whose_class_answers_for_any_type_is_no_literal():
    # the class AnyThing itself is equal to NoneType, so it "is" among the types of literals
    operand = Operand(dirty_equals.AnyThing())

    assert not operand.is_literal
    assert operand.text == "AnyThing()"
    assert operand.equals(None)


def test_a_matcher_is_the_same_after_a_comparison_has_changed_its_repr():
    matcher = dirty_equals.IsInt()
    operand, fresh = Operand({"n": matcher}), Operand({"n": dirty_equals.IsInt()})
    assert operand.equals({"n": 5})
    assert repr(matcher) == "5"

    assert operand == fresh
    assert hash(operand) == hash(fresh)
    assert operand.text == "{'n': IsInt()}"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda operand: pickle.loads(pickle.dumps(operand))])
def test_a_copy_is_equal_even_after_a_comparison(copied):
    operand = Operand([dirty_equals.IsInt(), mock.ANY, {"a": (1, None)}])
    assert operand.equals([5, 6, {"a": (1, None)}])
    again = copied(operand)

    assert again == operand
    assert hash(again) == hash(operand)
    assert again.equals([7, 8, {"a": (1, None)}])


def test_matchers_with_different_conditions_differ():
    assert Operand(dirty_equals.IsInt(gt=1)) != Operand(dirty_equals.IsInt(gt=2))
    assert Operand(pytest.approx(1)) != Operand(pytest.approx(2))
    assert Operand(pytest.approx(1)) == Operand(pytest.approx(1))


def test_objects_that_print_shortened_equal_themselves_alone():
    one = Array(*range(10))

    assert Operand(one) == Operand(one)
    assert Operand(one) != Operand(Array(0, *range(9)))
    assert Operand(StartsWith("a")) != Operand(StartsWith("a"))


def test_a_repr_that_raises_is_no_obstacle():
    value = Silent()

    assert Operand(value).text == f"<Silent at {id(value):#x}, whose repr raises RuntimeError>"
    assert Operand(value) == Operand(value)
    assert Operand(value) != Operand(Silent())


def test_a_comparison_that_raises_raises():
    # taken for "not equal", it would make `not in` pass
    with pytest.raises(ValueError, match="ambiguous"):
        Operand(Array(1)).equals(Array(2))


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, {"b": 2}]},
        OrderedDict(a=[1, {"b": 2}]),
        defaultdict(list, a=[1, {"b": 2}]),
        [[[1, {"b": 2}]]],
        ([1, {"b": 2}],),
    ],
)
def test_what_the_caller_does_to_a_container_later_changes_nothing(value):
    operand, original = Operand(value), copy.deepcopy(value)
    inner = value["a"] if isinstance(value, dict) else value[0]
    while isinstance(inner[0], list):
        inner = inner[0]
    inner[1]["b"] = 3
    inner.append(4)

    assert operand.equals(original)
    assert not operand.equals(value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (OrderedDict(a=(1,)), {"a": [1]}),
        (defaultdict(list, a=[{}]), {"a": [{}]}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (Pair(1, {"b": Pair(2, 3)}), [1, {"b": [2, 3]}]),
        ({"a": [time.gmtime(0)]}, {"a": [list(time.gmtime(0))]}),
    ],
)
def test_a_container_that_compares_as_pythons_own_is_what_it_holds(value, plain):
    assert Operand(value).equals(plain)
    assert Operand([value]).equals([plain])
    assert Operand(value).is_literal
    assert not Operand(value).equals([*plain, 1])


def test_a_named_tuple_prints_as_the_tuple_that_it_is():
    assert Operand(Pair("a", 1)).text == "('a', 1)"
    assert Operand(Pair("a", 1)) == Operand(("a", 1))


@pytest.mark.parametrize("make", [nested, lambda depth: {"a": nested(depth - 1)}, lambda depth: (nested(depth - 1),)])
def test_values_nest_to_a_depth_that_python_reads(make):
    operand = Operand(make(DEEPEST))

    assert Operand(eval(operand.text)) == operand
    message = f"a value to compare with is nested more than {DEEPEST} deep, or contains itself"
    with pytest.raises(ValueError, match=exactly(message)):
        Operand(make(DEEPEST + 1))
    with pytest.raises(ValueError, match=exactly(message)):
        Operand(make(50_000))


def test_a_value_that_contains_itself_is_refused():
    one: list[object] = []
    one.append(one)
    two: dict[str, object] = {}
    two["self"] = [two]
    for value in (one, two):
        with pytest.raises(ValueError, match="or contains itself"):
            Operand(value)


@pytest.mark.parametrize("number", [10**5000, -(10**5000)], ids=["positive", "negative"])
def test_a_number_too_long_for_decimal_is_written_in_hexadecimal(number):
    assert eval(Operand([number]).text) == [number]
    assert whole_number(number) == hex(number)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.inf, "float('inf')"),
        (-math.inf, "float('-inf')"),
        ((1,), "(1,)"),
        ((), "()"),
        ({"a": None, "b": [True]}, "{'a': None, 'b': [True]}"),
        ("a\n\u2028\ud800", "'a\\n\\u2028\\ud800'"),
    ],
)
def test_the_text_is_code(value, text):
    assert Operand(value).text == repr(Operand(value)) == text


@pytest.mark.parametrize("value", [math.nan, [math.nan], {"a": (1, math.nan)}])
def test_nan_equals_nothing_so_that_it_is_refused(value):
    with pytest.raises(ValueError, match="nan equals nothing, not even itself"):
        Operand(value)


def test_what_is_not_said_prints_as_dots():
    assert repr(UNSAID) == "..."


class NoClass(type):
    """Compare like a matcher, as the classes of dirty-equals do."""

    def __eq__(cls, other: object) -> bool:
        return other == 5

    __hash__ = type.__hash__


class Five(metaclass=NoClass):
    pass


class Bag(set):  # type: ignore[type-arg]
    """Compare by size."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and len(other) == len(self)

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("wrapped", [lambda value: value, lambda value: [value], lambda value: {"a": (value,)}])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (re.compile("a.*"), "no value equals a compiled regex: write dirty_equals.IsStr(regex='a.*')"),
        ({1}, "traces hold no sets, which MLflow stores as text in any order: trace a sorted list"),
        (frozenset(), "traces hold no sets, which MLflow stores as text in any order: trace a sorted list"),
        (b"ab", "traces hold no bytes, which MLflow stores as their text: write \"b'ab'\""),
        (bytearray(b"ab"), "traces hold no bytes, which MLflow stores as their text: write \"b'ab'\""),
        ({1: "a"}, "the keys of a recorded dict are strings, got 1: write '1'"),
        ({None: "a"}, "the keys of a recorded dict are strings, got None"),
        (OrderedDict({True: "a"}), "the keys of a recorded dict are strings, got True"),
        (int, "no value equals the class int: write dirty_equals.IsInstance(int), or the value itself"),
        (Color, "no value equals the class Color: write dirty_equals.IsInstance(Color), or the value itself"),
        (nested, "no value equals the function nested: write dirty_equals.FunctionCheck(nested)"),
        (len, "no value equals the function len: write dirty_equals.FunctionCheck(len)"),
        ("".join, "no value equals the function join: write dirty_equals.FunctionCheck(join)"),
        (1j, "traces hold no complex numbers, which MLflow stores as their text: write '1j'"),
        (Order(total=1), f"{NONE} Order(total=1), of type Order: write its model_dump(mode='json')"),
        (SecretStr("a"), f"{NONE} SecretStr('**********'), of type SecretStr: {WRITE} '**********', {MADE}"),
        (Point(1), f"{NONE} Point(x=1), of type Point: write dataclasses.asdict() of it"),
        (
            date(2026, 1, 2),
            f"{NONE} datetime.date(2026, 1, 2), of type date: {WRITE} '2026-01-02', or '2026-01-02', {MADE}",
        ),
        (
            datetime(2026, 1, 2, tzinfo=timezone.utc).time(),
            f"{NONE} datetime.time(0, 0), of type time: {WRITE} '00:00:00', or '00:00:00', {MADE}",
        ),
        (timedelta(hours=1), f"{NONE} datetime.timedelta(seconds=3600), of type timedelta: {WRITE} '1:00:00', {MADE}"),
        (UUID(int=1), f"{NONE} {UUID(int=1)!r}, of type UUID: {WRITE} '{UUID(int=1)}', {MADE}"),
        (PurePosixPath("a/b"), f"{NONE} PurePosixPath('a/b'), of type PurePosixPath: {WRITE} 'a/b', {MADE}"),
        (Plain.RED, f"{NONE} <Plain.RED: 'red'>, of type Plain: {WRITE} 'red', its value, or 'Plain.RED', {MADE}"),
        (OSError("no"), f"{NONE} OSError('no'), of type OSError: {WRITE} 'no', {MADE}"),
        (range(3), f"{NONE} range(0, 3), of type range: {WRITE} 'range(0, 3)', {MADE}"),
        (deque([1]), f"{NONE} deque([1]), of type deque: {WRITE} 'deque([1])', {MADE}"),
        (Money(3), f"{NONE} Money(3), of type Money: {WRITE} '3 EUR', {MADE}"),
        (mock.call(1), f"{NONE} call(1), of type _Call: {INSTEAD}"),
        (mock.sentinel.it, f"{NONE} sentinel.it, of type _SentinelObject: {INSTEAD}"),
        (..., f"{NONE} Ellipsis, of type ellipsis: {WRITE} 'Ellipsis', {MADE}"),
        (dirty_equals.IsTuple(1), f"IsTuple(1) {ASKS} write what JSON makes of it"),
        (dirty_equals.IsTuple, f"IsTuple {ASKS} write what JSON makes of it"),
        (dirty_equals.IsBytes(), f"IsBytes() {ASKS} write what JSON makes of it"),
        (dirty_equals.IsDate(), f"{dirty_equals.IsDate()!r} {ASKS} say iso_string=True"),
        (dirty_equals.IsInstance(UUID), f"IsInstance({UUID!r}) {ASKS} write what JSON makes of it"),
        (dirty_equals.IsEnum, f"IsEnum {ASKS} write what JSON makes of it"),
        (dirty_equals.IsPartialDataclass(x=1), f"IsPartialDataclass(x=1) {ASKS} write what JSON makes of it"),
    ],
)
def test_what_no_recorded_value_can_equal_is_refused(value, text, wrapped):
    with pytest.raises(TypeError, match=exactly(text)):
        Operand(wrapped(value))


@pytest.mark.parametrize("wrapped", [lambda value: value, lambda value: {"a": [OrderedDict(b=value)]}])
@pytest.mark.parametrize(
    "value",
    [object(), mock.Mock(), mock.MagicMock(), (each for each in ()), partial(len), math],
    ids=lambda value: type(value).__name__,
)
def test_what_compares_by_identity_is_refused(value, wrapped):
    with pytest.raises(TypeError, match=r"^no (recorded )?value equals"):
        Operand(wrapped(value))


def test_a_mock_that_is_refused_has_not_been_asked():
    noting = mock.MagicMock()
    with pytest.raises(TypeError, match=f", of type MagicMock: {INSTEAD}"):
        Operand(noting)

    assert noting.mock_calls == []


@pytest.mark.parametrize(
    ("value", "actual"),
    [
        (StartsWith("a"), "abc"),
        (mock.ANY, None),
        (Decimal(1), 1),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (UserDict(a=1), {"a": 1}),
        (UserList([1]), [1]),
        (UserString("a"), "a"),
        (dirty_equals.IsUUID(), str(UUID(int=4, version=4))),
        (dirty_equals.IsDatetime(iso_string=True), "2026-01-02T03:00:00"),
        (dirty_equals.IsNow(unix_number=True, delta=timedelta(days=10**5)), 1e9),
        (dirty_equals.IsDate(format_string="%d.%m.%Y"), "02.01.2026"),
        (dirty_equals.IsInstance(Mapping), {}),
        (dirty_equals.IsInstance(int), 1),
        (dirty_equals.IsListOrTuple(1), [1]),
        (dirty_equals.IsTuple | dirty_equals.IsList(1), [1]),
        (dirty_equals.IsStr | dirty_equals.IsBytes, "a"),
        (pytest.approx([1.0]), [1]),
        (pytest.approx({"a": 1.0}), {"a": 1}),
    ],
)
def test_what_may_equal_a_recorded_value_stays(value, actual):
    assert Operand(value).equals(actual)


@pytest.mark.parametrize("value", [dirty_equals.IsInt, Five, [Five]])
def test_what_answers_by_itself_is_an_operand_though_it_is_a_class(value):
    assert Operand(value).equals(value)


def test_what_answers_by_itself_is_an_operand_though_it_is_a_set():
    assert Operand(Bag([7])).equals([1])
    assert Operand(Five).equals(5)
    assert not Operand(dirty_equals.IsInt).equals("a")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((1, 2), [1, 2]),
        ((), []),
        ({"a": {"b": (1, [2])}, "c": 3}, {"a": {"b": [1, (2,)]}, "c": 3}),
        ([dirty_equals.IsInt(), (mock.ANY,)], (1, ["x"])),
        ([(math.inf, None, "a")], ([math.inf, None, "a"],)),
    ],
)
def test_a_tuple_equals_a_list_wherever_it_stands(one, two):
    # JSON has lists only; OpenTelemetry gives them back as tuples
    assert Operand(one).equals(two)
    if not any(isinstance(each, dirty_equals.IsInt) for each in one):
        assert Operand(two).equals(one)


@pytest.mark.parametrize(
    "actual",
    [[1], [1, 3], [1, 2, 3], (1, [2]), "12", None, {"a": [1, 2]}, {1: 2}, 12],
)
def test_a_tuple_equals_no_other_list(actual):
    assert not Operand((1, 2)).equals(actual)
    assert not Operand({"a": (1, 2)}).equals({"a": actual})
    assert not Operand({"a": (1, 2)}).equals({"b": [1, 2]})
    assert not Operand({"a": (1, 2)}).equals([actual])
