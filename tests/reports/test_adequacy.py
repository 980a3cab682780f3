"""What nothing notices, as lines of a terminal and as Markdown."""

from __future__ import annotations

from pytest_mlflow_traces.core.adequacy.survivors import Survivors
from pytest_mlflow_traces.core.runs.records import Run
from pytest_mlflow_traces.reports.adequacy import falls_short, survivor_lines
from pytest_mlflow_traces.reports.markdown import summary

NAMES = ["agent", "a`<b>", "::error::x"]


def survivors(known=3, noticed=1, names=NAMES, **asides):
    found = Survivors(("status",))
    keys = [("failed", k, "") for k in range(known)]
    shape = {"traces": 2, "name": "agent", "names": names, "known": keys, "noticed": keys[:noticed]}
    found.add("test_a", {"shapes": {"s1": shape} if known else {}, **asides})
    return found


def test_lines_say_the_share_the_survivors_and_what_to_know_beside():
    found = survivors(unwhole=2, large=1, unstable=3, of_spans=9)

    assert survivor_lines(found, 50, ["a note"]) == [
        "1 of 3 mutants noticed, 33.3 % (status)",
        r"nothing notices when `\x3a:error::x` ends in an error (2 traces, 1 test)",
        "nothing notices when `a`<b>` ends in an error (2 traces, 1 test)",
        "1 test asked single spans, too (find, count, `span ==`): not asked again",
        "2 traces not edited: not whole",
        "1 trace not edited: more than 1,000 spans",
        "3 questions left out: asked again, the answer was another",
        "a note",
        "33.3 %: less than the 50 % that were asked for",
    ]


def test_a_share_is_under_a_floor_by_what_it_is_and_not_by_how_it_is_shown():
    assert falls_short(survivors(3, 2), 66.67)
    assert not falls_short(survivors(3, 2), 66.66)
    assert falls_short(survivors(0), 0)
    assert not falls_short(survivors(0), None)


def test_in_a_summary_names_mean_nothing():
    text = summary(Run(survivors=survivors(of_spans=1)))

    assert "### Mutants: 1 of 3 mutants noticed, 33.3 &#37; &#40;status&#41;" in text
    assert "&#96;a&#96;&#60;b&#62;&#96;" in text
    assert "1 test asked single spans" in text
    assert "agent, 3 spans, shape s1: 1 of 3 mutants noticed, 33.3 % in 2 traces of 1 test" in text


def test_a_summary_lists_fifty_and_says_how_many_more_there_are():
    text = summary(Run(survivors=survivors(60, 0, [f"span {k}" for k in range(60)])))

    assert text.count("\n- nothing notices") == 50
    assert "… 10 more survivors" in text


def test_a_summary_of_no_mutants_says_so():
    assert "### Mutants: no mutants &#40;status&#41;&#58; nothing was edited" in summary(Run(survivors=survivors(0)))
