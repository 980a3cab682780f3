"""What patterns say of each other, which must hold of every trace."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces import any_order, one_of, optional, parallel, repeat, span, strategies
from pytest_mlflow_traces.core.patterns.folding import built
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, Repeat, SpanPattern
from pytest_mlflow_traces.core.patterns.relations import all_spans, excludes, idle_items, implies, required_spans
from pytest_mlflow_traces.strategies.drawn_patterns import span_patterns
from tests.support.tracing import traces

PAY, TOOL = span("pay"), span(type="TOOL")
NONE = PAY[()]
RETRY = optional(span("retry"))


@pytest.mark.parametrize(
    ("one", "two", "implied"),
    [
        (PAY, PAY, True),
        (PAY, span(), True),
        (span(), PAY, False),
        (PAY, span(re.compile("p.*")), True),
        (PAY, span(re.compile("a.*")), False),
        (span(re.compile("p.*")), span(re.compile("p.*")), True),
        (span(re.compile("p.*")), PAY, False),
        (span("pay", type="TOOL"), TOOL, True),
        (span("pay", status="OK"), span(status="OK"), True),
        (span("pay", status="OK"), span(status="ERROR"), False),
        (span(inputs=None), span(inputs=None), True),
        (span(), span(inputs=None), False),
        (span(attributes={"a": 1, "b": 2}), span(attributes={"b": 2}), True),
        (span(attributes={"b": 2}), span(attributes={"a": 1, "b": 2}), False),
        (span(error="ValueError"), span(error=True), True),
        (span(error=True), span(error="ValueError"), False),
        (span(within="1s"), span(within="2s"), True),
        (span(within="2s"), span(within="1s"), False),
        (span("a", has=[PAY, TOOL]), span(has=PAY), True),
        (span("a", lacks=PAY), span(lacks=[PAY, TOOL]), False),
        (span("a")[PAY], span("a"), True),
        (span("a"), span("a")[PAY], False),
        (one_of(span("a"), span("b")), one_of(span("b"), span("a"), span("c")), True),
        (one_of(span("a"), span("b")), span("a"), False),
    ],
    ids=repr,
)
def test_one_pattern_implies_another(one, two, implied):
    assert implies(one, two) is implied


@pytest.mark.parametrize(
    ("one", "two", "excluded"),
    [
        (PAY, span("auth"), True),
        (PAY, TOOL, False),
        (PAY, span(re.compile("a.*")), True),
        (span(re.compile("p.*")), PAY, False),
        (span(re.compile("p.*")), span(re.compile("a.*")), False),
        (span(type="TOOL"), span(type="LLM"), True),
        (span(status="OK"), span("pay", status="ERROR"), True),
        (span(error=True), span(error=False), True),
        (span(error="ValueError"), span(error="TimeoutError"), False),
        (span(inputs={"a": 1}), span(inputs={"a": 2}), True),
        (span(inputs=[1]), span(inputs=(1,)), False),
        (span(inputs=1), span(inputs=True), False),
        (span(inputs=pytest.approx(1)), span(inputs=2), False),
        (span(outputs=None), span(), False),
        (span(attributes={"a": 1}), span(attributes={"a": 2}), True),
        (span(attributes={"a": 1}), span(attributes={"b": 2}), False),
        (one_of(PAY, span("auth")), span("a"), True),
        (one_of(PAY, span("auth")), PAY, False),
    ],
    ids=repr,
)
def test_one_pattern_excludes_another(one, two, excluded):
    assert excludes(one, two) is excluded
    assert excludes(two, one) is excluded


@given(strategies.traces(), st.lists(span_patterns(1), min_size=2, max_size=5))
def test_both_are_true_of_every_trace(trace, given_patterns):
    for one in given_patterns:
        for two in given_patterns:
            ones, twos = set(trace.find(one)), set(trace.find(two))
            assert not implies(one, two) or ones <= twos
            assert not excludes(one, two) or not ones & twos


@pytest.mark.parametrize(
    ("shape", "spans", "is_open", "required"),
    [
        (PAY, [PAY], True, [PAY]),
        (PAY[()], [PAY[()]], False, [PAY[()]]),
        (span("a")[PAY[()], ...], [span("a")[PAY[()], ...], PAY[()]], True, [span("a")[PAY[()], ...], PAY[()]]),
        (span("a")[NONE, NONE], [span("a")[NONE, NONE], NONE], False, [span("a")[NONE, NONE], NONE]),
        (optional(PAY[()]), [PAY[()]], False, []),
        (repeat(PAY[()], min=1), [PAY[()]], False, [PAY[()]]),
        (one_of(PAY[()], TOOL[()]), [PAY[()], TOOL[()]], False, []),
        (any_order(PAY[()], RETRY), [PAY[()], span("retry")], True, [PAY[()]]),
        (any_order(PAY[()], ...), [PAY[()]], True, [PAY[()]]),
    ],
    ids=repr,
)
def test_a_shape_has_places_some_of_which_are_taken(shape, spans, is_open, required):
    assert all_spans(shape) == (spans, is_open)
    assert required_spans(shape) == required


@given(st.data(), traces())
def test_they_are_those_of_every_trace_of_that_shape(data, trace):
    shape = data.draw(strategies.patterns(matching=trace))
    places, is_open = all_spans(shape)

    assert is_open or all(any(each == place for place in places) for each in trace.spans)
    assert all(each in trace for each in required_spans(shape))


@pytest.mark.parametrize(
    ("shape", "idle"),
    [
        (span("a")[RETRY, PAY], []),
        (span("a")[..., PAY, RETRY], []),
        (span("a")[..., RETRY, PAY], [RETRY]),
        (span("a")[RETRY, repeat(PAY), ...], [RETRY, repeat(PAY)]),
        (span("a")[..., repeat(PAY, min=1)], []),
        (any_order(PAY, RETRY), []),
        (any_order(PAY, RETRY, ...), [RETRY]),
        (parallel(PAY, RETRY, ...), []),
        (repeat(span("a")[span("b")[RETRY, ...]]), [RETRY]),
    ],
    ids=repr,
)
def test_what_may_be_absent_is_idle_beside_a_gap(shape, idle):
    assert [*idle_items(shape)] == idle


def without_idle(shape):
    idle = {id(each) for each in idle_items(shape)}

    def build(node, parts):
        made = dict(zip(map(id, node.parts), parts, strict=True)) if isinstance(node, Pattern) else {}

        def kept(items):
            return tuple(made[id(each)] for each in items if id(each) not in idle)

        if isinstance(node, SpanPattern) and node.children is not None:
            return replace(node, children=kept(node.children))
        if isinstance(node, AnyOrder):
            return replace(node, items=kept(node.items))
        if isinstance(node, Repeat):
            return replace(node, item=parts[0])
        return replace(node, alternatives=tuple(parts)) if hasattr(node, "alternatives") else node

    return built(shape, lambda node: node.parts if isinstance(node, Pattern) else (), build)


@given(st.data(), traces(), traces())
def test_a_shape_without_what_is_idle_is_that_of_the_same_traces(data, trace, other):
    shape = data.draw(strategies.patterns(matching=trace))
    smaller = without_idle(shape)

    assert trace == smaller
    assert (other == shape) is (other == smaller)
