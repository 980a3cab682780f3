import random
import re
from collections import UserList
from dataclasses import dataclass
from unittest import mock

import dirty_equals
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces.core.contracts import assert_trace
from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, repeat, span
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.patterns.recorded import recorded
from pytest_mlflow_traces.core.spans.records import SpanError, SpanEvent
from pytest_mlflow_traces.core.text.durations import NS_PER_MS
from pytest_mlflow_traces.core.trace import Span, Trace
from tests.support.building import Event, Record, Status, node, trace_of, tree
from tests.support.messages import exactly


def shape(trace: Trace) -> list[str]:
    return [each.path for each in trace.spans]


# Spans


def test_a_span_shows_what_was_recorded():
    recorded = node(
        "search TOOL ERROR @2-5",
        inputs={"q": "why"},
        outputs=[1],
        attributes={"k": "v"},
        events=[Event("exception", {"exception.type": "E", "exception.message": "no"}, 3)],
    )
    search = tree("agent AGENT @0-9", [recorded]).spans[1]

    assert (search.name, search.type, search.status) == ("search", "TOOL", "ERROR")
    assert (search.inputs, search.outputs, search.attributes) == ({"q": "why"}, [1], {"k": "v"})
    assert search.events == (SpanEvent("exception", 3, {"exception.type": "E", "exception.message": "no"}),)
    assert search.error == SpanError("E", "no")
    assert (search.start_ns, search.end_ns, search.duration_ms) == (2 * NS_PER_MS, 5 * NS_PER_MS, 3.0)
    assert (search.path, search.depth) == ("agent > search", 1)
    assert repr(search) == "<Span agent > search TOOL ERROR>"


def test_what_was_not_recorded_is_none():
    lone = tree("a UNSET").root

    assert (lone.type, lone.status, lone.inputs, lone.outputs) == ("UNKNOWN", "UNSET", None, None)
    assert (lone.attributes, lone.events, lone.error, lone.parent, lone.children) == ({}, (), None, None, ())


def test_spans_know_their_family():
    trace = tree("a", ["b", ["c"], "d"])
    a, b, c, d = trace.spans

    assert (a.parent, b.parent, c.parent, d.parent) == (None, a, b, a)
    assert (a.children, b.children, c.children) == ((b, d), (c,), ())
    assert (a.ancestors(), c.ancestors()) == ((), (b, a))
    assert (a.descendants(), b.descendants(), d.descendants()) == ((b, c, d), (c,), ())
    assert [each.depth for each in trace.spans] == [0, 1, 2, 1]


def test_a_span_is_the_same_object_each_time():
    trace = tree("a", ["b"])

    assert trace.root is trace.spans[0] is trace.roots[0] is trace.spans[1].parent is trace.span_at(0)
    assert trace.root.children[0] is trace.find(span("b"))[0]


def test_spans_are_equal_only_to_themselves():
    one, two = tree("a", ["b", "b"]), tree("a", ["b", "b"])

    assert one.root == one.root
    assert one.root != two.root
    assert one.spans[1] != one.spans[2]
    assert len({*one.spans, *two.spans, *one.spans}) == 6
    assert one.root in [None, two.root, one.root]


@pytest.mark.parametrize(
    ("recorded", "error"),
    [
        (node("a"), None),
        (node("a ERROR"), SpanError(None, None)),
        (node("a", status=Status("ERROR", "boom")), SpanError(None, "boom")),
        (node("a", error="app.Wrong"), SpanError("app.Wrong", "went wrong")),
        (node("a OK", events=[Event("exception", {"exception.type": "E"})]), SpanError("E", None)),
        (node("a UNSET", events=[Event("other", {"exception.type": "E"})]), None),
    ],
)
def test_an_error_is_a_recorded_exception_or_the_status(recorded, error):
    assert tree(recorded).root.error == error


# Time


@pytest.mark.parametrize(
    ("times", "duration_ms", "self_ms"),
    [
        ("@0-10", 10, 10),
        ("@0-", None, None),
        ("@5-5", 0, 0),
        ("@5-3", -2, -2),
    ],
)
def test_the_duration_is_none_while_a_span_is_unfinished(times, duration_ms, self_ms):
    root = tree(f"a {times}", ["b @6-7"] if times == "@0-" else []).root

    assert (root.duration_ms, root.self_ms) == (duration_ms, self_ms)


@pytest.mark.parametrize(
    ("children", "self_ms"),
    [
        ([], 10),
        (["b @0-10"], 0),
        (["b @2-4"], 8),
        (["b @2-4", "c @4-6"], 6),
        (["b @2-6", "c @4-8"], 4),
        (["b @2-8", "c @3-4"], 4),
        (["b @2-8", ["c @3-20"]], 4),
        (["b @8-20"], 8),  # outlives its parent
        (["b @20-30"], 10),  # starts after its parent
        (["b @4-"], 4),  # unfinished: until the parent's end
        (["b @5-5"], 10),
        (["b @5-3"], 10),  # ends before it starts
        (["b @6-2", "c @6-8"], 8),
    ],
)
def test_self_time_is_the_time_in_which_no_child_ran(children, self_ms):
    assert tree("a @0-10", children).root.self_ms == self_ms


def test_self_time_counts_lifted_children_once_whatever_their_order():
    trace = tree("a @0-20", ["wrapper @0-10", ["b @8-9"], "c @5-20"]).without(span("wrapper"))

    assert [each.name for each in trace.root.children] == ["b", "c"]
    assert trace.root.self_ms == 5


_times = st.tuples(st.integers(0, 12), st.none() | st.integers(1, 12))  # an end at 0 is none


@given(_times, st.lists(_times, max_size=5))
@settings(max_examples=200)
def test_self_time_is_that_of_a_grid_of_milliseconds(times, children):
    def record(number: int, parent: str | None, start: int, end: int | None) -> Record:
        end_ns = None if end is None else end * NS_PER_MS
        return Record("s", str(number), parent, start_time_ns=start * NS_PER_MS, end_time_ns=end_ns)

    trace = trace_of([record(0, None, *times), *(record(k, "0", *each) for k, each in enumerate(children, 1))])
    start, end = times
    if end is None or end < start:
        assert trace.root.self_ms == trace.root.duration_ms
        return
    free = [ms for ms in range(start, end) if not any(a <= ms and (b is None or ms < b) for a, b in children)]
    assert trace.root.self_ms == len(free)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("@0-5", "@4-9", True),
        ("@0-5", "@5-9", False),
        ("@0-9", "@3-4", True),
        ("@0-9", "@3-3", True),
        ("@3-3", "@3-3", False),
        ("@0-3", "@3-3", False),
        ("@0-", "@9-10", True),
        ("@9-", "@0-", True),
        ("@9-", "@0-9", False),
        ("@9-", "@0-10", True),
    ],
)
def test_spans_overlap_where_both_ran_at_one_moment(one, two, expected):
    first, second = tree(f"a {one}", f"b {two}").spans

    assert first.overlaps(second) is second.overlaps(first) is expected


# Traces


def test_a_trace_shows_its_facts():
    trace = tree(
        node("agent AGENT @1-4", inputs={"q": 1}, outputs="answer"),
        id="tr-7",
        status="ERROR",
        tags={"team": "red"},
        system_tags={"mlflow.traceName": "named"},
        metadata={
            "mlflow.trace.session": "s1",
            "mlflow.trace.user": "u1",
            "mlflow.trace.tokenUsage": '{"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}',
            "mlflow.trace.cost": '{"total_cost": 0.5}',
        },
    )

    assert (trace.id, trace.name, trace.status) == ("tr-7", "named", "ERROR")
    assert (trace.tags, trace.system_tags) == ({"team": "red"}, {"mlflow.traceName": "named"})
    assert (trace.session_id, trace.user_id) == ("s1", "u1")
    assert (trace.request, trace.response) == ({"q": 1}, "answer")
    assert (trace.start_ns, trace.duration_ms) == (NS_PER_MS, 3.0)
    assert trace.token_usage == {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}
    assert trace.cost == {"total_cost": 0.5}
    assert trace.metadata["mlflow.trace.user"] == "u1"
    assert repr(trace) == "<Trace named ERROR 1 spans tr-7>"


def test_the_state_of_a_trace_is_not_the_status_of_its_root():
    trace = tree("agent ERROR", status="OK")

    assert (trace.status, trace.root.status) == ("OK", "ERROR")


def test_without_a_given_name_a_trace_is_called_like_its_first_root():
    assert tree("agent", "other").name == "agent"
    assert tree("agent", system_tags={"mlflow.traceName": ""}).name == "agent"


def test_an_empty_trace_has_nothing():
    trace = tree()

    assert (trace.spans, trace.roots, trace.root, trace.name) == ((), (), None, "")
    assert (trace.request, trace.response, trace.start_ns, trace.duration_ms) == (None, None, None, None)
    assert (trace.token_usage, trace.cost, trace.problems, trace.tree()) == (None, None, (), "(no spans)")
    assert span() not in trace
    assert trace.find(span()) == ()
    assert trace.without(span()).spans == ()


@pytest.mark.parametrize("pattern", [span(), optional(span()), repeat(span()), any_order(optional(span()))])
def test_an_empty_trace_equals_nothing(pattern):
    assert tree() != pattern


def test_several_roots_are_the_whole_trace():
    trace = tree("a @5-9", "b @1-3", "c @2-7")

    assert [root.name for root in trace.roots] == ["b", "c", "a"]
    assert (trace.root.name, trace.start_ns, trace.duration_ms) == ("b", NS_PER_MS, 8.0)
    assert trace.problems == ("several roots: 3 spans have no parent in this trace: b, c, a",)


def test_the_duration_of_a_trace_is_none_while_a_root_is_unfinished():
    assert tree("a @1-3", "b @2-").duration_ms is None
    assert tree("a @1-3", ["b @2-"]).duration_ms == 2.0


def test_traces_are_equal_only_to_themselves():
    one, two = tree("a"), tree("a")

    assert one == one
    assert one != two
    assert len({one, two, one}) == 2
    assert one in [None, two, one]


@dataclass
class Value:
    x: int = 1


SPANS = "children stand in brackets behind it, span('name')[...]"


@pytest.mark.parametrize("what", ["trace", "span"])
@pytest.mark.parametrize(
    ("other", "instead"),
    [
        ("agent", "a pattern, not with a string: write span('agent')"),
        ([span("a")], f"one pattern, not with a list: {SPANS}"),
        ((), f"one pattern, not with a tuple: {SPANS}"),
        ({span("a")}, f"one pattern, not with a set: {SPANS}"),
        (span, "a pattern, not with 'span': call it, as in span('name')"),
        (Trace, "a pattern, not with 'Trace': call it, as in span('name')"),
        (..., "a pattern such as span('name'), got Ellipsis"),
        (True, "a pattern such as span('name'), got True"),
        (Value(), "a pattern such as span('name'), got Value(x=1)"),
        ({"name": "a"}, "a pattern such as span('name'), got {'name': 'a'}"),
    ],
)
def test_what_is_no_pattern_is_refused_by_both_comparisons_on_both_sides(what, other, instead):
    one = tree("a") if what == "trace" else tree("a").root

    for compare in (
        lambda: one == other,
        lambda: one != other,
        lambda: other == one,
        lambda: other != one,
        lambda: one in [None, other],
        lambda: one not in (None, other),
    ):
        with pytest.raises(TypeError, match=exactly(f"a {what} is compared with {instead}")):
            compare()


def test_a_span_is_no_trace_and_a_trace_no_span():
    trace = tree("a")

    with pytest.raises(TypeError, match=r"^a trace is compared with a pattern such as span\('name'\), got <Span a "):
        assert trace != trace.root
    with pytest.raises(TypeError, match=r"^a span is compared with a pattern such as span\('name'\), got <Trace a "):
        assert trace.root != trace


def test_what_answers_by_itself_is_asked():
    trace = tree("a")

    for one in (trace, trace.root):
        assert one == mock.ANY
        assert mock.ANY == one  # noqa: SIM300  # the other side
        assert not one != mock.ANY  # noqa: SIM202  # the other operator
        assert one == dirty_equals.IsInstance(Trace | Span)
        assert one != dirty_equals.IsStr()
        assert one != mock.MagicMock()
        assert one != None  # noqa: E711  # the operator
        assert not one == None  # noqa: E711, SIM201


def test_a_trace_is_no_list():
    with pytest.raises(
        TypeError, match=exactly("a trace is not a list; iterate trace.spans (pre-order) or trace.roots")
    ):
        list(tree("a"))


def test_the_problems_are_those_of_the_tree():
    assert tree("a @3-", ["b @1-2"]).problems == (
        "unfinished: span a has no end time",
        "early child: span a > b starts before its parent",
    )


# Questions


def test_both_sides_of_the_comparison_answer():
    trace = tree("a", ["b"])
    pattern = span("a")[span("b")]

    assert trace == pattern
    assert pattern == trace
    assert trace != span("b")
    assert span("b") != trace
    assert trace.root == pattern
    assert trace.spans[1] == span("b")[()]


def test_spans_are_found_in_pre_order():
    trace = tree("a", ["b", ["a"], "b"], "b")

    assert [each.path for each in trace.find(span("b"))] == ["a > b", "a > b[2]", "b"]
    assert [each.path for each in trace.find(span("a") | span("b"))] == shape(trace)
    assert (trace.count(span("b")), trace.count(span("c"))) == (3, 0)
    assert span("b") in trace
    assert span("c") not in trace


@pytest.mark.parametrize("container", [lambda trace: [trace], lambda trace: (trace,), lambda trace: UserList([trace])])
def test_a_container_of_traces_does_not_look_below_their_roots_unsaid(container):
    traces = container(tree("a", ["b"]))

    cure = "any(pattern in trace for trace in traces), or `pattern in mlflow_traces`"
    for looked in (lambda: span("b") in traces, lambda: span("b") not in traces, lambda: span("a") in traces):
        with pytest.raises(
            TypeError, match=exactly(f"`in` on a container of traces looks at their roots alone: write {cure}")
        ):
            looked()
    assert any(span("b") in trace for trace in traces)
    assert any(trace == span("a") for trace in traces)
    assert [trace == span("a") for trace in traces] == [True]


def test_a_container_of_spans_holds_the_spans_that_are_like_a_pattern():
    trace = tree("a", ["b", ["c"], "d"])

    assert span("c") in trace.spans
    assert span("c") not in trace.root.children
    assert span("d") not in trace.spans[2].ancestors()
    for spans in (trace.spans, trace.root.children, list(trace.roots)):
        with pytest.raises(
            TypeError, match=exactly("a span is compared with a pattern, not with a string: write span('x')")
        ):
            assert "x" not in spans


def test_what_was_found_is_not_looked_through():
    found = tree("a", ["b", ["c"]]).find(span("b"))

    cure = "`pattern in trace` looks everywhere, any(each == pattern for each in found) at these spans alone"
    with pytest.raises(TypeError, match=exactly(f"`in` on what find() returned could mean two things: {cure}")):
        assert span("c") not in found
    with pytest.raises(
        TypeError, match=exactly("a span is compared with a pattern, not with a string: write span('c')")
    ):
        assert "c" not in found
    assert found[0] in found
    assert found[0].parent not in found
    assert found == (found[0],)


def test_the_one_span_is_found():
    trace = tree("a", ["b"])

    assert trace.find_one(span("b")) is trace.spans[1]


def test_none_or_several_are_not_the_one():
    trace = tree("a AGENT @0-3", ["b @1-2", "b @2-3"])

    with pytest.raises(TraceAssertionError) as none:
        trace.find_one(span("c"))
    with pytest.raises(TraceAssertionError) as several:
        trace.find_one(span("b"))

    assert str(several.value) == "trace 'a' has 2 spans like span('b'), expected one:\n  a > b\n  a > b[2]"
    assert several.value.findings == (Finding("shape.ambiguous", "a", "one span('b')", "2 such spans"),)
    assert str(none.value).startswith("trace 'a' has no span('c')\n")
    assert none.value.findings[0].rule == "shape.missing"


def test_of_very_many_spans_twenty_are_listed():
    trace = tree(*["a"] * 22)

    with pytest.raises(TraceAssertionError) as several:
        trace.find_one(span("a"))

    assert str(several.value).endswith("  a[20]\n  ... 2 more")


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda trace, given: given in trace, "`in`"),
        (lambda trace, given: trace.find(given), "find()"),
        (lambda trace, given: trace.find_one(given), "find_one()"),
        (lambda trace, given: trace.count(given), "count()"),
        (lambda trace, given: trace.without(given), "without()"),
        (lambda trace, given: trace.without(span("a"), given), "without()"),
        (lambda trace, given: trace.only(given), "only()"),
    ],
)
def test_questions_take_patterns_of_one_span(ask, what):
    for wrong, message in [
        ("a", f"{what} takes a pattern, not a string: write span('a')"),
        (None, f"{what} takes a pattern such as span('name'), got None"),
        (
            optional(span("a")),
            f"{what} takes a pattern of one span: span(...) or one_of of spans, got optional(span('a'))",
        ),
    ]:
        with pytest.raises(TypeError, match=exactly(message)):
            ask(tree("a"), wrong)


@pytest.mark.parametrize("name", ["x", "(unnamed)", "None", "", re.compile(".*"), re.compile(".*unnamed.*")])
def test_a_span_without_a_name_is_like_no_name(name):
    trace = tree("agent", [node("x", name=None), ["search"]])
    unnamed = trace.spans[1]

    assert unnamed != span(name)
    assert trace != span("agent")[span(name)]
    assert trace == span("agent")[span()[span("search")]]
    assert unnamed == span(status="OK")[...]
    with pytest.raises(TraceAssertionError, match=r"\(unnamed\)"):
        assert_trace(trace, span("agent")[span(name)[span("search")]])


def test_a_span_without_a_name_is_recorded_as_any():
    trace = tree("agent", [node("x", name=None), ["search"]])

    assert repr(trace.to_pattern()) == (
        "span('agent', type='UNKNOWN', status='OK')[span(type='UNKNOWN', status='OK')"
        "[span('search', type='UNKNOWN', status='OK')[()]]]"
    )
    assert trace == trace.to_pattern() == recorded(trace.table)
    assert trace.tree().splitlines()[1] == "└─ (unnamed)  UNKNOWN  3 ms"
    assert trace.spans[1].path == "agent > (unnamed)"


# Seeing through


def test_spans_without_their_wrappers():
    trace = tree("a", ["chain", ["b", "chain", ["c"]], "d"])
    seen = trace.without(span("chain"))

    assert shape(seen) == ["a", "a > b", "a > c", "a > d"]
    assert shape(trace.without(span("a"), span("chain"))) == ["b", "c", "d"]
    assert shape(trace.without(one_of(span("b"), span("d")))) == [
        "a",
        "a > chain",
        "a > chain > chain",
        "a > chain > chain > c",
    ]
    assert trace.without(span("a"), span()).spans == ()


def test_what_is_not_seen_stays_as_it_was():
    trace = tree("a", ["b"], id="tr-1", tags={"k": "v"})
    seen = trace.without(span("x"))

    assert shape(seen) == shape(trace)
    assert (seen.id, seen.tags, seen.raw) == ("tr-1", {"k": "v"}, trace.raw)
    assert seen != trace
    assert len(trace.spans) == 2


def test_seeing_through_nothing_at_all_is_a_mistake():
    with pytest.raises(TypeError, match=exactly("without() takes at least one pattern: the spans to see through")):
        tree("a").without()


def test_only_the_spans_that_match_and_the_roots():
    trace = tree("a", ["chain", ["b TOOL", "chain", ["c TOOL", ["b"]]], "d"], "e", id="tr-1", tags={"k": "v"})
    seen = trace.only(span(type="TOOL"))

    assert shape(seen) == ["a", "a > b", "a > c", "e"]
    assert shape(trace.only(span("d"), span("b"))) == ["a", "a > b", "a > b[2]", "a > d", "e"]
    assert shape(trace.only(span("nowhere"))) == ["a", "e"]
    assert shape(trace.only(span())) == shape(trace)
    assert (seen.id, seen.tags, seen.raw) == ("tr-1", {"k": "v"}, trace.raw)
    assert len(trace.spans) == 8


def test_looking_at_nothing_at_all_is_a_mistake():
    with pytest.raises(TypeError, match=exactly("only() takes at least one pattern: the spans to look at")):
        tree("a").only()


@pytest.mark.parametrize("see", [lambda trace: trace.without(span("b")), lambda trace: trace.only(span("c"))])
def test_real_time_that_a_span_waited_is_known_whatever_is_seen(see):
    trace = tree("a", ["b", "c"])
    trace.real_waits = {"1": []}

    assert see(trace).real_waits == {"1": []}


# The strict pattern


def test_the_strict_pattern_says_name_type_status_and_children():
    pattern = tree("a AGENT", ["b TOOL ERROR", "c"]).to_pattern()

    assert repr(pattern) == (
        "span('a', type='AGENT', status='OK')[span('b', type='TOOL', status='ERROR')[()], "
        "span('c', type='UNKNOWN', status='OK')[()]]"
    )


def test_several_roots_are_any_order_in_the_strict_pattern():
    assert tree("a", "b").to_pattern() == any_order(*(tree(name).to_pattern() for name in "ab"))


def test_an_empty_trace_has_no_strict_pattern():
    with pytest.raises(ValueError, match=exactly("trace 'tr-1' has no spans: it equals no pattern")):
        tree(id="tr-1").to_pattern()


def random_trace(seed: int, size: int = 12) -> Trace:
    rng = random.Random(seed)
    spans = [
        Record(
            rng.choice(["a", "b", "", "c d"]),
            str(k),
            None if not k or rng.random() < 0.05 else str(rng.randrange(k)),
            rng.choice(["TOOL", "", "own\ntype"]),
            rng.randrange(5),
            9,
            Status(rng.choice(["OK", "ERROR", "UNSET"])),
        )
        for k in range(size)
    ]
    return trace_of(spans)


@pytest.mark.parametrize("seed", range(20))
def test_a_trace_equals_its_strict_pattern(seed):
    trace = random_trace(seed)
    pattern = trace.to_pattern()

    assert trace == pattern
    assert eval(repr(pattern)) == pattern
    assert isinstance(pattern, Pattern)


def test_a_chain_of_fifty_thousand_spans_is_as_good_as_any():
    count = 50_000
    status = Status()
    trace = trace_of([Record("s", str(k), str(k - 1) if k else None, "T", k, 10**9, status) for k in range(count)])
    last = trace.span_at(count - 1)

    assert (last.depth, len(last.ancestors()), len(trace.root.descendants())) == (count - 1, count - 1, count - 1)
    assert trace.to_pattern() == trace.to_pattern()
    assert len(trace.tree().splitlines()) == count
    assert isinstance(last, Span)
