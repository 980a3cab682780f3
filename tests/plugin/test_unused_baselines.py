"""Baselines that no test uses: told at the end of a run of everything, removed with an update, and never else."""

from __future__ import annotations

import html

import pytest

from tests.plugin.conftest import INI

SUITE = """
    import pytest
    from app import agent

    def test_one(mlflow_traces, trace_baseline):
        agent()
        assert mlflow_traces.one() == trace_baseline
        assert mlflow_traces.one() == trace_baseline("again")

    @pytest.mark.parametrize("n", [1, 2])
    def test_two(mlflow_traces, trace_baseline, n):
        agent()
        assert mlflow_traces.one() == trace_baseline
"""
UPDATE = "--mlflow-traces-update"
ONE, TWO = "tests/__traces__/test_a/test_one.trace", "tests/__traces__/test_a/test_two-2-*.trace"


def run(suite, *args):
    return suite.runpytest_inprocess(*args)


@pytest.fixture
def suite(project):
    """A suite in which one test and one parameter are gone, and one section is not compared any more."""
    (project.path / "tests").mkdir()
    project.makeini(f"{INI}pythonpath = .\n")
    write(project, SUITE)
    run(project, UPDATE).assert_outcomes(passed=3)
    return project


def write(project, text):
    import textwrap

    (project.path / "tests" / "test_a.py").write_text(textwrap.dedent(text))


def files(suite):
    return sorted(path.name.partition("-")[0] for path in suite.path.rglob("*.trace"))


def told(result):
    return [line for line in result.outlines if line.startswith(("no test uses", "removed: ", "updated: "))]


GONE = SUITE.replace("def test_one", "def test_three")
LESS = SUITE.replace('        assert mlflow_traces.one() == trace_baseline("again")\n', "").replace("[1, 2]", "[1]")


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_run_of_everything_tells_what_no_test_uses(suite, workers):
    write(suite, LESS)

    result = (suite.runpytest_subprocess if workers else suite.runpytest_inprocess)(*workers)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*= MLflow trace baselines =*"])
    result.stdout.fnmatch_lines_random(
        [f"no test uses [[]again] of the baseline {ONE}", f"no test uses the baseline {TWO}"]
    )
    assert result.ret == 0
    assert len(told(result)) == 2


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_with_an_update_it_is_removed(suite, workers):
    write(suite, LESS)

    result = (suite.runpytest_subprocess if workers else suite.runpytest_inprocess)(UPDATE, *workers)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random([f"updated: {ONE}", "    -[[]again]", f"removed: {TWO}"])
    assert files(suite) == ["test_one.trace", "test_two"]
    assert "[again]" not in (suite.path / ONE).read_text()
    assert told(run(suite)) == []


def test_in_strict_mode_it_fails_the_run(suite):
    write(suite, LESS)

    assert run(suite, "-o", "mlflow_traces_strict=true").ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    "args",
    [
        ["-k", "two"],
        ["tests/test_a.py"],
        ["tests/test_a.py::test_two"],
        ["--lf"],
        ["-m", "not slow"],
        ["--deselect=tests/test_a.py::test_three"],
        ["-x"],
        ["-o", "python_functions=test_t*"],
        ["-o", "python_files=test_a*"],
        ["--collect-only"],
    ],
)
def test_a_part_of_a_suite_tells_nothing_and_removes_nothing(suite, args):
    write(suite, LESS)

    assert told(run(suite, *args)) == []
    assert told(run(suite, UPDATE, *args)) == []
    assert len(files(suite)) == 3


@pytest.mark.parametrize(
    "shard",
    [
        "    del items[1:]",
        "    config.hook.pytest_deselected(items=items[1:])\n    items[:] = items[:1]",
    ],
)
def test_nor_does_a_shard(suite, shard):
    write(suite, LESS)
    suite.makeconftest(f"def pytest_collection_modifyitems(config, items):\n{shard}")

    assert told(run(suite, UPDATE)) == []
    assert len(files(suite)) == 3


@pytest.mark.parametrize(
    "more",
    [
        "\n\ndef test_fails(): assert 1 == 2",
        "\n\n@pytest.fixture\ndef broken(): raise ValueError\n\ndef test_errs(broken): pass",
    ],
)
def test_nor_does_a_run_that_failed(suite, more):
    import textwrap

    (suite.path / "tests" / "test_a.py").write_text(textwrap.dedent(LESS) + more)

    assert told(run(suite, UPDATE)) == []
    assert len(files(suite)) == 3


def test_nor_does_one_that_could_not_collect_all(suite):
    write(suite, LESS)
    (suite.path / "tests" / "test_b.py").write_text("import nothing_of_this_name")

    assert told(run(suite, UPDATE, "--continue-on-collection-errors")) == []
    assert len(files(suite)) == 3


@pytest.mark.parametrize("how", ["skip", "xfail(run=False)", "xfail(strict=True)"])
def test_a_test_that_did_not_run_to_its_end_keeps_its_file(suite, how):
    marked = LESS.replace("def test_one", f"@pytest.mark.{how}\n    def test_one")
    write(suite, marked.replace("assert mlflow_traces.one() == trace_baseline", "assert 1 == 2", 1))

    result = run(suite, UPDATE)

    assert [line.partition("-2-")[0] for line in told(result)] == ["removed: tests/__traces__/test_a/test_two"]


def test_a_module_that_skips_itself_keeps_its_files(suite):
    write(suite, "import pytest\npytest.skip('no such library', allow_module_level=True)")
    (suite.path / "tests" / "test_b.py").write_text("def test_b(): pass")

    assert told(run(suite, UPDATE)) == []


def test_a_module_that_is_not_collected_keeps_its_files(suite):
    (suite.path / "tests" / "test_b.py").write_text("def test_b(): pass")
    (suite.path / "tests" / "conftest.py").write_text("collect_ignore = ['test_a.py']")

    assert told(run(suite, UPDATE)) == []


def test_a_module_that_is_gone_leaves_no_files(suite):
    (suite.path / "tests" / "test_a.py").rename(suite.path / "tests" / "test_b.py")

    result = run(suite, UPDATE)

    result.assert_outcomes(passed=3)
    assert len(told(result)) == 3
    assert not (suite.path / "tests" / "__traces__" / "test_a").exists()
    assert len(files(suite)) == 3


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_test_without_parameters_keeps_the_files_of_those_it_had(suite, workers):
    write(suite, LESS.replace("[1]", "[]") + '    @pytest.mark.parametrize("m", "x")\n    def test_tw(m): pass\n')

    result = (suite.runpytest_subprocess if workers else suite.runpytest_inprocess)(UPDATE, *workers)

    result.assert_outcomes(passed=2, skipped=1)
    assert told(result) == [f"updated: {ONE}"]
    assert len(files(suite)) == 3


def test_a_test_that_is_gone_and_one_that_asks_no_longer(suite):
    write(suite, "def test_one(): pass")

    result = run(suite)

    assert len(told(result)) == 3


def test_a_file_that_says_no_test_is_nobody_s_to_remove(suite):
    (suite.path / "tests" / "__traces__" / "test_a" / "mine.trace").write_text("a note")

    assert told(run(suite, UPDATE)) == []


def test_the_summary_tells_it_too(suite):
    write(suite, LESS)

    run(suite, "--mlflow-traces-summary=summary.md")

    text = html.unescape((suite.path / "summary.md").read_text())
    assert "no test uses the baseline tests/__traces__/test_a/test_two-2-" in text
