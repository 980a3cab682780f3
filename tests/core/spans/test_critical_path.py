"""The critical path and the concurrency of a trace, by example and against oracles that look moment by moment."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces.core.spans.critical_path import critical_path, path_lines
from pytest_mlflow_traces.core.text.durations import NS_PER_MS
from tests.support.building import Record, trace_of, tree


def path(trace):
    """The critical path as one reads it: names, each with its own milliseconds on it."""
    return [f"{trace.table.names[step.position]} {step.own_ns / NS_PER_MS:g}" for step in critical_path(trace.table)]


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        ([], ["a 10"]),
        (["b @0-10"], ["a 0", "b 10"]),
        (["b @2-4", "c @5-9"], ["a 4", "b 2", "c 4"]),
        (["b @0-4", "c @0-9"], ["a 1", "c 9"]),  # in parallel: who ends last
        (["b @0-6", "c @4-10"], ["a 0", "b 4", "c 6"]),  # overlapping: b up to where c starts
        (["b @0-4", "c @0-6", "d @4-10"], ["a 0", "b 4", "d 6"]),  # d may have waited for b, not for c
        (["b @1-5", "c @0-6", "d @4-10"], ["a 0", "c 4", "d 6"]),  # of those that run on, the longest
        (["b @0-4", "c @2-4", "d @4-10"], ["a 0", "b 4", "d 6"]),
        (["b @0-9", ["c @0-3", "d @2-8"]], ["a 1", "b 1", "c 2", "d 6"]),
        (["b @8-20"], ["a 8", "b 2"]),  # outlives its parent
        (["b @20-30"], ["a 10"]),
        (["b @4-"], ["a 4", "b 6"]),
        (["b @4-", ["c @5-"]], ["a 4", "b 1", "c 5"]),
        (["b @4-6", ["c @5-20"]], ["a 8", "b 1", "c 1"]),
        (["b @5-5"], ["a 10"]),
        (["b @8-2"], ["a 10"]),
    ],
)
def test_the_path_runs_back_through_whoever_kept_the_parent_waiting(children, expected):
    assert path(tree("a @0-10", children)) == expected


def test_a_child_that_precedes_its_parent_counts_from_the_parent_s_start():
    assert path(tree("a @5-10", ["b @0-7"])) == ["a 3", "b 2"]


@pytest.mark.parametrize(
    ("roots", "expected"),
    [
        ([], []),
        (["a @0-"], ["a 0"]),
        (["a @0-", ["b @2-7", "c @3-"]], ["a 2", "b 5"]),  # nobody knows more than that c had started
        (["a @9-3"], ["a 0"]),
        (["a @3-3", ["b @3-3"]], ["a 0"]),
        (["a @0-4", "b @6-9"], ["a 4", "b 3"]),  # nobody's time in between
        (["a @0-4", "b @2-9"], ["a 2", "b 7"]),
    ],
)
def test_roots_that_are_several_unfinished_or_take_no_time(roots, expected):
    assert path(tree(*roots)) == expected


def test_the_trace_shows_the_path_as_spans():
    trace = tree("agent @0-9", ["plan @0-2", "search @2-8", ["query @3-8"]])

    assert trace.critical_path() == (trace.root, *trace.spans[1:])


def test_a_part_of_the_trace_has_a_path_of_its_own():
    table = tree("a @0-10", ["b @0-10", "c @1-9", ["d @2-3"]]).table

    assert [step.position for step in critical_path(table)] == [0, 1]
    assert [(step.position, step.own_ns // NS_PER_MS) for step in critical_path(table, 2)] == [(2, 7), (3, 1)]


def test_lifted_children_are_taken_by_their_times():
    trace = tree("a @0-20", ["wrapper @0-10", ["b @8-9"], "c @5-20"])

    assert path(trace) == ["a 0", "wrapper 5", "c 15"]


def test_a_chain_of_any_depth_has_a_path():
    deepest = 20_000
    spans = [Record("s", str(i), str(i - 1) if i else None, start_time_ns=i, end_time_ns=10**6) for i in range(deepest)]

    trace = trace_of(spans)

    assert len(trace.critical_path()) == deepest
    assert trace.max_concurrency == 1


def test_a_path_is_shown_with_its_depths_and_own_times():
    trace = tree("agent AGENT @0-20", ["plan @1-19", ["search TOOL @2-18"]])

    assert path_lines(trace.table) == [" 2 ms  agent  AGENT", " 2 ms    plan  UNKNOWN", "16 ms      search  TOOL"]
    assert path_lines(trace.table, 1) == [" 2 ms  plan  UNKNOWN", "16 ms    search  TOOL"]
    assert path_lines(tree().table) == []


@pytest.mark.parametrize(
    ("count", "first", "last"),
    [(9, "0 ms  root  UNKNOWN", "9 ms    s9  UNKNOWN"), (10, " 2 ms  s2  UNKNOWN", " 1 ms  ... 2 more spans")],
)
def test_of_a_long_path_the_least_parts_are_summed_up(count, first, last):
    edges = [k * (k + 1) // 2 for k in range(count + 1)]  # s1 takes 1 ms, s2 takes 2 ms, ...
    spans = [f"s{k} @{edges[k - 1]}-{edges[k]}" for k in range(1, count + 1)]

    lines = path_lines(tree(f"root @0-{edges[-1]}", spans).table)

    assert (len(lines), lines[0], lines[-1]) == (10, first, last)


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ([], 0),
        (["a @0-10"], 1),
        (["a @0-10", ["b @2-4", "c @4-6"]], 1),
        (["a @0-10", ["b @2-5", "c @4-6"]], 2),
        (["a @0-10", ["b @2-6", ["d @3-5"], "c @4-6", ["e @4-5"]]], 2),
        (["a @0-10", ["b @2-", "c @20-30"]], 2),
        (["a @0-10", ["b @5-5", "c @0-10"]], 2),
        (["a @0-10", ["b @5-5", "c @5-10"]], 1),
        (["a @0-10", ["b @7-3", "c @0-10"]], 2),  # ends before it starts: it was there at its start
        (["a @5-5", ["b @5-5", "c @5-5"]], 1),
        (["a @0-2", "b @1-3", "c @1-4"], 3),
        (["a @2-9", ["b @0-4"]], 1),
        (["a @2-", ["b @2-5", ["c @0-4"]]], 1),
    ],
)
def test_concurrency_counts_the_spans_that_run_without_a_child_running(specs, expected):
    assert tree(*specs).max_concurrency == expected


# Oracles

# (parent, start, end) of each span; a parent that comes later is none, an end of 13 is none
SPANS = st.lists(st.tuples(st.integers(-1, 7), st.integers(0, 9), st.integers(0, 13)), min_size=1, max_size=9)


def interval_tree(spans):
    """A trace of any shape and any times, the impossible ones too."""
    return trace_of(
        [
            Record(
                f"s{i}",
                str(i),
                str(parent) if 0 <= parent < i else None,
                start_time_ns=start * NS_PER_MS,
                end_time_ns=None if end == 13 else end * NS_PER_MS,
            )
            for i, (parent, start, end) in enumerate(spans)
        ]
    )


def path_by_moments(trace):
    """Walk back from the end, a millisecond at a time, asking each time who is on: the names with their own time."""
    last_moment = max(ms for span in trace.spans for ms in (start_of(span), end_of(span)) if ms is not None)
    ends = {}
    for span in trace.spans:
        if span.parent is None:
            below = [span, *span.descendants()]
            known = max(ms for each in below for ms in (start_of(each), end_of(each)) if ms is not None)
            ends[span] = known if span.end_ns is None else end_of(span)
        else:
            ends[span] = min(ends[span.parent], last_moment if span.end_ns is None else end_of(span))

    own = {}

    def walk(spans, owner, first, moment):
        inside = None
        since = moment
        while moment > first:
            if inside is None:
                on = [span for span in spans if start_of(span) < moment <= ends[span]]
                on.sort(key=lambda span: (ends[span] != moment, start_of(span), spans.index(span)))
                inside, since = (on[0], moment) if on else (None, moment)
            moment -= 1
            if inside is None:
                own[owner] = own.get(owner, 0) + 1
            elif moment in {start_of(inside), first}:
                own.setdefault(inside, 0)
                walk(inside.children, inside, moment, since)
                inside = None

    roots = trace.roots
    if all(ends[root] <= start_of(root) for root in roots):
        return {roots[0].name: 0}
    walk(roots, None, min(map(start_of, roots)), max(ends[root] for root in roots))
    return {span.name: ms for span, ms in own.items() if span is not None}


def start_of(span):
    return span.start_ns // NS_PER_MS


def end_of(span):
    return None if span.end_ns is None else span.end_ns // NS_PER_MS


@given(SPANS.map(interval_tree))
@settings(max_examples=300)
def test_the_path_is_that_of_a_walk_through_every_moment(trace):
    steps = critical_path(trace.table)

    assert {trace.table.names[step.position]: step.own_ns // NS_PER_MS for step in steps} == path_by_moments(trace)


@given(SPANS.map(interval_tree))
@settings(max_examples=150)
def test_the_own_parts_add_up_and_never_exceed_the_self_time(trace):
    steps = critical_path(trace.table)

    for step in steps:
        span = trace.span_at(step.position)
        assert 0 <= step.own_ns <= step.end_ns - step.start_ns
        if span.self_ms is not None and span.self_ms >= 0:
            assert step.own_ns <= span.self_ms * NS_PER_MS
    if len(trace.roots) == 1 and (trace.duration_ms or -1) >= 0:
        assert sum(step.own_ns for step in steps) == trace.duration_ms * NS_PER_MS
        assert steps[0].own_ns == trace.root.self_ms * NS_PER_MS


@given(SPANS.map(interval_tree))
@settings(max_examples=150)
def test_the_concurrency_is_that_of_the_busiest_moment(trace):
    def runs(span, moment):
        return start_of(span) < moment and (span.end_ns is None or moment < end_of(span))

    def strands(moment, also=None):
        on = [span for span in trace.spans if span is also or runs(span, moment)]
        return sum(not any(child in on for child in span.children) for span in on)

    between = [strands(ms + 0.5) for ms in range(14)]
    instants = [span for span in trace.spans if span.end_ns is not None and span.end_ns <= span.start_ns]
    assert trace.max_concurrency == max([*between, *(strands(start_of(span), span) for span in instants)])
