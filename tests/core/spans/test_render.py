import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.spans.render import INDENTED_LEVELS, Row, draw, tree_lines
from tests.support.building import Event, Record, Status, node, trace_of, tree
from tests.support.generating import texts


def chain(depth: int) -> str:
    """The picture of spans each below the one before."""
    spans = [Record(f"s{k}", str(k), str(k - 1) if k else None, "T", 0, 0) for k in range(depth)]
    return trace_of(spans).tree()


def test_a_tree_is_drawn_with_types_times_and_errors():
    trace = tree(
        "agent AGENT @0-1234",
        [
            "load_context MEMORY @0-12.5",
            ["short_term RETRIEVER @0-3", "long_term RETRIEVER @3-12"],
            "query ERROR @20-1000",
            [node("search TOOL @20-21", error="app.Wrong"), "open @30-"],
            node("save @1100-1100", events=[Event("exception", {"exception.type": "E"})]),
        ],
    )

    assert trace.tree().splitlines() == [
        "agent  AGENT                 1.23 s",
        "├─ load_context  MEMORY      12.5 ms",
        "│  ├─ short_term  RETRIEVER  3 ms",
        "│  └─ long_term  RETRIEVER   9 ms",
        "├─ query  UNKNOWN            980 ms  ERROR",
        "│  ├─ search  TOOL           1 ms  ERROR app.Wrong: went wrong",
        "│  └─ open  UNKNOWN          unfinished",
        "└─ save  UNKNOWN             0 ms  exception E",
    ]


def test_several_roots_stand_at_the_margin():
    assert tree("a @0-1", ["b @0-1"], "c @2-3").tree().splitlines() == [
        "a  UNKNOWN     1 ms",
        "└─ b  UNKNOWN  1 ms",
        "c  UNKNOWN     1 ms",
    ]


def test_nothing_is_drawn_as_such():
    assert tree().tree() == "(no spans)"
    assert draw([]) == []


def test_names_cannot_break_the_lines_or_reach_the_terminal():
    names = [
        "a\nb",
        "\x1b[31mred\x1b[0m",
        "\u2028\x85\r",
        " padded ",
        "",
        "`code` | *bold* <b>",
        "\u202eleft",
        "\ud800",
    ]
    trace = trace_of([Record(name, str(k), None, "T\n", 0, 0) for k, name in enumerate(names)])

    assert trace.tree().splitlines() == [
        *(f"{shown:<24}  0 ms" for shown in [
            r"a\nb  T\n",
            r"\x1b[31mred\x1b[0m  T\n",
            r"\u2028\x85\r  T\n",
            r"' padded '  T\n",
            r"''  T\n",
            r"`code` | *bold* <b>  T\n",
            r"\u202eleft  T\n",
            r"\ud800  T\n",
        ]),
    ]  # fmt: skip


def test_errors_are_cut_and_cannot_break_the_lines():
    status = Status("ERROR", "no\nluck \x1b[0m" + "x" * 100)
    trace = trace_of([Record("a", "0", None, "T", 0, 0, status)])

    assert trace.tree() == rf"a  T  0 ms  ERROR no\nluck \x1b[0m{'x' * 61}..."


def test_one_long_name_does_not_push_the_notes_of_all_out():
    lines = trace_of([Record("x" * 100, "0", None, "T", 0, 0), Record("y", "1", "0", "T", 0, 0)]).tree().splitlines()

    assert lines == ["x" * 100 + "  T  0 ms", f"{'└─ y  T':<58}  0 ms"]


def test_very_deep_spans_say_their_depth_at_one_indent():
    lines = chain(29).splitlines()

    assert lines[INDENTED_LEVELS - 1] == f"{'   ' * 22}└─ s23  T  0 ms"
    assert [line.removeprefix("   " * 23) for line in lines[INDENTED_LEVELS:]] == [
        "├─ s24  T  0 ms",
        "├─ (depth 25) s25  T  0 ms",
        "├─ (depth 26) s26  T  0 ms",
        "├─ (depth 27) s27  T  0 ms",
        "└─ (depth 28) s28  T  0 ms",
    ]


def test_a_deep_chain_is_drawn_in_linear_size():
    assert len(chain(4_000)) < 4_000 * 110


def test_marks_stand_in_a_margin_where_any_row_has_one():
    rows = [Row(0, "a", "1 ms"), Row(1, "b", mark="-"), Row(1, "c", "2 ms", mark="+")]

    assert draw(rows) == [
        "  a     1 ms",
        "- ├─ b",
        "+ └─ c  2 ms",
    ]
    assert draw(rows[:1]) == ["a  1 ms"]


def test_further_notes_stand_below_a_row_without_cutting_its_branches():
    rows = [Row(0, "a"), Row(1, "b", "one", "~", ("two", "three")), Row(2, "c"), Row(1, "d", "four", "", ("five",))]

    assert draw(rows) == [
        "  a",
        "~ ├─ b     one",
        "  │  │     two",
        "  │  │     three",
        "  │  └─ c",
        "  └─ d     four",
        "           five",
    ]


@given(st.lists(st.tuples(st.integers(0, 4), texts), max_size=12))
def test_every_row_is_one_line_below_its_parent(drawn):
    depths: list[int] = []
    for depth, _ in drawn:
        depths.append(min(depth, depths[-1] + 1 if depths else 0))
    lines = draw([Row(depth, visible(name)) for depth, (_, name) in zip(depths, drawn, strict=True)])

    assert len(lines) == len(drawn)
    for line, depth, (_, name) in zip(lines, depths, drawn, strict=True):
        guides, label = line[: 3 * depth], line[3 * depth :]
        assert label == visible(name)
        assert set(guides) <= set("│├└─ ")
        assert guides[-3:] in (("├─ ", "└─ ") if depth else ("",))


def test_a_row_has_a_branch_on_where_a_sibling_follows():
    assert draw([Row(0, "a"), Row(1, "b"), Row(2, "c"), Row(1, "d"), Row(0, "e"), Row(1, "f")]) == [
        "a",
        "├─ b",
        "│  └─ c",
        "└─ d",
        "e",
        "└─ f",
    ]


@given(texts)
def test_what_is_visible_prints_on_one_line(text):
    assert visible(text).isprintable()
    assert visible(text).strip() == visible(text) != ""
    assert escaped(text).isprintable()


@pytest.mark.parametrize(
    ("text", "shown", "plain"),
    [
        ("plain name", "plain name", "plain name"),
        ("", "''", ""),
        (" ", "' '", " "),
        ("a\tb", r"a\tb", r"a\tb"),
        (" a\n", r"' a\n'", r" a\n"),
        ("é😀", "é😀", "é😀"),
        ("\\n", r"\n", r"\n"),
        ("::error::no", r"\x3a:error::no", r"\x3a:error::no"),
        ("  ::error::no", r"'  \x3a:error::no'", r"  \x3a:error::no"),
        ("a::b :c: #[d]", "a::b :c: #[d]", "a::b :c: #[d]"),
        ("a ##[error]no", r"a ##\x5berror]no", r"a ##\x5berror]no"),
        ("\U000e0001", r"\U000e0001", r"\U000e0001"),
    ],
)
def test_what_does_not_print_is_escaped(text, shown, plain):
    assert visible(text) == shown
    assert escaped(text) == plain


def test_the_lines_are_those_of_the_forest():
    trace = tree("a", ["b"])

    assert tree_lines(trace.table) == trace.tree().splitlines()
