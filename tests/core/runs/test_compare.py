"""What a test traced before against what it traces now."""

from __future__ import annotations

import pytest
from hypothesis import given

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.runs.compare import compare
from tests.support.building import Event, node, tree
from tests.support.tracing import traces

USAGE = {"mlflow.trace.tokenUsage": '{"total_tokens": 12}'}


def compared(old, new):
    return compare("test_it", old if isinstance(old, list) else [old], new if isinstance(new, list) else [new])


def test_the_same_structure_is_the_same():
    result = compared(tree("agent", ["plan"]), tree("agent @50-90", ["plan @60-70"]))

    assert (result.verdict, result.findings, result.soft, result.texts) == ("same", (), (), ())


@pytest.mark.parametrize(
    "new",
    [
        tree("agent", ["planning", "search TOOL"]),
        tree("agent", ["plan"]),
        tree("agent", ["plan", "search TOOL", "extra"]),
        tree("agent", ["plan", ["search TOOL"]]),
        tree("agent", ["plan", "search RETRIEVER"]),
        tree("agent", ["plan ERROR", "search TOOL"]),
        tree("agent", ["search TOOL", "plan"]),
    ],
)
def test_every_structural_change_is_hard(new):
    result = compared(tree("agent", ["plan", "search TOOL"]), new)

    assert result.verdict == "differs"
    assert result.findings
    assert len(result.texts) == 1


def test_overlapping_siblings_may_change_places_and_it_is_told():
    result = compared(tree("agent @0-9", ["a @1-5", "b @2-6"]), tree("agent @0-9", ["b @1-5", "a @2-6"]))

    assert result.verdict == "same"
    assert result.soft == (
        Finding("soft.order", "agent", "spans that overlap in time as before", "another order"),
    )  # fmt: skip


def test_siblings_that_overlap_on_one_side_only_may_change_places_too():
    apart, overlapping = tree("agent @0-9", ["a @1-2", "b @3-6"]), tree("agent @0-9", ["b @1-5", "a @2-6"])

    for old, new in ((apart, overlapping), (overlapping, apart)):
        result = compared(old, new)
        assert (result.verdict, result.findings) == ("same", ())
        assert [finding.rule for finding in result.soft] == ["soft.order", "soft.parallel"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ([], tree("a"), "only in the new traces"),
        (tree("a"), [], "only in the old traces"),
        (tree("a"), [tree("a"), tree("a")], "1 trace(s) before, 2 now; only now: 'a'"),
        ([tree("a"), tree("b")], tree("c"), "2 trace(s) before, 1 now; only before: 'a', 'b'; only now: 'c'"),
        (tree(), tree("a"), "the old trace '''' is not whole: it has no spans"),
        (tree("a"), tree("a @0-"), "the new trace 'a' is not whole: unfinished: span a has no end time"),
        (tree("a", metadata=USAGE), tree("a"), "the new trace 'a' recorded no token usage, the other did"),
    ],
)
def test_what_cannot_be_compared_is_not_the_same(old, new, says):
    result = compared(old, new)

    assert (result.verdict, result.reason) == ("not comparable", says)


def test_tags_tokens_and_attributes_are_soft():
    old = tree(
        node("agent AGENT", attributes={"kept": 1, "value": 1, "gone": 1, "mlflow.traceRequestId": "tr-1"}),
        tags={"team": "red", "same": "x"},
        metadata=USAGE,
    )
    new = tree(
        node("agent AGENT", attributes={"kept": 1, "value": 2, "new": "x" * 99, "mlflow.traceRequestId": "tr-2"}),
        tags={"same": "x", "team": "blue", "user": "u1"},
        metadata={"mlflow.trace.tokenUsage": '{"total_tokens": 15}'},
    )

    result = compared(old, new)

    assert result.verdict == "same"
    assert [(each.rule, each.where, each.expected, each.actual) for each in result.soft] == [
        ("soft.tag", "tag team", "'red'", "'blue'"),
        ("soft.tag", "tag user", "absent", "'u1'"),
        ("soft.tokens", "agent", "12 tokens", "15"),
        ("soft.attribute", "agent, attribute value", "1", "2"),
        ("soft.attribute", "agent, attribute gone", "1", "absent"),
        ("soft.attribute", "agent, attribute new", "absent", f"'{'x' * 29}...{'x' * 29}'"),
    ]


def test_the_status_of_the_whole_trace_is_hard_where_it_is_not_the_root_s():
    result = compared(tree("agent"), tree("agent", status="ERROR"))

    assert result.verdict == "differs"
    assert result.findings == (Finding("trace.status", "trace 'agent'", "'OK'", "'ERROR'"),)
    assert result.texts == ("trace 'agent': status: expected 'OK', got 'ERROR'",)


def test_a_failure_of_the_root_is_told_once():
    result = compared(tree("agent"), tree("agent ERROR", status="ERROR"))

    assert [each.rule for each in result.findings] == ["shape.different"]


def test_metadata_of_the_user_is_soft_and_that_of_mlflow_no_matter():
    own = {"mlflow.trace.sizeBytes": "10", "mlflow.source.git.commit": "a"}
    old = tree("agent", metadata={**own, "tenant": "one", "mlflow.trace.user": "ada"})
    new = tree("agent", metadata={**dict.fromkeys(own, "b"), "tenant": "two", "mlflow.trace.user": "bob"})

    result = compared(old, new)

    assert result.verdict == "same"
    assert result.soft == (
        Finding("soft.metadata", "metadata tenant", "'one'", "'two'"),
        Finding("soft.metadata", "metadata mlflow.trace.user", "'ada'", "'bob'"),
    )


def failed(type_, message="went wrong", status="ERROR"):
    raised = Event("exception", {"exception.type": type_, "exception.message": message})
    return tree("agent", [node(f"search {status}", events=[raised])])


def test_another_exception_of_a_span_that_fails_as_before_is_soft():
    result = compared(failed("TimeoutError"), failed("ValueError"))

    assert result.verdict == "same"
    assert result.soft == (
        Finding(
            "soft.error", "agent > search, exception", "TimeoutError: went wrong", "ValueError: went wrong"
        ),
    )  # fmt: skip


def test_another_message_of_an_exception_is_soft_but_for_ids():
    run = "request 00f067aa0ba902b7", "request b7ad6b7169203331"

    assert compared(*(failed("TimeoutError", text) for text in run)).soft == ()
    assert [each.rule for each in compared(failed(None, "no"), failed(None, "")).soft] == ["soft.error"]
    assert compared(failed("TimeoutError"), failed("ValueError", status="OK")).soft == ()


def test_other_events_of_a_span_are_soft():
    retry = Event("retry", {"attempt": 2})
    sides = [tree(node("agent", events=events)) for events in ([], [retry], [retry, retry])]

    assert compared(sides[0], sides[1]).soft == (Finding("soft.event", "agent, events", "none", "retry"),)
    assert compared(sides[1], sides[2]).soft == (Finding("soft.event", "agent, events", "retry", "retry, retry"),)
    assert compared(sides[1], sides[1]).soft == ()


def test_parallel_children_that_became_sequential_are_soft_and_the_other_way_round():
    at_once = tree("agent @0-9", ["a @1-5", "b @2-6"])
    in_turn = tree("agent @0-9", ["a @1-2", "b @2-6"])

    assert compared(at_once, in_turn).verdict == "same"
    assert compared(at_once, in_turn).soft == (
        Finding("soft.parallel", "agent, children", "some at the same time", "one after the other"),
    )
    assert [each.rule for each in compared(in_turn, at_once).soft] == ["soft.parallel"]


def test_traces_of_one_test_in_another_order_are_soft():
    old = [tree("check @1-2"), tree("charge @3-4")]
    new = [tree("charge @1-2"), tree("check @3-4")]

    result = compared(old, new)

    assert result.verdict == "same"
    assert result.soft == (Finding("soft.order", "the traces of test_it", "check, charge", "charge, check"),)


def test_a_trace_that_has_another_name_than_its_root_is_told():
    result = compared(tree("agent"), tree("agent", system_tags={"mlflow.traceName": "support"}))

    assert result.verdict == "same"
    assert result.soft == (Finding("soft.name", "the name of the trace", "'agent'", "'support'"),)


def test_many_attributes_push_out_nothing_else():
    first, second = (
        tree("a @0-9", [node("b @1-2 ERROR", attributes={str(key): value for key in range(40)})], tags={"t": value})
        for value in "xy"
    )

    result = compared([first, tree("c @10-11", tags={"u": "1"})], [second, tree("c @10-11", tags={"u": "2"})])

    assert [each.where for each in result.soft[:2]] == ["tag t", "tag u"]


@pytest.mark.parametrize(("before", "after", "told"), [(9, 15, 0), (100, 120, 0), (200, 251, 1), (251, 200, 1)])
def test_a_latency_is_told_where_it_changed_by_a_ratio_and_by_milliseconds(before, after, told):
    result = compared(tree(f"a @0-{before}"), tree(f"a @0-{after}"))

    assert [each.rule for each in result.soft] == ["soft.latency"] * told


def messages(run, answer):
    return {"messages": [{"id": f"run--{run}", "content": "a" * 90, "model": "gpt-4o"}, answer], "checkpoint": run}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("019c1f2e-785a-41bf-9627-a805145acf81", "7f1d0b4c-5f27-4c0e-8f3a-0d5b7e2f9a10"),
        ("00f067aa0ba902b7", "b7ad6b7169203331"),
        ("tr-9172e2c33437617629c39a1001d88486", "tr-4bf92f3577b34da6a3ce929d0e0e4736"),
    ],
)
def test_ids_that_each_run_makes_anew_are_no_difference(old, new):
    sides = [tree(node("agent", attributes={"said": messages(run, "yes")})) for run in (old, new)]

    assert compared(*sides).soft == ()


@pytest.mark.parametrize(("old", "new"), [("gpt-4o", "gpt-5"), (1764038400000000000, 1764038400000000001), ({1}, {2})])
def test_what_is_no_id_is_a_difference(old, new):
    (found,) = compared(*(tree(node("agent", attributes={"v": each})) for each in (old, new))).soft

    assert (found.expected, found.actual) == (repr(old), repr(new))


def test_of_a_long_value_the_place_is_told_that_differs():
    sides = [tree(node("agent", attributes={"said": messages("00f067aa0ba902b7", answer)})) for answer in ("yes", "no")]

    assert [str(each) for each in compared(*sides).soft] == [
        "soft.attribute at agent, attribute said['messages'][1]: expected 'yes', got 'no'"
    ]


def test_attributes_are_told_where_the_structure_differs_too():
    old = tree("agent", [node("a", attributes={"n": 1}), node("a", attributes={"n": 1}), "b"])
    new = tree("agent", [node("a", attributes={"n": 1}), node("a", attributes={"n": 2})])

    result = compared(old, new)

    assert result.verdict == "differs"
    assert [each.where for each in result.soft] == ["agent > a[2], attribute n"]


def test_traces_are_paired_by_name_and_then_by_start():
    old = [tree("a @5-9", ["x @6-7"]), tree("b @1-5", ["y @2-3"]), tree("a @2-3")]
    new = [tree("b @7-9", ["y @8-9"]), tree("a @1-2"), tree("a @3-9", ["x @4-5"])]

    assert compared(old, new).verdict == "same"


def test_a_flood_of_soft_differences_is_counted():
    old, new = (tree("a", tags={str(key): value for key in range(100)}) for value in "xy")

    soft = compared(old, new).soft

    assert len(soft) == 31
    assert soft[-1].actual == "70 more soft differences"


@given(traces(roots=1))
def test_a_trace_is_the_same_as_itself(trace):
    result = compared(trace, trace)

    assert (result.verdict, result.soft) == ("same", ())


def test_attributes_that_came_from_no_json_are_compared_as_they_are():
    old, new = (tree(node("a", attributes={"k": {"seen": {number}}})) for number in (1, 2))

    assert [(each.rule, each.expected, each.actual) for each in compared(old, new).soft] == [
        ("soft.attribute", "{1}", "{2}"),
    ]  # fmt: skip


def test_a_trace_under_another_name_is_compared_with_the_one_at_its_place():
    result = compared(tree("old agent"), tree("new agent"))

    assert (result.verdict, len(result.texts)) == ("differs", 1)
