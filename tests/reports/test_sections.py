"""The traces of one test as a report section."""

from __future__ import annotations

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.reports.sections import MAX_LINES, headline, section
from tests.support.building import tree


def test_a_trace_of_thousands_of_spans_says_how_many_lines_more_there_are():
    lines = section([tree("agent", ["plan"] * MAX_LINES)], ()).split("\n")

    assert len(lines) == MAX_LINES + 1
    assert lines[-1] == "... 2 more lines"


def test_no_trace_is_said_and_spans_that_never_ended_are_named():
    (span,) = tree("open TOOL @1-").spans

    assert section([], ()) == "no trace was captured"
    assert section([], [span]) == "never ended:\n  open  TOOL"


def test_what_was_lost_is_said():
    lines = section([tree("agent")], (), [Finding("capture.late", "this capture", actual="'late'")]).split("\n")

    assert lines[-3:] == ["", "lost:", "  capture.late at this capture: got 'late'"]


def test_one_of_several_says_which():
    assert headline(tree("agent"), 2, 3).startswith("[2/3]  trace 'agent'  OK  ")
