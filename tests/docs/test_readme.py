"""The README's failure is what pytest prints when its agent is broken as the README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.test_docs import blocks

ROOT = Path(__file__).parent.parent.parent
# how long something took is another matter in each run, and pytest ends empty lines in spaces
VARYING = re.compile(r" *\b[0-9.]+ (?:ns|µs|us|ms|s)\b| +$", re.MULTILINE)


@pytest.fixture
def said():
    return [block for block in blocks((ROOT / "README.md").read_text()) if block.kind in ("python", "text")]


def test_the_failure_is_what_pytest_prints(pytester, said):
    agent, test, failure = said[:3]
    whole = f"{agent.code}\n\n{test.code}\n"
    broken = whole.replace("    check_policy(order)\n", "    refund(order)\n")
    pytester.makepyfile(test_refund=broken)
    pytester.makeini("[pytest]")  # whatever stands above the folder

    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:asyncio")

    assert broken != whole
    result.assert_outcomes(failed=1)
    assert VARYING.sub("", failure.code) in VARYING.sub("", result.stdout.str())


def test_each_figure_names_the_benchmark_that_prints_it():
    figures = re.findall(
        r"^\| .+ \| .*[0-9].* \| `benchmarks\.(\w+)` \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )

    assert set(figures) == {path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py")}
