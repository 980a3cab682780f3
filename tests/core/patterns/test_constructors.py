import copy
import math
import pickle
import re
from collections import OrderedDict
from datetime import timedelta
from enum import Enum, IntEnum
from types import MappingProxyType
from unittest import mock

import dirty_equals
import pytest
from hypothesis import given, settings

from pytest_mlflow_traces.core.patterns.constructors import (
    any_order,
    checked_one_span,
    is_one_span,
    one_of,
    optional,
    parallel,
    repeat,
    span,
)
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, OneOf, Pattern, Repeat, SpanPattern, short
from tests.support.generating import patterns
from tests.support.messages import exactly

A, B, C = span("a"), span("b"), span("c")
LEGAL = "legal: 'name', 'type', 'status', 'inputs', 'outputs', 'attributes', 'error', 'within', 'has', 'lacks'"


class Kind(str, Enum):
    LLM = "the LLM"


class Plain(Enum):
    LLM = "LLM"


class Count(IntEnum):
    TWO = 2


class Name(str):
    """A string that hashes and compares in its own way, as members of `str` enums do."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return False


# What is accepted


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (span(), "span()"),
        (span(""), "span('')"),
        (span("a", type=""), "span('a', type='')"),
        (span(name="a", type="LLM", status="UNSET"), "span('a', type='LLM', status='UNSET')"),
        (span(re.compile("a.*")), "span(re.compile('a.*'))"),
        (
            span(type=re.compile("x", re.IGNORECASE | re.DOTALL)),
            "span(type=re.compile('x', re.IGNORECASE | re.DOTALL))",
        ),
        (span(re.compile("x" * 300)), f"span(re.compile('{'x' * 300}'))"),
        (span(inputs=None, outputs=0), "span(inputs=None, outputs=0)"),
        (span(inputs={}, outputs=()), "span(inputs={}, outputs=())"),
        (span(attributes={"a": None, "": False}), "span(attributes={'a': None, '': False})"),
        (span(attributes=MappingProxyType({"a": [1]})), "span(attributes={'a': [1]})"),
        (span(error=True), "span(error=True)"),
        (span(error=False), "span(error=False)"),
        (span(error=KeyError), "span(error='KeyError')"),
        (span(error="app.errors.Wrong"), "span(error='app.errors.Wrong')"),
        (span(error=""), "span(error='')"),
        (span(within="2s"), "span(within='2s')"),
        (span(within=timedelta(0)), "span(within='0ms')"),
        (span(within="1500ms"), "span(within='1500ms')"),
        (span(has=A), "span(has=span('a'))"),
        (span(has=[A, one_of(B, C)]), "span(has=(span('a'), one_of(span('b'), span('c'))))"),
        (span("x", has=A, lacks=(B for _ in "1")), "span('x', has=span('a'), lacks=span('b'))"),
        (span("x", status="ERROR", error="E"), "span('x', status='ERROR', error='E')"),
        (span("x", status="OK", error=True), "span('x', status='OK', error=True)"),
        (span("x")[A], "span('x')[span('a')]"),
        (span("x")[A, ..., optional(B)], "span('x')[span('a'), ..., optional(span('b'))]"),
        (span("x")[...], "span('x')[...]"),
        (span("x")[()], "span('x')[()]"),
        (span("x", lacks=A)[()], "span('x', lacks=span('a'))[()]"),
        (span("x", has=A)[...], "span('x', has=span('a'))[...]"),
        (optional(A), "optional(span('a'))"),
        (repeat(A), "repeat(span('a'))"),
        (repeat(A, 1), "repeat(span('a'), min=1)"),
        (repeat(A, max=0), "repeat(span('a'), max=0)"),
        (repeat(A, 0, 1), "optional(span('a'))"),
        (repeat(optional(A), 2, 2), "repeat(optional(span('a')), min=2, max=2)"),
        (repeat(A, 10**9), "repeat(span('a'), min=1000000000)"),
        (one_of(A), "one_of(span('a'))"),
        (one_of(A, one_of(B, C)), "one_of(span('a'), span('b'), span('c'))"),
        (A | B | C, "one_of(span('a'), span('b'), span('c'))"),
        (A | (B | C), "one_of(span('a'), span('b'), span('c'))"),
        (A | optional(B), "one_of(span('a'), optional(span('b')))"),
        (any_order(A), "any_order(span('a'))"),
        (any_order(A, any_order(B, ...)), "any_order(span('a'), span('b'), ...)"),
        (any_order(..., A, ...), "any_order(span('a'), ...)"),
        (any_order(A, parallel(B)), "any_order(span('a'), parallel(span('b')))"),
        (parallel(A, any_order(B, C)), "parallel(span('a'), any_order(span('b'), span('c')))"),
        (parallel(A, parallel(B)), "parallel(span('a'), parallel(span('b')))"),
        (any_order(optional(any_order(A))), "any_order(optional(any_order(span('a'))))"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_repr_is_the_code_in_its_shortest_form(pattern, code):
    assert repr(pattern) == code
    assert eval(code) == pattern


def test_every_status_is_a_status():
    assert [span(status=status).status for status in ("OK", "ERROR", "UNSET")] == ["OK", "ERROR", "UNSET"]


def test_members_of_str_enums_are_their_strings():
    # Enum hashes by the name of the member, so it would not be found by its value
    pattern = span(Kind.LLM, type=Kind.LLM, error=Kind.LLM, attributes={Kind.LLM: 1})

    assert pattern == span("the LLM", type="the LLM", error="the LLM", attributes={"the LLM": 1})
    assert {type(text) for text in (pattern.name, pattern.type, pattern.error, pattern.attributes[0][0])} == {str}
    assert span(Name("a")) == span("a")
    assert span(status=Name("OK")).status == "OK"
    assert repeat(A, Count.TWO, Count.TWO) == repeat(A, 2, 2)


def test_a_regex_is_the_same_with_and_without_flags_that_change_nothing():
    assert span(re.compile("a", re.UNICODE)) == span(re.compile("a"))
    assert span(re.compile("(?i)a")) == span(re.compile("(?i)a", re.IGNORECASE))
    assert span(re.compile("a", re.ASCII)) != span(re.compile("a"))
    assert span(re.compile("a")) != span("a")


def test_exceptions_of_one_name_are_one():
    other = type("KeyError", (Exception,), {})

    assert span(error=KeyError) == span(error=other) == span(error="KeyError")


def test_only_spans_and_alternatives_of_spans_are_one_span():
    assert all(is_one_span(pattern) for pattern in (A, A[B], one_of(A), A | B))
    assert not any(is_one_span(thing) for thing in (optional(A), any_order(A), A | optional(B), "a", None, ...))
    assert checked_one_span(A | B, "find()") == (A | B)


# What is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: span(naem="a"),
            f"span(): unknown keyword 'naem' ({LEGAL}); did you mean 'name'?",
        ),
        (
            lambda: span("a", span_type="LLM", lack=None),
            f"span(): unknown keywords 'span_type', 'lack' ({LEGAL}); did you mean 'type', 'lacks'?",
        ),
        (lambda: span(5), "span(): name is a string or a compiled regex, got 5"),
        (lambda: span(False), "span(): name is a string or a compiled regex, got False"),
        (lambda: span(b"a"), "span(): name is a string or a compiled regex, got b'a'"),
        (
            lambda: span(re.compile(b"a")),
            "span(): name is a string or a compiled regex, got re.compile(b'a')",
        ),
        (lambda: span(["a"]), "span(): name is a string or a compiled regex, got ['a']"),
        (
            lambda: span("a", type=Plain.LLM),
            "span(): type is a string or a compiled regex, got <Plain.LLM: 'LLM'>; write 'LLM', its value",
        ),
        (lambda: span(type=Count.TWO), "span(): type is a string or a compiled regex, got <Count.TWO: 2>"),
        (lambda: span(status=0), "span(): status is one of 'OK', 'ERROR', 'UNSET', got 0"),
        (
            lambda: span(attributes=[("a", 1)]),
            "span(): attributes is a mapping from attribute names to values, got [('a', 1)]",
        ),
        (lambda: span(attributes={1: 1}), "span(): the name of an attribute is a string, got 1"),
        (lambda: span(error=5), "span(): error is an exception class, its name, True or False, got 5"),
        (lambda: span(error=int), "span(): error is an exception class, its name, True or False, got <class 'int'>"),
        (
            lambda: span(error=KeyError("a")),
            "span(): error is an exception class, its name, True or False, got KeyError('a')",
        ),
        (lambda: span(within=2), "within: write a duration as '800ms', '2s' or a timedelta, got 2"),
        (lambda: span(has="a"), "has takes a pattern, not a string: write span('a')"),
        (lambda: span(has=["a"]), "has takes a pattern, not a string: write span('a')"),
        (lambda: span(has={"a": 1}), "has takes a pattern, not a string: write span('a')"),
        (lambda: span(lacks=5), "lacks takes a pattern such as span('name'), got 5"),
        (lambda: span(has=5), "has takes a pattern such as span('name'), got 5"),
        (lambda: span(has=...), "has takes a pattern such as span('name'), got Ellipsis"),
        (
            lambda: span(lacks=[A, optional(B)]),
            "lacks takes a pattern of one span: span(...) or one_of of spans, got optional(span('b'))",
        ),
        (
            lambda: span(has=A | any_order(B)),
            f"has takes a pattern of one span: span(...) or one_of of spans, got {A | any_order(B)!r}",
        ),
        (lambda: A["b"], "a child of span('a') is a pattern or `...`, not a string: write span('b')"),
        (lambda: A[B, None], "a child of span('a') is a pattern such as span('name') or `...`, got None"),
        (
            lambda: A[[B, C]],
            "a child of span('a') is a pattern such as span('name') or `...`, got [span('b'), span('c')]",
        ),
        (lambda: A[0], "a child of span('a') is a pattern such as span('name') or `...`, got 0"),
        (lambda: A[B][C], "span('a')[span('b')] has its children already; write them in one pair of brackets: p[a, b]"),
        (lambda: A[()][B], "span('a')[()] has its children already; write them in one pair of brackets: p[a, b]"),
        (lambda: list(A), "span('a') is one pattern; it cannot be iterated"),
        (lambda: optional("a"), "optional() takes a pattern, not a string: write span('a')"),
        (
            lambda: optional(...),
            "optional(): `...` stands only in a list of children, or directly in any_order or parallel",
        ),
        (
            lambda: repeat(..., 1),
            "repeat(): `...` stands only in a list of children, or directly in any_order or parallel",
        ),
        (
            lambda: one_of(A, ...),
            "one_of(): `...` stands only in a list of children, or directly in any_order or parallel",
        ),
        (lambda: repeat("a"), "repeat() takes a pattern, not a string: write span('a')"),
        (lambda: repeat(A, 1.0), "repeat(): min is a whole number, got 1.0"),
        (lambda: repeat(A, None), "repeat(): min is a whole number, got None"),
        (lambda: repeat(A, True), "repeat(): min is a whole number, got True"),
        (lambda: repeat(A, max=False), "repeat(): max is a whole number, got False"),
        (lambda: repeat(A, max="3"), "repeat(): max is a whole number, got '3'"),
        (lambda: one_of("a"), "one_of() takes a pattern, not a string: write span('a')"),
        (lambda: one_of(A, None), "one_of() takes a pattern such as span('name'), got None"),
        (lambda: one_of([A, B]), "one_of() takes a pattern such as span('name'), got [span('a'), span('b')]"),
        (lambda: any_order("a"), "what stands in any_order() is a pattern or `...`, not a string: write span('a')"),
        (lambda: parallel(A, 1), "what stands in parallel() is a pattern such as span('name') or `...`, got 1"),
        (lambda: checked_one_span("a", "find()"), "find() takes a pattern, not a string: write span('a')"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_of_the_wrong_kind_is_a_type_error(make, message):
    with pytest.raises(TypeError, match=exactly(message)):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: span(status="ok"),
            "span(): unknown status 'ok' (legal: 'OK', 'ERROR', 'UNSET'); did you mean 'OK'?",
        ),
        (lambda: span(status=""), "span(): unknown status '' (legal: 'OK', 'ERROR', 'UNSET')"),
        (lambda: span(status="SUCCESS"), "span(): unknown status 'SUCCESS' (legal: 'OK', 'ERROR', 'UNSET')"),
        (lambda: span(attributes={}), "span(): attributes={} checks nothing; name an attribute, or leave it out"),
        (lambda: span(has=[]), "span(): has=[] checks nothing; name a span, or leave it out"),
        (lambda: span("a", lacks=()), "span(): lacks=() checks nothing; name a span, or leave it out"),
        (lambda: span(lacks={}.values()), "span(): lacks=dict_values([]) checks nothing; name a span, or leave it out"),
        (
            lambda: span(status="ERROR", error=False),
            "span(): status='ERROR' contradicts error=False: an ERROR span always has an error",
        ),
        (lambda: span(has=A, lacks=[B, A]), "span(): span('a') stands in has and in lacks: no span matches that"),
        (
            lambda: span("x", has=A)[()],
            "span('x', has=span('a')) cannot have no children, [()], and a descendant, has=span('a')",
        ),
        (
            lambda: span(within="2 sec"),
            "within: '2 sec' is not a duration; write a number and one of ns, us, ms, s, m, h: '800ms'",
        ),
        (lambda: repeat(A, -1), "repeat(): min cannot be negative, got -1"),
        (lambda: repeat(A, max=-1), "repeat(): max cannot be negative, got -1"),
        (lambda: repeat(A, 2, 1), "repeat(): min=2 is above max=1: nothing matches that"),
        (lambda: repeat(A, 1, 0), "repeat(): min=1 is above max=0: nothing matches that"),
        (lambda: one_of(), "one_of() needs at least one pattern: with none, nothing matches"),
        (lambda: any_order(), "any_order() needs at least one pattern: with none, there is nothing to check"),
        (lambda: any_order(...), "any_order() needs at least one pattern: with none, there is nothing to check"),
        (lambda: parallel(...), "parallel() needs at least one pattern: with none, there is nothing to check"),
        (
            lambda: span(inputs=(loop := [], loop.append(loop), loop)[2]),
            "a value to compare with is nested more than 100 deep, or contains itself",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_meant_is_a_value_error(make, message):
    with pytest.raises(ValueError, match=exactly(message)):
        make()


def test_a_pattern_is_not_joined_with_anything_else():
    with pytest.raises(TypeError, match="unsupported operand"):
        A | "b"


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        (A, "span('a')"),
        (optional(A), "optional(span('a'))"),
        (span("x" * 100)[A], f"span('{'x' * 50} ..."),
    ],
)
def test_a_pattern_has_no_truth_value(pattern, shown):
    with pytest.raises(
        TypeError, match=exactly(f"{shown} has no truth value; write `trace == pattern` or `pattern in trace`")
    ):
        bool(pattern)


def test_patterns_are_immutable():
    with pytest.raises(AttributeError):
        A.name = "b"


# Equality, hashes, copies


@given(patterns())
@settings(max_examples=50)
def test_the_repr_evaluates_to_an_equal_pattern(pattern):
    again = eval(repr(pattern))

    assert again == pattern
    assert hash(again) == hash(pattern)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (span(), span("")),
        (span("*"), span()),
        (span("a"), span(type="a")),
        (A, A[()]),
        (A[()], A[...]),
        (A[B, C], A[C, B]),
        (A[B], A[B, ...]),
        (span(has=A), span(lacks=A)),
        (span(has=A)[B], span()[A, B]),
        (span(has=[A, B]), span(has=[B, A])),
        (span(inputs=1), span(outputs=1)),
        (span(inputs=None), span()),
        (span(inputs=1), span(inputs=True)),
        (span(inputs=0.0), span(inputs=-0.0)),
        (span(error=True), span(error="True")),
        (span(error=False), span()),
        (span(within="0ms"), span()),
        (span(attributes={"a": 1}), span(attributes={"a": 1.0})),
        (optional(A), A),
        (optional(A), repeat(A)),
        (repeat(A, 1, 2), repeat(A, 1)),
        (one_of(A), A),
        (any_order(A), one_of(A)),
        (any_order(A), parallel(A)),
        (any_order(A, ...), any_order(A)),
    ],
    ids=repr,
)
def test_what_says_something_else_is_not_equal(one, two):
    assert one != two
    assert two != one


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (span("x")[span("y")], span("x")[...]),
        (span("x")[...], span("x")[span("y")]),
        (span("x")[span("y")], span("x")[span("z")]),
        (one_of(span("x")), one_of(span("x"), span("y"))),
    ],
)
def test_patterns_whose_hashes_happen_to_be_the_same_are_still_told_apart(one, two):
    for part in (one, two, *one.parts, *two.parts):
        if isinstance(part, Pattern):
            object.__setattr__(part, "_hash", 0)

    assert one != two


def test_what_says_the_same_is_equal():
    assert span(attributes={"a": 1, "b": 2}) == span(attributes={"b": 2, "a": 1})
    assert span(within="1s") == span(within=timedelta(seconds=1)) == span(within="1000ms")
    assert len({span("a", has=B)[C], span("a", has=[B])[(C,)], span(name="a", has=(B,))[C]}) == 1
    assert A != 5
    with pytest.raises(
        TypeError, match=exactly("a pattern is compared with a trace or a span, not with a string such as 'a'")
    ):
        assert A not in ["a", "b"]
    assert (object() == A) is False


@pytest.mark.parametrize("matcher", [dirty_equals.IsInt, lambda: mock.ANY, lambda: pytest.approx(5)])
def test_patterns_with_matchers_are_equal_also_after_a_comparison(matcher):
    compared, fresh = span("a", outputs=matcher()), span("a", outputs=matcher())
    code = repr(compared)
    assert compared.outputs.equals(5)

    assert compared == fresh
    assert hash(compared) == hash(fresh)
    assert repr(compared) == code
    assert pickle.loads(pickle.dumps(compared)) == fresh


def test_infinity_is_an_operand_with_code():
    assert repr(span(outputs=[math.inf, -math.inf])) == "span(outputs=[float('inf'), float('-inf')])"


def test_what_the_caller_does_to_its_values_later_changes_nothing():
    attributes, inputs, has = {"a": [1]}, {"q": [1]}, [A]
    pattern = span("x", attributes=attributes, inputs=inputs, outputs=OrderedDict(q=[1]), has=has)
    attributes["b"] = attributes["a"] = 2
    inputs["q"].append(2)
    has.append(B)

    assert pattern == span("x", attributes={"a": [1]}, inputs={"q": [1]}, outputs=OrderedDict(q=[1]), has=[A])
    assert pattern.inputs.value == {"q": [1]}


@given(patterns())
@settings(max_examples=40)
def test_a_pattern_can_be_pickled_and_copied(pattern):
    again = pickle.loads(pickle.dumps(pattern))

    assert again == pattern
    assert hash(again) == hash(pattern)
    assert repr(again) == repr(pattern)
    assert copy.deepcopy(pattern) is copy.copy(pattern) is pattern


# Depth


def deep(depth: int, leaf: str = "leaf") -> Pattern:
    pattern: Pattern = span(leaf)[()]
    for i in range(depth // 4):
        pattern = span(f"n{i}")[optional(one_of(any_order(pattern, ...), B)), ...]
    return pattern


def test_a_pattern_may_be_nested_thousands_deep():
    one, two, other = deep(3_000), deep(3_000), deep(3_000, "other")

    assert one == two
    assert hash(one) == hash(two)
    assert one != other
    assert repr(one) == repr(two)
    assert repr(one) != repr(other)
    assert short(one) == "span('n749')[optional(one_of(any_order(span('n748')[opti ..."
    assert pickle.loads(pickle.dumps(one)) == one
    assert copy.deepcopy(one) == one
    with pytest.raises(TypeError, match="has no truth value"):
        bool(one)


def test_the_repr_evaluates_down_to_the_depth_that_python_reads():
    pattern = A
    for _ in range(45):
        pattern = span("n", has=B)[optional(pattern)]

    assert eval(repr(pattern)) == pattern


def test_a_part_that_stands_in_many_places_is_compared_once():
    one, two, other = A, span("a"), span("z")
    for _ in range(200):
        one, two, other = span("n")[one, one], span("n")[two, two], span("n")[other, other]

    assert one == two
    assert one != other
    assert pickle.loads(pickle.dumps(one)) == one


# What other modules ask of the nodes


def test_a_label_is_the_name_and_type_on_one_line():
    assert span("cost agent", type="AGENT").label == "cost agent  AGENT"
    assert span(type=re.compile("LLM|TOOL")).label == "*  /LLM|TOOL/"
    assert span("a\nb\x1b[31m").label == r"a\nb\x1b[31m"
    assert span("").label == "''"


def test_the_nodes_have_their_parts():
    assert span("x", has=A, lacks=B)[C, ...].parts == (A, B, C, ...)
    assert (optional(A).parts, one_of(A, B).parts, any_order(A, ...).parts) == ((A,), (A, B), (A,))
    assert [type(p) for p in (A, optional(A), A | B, parallel(A))] == [SpanPattern, Repeat, OneOf, AnyOrder]


def test_the_bare_node_is_abstract():
    for ask in ("_said", "_code"):
        with pytest.raises(NotImplementedError):
            getattr(Pattern, ask)(A)
    with pytest.raises(NotImplementedError):
        Pattern.parts.fget(A)
