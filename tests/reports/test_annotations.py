"""Findings as commands to GitHub's runner: each at its line, escaped, at most ten."""

from __future__ import annotations

from pathlib import PurePosixPath

from pytest_mlflow_traces import Finding
from pytest_mlflow_traces.core.runs.records import Run, TracedTest
from pytest_mlflow_traces.reports.annotations import annotation_lines

ROOT = PurePosixPath("/repo")
MISSING = Finding("shape.missing", "agent", expected="span('search')")


def told(*findings, test="test_a.py::test_it", outcome="failed", source="/repo/tests/test_a.py:7", baseline=None):
    run = Run((TracedTest(test, outcome, findings=findings, source=source, baseline=baseline),))
    return annotation_lines(run, ROOT)


def test_a_finding_is_at_the_line_of_the_assertion():
    [said] = told(MISSING)

    assert said == (
        "::error file=tests/test_a.py,line=7,title=shape.missing::shape.missing at agent: expected span('search')"
        "%0Atest_a.py::test_it"
    )


def test_a_baseline_is_told_once_at_its_own_line():
    assert told(MISSING, MISSING, baseline="/repo/tests/__traces__/test_a/test_it.trace:4")[1] == (
        "::error file=tests/__traces__/test_a/test_it.trace,line=4,title=baseline::"
        "test_a.py::test_it is not what was accepted here: 2 findings"
    )
    assert len(told(MISSING, MISSING, baseline="/repo/b.trace:4")) == 3


def test_what_github_would_read_is_escaped():
    finding = Finding("a:b,c%\n", "agent", actual="100% of\r\n::error::x", hint="a\nb")

    [said] = told(finding, source="/repo/a,b: 100%/test_a.py:1")

    assert said == (
        "::error file=a%2Cb%3A 100%25/test_a.py,line=1,title=a%3Ab%2Cc%25\\n::a:b,c%25%0A at agent: got 100%25 of\\r%0A"
        "::error::x%0A      a%0A      b%0Atest_a.py::test_it"
    )


def test_nothing_of_a_secret_is_told():
    assert "ada@" not in told(Finding("tags.value", "tag 'user'", actual="'ada@example.com'"))[0]


def test_there_are_ten_and_the_others_are_counted():
    said = told(*[MISSING] * 10)
    more = told(*[MISSING] * 13)

    assert [len(said), len(more)] == [10, 10]
    assert not any("more finding" in each for each in said)
    assert more[9] == f"{said[9]}%0A... 3 more findings, see the log"
    assert more[:9] == said[:9]


def test_a_test_that_passed_or_found_nothing_has_none():
    assert told() == []
    assert told(MISSING, outcome="xfailed") == []


def test_what_has_no_line_or_is_elsewhere_is_told_all_the_same():
    assert told(MISSING, source=None)[0].startswith("::error title=shape.missing::")
    assert told(MISSING, source="/other/test_a.py:7")[0].startswith("::error file=/other/test_a.py,line=7,")
