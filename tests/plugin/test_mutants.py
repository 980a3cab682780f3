"""`--mlflow-traces-mutate`: what nothing notices, in the terminal, the summary and as JSON, and what fails a run."""

from __future__ import annotations

import json

import pytest

from tests.plugin.conftest import INI

SUITE = """
    import pytest
    from app import agent
    from pytest_mlflow_traces import Budget, assert_trace, span

    def test_weak(mlflow_traces):
        agent()
        assert mlflow_traces.one() == span("agent")[..., span("search")]

    @pytest.mark.mlflow_traces(expect=span("agent")[span("plan"), ...])
    def test_marked():
        agent()
"""
MUTATE = "--mlflow-traces-mutate"


def section(result):
    """Return the lines of our section."""
    lines = result.outlines
    (start,) = [k for k, line in enumerate(lines) if "MLflow trace mutants" in line]
    stop = next(k for k in range(start + 1, len(lines)) if lines[k].startswith(("=", "mlflow traces:")))
    return lines[start + 1 : stop]


def run(project, *args, suite=SUITE):
    project.makepyfile(test_suite=suite)
    return project.runpytest(*args)


def test_what_nothing_notices_is_told(project):
    result = run(project, MUTATE)

    result.assert_outcomes(passed=2)
    assert result.ret == 0
    lines = section(result)
    assert lines[0] == "8 of 16 mutants noticed, 50 % (shape, status)"
    assert lines[1:] == [
        "nothing notices when `plan` is there twice, has another type or ends in an error (2 traces, 2 tests)",
        "nothing notices when `search` is there twice, has another type or ends in an error (2 traces, 2 tests)",
        "nothing notices when `agent` has another type or ends in an error (2 traces, 2 tests)",
    ]


def test_without_the_option_nothing_is_noted(project):
    result = run(
        project,
        suite="""
        from app import agent
        from pytest_mlflow_traces import span
        from pytest_mlflow_traces.core.questions import Questions

        def test_it(mlflow_traces):
            agent()
            assert mlflow_traces.one() == span("agent")
            assert Questions.active is None
        """,
    )

    result.assert_outcomes(passed=1)
    assert "mutants" not in result.stdout.str()


STRICT = """
    from app import agent
    import pytest
    from pytest_mlflow_traces import span

    STRICT = span("agent", type="AGENT", status="OK")[
        span("plan", type="UNKNOWN", status="OK")[()], span("search", type="TOOL", status="OK")[()]
    ]
"""
FIXTURE = """@pytest.fixture
    def asking(mlflow_traces):
        yield
        assert mlflow_traces.one() == STRICT

    def test_it(asking):
        agent()
"""


@pytest.mark.parametrize(
    "body",
    [
        "def test_it(mlflow_traces):\n        agent()\n        assert mlflow_traces.one() == STRICT",
        "def test_it(mlflow_traces):\n        agent()\n        assert not mlflow_traces.one() != STRICT",
        "def test_it(mlflow_traces):\n        agent()\n        assert STRICT in mlflow_traces",
        "def test_it(mlflow_traces):\n        agent()\n        assert STRICT == mlflow_traces.one()",
        "@pytest.mark.mlflow_traces(expect=STRICT)\n    def test_it():\n        agent()",
        FIXTURE,
    ],
    ids=["==", "not !=", "in", "pattern first", "marker", "fixture"],
)
def test_whatever_asks_notices(project, body):
    result = run(project, MUTATE, f"{MUTATE}-fail-under=100", suite=f"{STRICT}\n    {body}\n")

    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert section(result) == ["16 of 16 mutants noticed, 100 % (shape, status)"]


def test_a_baseline_notices(project):
    suite = """
        from app import agent

        def test_it(mlflow_traces, trace_baseline):
            agent()
            assert mlflow_traces.one() == trace_baseline
    """
    first = run(project, MUTATE, "--mlflow-traces-update", suite=suite)
    baseline = next(project.path.rglob("*.trace"))
    recorded = baseline.read_text()
    second = run(project, MUTATE, suite=suite)

    for result in (first, second):
        assert section(result)[0] == "16 of 16 mutants noticed, 100 % (shape, status)"
    assert baseline.read_text() == recorded


def test_a_contract_of_the_suite_notices(project):
    project.makepyfile(contracts=f"{STRICT}\n    CONTRACT = STRICT\n".replace("\n    ", "\n"))
    project.makeini(f"{INI}mlflow_traces_contract = contracts:CONTRACT\n")

    result = run(project, MUTATE, suite="from app import agent\n\ndef test_it(mlflow_traces):\n    agent()\n")

    assert section(result)[0] == "16 of 16 mutants noticed, 100 % (shape, status)"


def test_a_trace_that_nothing_asks_about_has_every_mutant_alive(project):
    result = run(project, MUTATE, suite="from app import agent\n\ndef test_it(mlflow_traces):\n    agent()\n")

    assert section(result)[0] == "0 of 16 mutants noticed, 0 % (shape, status)"
    assert "nothing notices what happens to `search` (1 trace, 1 test)" in section(result)


def test_a_test_that_fails_or_is_expected_to_notices_nothing(project):
    suite = f"""{STRICT}
    def test_fails(mlflow_traces):
        agent()
        assert mlflow_traces.one() == STRICT
        assert False

    @pytest.mark.xfail
    def test_xfails(mlflow_traces):
        agent()
        assert mlflow_traces.one() == STRICT
        assert False

    @pytest.fixture
    def broken():
        yield
        assert False

    def test_ends_badly(broken, mlflow_traces):
        agent()
        assert mlflow_traces.one() == STRICT
    """

    assert section(run(project, MUTATE, suite=suite)) == ["no mutants (shape, status): nothing was edited"]


def test_what_asks_single_spans_is_said(project):
    suite = """
    from app import agent
    from pytest_mlflow_traces import span

    def test_it(mlflow_traces):
        agent()
        assert mlflow_traces.one().count(span("plan")) == 1
    """

    assert section(run(project, MUTATE, suite=suite))[-1] == (
        "1 test asked single spans, too (find, count, `span ==`): not asked again"
    )


@pytest.mark.parametrize(("floor", "ret"), [("50", 0), ("50.1", 1)])
def test_a_floor_fails_the_run(project, floor, ret):
    result = run(project, MUTATE, f"{MUTATE}-fail-under={floor}")

    assert result.ret == ret
    assert ("50 %: less than the 50.1 % that were asked for" in section(result)) == bool(ret)


def test_nothing_edited_is_under_any_floor(project):
    result = run(project, MUTATE, f"{MUTATE}-fail-under=0", suite="def test_it(): pass")

    assert result.ret == 1
    assert section(result)[-1] == "nothing was edited: less than the 0 % that were asked for"


def test_the_summary_has_it(project):
    run(project, MUTATE, "--mlflow-traces-summary=summary.md")

    summary = (project.path / "summary.md").read_text()
    assert "### Mutants: 8 of 16 mutants noticed, 50 &#37; &#40;shape, status&#41;" in summary
    assert "- nothing notices when &#96;search&#96; is there twice, has another type" in summary
    assert "3 spans" in summary


def test_json_has_all_of_it(project):
    run(project, f"{MUTATE}=status", f"{MUTATE}-json=out/mutants.json")

    said = json.loads((project.path / "out" / "mutants.json").read_text())
    (shape,) = said["shapes"]
    assert (said["classes"], said["mutants"], said["noticed"], said["percent"]) == (["status"], 3, 0, 0.0)
    assert (shape["name"], shape["spans"], shape["traces"], shape["mutants"]) == ("agent", 3, 2, 3)
    assert shape["tests"] == ["test_suite.py::test_marked", "test_suite.py::test_weak"]
    assert said["survivors"][0] == {
        "subject": "`agent`",
        "edits": ["failed"],
        "text": "nothing notices when `agent` ends in an error",
        "traces": 2,
        "tests": 2,
        "shapes": [shape["shape"]],
    }


def test_under_xdist_it_is_the_same(project):
    suite = SUITE + "".join(f"\n    def test_{n}(mlflow_traces):\n        agent()\n" for n in range(4))
    alone = section(run(project, MUTATE, suite=suite))

    assert section(run(project, MUTATE, "-n2", suite=suite)) == alone
    assert "(6 traces, 6 tests)" in alone[1]


def test_of_a_test_that_runs_again_the_run_that_passed_counts(project, monkeypatch):
    pytest.importorskip("pytest_rerunfailures")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p pytest_mlflow_traces.plugin -p pytest_rerunfailures")
    suite = f"""{STRICT}
    runs = []

    def test_it(mlflow_traces):
        runs.append(1)
        agent()
        assert mlflow_traces.one() == STRICT
        assert len(runs) > 1
    """
    result = run(project, MUTATE, f"{MUTATE}-json=mutants.json", "--reruns=2", suite=suite)

    assert section(result)[0] == "16 of 16 mutants noticed, 100 % (shape, status)"
    assert json.loads((project.path / "mutants.json").read_text())["shapes"][0]["traces"] == 1


def test_a_part_of_the_suite_is_said_to_be_one(project):
    run(project, suite=SUITE)
    result = run(project, MUTATE, "-k", "weak", suite=SUITE)

    assert section(result)[-1] == "of the tests that ran: this is not the whole suite"


def test_last_failed_is_a_part(project):
    run(project, "-p", "cacheprovider", suite=SUITE + "\n    def test_fails():\n        assert False\n")
    result = run(
        project, MUTATE, "--lf", "-p", "cacheprovider", suite=SUITE + "\n    def test_fails():\n        pass\n"
    )

    result.assert_outcomes(passed=1)
    assert section(result)[-1] == "of the tests that ran: this is not the whole suite"


def test_twenty_lines_at_most(project):
    suite = """
    import mlflow
    import pytest

    @pytest.mark.parametrize("n", range(9))
    def test_it(mlflow_traces, n):
        with mlflow.start_span(f"agent {n}"):
            for k in range(n):
                with mlflow.start_span(f"step {k}"):
                    pass
    """
    lines = section(run(project, MUTATE, suite=suite))

    assert len(lines) == 20
    assert lines[5].startswith("  ... 5 more shapes")
    assert lines[-1].startswith("... ")
    assert lines[-1].endswith(" more, all of them by --mlflow-traces-mutate-json=PATH")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([f"{MUTATE}=shapes"], "unknown class of edits 'shapes' (legal: 'shape', 'status', *); did you mean 'shape'?"),
        ([MUTATE, "tests/test_suite.py"], "*; paths go before --mlflow-traces-mutate"),
        ([MUTATE, f"{MUTATE}-fail-under=101"], "'101' is no percentage from 0 to 100"),
        ([MUTATE, f"{MUTATE}-fail-under=x"], "'x' is no percentage from 0 to 100"),
        ([f"{MUTATE}-fail-under=9"], f"{MUTATE}-fail-under is about mutants, and there are none: add {MUTATE}"),
        ([f"{MUTATE}-json=x"], f"{MUTATE}-json is about mutants, and there are none: add {MUTATE}"),
    ],
)
def test_misuse_ends_the_run_and_says_why(project, args, said):
    result = run(project, *args)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said.replace('[', '[[]')}"])
