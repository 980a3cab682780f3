"""What a page holds, and what it leaves out when that is too much, read without a browser."""

from __future__ import annotations

import re

import pytest

from pytest_mlflow_traces import Budget, Finding, optional, span
from pytest_mlflow_traces.core.runs.records import BaselineChange, Run, TracedTest
from pytest_mlflow_traces.reports.headlines import page_head
from pytest_mlflow_traces.reports.html.entries import VALUES, Entry
from pytest_mlflow_traces.reports.html.page import LIMIT
from tests.support.building import node, tree
from tests.support.pages import data_of, failing, made, passing


def agent(number, size=300):
    """30 spans of an agent, each with inputs and outputs of some size."""
    text = f"question {number} " + "word " * (size // 5)
    spans = [node(f"step {k % 9} TOOL", inputs={"q": text}, outputs=text, attributes={"k": k}) for k in range(29)]
    return tree("agent AGENT", spans, id=f"tr-{number:032x}")


def marks_of(entry):
    return data_of(made(entry))["spans-0"][0]["marks"]


# -- how much there may be


@pytest.mark.parametrize("size", [10, 2_000])
def test_a_thousand_tests_of_thirty_spans_fit_into_ten_megabytes(size):
    calm = [passing(f"tests/test_{k}.py::test_{k}", agent(k, size if k % 10 == 0 else 10)) for k in range(980)]
    bad = [failing(f"tests/test_x.py::test_{k}", agent(k, size), span("agent")[()]) for k in range(20)]

    html = made(*calm, *bad)

    data = data_of(html)
    assert len(html.encode()) <= LIMIT == 10_000_000
    assert len(data["entries"]) == 1_000
    assert [each["failed"] for each in data["entries"][:20]] == [True] * 20
    assert all(f"spans-{k}" in data for k in range(1_000))
    assert all(f"values-{k}" in data for k in range(20))
    told = re.search(
        r"<li>Left out, to keep this page under 10 MB: the values that spans recorded of (\d+) tests", html
    )
    assert (told is None) == all(f"values-{k}" in data for k in range(1_000))
    assert told is None or int(told[1]) == sum(f"values-{k}" not in data for k in range(1_000))


def test_what_is_left_out_first_is_of_tests_that_passed_and_all_of_it_is_named():
    entries = [passing(f"test_{k:02}", agent(k)) for k in range(20)] + [failing("test_bad", agent(0), span("x"))]

    for limit in range(150_000, 520_000, 45_000):
        html = made(*entries, limit=limit)
        data = data_of(html)
        shown = {"all": data["entries"]} | {
            part: [data["entries"][k] for k in range(len(data["entries"])) if f"{part}-{k}" in data]
            for part in ("spans", "values")
        }

        assert len(html.encode()) <= limit
        if shown["all"]:
            assert [each[0]["name"] for each in shown.values() if each][:2] == ["test_bad"] * 2
        assert len(shown["values"]) <= len(shown["spans"]) <= len(shown["all"])
        assert (len(shown["spans"]) == len(shown["all"])) or len(shown["values"]) <= 1
        for count, what in (
            (21 - len(shown["all"]), "all"),
            (len(shown["all"]) - len(shown["spans"]), "the spans"),
            (len(shown["spans"]) - len(shown["values"]), "the values that spans recorded"),
        ):
            assert (f"{what} of {count} test" in html) == (count > 0)


def test_of_one_test_the_values_of_what_is_marked_are_kept_first():
    spans = [node(f"s{k}", inputs="x" * 3_900) for k in range(1_000)]
    trace = tree("agent", spans)
    entry = Entry("test", "failed", [trace], True, findings=[Finding("r", "agent > s900", "a", "b")])

    [values] = data_of(made(entry))["values-0"]

    assert "901" in values["spans"]
    assert sum(map(len, str(values))) <= VALUES * 1.1
    assert len(values["cut"]) > 400
    assert set(values["cut"]).isdisjoint(map(int, values["spans"]))


# -- what is marked, and where


def test_what_is_missing_has_a_place_and_what_belongs_below_it():
    trace = tree("agent", ["a", "b", ["c"]])
    entry = failing("test", trace, span("agent")[span("a"), span("x")[span("y"), optional(span("z"))], span("b")])

    assert marks_of(entry) == [
        {
            "mark": "-", "text": ["missing, with 2 spans below"], "finding": 0, "before": 2, "depth": 1, "label": "x",
            "below": [[1, "y"], [1, "z"]],
        }
    ]  # fmt: skip


def test_what_belongs_below_something_missing_and_is_there_is_not_missing():
    [mark] = marks_of(failing("test", tree("agent", ["a", "b"]), span("agent")[span("wrap")[span("a")], span("b")]))

    assert (mark["label"], mark["text"], mark["below"]) == ("wrap", ["missing; what belongs below it is here"], [])


@pytest.mark.parametrize(
    ("expected", "before", "depth"),
    [
        (span("agent")[span("wrap")[span("a"), span("x")], span("b")], 3, 2),
        (span("agent")[span("wrap")[span("a")], span("x"), span("b")], 3, 1),
        (span("agent")[span("wrap")[span("a")], span("b"), span("x")], 4, 1),
    ],
)
def test_what_is_missing_at_an_end_stands_there(expected, before, depth):
    [mark] = marks_of(failing("test", tree("agent", ["wrap", ["a"], "b"]), expected))

    assert (mark["before"], mark["depth"]) == (before, depth)


def test_what_a_baseline_sees_through_is_there_all_the_same():
    trace = tree("agent", ["chain CHAIN", ["model LLM", "tool TOOL"], "end"])
    seen = trace.without(span(type="CHAIN"))
    said = failing(
        "test", seen, span("agent")[span("x"), span("model", type="CHAT"), span("tool"), span("end"), span("y")]
    )
    entry = Entry("test", "failed", [trace], True, findings=said.findings, marks=said.marks)

    marks = marks_of(entry)

    assert [(mark["mark"], mark.get("at"), mark.get("before"), mark.get("depth")) for mark in marks] == [
        ("-", None, 2, 2),
        ("~", 2, None, None),
        ("-", None, 5, 1),
    ]


def test_a_finding_that_names_a_path_is_marked_there():
    slow = failing("test", tree("agent @0-50", ["plan @0-10"]), Budget(latency="10ms"))
    other = Entry(
        "test", "failed", [tree("a"), tree("b", ["c"])], True,
        findings=[Finding("r.1", "b > c"), Finding("r.2", "[1] b"), Finding("r.3", "a, attribute x", "1", "2"),
                  Finding("r.4", "nowhere")],
    )  # fmt: skip
    data = data_of(made(other))

    assert [(mark["mark"], mark["at"]) for mark in marks_of(slow)] == [("!", 0)]
    assert [each.get("trace") for each in data["entries"][0]["findings"]] == [1, 1, 0, None]
    assert [[(mark["at"], mark["text"]) for mark in each["marks"]] for each in data["spans-0"]] == [
        [(0, ["r.3: expected 1, got 2"])],
        [(1, ["r.1"]), (0, ["r.2"])],
    ]


def test_times_are_microseconds_from_the_start_and_the_critical_path_has_its_own_part():
    [spans] = data_of(made(passing("test", tree("agent @5-25", ["a @6-16", "b @7-12", "c @20-"]))))["spans-0"]

    assert spans["start"] == [0, 1_000, 2_000, 15_000]
    assert spans["took"] == [20_000, 10_000, 5_000, None]
    assert spans["path"] == [[0, 5_000], [1, 10_000], [3, 5_000]]


# -- the top


@pytest.mark.parametrize(
    ("run", "failed", "said"),
    [
        (Run((TracedTest("t", "passed"),)), False, []),
        (Run((TracedTest("t", "failed"),), 1), True, []),
        (Run((TracedTest("t", "passed"),), 2, stopped="1 of 9"), True, ["The run stopped early: 1 of 9."]),
        (Run(), True, []),
        (
            Run((TracedTest("t", "passed"),), 1, uncollected=("a.py",), notes=("x",)),
            True,
            ["Not collected, so that their tests did not run: a.py.", "x"],
        ),
        (
            Run((TracedTest("t", "passed"),), changes=(BaselineChange("a.trace", "removed"),)),
            False,
            ["What this run did to baselines: removed a.trace."],
        ),
    ],
)
def test_the_head_says_what_to_know_before_trusting_a_run(run, failed, said):
    head = page_head(run)

    assert (head.failed, list(head.notes)) == (failed, said)
