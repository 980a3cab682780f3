"""A coverage as lines and as data: exact texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_mlflow_traces.core.adequacy.branches import Branch
from pytest_mlflow_traces.core.adequacy.coverage import Coverage
from pytest_mlflow_traces.core.adequacy.names import Named
from pytest_mlflow_traces.reports.coverage import data, falls_short, figure, lines

ROOT = Path("/suite")


def branch(line, way="present", file="/suite/tests/test_a.py"):
    return Branch(file, line, "optional(span('a'))", way)


@pytest.fixture
def coverage():
    found = Coverage()
    found.expect([branch(7), branch(7, "absent"), branch(3, file="/elsewhere/shapes.py")])
    found.take(branch(7))
    found.held = 1
    found.ran.update({("web\nsearch", "TOOL"): 12, ("agent", "AGENT"): 12, ("a", "TOOL"): 1})
    found.named.add(Named(None, "AGENT"))
    return found


def test_all_of_it_in_lines(coverage):
    coverage.intricate = 2

    assert lines(coverage, ROOT) == [
        "33.3 %: 1 of 3 branches taken, of all that is expected",
        "never taken:",
        "  /elsewhere/shapes.py:3: optional(span('a')): never present",
        "  tests/test_a.py:7: optional(span('a')): never absent",
        "nothing looks at:",
        "  web\\nsearch TOOL ran in 12 traces",
        "  a TOOL ran in 1 trace",
        "2 comparisons that held took too long to share out: no branch of them counts as taken",
    ]
    coverage.intricate = 1
    assert lines(coverage, ROOT, most=1)[-2:] == [
        "  ... 1 more, in the file of --mlflow-traces-coverage=PATH",
        "1 comparison that held took too long to share out: no branch of it counts as taken",
    ]


def test_what_falls_short_says_by_how_much(coverage):
    assert falls_short(coverage, None) is None
    assert falls_short(coverage, 33.3) is None
    assert falls_short(coverage, 33.4) == "33.3 %: less than the 33.4 % that were asked for"


def test_one_branch_is_one():
    found = Coverage()
    found.expect([branch(7)])
    assert figure(found) == "0 %: 0 of 1 branch taken, of all that is expected"


def test_all_of_it_as_data(coverage):
    assert json.loads(data(coverage, ROOT)) == {
        "format": 1,
        "percent": 33.3,
        "taken": 1,
        "branches": [
            {
                "file": "/elsewhere/shapes.py",
                "line": 3,
                "what": "optional(span('a'))",
                "way": "present",
                "taken": False,
            },
            {"file": "tests/test_a.py", "line": 7, "what": "optional(span('a'))", "way": "absent", "taken": False},
            {"file": "tests/test_a.py", "line": 7, "what": "optional(span('a'))", "way": "present", "taken": True},
        ],
        "nothing_looks_at": [
            {"name": "web\nsearch", "type": "TOOL", "traces": 12},
            {"name": "a", "type": "TOOL", "traces": 1},
        ],
        "intricate": 0,
    }
