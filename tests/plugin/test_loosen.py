"""`--mlflow-traces-update=loosen`: a baseline that holds of every run so far."""

from __future__ import annotations

import itertools

import pytest

from tests.plugin.test_baselines import AGENT, BASELINE, FILE, PLAN, SEARCH, TEST, makes, read, run, write

LOOSEN = "--mlflow-traces-update=loosen"
ANSWER = ["answer", "LLM", []]
HEAD = "# pytest-mlflow-traces baseline, format 1\n# test_agent.py::test_it\n\n"


@pytest.fixture
def suite(project):
    """A project whose agent makes the tree in `tree.json`."""
    project.makepyfile(app=AGENT)
    project.makepyfile(test_agent=TEST)
    makes(project, PLAN, SEARCH)
    return project


def summary(result):
    """Return what is said of baselines at the end of a run."""
    lines = [line.rstrip() for line in result.outlines]
    return [line for line in lines if line.startswith(("loosened:", "written:", "left alone:", "    agent"))]


def test_runs_in_any_order_end_in_the_same_text(suite):
    runs = [[PLAN, SEARCH], [PLAN], [PLAN, SEARCH, SEARCH, ANSWER]]
    found = set()
    for order in itertools.permutations(runs):
        (suite.path / FILE).unlink(missing_ok=True)
        for children in order:
            makes(suite, *children)
            run(suite, LOOSEN).assert_outcomes(passed=1)
        found.add(read(suite))

    assert found == {
        f"{HEAD}agent AGENT OK\n  plan LLM OK\n  any order\n    answer LLM OK ?\n    search TOOL OK {{0,2}}\n"
    }
    run(suite).assert_outcomes(passed=1)


def test_what_is_given_up_is_said_a_line_each(suite):
    write(suite, BASELINE.replace("  plan", "  # it thinks\n  plan"))
    makes(suite, SEARCH, ANSWER)

    result = run(suite, LOOSEN)

    result.assert_outcomes(passed=1)
    assert summary(result) == [
        f"loosened: {FILE}",
        "    agent  AGENT > plan  LLM ?: it was once",
        "    agent  AGENT > answer  LLM ?: it is new",
    ]
    assert read(suite) == HEAD + "agent AGENT OK\n  # it thinks\n  plan LLM OK ?\n  search TOOL OK\n  answer LLM OK ?\n"


def test_a_run_that_holds_changes_nothing(suite):
    write(suite, BASELINE)

    result = run(suite, LOOSEN)

    result.assert_outcomes(passed=1)
    assert (summary(result), read(suite)) == ([], BASELINE)


def test_what_cannot_be_loosened_fails_and_leaves_the_file(suite):
    demanding = BASELINE.replace("search TOOL OK", "search TOOL OK within=0ms")
    write(suite, demanding)

    result = run(suite, LOOSEN)

    result.assert_outcomes(failed=1)
    assert read(suite) == demanding
    why = "line 6: `within` does not hold for agent > search; change it by hand"
    assert f"{FILE} was not updated: {why}" in result.stdout.str()
    assert f"left alone: {FILE}" in summary(result)


def test_a_line_beside_a_gap_is_asked_for_by_hand(suite):
    write(suite, BASELINE.replace("  search TOOL OK", "  ...\n  search TOOL OK"))
    makes(suite, PLAN)

    result = run(suite, LOOSEN)

    result.assert_outcomes(failed=1)
    said = "line 7: `search TOOL OK`, which would ask for nothing beside `...`, does not hold for agent"
    assert said in result.stdout.str()


def test_several_runs_in_one_test(suite):
    suite.makepyfile(
        test_agent="""
        from app import agent

        def test_it(mlflow_traces, trace_baseline):
            agent()
            agent(tree="other.json")
            for trace in mlflow_traces:
                assert trace == trace_baseline
        """
    )
    makes(suite, PLAN, file="other.json")

    run(suite, "--mlflow-traces-update").assert_outcomes(failed=1)
    run(suite, LOOSEN).assert_outcomes(passed=1)

    assert read(suite) == HEAD + "agent AGENT OK\n  plan LLM OK\n  search TOOL OK ?\n"
    run(suite).assert_outcomes(passed=1)


def test_calls_and_tags_are_loosened_too(suite):
    suite.makepyfile(test_agent=TEST.replace("== trace_baseline", "== trace_baseline(calls=True, tags=True)"))
    run(suite, LOOSEN)
    assert read(suite) == HEAD + "tags: team\ncalls search: 1\nagent AGENT OK\n  plan LLM OK\n  search TOOL OK\n"
    makes(suite, PLAN, SEARCH, SEARCH, ["ask", "TOOL", []])
    suite.makepyfile(app=AGENT.replace('tags={"team": "red"}', 'tags={"place": "here"}'))

    result = run(suite, LOOSEN)

    result.assert_outcomes(passed=1)
    assert read(suite) == HEAD + (
        "tags: place? team?\ncalls ask: {0,1}\ncalls search: {1,2}\n"
        "agent AGENT OK\n  plan LLM OK\n  search TOOL OK\n  any order\n    ask TOOL OK ?\n    search TOOL OK ?\n"
    )
    makes(suite, PLAN, SEARCH)
    run(suite).assert_outcomes(passed=1)


def test_files_that_no_test_uses_stay(suite):
    run(suite, LOOSEN)
    suite.makepyfile(test_agent="def test_other(mlflow_traces): pass")

    run(suite, LOOSEN)

    assert (suite.path / FILE).exists()


def test_a_value_that_is_not_known_is_an_error(suite):
    result = run(suite, "--mlflow-traces-update=loose")

    assert result.ret == 4


def test_workers_of_xdist_know_of_it(suite):
    pytest.importorskip("xdist")
    write(suite, BASELINE)
    makes(suite, PLAN)

    suite.runpytest_subprocess("-n1", LOOSEN).assert_outcomes(passed=1)

    assert "search TOOL OK ?" in read(suite)
