"""`--mlflow-traces-save`: every captured trace, once, with the test that made it."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest
from mlflow.entities import Trace as MlflowTrace

from pytest_mlflow_traces import read_traces

SUITE = """
    import pytest
    from app import agent

    def test_one(mlflow_traces):
        agent()

    @pytest.mark.parametrize("n", [0, 1, 2])
    def test_several(mlflow_traces, n):
        for _ in range(n):
            agent()

    class TestClass:
        def test_method(self, mlflow_traces):
            agent()

    def test_fails(mlflow_traces):
        agent()
        assert False

    @pytest.mark.xfail
    def test_xfails(mlflow_traces):
        agent()
        assert False

    @pytest.mark.skip
    def test_skipped(mlflow_traces):
        agent()

    def test_plain():
        pass
"""
MADE = {
    "test_one": 1,
    "test_several[1]": 1,
    "test_several[2]": 2,
    "TestClass::test_method": 1,
    "test_fails": 1,
    "test_xfails": 1,
}


def run(project, *args):
    return project.runpytest_inprocess("--mlflow-traces-save=out/traces.jsonl", *args)


def saved(project):
    traces = read_traces(project.path / "out" / "traces.jsonl")
    return [str(trace.system_tags["mlflow.test.name"]).partition("::")[2] for trace in traces]


def test_every_captured_trace_is_saved_with_its_test(project):
    project.makepyfile(SUITE)

    result = run(project)

    assert Counter(saved(project)) == MADE
    assert saved(project) == sorted(saved(project))
    result.stdout.fnmatch_lines(["mlflow traces: 7 traces saved to out/traces.jsonl"])
    assert [path.name for path in (project.path / "out").iterdir()] == ["traces.jsonl"]


def test_under_xdist_too(project):
    project.makepyfile(SUITE)

    result = project.runpytest_subprocess("--mlflow-traces-save=out/traces.jsonl", "-n", "2")

    assert Counter(saved(project)) == MADE
    assert saved(project) == sorted(saved(project))
    result.stdout.fnmatch_lines(["mlflow traces: 7 traces saved to out/traces.jsonl"])


def test_each_line_is_what_mlflow_reads(project):
    project.makepyfile(
        """
        from app import agent

        def test_tags(mlflow_traces):
            agent(tags={"done": True, "none": None, "list": [1, 2], 5: "number", "odd": "\\ud800\\u202e"})
            assert mlflow_traces.one().tags["done"] is True
        """
    )

    run(project)

    (line,) = (project.path / "out" / "traces.jsonl").read_bytes().splitlines()
    trace = MlflowTrace.from_dict(json.loads(line))
    assert [span.name for span in trace.data.spans] == ["agent", "plan", "search"]
    said = {key: value for key, value in trace.info.tags.items() if not key.startswith("mlflow.")}
    assert said == {"done": "True", "none": "None", "list": "[1, 2]", "5": "number", "odd": "\\ud800\u202e"}
    assert trace.info.tags["mlflow.test.name"] == "test_each_line_is_what_mlflow_reads.py::test_tags"


def test_a_part_of_the_suite_saves_its_part(project):
    project.makepyfile(SUITE)

    run(project, "-k", "several")
    assert Counter(saved(project)) == {"test_several[1]": 1, "test_several[2]": 2}

    run(project, "-x", "-k", "method or fails")
    assert Counter(saved(project)) == {"TestClass::test_method": 1, "test_fails": 1}


def test_a_run_without_traces_leaves_an_empty_file(project):
    """What was there before would be taken for this run's."""
    project.makepyfile("def test_plain(): pass")
    (project.path / "out").mkdir()
    (project.path / "out" / "traces.jsonl").write_text("old")

    run(project).stdout.fnmatch_lines(["mlflow traces: 0 traces saved to out/traces.jsonl"])

    assert saved(project) == []


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_of_a_test_that_is_run_again_the_last_run_counts(project, workers):
    project.makepyfile(
        """
        from pathlib import Path
        from app import agent

        def test_flaky(mlflow_traces):
            agent()
            count = Path("count")
            count.write_text(count.read_text() + "x" if count.exists() else "x")
            assert len(count.read_text()) == 3
        """
    )

    result = project.runpytest_subprocess(
        *("-p", "pytest_rerunfailures", "--reruns=3", "--junitxml=out.xml", *workers),
        *("--mlflow-traces-save=out/traces.jsonl", "--mlflow-traces-summary=out/summary.md"),
    )

    result.assert_outcomes(passed=1)
    assert saved(project) == ["test_flaky"]
    for case in ET.parse(project.path / "out.xml").iter("testcase"):
        names = [each.get("name") for each in case.iter("property")]
        assert len(names) == len(set(names)) > 0
    assert "test_flaky</code> | passed | 1 | 3 |" in (project.path / "out" / "summary.md").read_text()


def test_a_place_that_cannot_be_written_fails_the_run_and_says_so(project):
    project.makepyfile("from app import agent\n\ndef test_one(mlflow_traces):\n    agent()\n")
    (project.path / "out").write_text("a file")

    result = run(project)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["mlflow traces: the traces were not saved: *"])


@pytest.mark.parametrize("option", ["--mlflow-traces-save", "--mlflow-traces-summary"])
def test_an_empty_path_is_a_usage_error(project, option):
    result = project.runpytest_inprocess(f"{option}=")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"argument {option}: the path is empty, as where a variable of a CI is not set" in result.stderr.str()


def test_a_device_is_written_to_and_not_replaced(project):
    project.makepyfile("from app import agent\n\ndef test_one(mlflow_traces):\n    agent()\n")

    project.runpytest_inprocess("--mlflow-traces-save=/dev/null").assert_outcomes(passed=1)

    assert Path("/dev/null").is_char_device()


def test_the_order_of_what_took_turns_makes_no_difference(project):
    for names in ("ab", "ba"):
        project.makepyfile(f"from taking_turns import agent\n\ndef test_it(mlflow_traces):\n    agent({names!r})\n")
        project.runpytest_inprocess(f"--mlflow-traces-save={names}.jsonl").assert_outcomes(passed=1)
    first, second = (read_traces(project.path / f"{names}.jsonl")[0] for names in ("ab", "ba"))
    assert [[span.name for span in trace.root.children] for trace in (first, second)] == [["a", "b"], ["b", "a"]]

    result = project.run(sys.executable, "-m", "pytest_mlflow_traces", "diff", "ab.jsonl", "ba.jsonl")

    assert result.ret == 0
    # and MLflow reads the file as ever
    assert MlflowTrace.from_json((project.path / "ab.jsonl").read_text()).data.spans[0].name == "agent"
