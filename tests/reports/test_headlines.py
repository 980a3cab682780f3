"""A run in one line."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces.core.adequacy.survivors import Survivors
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.runs.records import Run, TracedTest, TraceRecord
from pytest_mlflow_traces.reports.headlines import page_head, totals, verdict

TRACE = TraceRecord("tr-1", "agent", "OK", 9, (("search", 2),), tokens=1204, ms=3.0)


def ended(*outcomes):
    return tuple(TracedTest(str(number), outcome, (TRACE,)) for number, outcome in enumerate(outcomes))


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (Run(), "nothing was traced"),
        (Run(exit_status=5), "nothing was traced"),
        (Run(ended("passed")), "1 test passed"),
        (Run(ended("passed", "xfailed", "xpassed", "skipped")), "3 tests passed"),
        (Run(ended("skipped")), "every test was skipped"),
        (Run(ended("failed", "passed", "error"), exit_status=1), "2 of 3 tests failed"),
        (
            Run(ended("passed"), exit_status=1, others=2),
            "1 test passed, but the run failed (2 tests without traces failed)",
        ),
        (
            Run(ended("passed"), exit_status=1, others=1, uncollected=("test_a.py", "test_b.py")),
            "1 test passed, but the run failed (1 test without traces failed, 2 modules not collected)",
        ),
        (Run(ended("passed"), stopped="bye"), "1 test passed, but the run stopped early"),
        (
            Run(ended("passed"), exit_status=2, uncollected=("test_a.py",), stopped="bye"),
            "1 test passed, but the run stopped early (1 module not collected)",
        ),
        (Run(ended("passed"), exit_status=2), "1 test passed, but the run failed (and not for a trace)"),
    ],
)
def test_the_verdict_is_green_only_where_something_was_checked_and_held(run, says):
    assert verdict(run) == says


def test_the_totals():
    assert totals(Run(ended("passed"))) == "1 trace of 1 test, 9 spans, 2 tool calls, 1,204 tokens"


def test_what_is_not_known_or_not_there_is_not_told():
    plain = TraceRecord("tr-1", "agent", "OK", 1)
    run = Run((TracedTest("t", "failed", (plain, plain), (Finding("shape.missing", "agent"),)),))

    assert totals(run) == "2 traces of 1 test, 2 spans, 1 finding"


def test_the_head_of_a_page_says_what_nothing_notices():
    survivors = Survivors(("status",))
    shape = {"traces": 1, "name": "agent", "names": ["agent", "plan"], "noticed": [("failed", 0, "")]}
    shape["known"] = [("failed", 0, ""), ("failed", 1, "")]
    survivors.add("test_a", {"shapes": {"s1": shape}})

    assert page_head(Run(ended("passed"), survivors=survivors)).notes == (
        "1 of 2 mutants noticed, 50 % (status)",
        "nothing notices when `plan` ends in an error (1 trace, 1 test)",
    )
