import re
import textwrap
from types import EllipsisType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces.core import notation
from pytest_mlflow_traces.core.notation import NotationError, formatter, parser
from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, parallel, repeat, span
from pytest_mlflow_traces.core.patterns.nodes import Pattern, Repeat
from tests.support.building import tree
from tests.support.generating import HOSTILE, REGEXES, names, patterns

A, B, C = span("a"), span("b")[()], span("c")
AFTER_TYPE = "expected a status, a field, a quantifier, `...` or the end of the line"
AFTER_NAME = "expected a type, a status, a field, a quantifier, `...` or the end of the line"


def text_of(block: str) -> str:
    return textwrap.dedent(block).strip("\n")


# Texts that a reviewer reads


def test_a_trace_reads_without_a_manual():
    trace = tree(
        "orchestrator_invoke AGENT",
        [
            "load_context MEMORY",
            ["retrieve_short_term RETRIEVER", "retrieve_long_term RETRIEVER"],
            "RunnableSequence<a,b> CHAIN",
            "answer the question LLM ERROR",
        ],
    )

    assert notation.format(trace.to_pattern()) == text_of(
        """
        orchestrator_invoke AGENT OK
          load_context MEMORY OK
            retrieve_short_term RETRIEVER OK
            retrieve_long_term RETRIEVER OK
          RunnableSequence<a,b> CHAIN OK
          "answer the question" LLM ERROR
        """
    )


def test_every_form_has_its_place_on_the_lines():
    pattern = span("orchestrator_invoke", type="AGENT", has=[span("genie_query"), A | B], lacks=span("delete_table"))[
        span("classify_intent", type="CLASSIFIER", outputs={"domains": ["cost"], "sure": True}),
        span("query_agents")[
            any_order(
                repeat(span("genie", type="TOOL", status="OK", within="2s")[()], 1, 3), optional(span("security")), ...
            )
        ],
        ...,
        optional(one_of(span(re.compile("web_.*")), parallel(B, span(type=re.compile("tool", re.IGNORECASE))[()]))),
        repeat(optional(span("fail", error=ValueError, inputs=None, attributes={"llm.model": "gpt", "n": 1})[A]), 2),
    ]
    text = text_of(
        """
        orchestrator_invoke AGENT
          has:
            genie_query ...
            one of
              a ...
              b
          lacks:
            delete_table ...
          classify_intent CLASSIFIER outputs={"domains": ["cost"], "sure": True} ...
          query_agents
            any order
              genie TOOL OK within=2s {1,3}
              security ? ...
              ...
          ...
          one of ?
            /web_.*/ ...
            parallel
              b
              * /tool/i
          fail inputs=None attributes={"llm.model": "gpt", "n": 1} error=ValueError ? {2,}
            a ...
        """
    )

    assert notation.format(pattern) == text
    assert notation.parse(text) == pattern


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (span(), "* ..."),
        (span()[()], "*"),
        (span()[...], "*\n  ..."),
        (span(""), '"" ...'),
        (span("*"), '"*" ...'),
        (span("a b"), '"a b" ...'),
        (span(type="TOOL"), "* TOOL ..."),
        (span(type=""), '* "" ...'),
        (span(type="OK", status="OK"), '* "OK" OK ...'),
        (span("any order"), '"any order" ...'),
        (span("any", type="order"), '"any" order ...'),
        (span("parallel"), '"parallel" ...'),
        (span("parallel_agents"), "parallel_agents ..."),
        (span("any_order"), '"any_order" ...'),
        (span("..."), '"..." ...'),
        (span("x..."), '"x..." ...'),
        (span("#1"), '"#1" ...'),
        (span("a\n\u2028\x85\ud800é"), '"a\\n\\u2028\\u0085\\U0000d800é" ...'),
        (span("a", type="\u041e\u041a"), 'a "\u041e\u041a" ...'),  # Cyrillic letters, which look like OK
        (span("f(x)"), "f(x) ..."),
        (span("<lambda>"), "<lambda> ..."),
        (span("ns:name"), "ns:name ..."),
        (span("name:"), '"name:" ...'),
        (span("GET /api"), '"GET /api" ...'),
        (span(re.compile("")), "// ..."),
        (span(re.compile("GET /api/.*")), r"/GET \/api\/.*/ ..."),
        (span(re.compile(r"a\/b")), r're"a\\/b" ...'),
        (span(re.compile("a # b\n c", re.VERBOSE)), r're"a # b\n c"x ...'),
        (span(re.compile("a", re.ASCII | re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE)), "/a/aimsx ..."),
        (span(error=True), "* error=True ..."),
        (span(error="True"), '* error="True" ...'),
        (span(error=""), '* error="" ...'),
        (span(error="app.errors.Wrong"), "* error=app.errors.Wrong ..."),
        (span(error="not a name"), '* error="not a name" ...'),
        (span(within="0ms"), "* within=0ms ..."),
        (span(within="1.5s"), "* within=1500ms ..."),
        (span(inputs=0, outputs=""), '* inputs=0 outputs="" ...'),
        (span(outputs=[(1,), "b", float("inf")]), '* outputs=[(1,), "b", inf] ...'),
        (optional(A), "a ? ..."),
        (repeat(B), "b {0,}"),
        (repeat(B, 3, 3), "b {3}"),
        (repeat(B, 0, 0), "b {0}"),
        (repeat(B, 0, 2), "b {0,2}"),
        (repeat(optional(repeat(B, 1)), 2, 3), "b {1,} ? {2,3}"),
        (one_of(B), "one of\n  b"),
        (optional(any_order(B, ...)), "any order ?\n  b\n  ..."),
        (parallel(any_order(B)), "parallel\n  any order\n    b"),
        (span("x", has=A)[B], "x\n  has:\n    a ...\n  b"),
        (span("x", lacks=A), "x ...\n  lacks:\n    a ..."),
        (span("x", lacks=A)[()], "x\n  lacks:\n    a ..."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pattern_has_one_text_and_the_text_one_pattern(pattern, text):
    assert notation.format(pattern) == text
    assert notation.parse(text) == pattern


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("# a comment\n\na\n  # another\n\t# one more\n\n  b ...  \r\n", span("a")[span("b")]),
        ("'a' 'T' {0,1} ...", optional(span("a", type="T"))),
        (
            'a outputs={"x": [true, null]} within="2s" error="E" ...',
            span("a", outputs={"x": [True, None]}, within="2s", error="E"),
        ),
        ("a  T   OK   { 1 , 2 }   ...", repeat(span("a", type="T", status="OK"), 1, 2)),
        ("a within=2s error=true inputs=1 ...", span("a", within="2s", error=True, inputs=1)),
        ("b {,2}", repeat(B, max=2)),
        ("any order\n  any order\n    a ...\n    ...\n  b", any_order(A, ..., B)),
        ("one of\n  a ...\n  one of\n    b\n    c ...", one_of(A, B, C)),
        ("x ...\n  has:\n    a ...\n  lacks:\n    b\n  has:\n    c ...", span("x", has=[A, C], lacks=B)),
        ("x\n  a ...\n  has:\n    a ...", span("x", has=A)[A]),
        ('"\\ud83d\\ude00" ...', span("\U0001f600")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_written_by_hand_need_not_be_in_the_shortest_form(text, pattern):
    assert notation.parse(text) == pattern
    assert notation.parse(notation.format(pattern)) == pattern


# Inverses


@given(patterns())
@settings(max_examples=50)
def test_parse_and_format_are_inverses(pattern):
    text = notation.format(pattern)
    again = notation.parse(text)

    assert again == pattern
    assert notation.format(again) == text
    assert all(line.isprintable() for line in text.split("\n"))


@given(names, names)
def test_hostile_names_and_types_stay_on_their_line(name, type_):
    pattern = span(name, type=type_)

    assert notation.parse(notation.format(pattern)) == pattern
    assert len(notation.format(pattern).splitlines()) == 1


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_looks_like_notation_anywhere(text):
    pattern = span(text, type=text, inputs=text, attributes={text: [text]}, error=text)[span(text)[()], span(type=text)]

    assert notation.parse(notation.format(pattern)) == pattern


@pytest.mark.parametrize("regex", REGEXES, ids=ascii)
def test_a_regex_keeps_its_text_and_its_flags(regex):
    for flags in (0, re.IGNORECASE, re.ASCII | re.DOTALL | re.MULTILINE):
        pattern = span(re.compile(regex, flags))
        read = notation.parse(notation.format(pattern))

        assert read == pattern
        assert isinstance(read.name, re.Pattern)
        assert (read.name.pattern, read.name.flags) == (regex, pattern.name.flags)


@given(patterns(1), st.data())
@settings(max_examples=60)
def test_a_damaged_text_is_a_pattern_or_an_error_that_says_where(pattern, data):
    text = notation.format(pattern)
    at = data.draw(st.integers(0, len(text)))
    damage = data.draw(
        st.sampled_from(["", " ", "  ", "\n", "\n  ", "...", "?", "{", '"', "/", "\\", "(", "=", "#", "\t", "has:\n"])
    )
    damaged = text[:at] + damage + text[at + data.draw(st.integers(0, 2)) :]
    read = parsed(damaged)
    if isinstance(read, Pattern):
        assert notation.parse(notation.format(read)) == read
    else:
        lines = damaged.split("\n")
        assert 1 <= read.line <= len(lines)
        assert 1 <= read.column <= len(lines[read.line - 1]) + 1


def parsed(text: str) -> Pattern | NotationError:
    try:
        return notation.parse(text)
    except NotationError as error:
        return error


# Lines


def test_each_line_knows_its_number_and_what_it_stands_for():
    text = text_of(
        """
        # the agent
        agent AGENT

          has:
            plan ...
          any order ?
            # any of these
            a ...
            any order
              b
              ...
          ...
          c {2} ...
        """
    )
    lines = parser.parse_lines(text)

    assert [(line.number, line.depth, line.stop) for line in lines] == [
        *(
            (2, 0, 10),
            (4, 1, 3),
            (5, 2, 3),
            (6, 1, 8),
            (8, 2, 5),
            (9, 2, 8),
            (10, 3, 7),
            (11, 3, 8),
            (12, 1, 9),
            (13, 1, 10),
        ),
    ]
    assert [line.pattern for line in lines[1:]] == [
        None,  # `has:` is not a pattern
        span("plan"),
        optional(any_order(A, B, ...)),
        A,
        None,  # part of the group above
        B,
        ...,
        ...,
        repeat(C, 2, 2),
    ]
    assert lines[0].pattern == notation.parse(text)


@given(patterns())
@settings(max_examples=30)
def test_every_line_can_be_written_anew_where_it_stands(pattern):
    text = notation.format(pattern)
    rows = text.split("\n")
    lines = parser.parse_lines(text)

    assert [line.number for line in lines] == list(range(1, len(rows) + 1))
    for index, line in enumerate(lines):
        if line.pattern is not None:
            assert formatter.format_lines(line.pattern, line.depth) == rows[index : line.stop]
            assert isinstance(line.pattern, Pattern | EllipsisType)


def test_the_first_line_of_a_pattern_is_its_own():
    assert formatter.format_lines(span("x", type="T")[A, B])[0] == "x T"
    assert formatter.format_lines(..., 2) == ["    ..."]
    assert formatter.format_lines(span("x")[B], 24) == [" " * 48 + "x", " " * 48 + "(depth 25) b"]


# Depth and size


def test_below_24_levels_a_line_says_its_depth():
    pattern = B
    for i in range(27, -1, -1):
        pattern = span(f"n{i}")[pattern]
    lines = notation.format(pattern).split("\n")

    assert lines[24:] == [
        f"{' ' * 48}n24",
        f"{' ' * 48}(depth 25) n25",
        f"{' ' * 48}(depth 26) n26",
        f"{' ' * 48}(depth 27) n27",
        f"{' ' * 48}(depth 28) b",
    ]
    assert notation.parse("\n".join(lines)) == pattern
    by_hand = "\n".join(f"{'  ' * i}n{i}" for i in range(28)) + f"\n{'  ' * 28}b"
    assert notation.parse(by_hand) == pattern


def test_a_line_may_come_up_from_the_depths():
    pattern = C
    for i in range(30, -1, -1):
        pattern = span(f"n{i}", has=A)[pattern, optional(B)]

    assert notation.parse(notation.format(pattern)) == pattern


def test_patterns_nested_thousands_deep_are_no_recursion():
    pattern: Pattern = B
    for i in range(1_000):
        pattern = span(f"n{i}")[optional(one_of(any_order(pattern, ...), C)), ...]
    text = notation.format(pattern)

    assert notation.parse(text) == pattern
    assert len(text) < 5_000 * 90
    stacked: Pattern = B
    for _ in range(3_000):
        stacked = Repeat(stacked, 1, 2)
    assert notation.parse(notation.format(stacked)) == stacked


def test_a_long_chain_takes_linear_time_and_space():
    pattern = B
    for i in range(5_000):
        pattern = span(f"n{i}", type="TOOL", status="OK")[pattern]
    text = notation.format(pattern)

    assert len(text) < 5_000 * 90
    assert notation.parse(text) == pattern


@pytest.mark.parametrize(
    "text",
    [
        "a " + "? " * 5_000,
        "a inputs=" + "[" * 50_000,
        'a inputs="' + "\\" * 50_001,
        "a /" + "(" * 50_000 + "/",
        "a /" + r"\/" * 50_000,
        "a " + "x=" * 50_000,
        " " * 50_001 + "a",
        "a {" + "9" * 50_000 + "}",
        "a within=" + "9" * 50_000 + "s",
        "a" * 50_000 + "...",
        "\n" * 50_000,
        "any order\n" + "  any order\n" * 5_000,
        "\n".join(f"{'  ' * min(i, 24)}{f'(depth {i}) ' if i > 24 else ''}any order" for i in range(5_000)),
        "a\n" + " " * 48 + "(depth 999999999999) b",
    ],
    ids=range(14),
)
def test_hostile_texts_are_answered_at_once(text):
    read = parsed(text)

    assert isinstance(read, Pattern) or len(str(read)) < 1_000


def test_groups_in_groups_are_merged_in_linear_time():
    rows = ["any order"]
    for i in range(1, 5_000):
        margin = "  " * min(i, 24) + (f"(depth {i}) " if i > 24 else "")
        rows += [f"{margin}x", f"{margin}any order"]
    rows.append("  " * 24 + "(depth 5000) x")

    assert len(notation.parse("\n".join(rows)).parts) == 5_000
