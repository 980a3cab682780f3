"""What `strategies.traces`, `span_trees` and `patterns` draw."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces import TagSchema, Trace, strategies
from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, OneOf, Pattern, Repeat, SpanPattern
from pytest_mlflow_traces.strategies import patterns, span_trees, traces
from tests.support.building import tree
from tests.support.messages import exactly

QUICK = settings(max_examples=80, deadline=None, database=None)
CHECKS = list(HealthCheck)


@QUICK
@given(traces())
def test_traces_are_whole(trace):
    assert trace.problems == ()
    assert len(trace.roots) == 1
    for span in trace.spans:
        assert span.duration_ms is not None
        assert span.duration_ms >= 0
        assert span.parent is None or span.parent.start_ns <= span.start_ns
        assert span.parent is None or (span.parent.end_ns or 0) >= (span.end_ns or 0)
    assert trace == trace.to_pattern()
    assert trace.name == trace.spans[0].name


@QUICK
@given(traces(malformed=True))
def test_malformed_traces_have_a_problem_and_crash_nothing(trace):
    assert trace.problems
    assert trace == trace.to_pattern()
    assert trace.tree()


def seen(strategy, key):
    found = Counter()

    @settings(max_examples=150, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=CHECKS)  # fmt: skip
    @given(strategy)
    def look(drawn):
        found.update(key(drawn))

    look()
    return set(found)


def test_every_problem_comes_up():
    kinds = seen(traces(malformed=True), lambda trace: [text.partition(":")[0] for text in trace.problems])

    assert kinds == {
        *("several roots", "unfinished", "negative duration", "orphan", "cycle", "duplicate id", "early child")
    }  # fmt: skip


def test_every_status_error_and_shape_comes_up():
    found = seen(
        traces(),
        lambda trace: [
            *[(span.status, span.error is not None and span.error.type) for span in trace.spans],
            trace.status,
            *(["session"] if trace.session_id else []),
            *(["tags"] if trace.tags else []),
            *["overlap" for span in trace.roots for a, b in itertools.pairwise(span.children) if a.overlaps(b)],
            *["deep" for span in trace.spans if span.depth > 3],
            *["inputs" for span in trace.spans if span.inputs],
        ],
    )

    expected = {("OK", False), ("UNSET", False), ("ERROR", None), ("ERROR", "ValueError"), "OK", "ERROR"}
    assert expected | {"session", "tags", "overlap", "deep", "inputs"} <= found


def test_traces_shrink_to_one_span():
    trace = find(traces(), lambda _: True, settings=settings(database=None, max_examples=20))

    assert [span.name for span in trace.spans] == ["agent"]
    assert trace.tags == {}


def test_traces_are_of_the_names_types_and_tags_that_are_given():
    class Tags(TagSchema):
        team: str

    @QUICK
    @given(traces(names=st.just("x"), types=st.just("T"), tags=strategies.tags(Tags), max_spans=3))
    def check(trace):
        assert {(span.name, span.type) for span in trace.spans} == {("x", "T")}
        assert len(trace.spans) <= 3
        assert Tags.check(trace) == []

    check()


@QUICK
@given(span_trees(max_spans=5))
def test_span_trees_are_roots(root):
    assert root.parent is None
    assert len(root.descendants()) < 5


@QUICK
@given(patterns(), traces())
def test_patterns_are_sound(pattern, trace):
    assert isinstance(pattern, Pattern)
    assert (trace == pattern) in {True, False}
    assert repr(pattern)


def nodes(pattern):
    yield pattern
    for part in pattern.parts:
        if isinstance(part, Pattern):
            yield from nodes(part)


def test_patterns_are_of_every_form():
    kinds = {SpanPattern, Repeat, OneOf, AnyOrder}
    trace = tree("a", ["b @0-5", "c @1-6", ["d", "e"], "f"])

    assert seen(patterns(), lambda pattern: [type(node) for node in nodes(pattern)]) == kinds
    assert seen(patterns(matching=trace), lambda pattern: [type(node) for node in nodes(pattern)]) == kinds


@pytest.mark.parametrize("malformed", [False, True])
def test_patterns_that_match_always_do(malformed):
    @settings(QUICK, max_examples=120, suppress_health_check=CHECKS)
    @given(st.data(), traces(malformed=malformed))
    def check(data, trace):
        assert trace == data.draw(patterns(matching=trace))

    check()


@settings(QUICK, suppress_health_check=CHECKS)
@given(st.data(), traces(max_spans=6))
def test_they_match_a_span_too(data, trace):
    span = data.draw(st.sampled_from(trace.spans))

    assert span == data.draw(patterns(matching=span))
    assert data.draw(patterns(matching=span)) in trace


def test_they_match_large_and_deep_traces():
    wide = tree("root", [f"child{i % 3}" for i in range(200)])
    deep = tree(*[part for i in range(300) for part in (f"level{i}",)][:1])
    chain: list[object] = ["leaf"]
    for i in range(300):
        chain = [f"level{i}", chain]
    deep = tree(*chain)

    @settings(QUICK, max_examples=20, suppress_health_check=CHECKS)
    @given(st.data())
    def check(data):
        for trace in (wide, deep):
            assert trace == data.draw(patterns(matching=trace))

    check()


def test_they_match_several_roots():
    trace = tree("a", ["b"], "a", "c")

    @QUICK
    @given(patterns(matching=trace))
    def check(pattern):
        assert trace == pattern

    check()


def test_they_tell_other_traces_apart_now_and_then():
    trace, other = tree("a", ["b", "c"]), tree("a", ["b", "x"])

    found = seen(patterns(matching=trace), lambda pattern: [other == pattern])

    assert found == {True, False}


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: traces(max_spans=0), ValueError, "traces(): max_spans=0: a trace has at least one span"),
        (lambda: patterns(matching="a"), TypeError, "patterns(): matching is a trace or a span, got 'a'"),
        (
            lambda: patterns(matching=tree()),
            ValueError,
            "patterns(): trace 'tr-test' has no spans: it equals no pattern",
        ),
    ],
)
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=exactly(text)):
        call()


def test_a_trace_drawn_is_like_one_of_mlflow():
    trace = find(traces(), lambda trace: len(trace.spans) > 1, settings=settings(database=None))

    again = Trace.from_mlflow(trace.raw)

    assert again.tree() == trace.tree()
