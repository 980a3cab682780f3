"""The text of a baseline file."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces import any_order, span
from pytest_mlflow_traces.core.baselines.file_format import (
    BaselineError,
    new_baseline,
    new_section,
    read_baseline,
)
from tests.support.building import node, tree
from tests.support.messages import exactly
from tests.support.tracing import traces

TEXT = textwrap.dedent(
    """\
    # pytest-mlflow-traces baseline, format 1
    # test_agent.py::test_two_turns

    # the first turn
    tags: domains
    # and its tree
    agent AGENT OK
      plan ...

    [second turn]
    agent AGENT OK

    # below the second
    [third]

    calls: none
    other
    # end
    """
)


def test_a_file_is_read_and_written_as_it_is():
    baseline = read_baseline(TEXT)

    assert str(baseline) == TEXT
    assert [section.name for section in baseline.sections] == ["", "second turn", "third"]
    assert [section.first for section in baseline.sections] == [4, 10, 14]
    assert baseline.sections[0].pattern == span("agent", type="AGENT", status="OK")[span("plan")]
    assert [str(line) for section in baseline.sections for line in section.holdings] == ["tags: domains", "calls: none"]


def test_a_new_section_comes_last_and_the_one_without_a_name_first():
    first, second, again = (new_section(name).rewritten(tree(root), tree(root), (), ()) for name, root in
                            [("b", "b"), ("", "a"), ("b", "c")])  # fmt: skip
    baseline = new_baseline("test_x.py::test_y[\x1b]").with_section(first).with_section(second)

    assert str(baseline.with_section(again)) == textwrap.dedent(
        """\
        # pytest-mlflow-traces baseline, format 1
        # test_x.py::test_y[\\x1b]

        a UNKNOWN OK

        [b]
        c UNKNOWN OK
        """
    )
    assert baseline.section("b") == first
    assert baseline.section("c") is None
    assert str(baseline.without(["", "b"])) == "\n".join(baseline.head).rstrip() + "\n"


def test_a_section_is_recorded_with_what_is_asked_for():
    trace = tree("agent @0-9", ["w CHAIN @1-8", ["b TOOL @2-5", "c @4-7"]], tags={"team": "red"})
    shown = trace.without(span("w"))

    section = new_section("x").rewritten(trace, shown, ("tags", "calls"), ())

    assert section.lines == [
        "[x]", "tags: team", "calls b: 1", "agent UNKNOWN OK", "  any order", "    b TOOL OK", "    c UNKNOWN OK",
    ]  # fmt: skip
    assert section.findings(trace) == []
    assert section.pattern == span("agent", type="UNKNOWN", status="OK")[
        any_order(span("b", type="TOOL", status="OK")[()], span("c", type="UNKNOWN", status="OK")[()])
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "type_"), [("calls", "ns:TOOL"), ("attributes", "x:y"), ("calls", "x:"), ("calls", "TOOL"), ("tags:", "A")]
)
@pytest.mark.parametrize("old", [None, "agent"])
def test_a_root_that_is_called_like_a_line_about_calls_is_read_again(name, type_, old):
    trace = tree(node(name, span_type=type_), tags={"team": "red"})
    section = new_section("").rewritten(trace, trace, ("tags",), ())
    if old is not None:
        section = new_section("").rewritten(tree(old), tree(old), ("tags",), ()).rewritten(trace, trace, ("tags",), ())

    again = read_baseline(str(new_baseline("t").with_section(section))).sections[0]

    assert trace == again.pattern
    assert again.findings(trace, ["tags"]) == []
    assert again.text.startswith(f'"{name}" ')


def test_a_root_that_somebody_called_like_a_line_about_calls_is_the_root():
    trace = tree(node("calls TOOL", attributes={"a": 1}))
    head = "# pytest-mlflow-traces baseline, format 1\n# t\n\ncalls calls: 1\n"

    section = read_baseline(head + 'calls TOOL attributes={"a": 1}\n').sections[0]

    assert trace == section.pattern
    assert section.findings(trace) == []
    with pytest.raises(BaselineError, match=exactly("line 4, column 14: expected a number of calls: 2, {1,3} or {1,}")):
        read_baseline(head.replace(": 1", "a b: 1") + "agent\n")


def test_a_file_of_comments_has_no_section():
    text = "# pytest-mlflow-traces baseline, format 1\n# test_m.py::test_1\n\n# nothing yet\n"
    baseline = read_baseline(text)
    section = new_section("").rewritten(tree("a"), tree("a"), (), ())

    assert baseline.section("") is None
    assert str(baseline) == text
    assert str(baseline.with_section(section)) == text + "\na UNKNOWN OK\n"


def test_comments_directly_above_a_header_are_of_its_section():
    baseline = read_baseline(TEXT)
    first = "# one\n[first]\na\n"

    assert str(baseline.without(["second turn"])) == TEXT.replace("[second turn]\nagent AGENT OK\n\n", "")
    assert str(baseline.without(["third"])) == TEXT.partition("\n# below the second")[0]
    assert baseline.section("third").lines[:2] == ["# below the second", "[third]"]
    head = "\n".join(new_baseline("t").head) + "\n"
    assert str(read_baseline(head + first + "# two\n[second]\nb\n").without(["first"])) == head + "# two\n[second]\nb\n"


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n"])
def test_the_end_of_a_file_stays_as_it_is(end):
    baseline = read_baseline(TEXT.rstrip("\n") + end)

    assert str(baseline) == TEXT.rstrip("\n") + end
    assert str(baseline.without(["third"])).endswith("agent AGENT OK" + end)


def test_a_section_is_rewritten_where_it_does_not_hold():
    section = read_baseline(TEXT).sections[0]
    trace = tree("agent CHAIN", ["plan"], tags={"domains": "cost", "user": "u1"})

    now = section.rewritten(trace, trace, (), ())

    assert now.lines == [
        line.replace("AGENT", "CHAIN").replace("tags: domains", "tags: domains user") for line in section.lines
    ]
    assert [each.rule for each in section.findings(trace, ["calls", "tags"])] == ["baseline.calls", "baseline.tags"]
    assert now.rewritten(trace, trace, ("calls",), ()).lines[2] == "calls: none"


def test_what_was_demanded_by_hand_is_named_by_its_line_in_the_file():
    section = read_baseline(TEXT.replace("plan ...", "plan within=1ns ...")).sections[0]
    trace = tree("agent AGENT", ["plan"], tags={"domains": "cost"})

    with pytest.raises(
        BaselineError, match=exactly("line 8: `within` does not hold for agent > plan; change it by hand")
    ):
        section.rewritten(trace, trace, (), ())


def test_comments_above_the_first_name_stay():
    text = TEXT.replace(TEXT[TEXT.index("tags:") : TEXT.index("[second")], "\n")

    assert str(read_baseline(text)) == text
    assert [section.name for section in read_baseline(text).sections] == ["second turn", "third"]


@pytest.mark.parametrize("name", ["a", "second turn", "a]", '"', "[x]", " a", "é", "a # b", "\\", "x" * 200])
def test_any_name_is_read_as_it_was_written(name):
    section = new_section(name).rewritten(tree("a"), tree("a"), (), ())
    text = str(new_baseline("t").with_section(section))

    assert [each.name for each in read_baseline(text).sections] == [name]


FORMAT = "# pytest-mlflow-traces baseline, format 1"
TAB = "expected an indent of two spaces a level, not a tab, got `\\tplan`\n    \\tplan\n    ^"


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("", f": expected '{FORMAT}', got ''", 1),
        ("\x1b[2J", f": expected '{FORMAT}', got '\\\\x1b[2J'", 1),
        (
            TEXT.replace("t 1", "t 12"),
            ": format 12, written by a newer pytest-mlflow-traces; this one reads format 1",
            1,
        ),
        ("", ": expected '# pytest-mlflow-traces baseline, format 1', got ''", 1),
        ("\n" + TEXT, ": expected '# pytest-mlflow-traces baseline, format 1', got a blank line", 1),
        (TEXT.replace("tags: domains", "tags: a?b"), ", column 9: expected a space between keys", 5),
        (TEXT.replace("# end", "tags: a"), ": lines about keys and calls stand above the first span", 18),
        (TEXT.replace("[third]", "[second turn]"), ": a second section [second turn]", 14),
        (
            TEXT.replace("[third]", '["third]'),
            ", column 2: expected a string that ends on its line: the closing quote is missing",
            14,
        ),
        (TEXT.replace("[third]", '["third" x]'), ", column 9: expected `]`", 14),
        (TEXT.replace("  plan ...", "\tplan"), f", column 1: {TAB}", 8),
        (TEXT.replace("other\n", ""), ": the text has no pattern: expected a line with a span or a group", 17),
    ],
)
def test_what_is_wrong_is_named_by_its_line(text, says, line):
    with pytest.raises(BaselineError) as error:
        read_baseline(text)

    assert str(error.value) == f"line {line}{says}"
    assert error.value.line == line


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "||||||| 1a2b3c", "=======", ">>>>>>> branch"])
@pytest.mark.parametrize("place", ["# pytest-mlflow", "tags: domains", "  plan ...", "[third]", "# end"])
def test_a_merge_conflict_is_named(place, marker):
    text = TEXT.replace(place, f"{marker}\n{place}")
    line = text.split("\n").index(marker) + 1

    with pytest.raises(BaselineError) as error:
        read_baseline(text)

    assert str(error.value).endswith(f"\nline {line} is of a merge conflict that nobody resolved: {marker!r}")


@given(traces(roots=1), traces(roots=1), st.sets(st.sampled_from(["tags", "attributes", "calls"])))
def test_a_section_that_was_rewritten_holds(old, new, kinds):
    section = new_section("").rewritten(old, old, kinds, ())
    baseline = read_baseline(str(new_baseline("t").with_section(section)))

    now = baseline.sections[0].rewritten(new, new, kinds, ())

    again = read_baseline(str(baseline.with_section(now))).sections[0]
    assert new == again.pattern
    assert not again.findings(new, kinds - {"attributes"})
