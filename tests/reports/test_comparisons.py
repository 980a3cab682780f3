"""Comparisons as text and as data."""

from __future__ import annotations

import json

import pytest

from pytest_mlflow_traces.core.runs.compare import Comparison, compare
from pytest_mlflow_traces.reports.comparisons import comparison_data, comparison_markdown, comparison_text, overall
from tests.support.building import tree

SAME = compare("test_same", [tree("a")], [tree("a")])
SOFT = compare("test_soft", [tree("a", tags={"x": "1"})], [tree("a", tags={"x": "\x1b[31m"})])
GONE = compare("test_gone", [tree("a")], [])
DIFFERS = compare("test_differs\x1b", [tree("a", ["b"])], [tree("a", ["c"])])


def test_the_whole_text():
    assert (
        comparison_text([DIFFERS, SAME, GONE, SOFT])
        == """\
test_soft: same
  soft: tag x: '1' -> '\\x1b[31m'

test_gone: not comparable: only in the old traces

test_differs\\x1b: differs
  trace 'a' does not match: 1 different

    a  UNKNOWN     3 ms
  ~ └─ c  UNKNOWN  name: expected 'b', got 'c'

4 tests: 1 different, 1 not comparable, 2 the same; 1 soft difference"""
    )


def test_the_same_says_little():
    assert comparison_text([SAME]) == "1 test: 1 the same"


def test_nothing_is_not_the_same():
    assert comparison_text([]) == "not comparable: there are no traces on either side"


def test_a_flood_of_soft_differences_says_how_many_more():
    old, new = (tree("a", tags={str(key): value for key in range(31)}) for value in "xy")

    assert "\n  soft: 1 more soft differences\n" in comparison_text([compare("t", [old], [new])])


@pytest.mark.parametrize(
    ("comparisons", "verdict"),
    [([], "not comparable"), ([SAME, SOFT], "same"), ([SAME, GONE], "not comparable"), ([GONE, DIFFERS], "differs")],
)
def test_the_worst_decides(comparisons: list[Comparison], verdict):
    assert overall(comparisons) == verdict


def test_the_data_is_json():
    data = json.loads(json.dumps(comparison_data([DIFFERS, GONE])))

    assert data["verdict"] == "differs"
    assert data["counts"] == {"differs": 1, "not comparable": 1, "same": 0}
    assert data["tests"][0]["findings"][0]["rule"] == "shape.different"
    assert data["tests"][1]["reason"] == "only in the old traces"


def test_the_markdown_is_inert_and_has_the_worst_first():
    assert (
        comparison_markdown([SAME, GONE, DIFFERS])
        == """\
### MLflow traces: differs

3 tests&#58; 1 different, 1 not comparable, 1 the same

<details><summary><code>test&#95;differs&#92;x1b</code>: differs</summary>

<pre>
trace &#x27;a&#x27; does not match: 1 different

  a  UNKNOWN     3 ms
~ └─ c  UNKNOWN  name: expected &#x27;b&#x27;, got &#x27;c&#x27;
</pre>

</details>

<code>test&#95;gone</code>: not comparable: only in the old traces
""".replace("&#95;", "_")
    )


def test_a_flood_of_tests_is_counted():
    assert comparison_markdown([GONE] * 105).endswith("\n\n… 5 more tests\n")
