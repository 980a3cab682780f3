import copy
import pickle
import random
from dataclasses import dataclass
from enum import Enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces.core.spans.records import UNNAMED, SpanError, SpanEvent, as_text, visible
from pytest_mlflow_traces.core.spans.table import SpanTable
from pytest_mlflow_traces.core.text.durations import NS_PER_MS
from tests.support.building import Event, Record, Status, node, records, tree
from tests.support.messages import exactly


def record(
    span_id: str, parent_id: str | None = None, start: int = 0, end: int | None = 100, **fields: object
) -> Record:
    return Record(f"s{span_id}", span_id, parent_id, start_time_ns=start, end_time_ns=end, **fields)


def shape(table: SpanTable) -> list[tuple[str, int]]:
    return [(name, table.depth(i)) for i, name in enumerate(table.names)]


# A naive tree of the same records, to compare with


@dataclass
class Naive:
    order: list[int]
    above: list[int]
    cut: list[int]


def naive(spans: list[Record]) -> Naive:
    ids = [span.span_id for span in spans]
    above = [-1 if span.parent_id not in ids else ids.index(span.parent_id) for span in spans]
    by_start = sorted(range(len(spans)), key=lambda k: (spans[k].start_time_ns, k))
    cut = []
    for k in by_start:
        trail, at = [k], above[k]
        while at >= 0 and at not in trail:
            trail.append(at)
            at = above[at]
        if at == k:  # k is the first of a cycle to be met, and back at itself
            above[k] = -1
            cut.append(k)
    order: list[int] = []

    def visit(parent: int) -> None:
        for k in by_start:
            if above[k] == parent:
                order.append(k)
                visit(k)

    visit(-1)
    return Naive(order, above, cut)


tangles = st.lists(
    st.builds(
        record,
        st.sampled_from("0123456"),
        st.none() | st.sampled_from("0123456x"),
        st.integers(0, 3),
        st.none() | st.integers(0, 5),
    ),
    max_size=9,
)


@given(tangles)
@settings(max_examples=200)
def test_any_list_of_records_becomes_the_naive_tree(spans):
    for k, span in enumerate(spans):
        span.name = f"n{k % 3}"
        span.attributes = {"k": k}
    expected = naive(spans)
    table = SpanTable(spans)
    position = {k: i for i, k in enumerate(expected.order)}

    assert [table.attributes(i)["k"] for i in range(len(table))] == expected.order
    assert table.parents == [position.get(expected.above[k], -1) for k in expected.order]
    below = [sum(i <= j and above(table, j, i) for j in range(len(table))) for i in range(len(table))]
    assert table.stops == [i + count for i, count in enumerate(below)]
    assert table.starts == [spans[k].start_time_ns for k in expected.order]
    ended = [spans[k] for k in expected.order]
    assert table.ends == [each.end_time_ns or None if each.start_time_ns else each.end_time_ns for each in ended]
    assert table.roots() == [i for i, parent in enumerate(table.parents) if parent < 0]
    for i in range(len(table)):
        assert table.children(i) == [j for j, parent in enumerate(table.parents) if parent == i]
        assert table.depth(i) == sum(above(table, i, j) for j in range(i))
    for name in ("n0", "n1", "n2", "n3", "n0"):
        assert table.named(name) == [i for i, each in enumerate(table.names) if each == name]
    assert sum(text.startswith("cycle") for text in table.problems()) == len(expected.cut)


def above(table: SpanTable, i: int, ancestor: int) -> bool:
    while i > ancestor:
        i = table.parents[i]
    return i == ancestor


@given(tangles, st.sets(st.integers(0, 8)))
@settings(max_examples=100)
def test_spans_that_are_seen_through_leave_their_children_in_their_place(spans, removed):
    table = SpanTable(spans)
    removed = {i for i in removed if i < len(table)}
    lifted = table.without(removed)
    kept = [i for i in range(len(table)) if i not in removed]

    assert lifted.names == [table.names[i] for i in kept]  # the pre-order stays
    for new, old in enumerate(kept):
        ancestors = [k for k, other in enumerate(kept) if other < old and above(table, old, other)]
        assert lifted.parents[new] == (max(ancestors) if ancestors else -1)
        assert lifted.records[new] is table.records[old]
        assert lifted.stops[new] == new + sum(other >= old and above(table, other, old) for other in kept)
    columns = ("starts", "ends", "types", "statuses")
    assert all(getattr(lifted, each) == [getattr(table, each)[i] for i in kept] for each in columns)
    assert lifted.structural_problems == table.structural_problems


# Order


def test_siblings_are_ordered_by_start_and_then_by_creation():
    spans = [record("0"), *(record(str(k), "0", start) for k, start in enumerate((5, 3, 5, 3, 4), 1))]

    assert SpanTable(spans).names == ["s0", "s2", "s4", "s5", "s1", "s3"]


def test_parents_stand_before_their_children_under_equal_clocks():
    # MLflow stores ties in the order in which the spans ended: children first
    spans = [record("2", "1"), record("1", "0"), record("3", "1"), record("0")]

    assert shape(SpanTable(spans)) == [("s0", 0), ("s1", 1), ("s2", 2), ("s3", 2)]


def test_an_early_child_stays_below_its_parent():
    table = SpanTable([record("0", start=5), record("1", "0", start=2)])

    assert shape(table) == [("s0", 0), ("s1", 1)]
    assert table.problems() == ("early child: span s0 > s1 starts before its parent",)


def test_times_may_be_any_numbers_that_compare():
    table = SpanTable(
        [record("0"), record("1", "0", start=2.5), record("2", "0", start=True), record("3", "0", start=None)]
    )

    assert table.names == ["s0", "s3", "s2", "s1"]


# Problems


@pytest.mark.parametrize(
    ("spans", "rows", "problems"),
    [
        ([], [], ()),
        ([record("0"), record("1", "0")], [("s0", 0), ("s1", 1)], ()),
        ([record("0", "")], [("s0", 0)], ()),
        (
            [record("0"), record("1"), record("2", "1")],
            [("s0", 0), ("s1", 0), ("s2", 1)],
            ("several roots: 2 spans have no parent in this trace: s0, s1",),
        ),
        (
            [record("1", "gone"), record("2", "1")],
            [("s1", 0), ("s2", 1)],
            ("orphan: span s1 names the parent 'gone', which is not in the trace",),
        ),
        (
            [record("0"), record("1", "0"), record("1", "0", start=1), record("2", "1")],
            [("s0", 0), ("s1", 1), ("s2", 2), ("s1", 1)],
            ("duplicate id: span s1 has the id '1' of another span",),
        ),
        ([record("0", "0")], [("s0", 0)], ("cycle: span s0 is its own ancestor",)),
        (
            [record("1", "2", start=1), record("2", "1", start=0)],
            [("s2", 0), ("s1", 1)],
            ("cycle: span s2 is its own ancestor",),
        ),
        (
            [record("1", "3"), record("2", "1"), record("3", "2"), record("4", "2", start=-5), record("5", "4")],
            [("s1", 0), ("s2", 1), ("s4", 2), ("s5", 3), ("s3", 2)],
            ("cycle: span s1 is its own ancestor", "early child: span s1 > s2 > s4 starts before its parent"),
        ),
        (
            [record("1", "2"), record("2", "1"), record("3", "4"), record("4", "3"), record("5", "5")],
            [("s1", 0), ("s2", 1), ("s3", 0), ("s4", 1), ("s5", 0)],
            (
                "cycle: span s1 is its own ancestor",
                "cycle: span s3 is its own ancestor",
                "cycle: span s5 is its own ancestor",
                "several roots: 3 spans have no parent in this trace: s1, s3, s5",
            ),
        ),
        (
            [record("0", end=None), record("1", "0", start=9, end=3)],
            [("s0", 0), ("s1", 1)],
            ("unfinished: span s0 has no end time", "negative duration: span s0 > s1 ends before it starts"),
        ),
        (
            [record("a\nb", "x\ny")],
            [("sa\nb", 0)],
            (r"orphan: span sa\nb names the parent 'x\ny', which is not in the trace",),
        ),
    ],
)
def test_what_is_wrong_is_kept_and_named(spans, rows, problems):
    table = SpanTable(spans)

    assert shape(table) == rows
    assert table.problems() == problems


def test_many_roots_are_named_by_the_first_five():
    assert SpanTable([record(str(k)) for k in range(7)]).problems() == (
        "several roots: 7 spans have no parent in this trace: s0, s1, s2, s3, s4, ...",
    )


@pytest.mark.parametrize(
    ("spans", "kind"),
    [
        ([record(str(k), f"x{k}") for k in range(60)], "orphan"),
        ([record("0") for _ in range(61)], "duplicate id"),
        ([record(str(k), str(k)) for k in range(60)], "cycle"),
        ([record(str(k), end=None) for k in range(60)], "unfinished"),
    ],
)
def test_of_each_kind_of_problem_fifty_are_named(spans, kind):
    found = [text for text in SpanTable(spans).problems() if text.startswith(kind)]

    assert len(found) == 51
    assert found[-1] == f"{kind}: 10 more spans like this"


# Fields


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status("OK"), "OK"),
        (Status("ERROR"), "ERROR"),
        (Status("STATUS_CODE_ERROR"), "ERROR"),
        ("OK", "OK"),
        (None, "UNSET"),
    ],
)
def test_the_status_is_one_of_three(status, expected):
    assert SpanTable([record("0", status=status)]).statuses == [expected]


@pytest.mark.parametrize("code", ["nonsense", "error", "", 2, True, ["OK"]])
def test_a_status_that_nobody_knows_is_refused(code):
    # as "UNSET" it would pass for no error
    legal = "'OK', 'ERROR', 'UNSET', alone or behind 'STATUS_CODE_'"
    for status in (Status(code), code):
        with pytest.raises(ValueError, match=exactly(f"not a span: unknown status code {code!r} (legal: {legal})")):
            SpanTable([record("0", status=status)])


class Color(str, Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("given", "text"), [(5, "5"), (["a", 1], "['a', 1]"), (True, "True"), (Color.RED, "red"), ({"a": 1}, "{'a': 1}")]
)
def test_names_and_types_from_outside_are_made_text(given, text):
    table = SpanTable([node("s", name=given, span_type=given)])

    assert (table.names, table.types, table.path(0)) == ([text], [text], text)
    assert type(table.names[0]) is type(table.types[0]) is str
    assert table.named(text) == [0]


def test_a_span_without_a_name_is_shown_and_has_none():
    table = SpanTable(records(node("s", name=None, span_type=None), ["(unnamed)"]))

    assert table.path(1) == "(unnamed) > (unnamed)"
    assert [str(name) for name in table.names] == ["(unnamed)", "(unnamed)"]
    assert table.names[0] is UNNAMED
    assert UNNAMED != "(unnamed)"
    assert not UNNAMED == "(unnamed)"  # noqa: SIM201  # the other operator
    for _ in range(3):  # by looking, by building an index, and by the index
        assert table.named("(unnamed)") == [1]
    assert table.problems() == ()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda name: pickle.loads(pickle.dumps(name)), as_text])
def test_there_is_one_name_for_all_that_have_none(copied):
    assert copied(UNNAMED) is UNNAMED


def test_what_has_not_come_through_the_door_can_be_shown():
    assert [visible(name) for name in (None, 5, [1], UNNAMED)] == ["(unnamed)", "5", "[1]", "(unnamed)"]


def test_an_end_at_zero_is_none_as_otlp_says_it():
    trace = tree("a @5-9", [node("b", start_time_ns=6 * NS_PER_MS, end_time_ns=0)])

    assert trace.table.ends[1] is None
    assert trace.problems == ("unfinished: span a > b has no end time",)
    assert tree("a @0-0").table.ends == [0]


def test_a_missing_type_is_unknown():
    assert SpanTable([record("0", span_type=None), record("1", span_type="TOOL")]).types == ["UNKNOWN", "TOOL"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, None),
        ({"status": Status("UNSET", "odd")}, None),
        ({"status": Status("ERROR")}, SpanError(None, None)),
        ({"status": Status("ERROR", "boom")}, SpanError(None, "boom")),
        ({"status": Status("ERROR", "boom"), "events": [Event("log", {})]}, SpanError(None, "boom")),
        ({"events": [Event("exception", {"exception.type": "E"})]}, SpanError("E", None)),
        ({"events": [Event("exception", {})], "status": Status("ERROR", "boom")}, SpanError(None, None)),
        ({"events": [Event("exception", None)]}, SpanError(None, None)),
        ({"events": [Event("exception", {"exception.type": 5, "exception.message": ""})]}, SpanError("5", "")),
        (
            {"events": [Event("exception", {"exception.type": "A"}), Event("exception", {"exception.type": "B"})]},
            SpanError("B", None),
        ),
        ({"events": None, "status": "ERROR"}, SpanError(None, None)),
    ],
)
def test_the_error_is_the_last_exception_that_was_recorded(fields, error):
    assert SpanTable([record("0", **fields)]).error(0) == error


def test_events_keep_their_order():
    table = SpanTable([record("0", events=[Event("b", {"k": 1}, 7), Event("a", None)])])

    assert table.events(0) == (SpanEvent("b", 7, {"k": 1}), SpanEvent("a", 0, {}))


def test_a_field_is_decoded_when_first_asked_for_and_once():
    asked = []

    class Lazy(Record):
        @property
        def inputs(self):
            asked.append(self.name)
            return None

        @inputs.setter
        def inputs(self, value):
            pass

    table = SpanTable([Lazy("a", "0"), Lazy("b", "1")])
    assert not asked

    assert table.inputs(1) is table.inputs(1) is None
    assert asked == ["b"]


def test_absent_attributes_are_none_at_all():
    assert SpanTable([record("0", attributes=None)]).attributes(0) == {}


# Paths


def test_a_path_numbers_siblings_of_one_name():
    table = tree("a", ["b", ["c", "c"], "d", "b", ["c"]], "a").table

    assert [table.path(i) for i in range(len(table))] == [
        *("a", "a > b", "a > b > c", "a > b > c[2]", "a > d", "a > b[2]", "a > b[2] > c", "a[2]"),
    ]


def test_a_path_escapes_what_does_not_print():
    assert SpanTable([record("\n\x1b")]).path(0) == r"s\n\x1b"


def test_of_a_very_deep_path_the_ends_are_shown():
    spans = [record(str(k), str(k - 1) if k else None) for k in range(20)]

    assert SpanTable(spans).path(19) == "s0 > s1 > s2 > s3 > ... 12 more ... > s16 > s17 > s18 > s19"
    assert SpanTable(spans).path(11) == " > ".join(f"s{k}" for k in range(12))


# Size


class Bare:
    """A record of nothing but its place, for very many of them."""

    __slots__ = ("parent_id", "span_id", "start_time_ns")
    name, span_type, status, end_time_ns = "s", "TOOL", "OK", 10**9

    def __init__(self, span_id: object, parent_id: object = None, start: int = 0) -> None:
        self.span_id, self.parent_id, self.start_time_ns = span_id, parent_id, start


def test_a_hundred_thousand_spans_deep():
    count = 100_000
    table = SpanTable([Bare(k, k - 1 if k > 1 else None, start=k) for k in range(1, count + 1)])

    assert table.stops == [count] * count
    assert table.depth(count - 1) == count - 1
    assert len(table.without(range(1, count, 2))) == count // 2
    assert table.problems() == ()


def test_a_hundred_thousand_spans_wide_in_any_order():
    order = list(range(2, 100_001))
    random.Random(1).shuffle(order)
    table = SpanTable([Bare(1), *(Bare(k, 1, start=k) for k in order)])

    assert table.children(0) == list(range(1, 100_000))
    assert table.starts == sorted(table.starts)


def test_cycles_of_any_length_are_cut_in_linear_time():
    count = 50_000
    table = SpanTable(
        [Bare(k, k % count + 1) for k in range(1, count + 1)] + [Bare(-k, -(k ^ 1)) for k in range(2, count)]
    )

    assert len(table) == 2 * count - 2
    assert len(table.roots()) == 1 + (count - 2) // 2


def test_records_are_read_by_their_public_attributes():
    assert SpanTable(records("a TOOL ERROR", [node("b", inputs={"q": 1}, outputs=None)])).inputs(1) == {"q": 1}
