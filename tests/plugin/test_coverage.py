"""`--mlflow-traces-coverage`: what no test exercises, in the terminal, the summary, the page and as JSON."""

from __future__ import annotations

import json

import pytest

from pytest_mlflow_traces.core.patterns.written import NOTING
from tests.plugin.conftest import INI

COVERAGE = "--mlflow-traces-coverage"
FLOOR = f"{COVERAGE}-fail-under"
SHAPES = """
from pytest_mlflow_traces import Contract, each, if_present, one_of, optional, span

SHAPE = span("agent")[
    optional(span("early")),
    span("plan"),
    optional(span("retry")),
    one_of(span("search"), span("cache")),
]
PAYS = Contract("pays", if_present(each(span("pay")).after(span("auth"))))
NEVER = Contract("never", span("other")[optional(span("a"))], applies_to=span("other"))
"""
TOML = """\
format = 1
name = "quiet"
never = ["delete_table"]

[[contract]]
name = "inner"
applies_to = "other"
shape = '''
other
  a ?'''
"""
SUITE = """
import mlflow
import pytest
from app import agent
from pytest_mlflow_traces import any_order, capture_traces, optional, span
from shapes import SHAPE

def test_one(mlflow_traces):
    with mlflow.start_span("web_search", span_type="TOOL"):
        agent()
    assert mlflow_traces.one().without(span("web_search")).count(span("plan")) == 1

@pytest.mark.parametrize("early", [True, False])
def test_two(mlflow_traces, early):
    with mlflow.start_span("agent"):
        for name in ["early"] * early + ["plan", "search"]:
            with mlflow.start_span(name):
                pass
    assert mlflow_traces.one() == SHAPE
    assert span("agent")[
        ..., any_order(span("plan"), span("search")),
    ] in mlflow_traces

def test_three():
    with capture_traces() as traces, mlflow.start_span("other thing"):
        pass
    assert traces.one() == span("other thing")[optional(span("below"))]
"""
MISSED = [
    "quiet.toml:6: contract 'inner': never applied",
    "quiet.toml:10: optional(span('a')): never absent",
    "quiet.toml:10: optional(span('a')): never present",
    "shapes.py:7: optional(span('retry')): never present",
    "shapes.py:8: one_of(span('search'), span('cache')): never span('cache')",
    "shapes.py:10: each(span('pay')).after(span('auth')): never about a span",
    "shapes.py:11: contract 'never': never applied",
    "shapes.py:11: optional(span('a')): never absent",
    "shapes.py:11: optional(span('a')): never present",
    "test_suite.py:21: any_order(span('plan'), span('search')): never in more than one order",
    "test_suite.py:27: optional(span('below')): never present",
]


def section(result):
    """Return the lines of our section."""
    lines = result.outlines
    (start,) = [k for k, line in enumerate(lines) if "MLflow trace coverage" in line]
    stop = next(k for k in range(start + 1, len(lines)) if lines[k].startswith(("=", "mlflow traces:")))
    return lines[start + 1 : stop]


def run(project, *args, suite=SUITE):
    (project.path / "test_suite.py").write_text(suite)
    return project.runpytest_inprocess(*args)


@pytest.fixture
def planted(project):
    """A project whose contracts and shapes have branches that no test takes."""
    (project.path / "shapes.py").write_text(SHAPES)
    (project.path / "quiet.toml").write_text(TOML)
    project.makeini(f"{INI}pythonpath = .\nmlflow_traces_contract =\n  shapes:PAYS\n  shapes:NEVER\n  quiet.toml\n")
    return project


def test_planted_branches_that_no_test_takes_are_all_named_and_no_other(planted):
    result = run(planted, COVERAGE)

    result.assert_outcomes(passed=4)
    assert result.ret == 0
    assert section(result) == [
        "42.1 %: 8 of 19 branches taken, of all that is expected",
        "never taken:",
        *(f"  {line}" for line in MISSED),
        "nothing looks at:",
        "  web_search TOOL ran in 1 trace",
    ]


def test_workers_know_together_what_one_process_would_know(planted):
    pytest.importorskip("xdist")
    alone, parallel = run(planted, COVERAGE), run(planted, COVERAGE, "-n2")

    parallel.assert_outcomes(passed=4)
    assert section(parallel) == section(alone)


def test_all_of_it_is_written_as_data_and_what_an_earlier_run_left_is_gone(planted):
    path = planted.path / "out" / "coverage.json"
    assert run(planted, f"{COVERAGE}={path}").ret == 0

    said = json.loads(path.read_text())
    assert (said["format"], said["percent"], said["taken"]) == (1, 42.1, 8)
    assert [
        f"{b['file']}:{b['line']}: {b['what']}: never {b['way']}" for b in said["branches"] if not b["taken"]
    ] == MISSED
    assert len(said["branches"]) == 19
    assert said["nothing_looks_at"] == [{"name": "web_search", "type": "TOOL", "traces": 1}]

    (planted.path / "conftest.py").write_text(
        "import pytest\n\ndef pytest_collection_finish(): pytest.exit('stop', returncode=2)\n"
    )
    assert run(planted, f"{COVERAGE}={path}").ret == 2
    assert json.loads(path.read_text())["taken"] == 0


def test_what_cannot_be_written_fails_the_run(planted):
    (planted.path / "file").write_text("")

    result = run(planted, f"{COVERAGE}=file/coverage.json")

    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED: *coverage.json was not written: *"])


@pytest.mark.parametrize(("floor", "status"), [("42", 0), ("42.105", 0), ("42.2", 1), ("100", 1)])
def test_a_run_that_takes_fewer_branches_than_it_is_to_fails(planted, floor, status):
    result = run(planted, COVERAGE, f"{FLOOR}={floor}")

    assert result.ret == status
    said = [line for line in section(result) if line.startswith("FAILED")]
    assert said == [f"FAILED: 42.1 %: less than the {floor} % that were asked for"] * status


def test_nothing_passes_where_nothing_held(project):
    result = run(project, COVERAGE, f"{FLOOR}=1", suite="def test_it(mlflow_traces): pass")

    assert result.ret == 1
    assert section(result)[0] == "0 %: nothing was expected of a trace, and held"


def test_what_has_no_branches_is_all_exercised(project):
    suite = """
from app import agent
from pytest_mlflow_traces import span

def test_it(mlflow_traces):
    agent()
    assert span("search") in mlflow_traces
    assert span("delete_table") not in mlflow_traces
"""
    result = run(project, COVERAGE, f"{FLOOR}=100", suite=suite)

    assert result.ret == 0
    assert section(result) == [
        "100 %: nothing that is expected has branches",
        "nothing looks at:",
        "  agent AGENT ran in 1 trace",
        "  plan UNKNOWN ran in 1 trace",
    ]


HALVES = """
import pytest
from app import agent
from pytest_mlflow_traces import one_of, span

EITHER = span("agent")[one_of(span("plan"), span("think")), span("search")]
runs = []

def test_once(mlflow_traces):
    agent()
    assert mlflow_traces.one() == EITHER
    assert False, "and then it fails"

@pytest.mark.xfail(strict=True)
def test_expected(mlflow_traces):
    agent()
    assert mlflow_traces.one() == EITHER
    assert False

@pytest.fixture
def broken():
    yield
    raise OSError

def test_torn_down(mlflow_traces, broken):
    agent()
    assert mlflow_traces.one() == EITHER

def test_says_no(mlflow_traces):
    agent()
    assert mlflow_traces.one() != span("agent")[one_of(span("x"), span("y"))]
    assert not mlflow_traces.find(one_of(span("v"), span("w")))
    assert mlflow_traces.one() == span("agent")[one_of(span("plan"), span("b")), ...]
"""


def test_only_what_held_in_a_test_that_passed_counts(project):
    result = run(project, COVERAGE, suite=HALVES)

    result.assert_outcomes(passed=2, failed=1, xfailed=1, errors=1)
    assert section(result) == [
        "50 %: 1 of 2 branches taken, of all that is expected",
        "never taken:",
        "  test_suite.py:33: one_of(span('plan'), span('b')): never span('b')",
        "nothing looks at:",
        "  search TOOL ran in 1 trace",
    ]


def test_of_a_test_that_runs_again_the_run_that_passes_counts(project, monkeypatch):
    pytest.importorskip("pytest_rerunfailures")
    monkeypatch.setenv(
        "PYTEST_ADDOPTS", "-p pytest_mlflow_traces.plugin -p pytest_asyncio.plugin -p pytest_rerunfailures"
    )
    suite = """
import mlflow
from pytest_mlflow_traces import one_of, span

EITHER = one_of(span("first"), span("second"), span("third"))
names = ["first", "second"]

def test_it(mlflow_traces):
    name = names.pop(0)
    with mlflow.start_span(name):
        pass
    assert mlflow_traces.one() == EITHER
    assert name == "second"
"""
    result = run(project, COVERAGE, "--reruns=1", suite=suite)

    result.assert_outcomes(passed=1)
    either = "test_suite.py:5: one_of(span('first'), span('second'), span('third'))"
    assert section(result) == [
        "33.3 %: 1 of 3 branches taken, of all that is expected",
        "never taken:",
        f"  {either}: never span('first')",
        f"  {either}: never span('third')",
    ]


BASELINES = """
import mlflow
import pytest

def trace(*names):
    with mlflow.start_span("agent"):
        for name in names:
            with mlflow.start_span(name):
                pass

def test_one(mlflow_traces, trace_baseline):
    trace("plan", "search")
    assert mlflow_traces.one() == trace_baseline

def test_two(mlflow_traces, trace_baseline):
    trace("plan")
    assert mlflow_traces.one() == trace_baseline("a name")
"""


def test_of_a_baseline_the_lines_of_its_file_are_named_used_or_not(project):
    written = run(project, "--mlflow-traces-update", COVERAGE, suite=BASELINES)
    assert section(written)[0] == "0 %: nothing was expected of a trace, and held"
    folder = project.path / "__traces__" / "test_suite"
    one, two = folder / "test_one.trace", folder / "test_two.trace"
    one.write_text(one.read_text().replace("search UNKNOWN OK", "search UNKNOWN OK ?\n  retry UNKNOWN OK ?"))
    two.write_text(two.read_text() + "\n[unused]\nagent\n  any order\n    a\n    b\n")
    (folder / "unreadable.trace").write_text("?")

    result = run(project, COVERAGE, suite=BASELINES)

    assert section(result) == [
        "50 %: 4 of 8 branches taken, of all that is expected",
        "never taken:",
        "  __traces__/test_suite/test_one.trace:6: optional(span('search', type='UNKNOWN')): never absent",
        "  __traces__/test_suite/test_one.trace:7: optional(span('retry', type='UNKNOWN')): never present",
        "  __traces__/test_suite/test_two.trace:8: baseline [unused]: never compared",
        "  __traces__/test_suite/test_two.trace:10: any_order(span('a'), span('b')): never in more than one order",
    ]


def test_a_contract_that_a_marker_names_is_asked_in_its_file(project):
    (project.path / "inner.toml").write_text(TOML)
    suite = """
import pytest
from app import agent

@pytest.mark.mlflow_traces(expect="inner.toml")
def test_it():
    agent()
"""
    assert section(run(project, COVERAGE, suite=suite))[:4] == [
        "40 %: 2 of 5 branches taken, of all that is expected",
        "never taken:",
        "  inner.toml:6: contract 'inner': never applied",
        "  inner.toml:10: optional(span('a')): never absent",
    ]


def test_what_a_conftest_makes_knows_its_place(project):
    (project.path / "conftest.py").write_text(
        "from pytest_mlflow_traces import *\n\nSHAPE = span('agent') | span('b')\n"
    )
    suite = """
from app import agent
from conftest import SHAPE

def test_it(mlflow_traces):
    agent()
    assert mlflow_traces.one() == SHAPE
"""
    lines = section(run(project, COVERAGE, suite=suite))

    assert lines[2] == "  conftest.py:3: one_of(span('agent'), span('b')): never span('b')"


def test_the_summary_and_the_page_have_it_too(planted):
    pytest.importorskip("jinja2")
    run(planted, COVERAGE, "--mlflow-traces-summary=summary.md", "--mlflow-traces-html=page.html")

    summary = (planted.path / "summary.md").read_text()
    assert (
        "### Coverage of what is expected\n\n42.1 &#37;&#58; 8 of 19 branches taken, of all that is expected."
        in summary
    )
    assert "\n  shapes.py:7: optional(span(&#x27;retry&#x27;)): never present\n" in summary
    page = (planted.path / "page.html").read_text()
    assert "Coverage of what is expected: 42.1 %: 8 of 19 branches taken, of all that is expected." in page
    assert "shapes.py:7: optional(span(&#39;retry&#39;)): never present" in page


def test_it_goes_together_with_mutants(planted):
    result = run(planted, COVERAGE, "--mlflow-traces-mutate")

    assert section(result)[0].startswith("42.1 %")
    result.stdout.fnmatch_lines(["*MLflow trace mutants*", "* mutants noticed, *"])


def test_a_long_list_is_cut_and_verbose_it_is_not(project):
    suite = """
from app import agent
from pytest_mlflow_traces import optional, span

def test_it(mlflow_traces):
    agent()
    assert mlflow_traces.one() == span("agent")[(..., *[optional(span(f"{n:03}")) for n in range(120)])]
"""
    lines = section(run(project, COVERAGE, suite=suite))
    assert len(lines) == 2 + 100 + 1 + 3
    assert lines[102] == "  ... 20 more, in the file of --mlflow-traces-coverage=PATH"
    assert len(section(run(project, COVERAGE, "-v", suite=suite))) == 2 + 120 + 3


def test_without_the_option_nothing_is_noted_and_nothing_loaded(project, monkeypatch):
    suite = """
import sys
from app import agent
from pytest_mlflow_traces import span
from pytest_mlflow_traces.core.patterns.written import NOTING, place_of

def test_it(mlflow_traces):
    agent()
    assert mlflow_traces.one() == span("agent")
    assert place_of(span("agent")) is None
    assert not [name for name in sys.modules if "adequacy" in name]
"""
    (project.path / "test_suite.py").write_text(suite)
    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    assert "coverage" not in result.stdout.str()


def test_places_are_noted_as_long_as_the_run_goes(planted):
    before = NOTING.wanted

    run(planted, COVERAGE)

    assert NOTING.wanted == before


def test_a_run_that_collects_alone_says_nothing(planted):
    assert "MLflow trace coverage" not in run(planted, COVERAGE, "--collect-only").stdout.str()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([f"{FLOOR}=50"], f"{FLOOR} is about coverage, and there is none: add {COVERAGE}"),
        ([COVERAGE, "."], f"*{COVERAGE}: '.' is no file to write; paths go before {COVERAGE}"),
        ([COVERAGE, "test_suite.py"], "*'test_suite.py' is no file to write; *"),
        ([f"{COVERAGE}="], "*the path is empty, *"),
        ([COVERAGE, f"{FLOOR}=101"], "*'101' is no percentage from 0 to 100"),
    ],
)
def test_misuse_is_told(planted, args, said):
    result = run(planted, *args)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}".replace("**", "*")])
