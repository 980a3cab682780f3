"""The marker's `repeat` and `at_least`: the body runs until it is sure whether it holds at the rate."""

from __future__ import annotations

import json

import pytest

# pytester drops what a run in process has imported, and a class that was loaded twice is two classes
import pytest_mlflow_traces.plugin.repeat  # noqa: F401
from pytest_mlflow_traces.plugin.test_result import Result
from tests.plugin.conftest import INI

AGENT = """
import itertools

import mlflow
import pytest
from pytest_mlflow_traces import span

RUNS = itertools.count(1)


def agent(bad=()):
    run = next(RUNS)
    print(f"this is run {run}.")
    with mlflow.start_span("agent"):
        if run in bad:
            print(f"run {run} is bad")
        else:
            with mlflow.start_span("guardrail"):
                pass
    return run
"""
TWENTY = "repeat=20, at_least=0.9"
GUARDED = 'expect=span("agent")[span("guardrail")]'


def suite(project, body, **files):
    project.makepyfile(test_it=AGENT + "\n\n" + body, **files)
    return project


def run(project, *args):
    return project.runpytest_inprocess("-p", "no:cacheprovider", *args)


def repeated(project, body, marker=f"{TWENTY}, {GUARDED}", *, args="", before=""):
    marked = f"{before}\n@pytest.mark.mlflow_traces({marker})\ndef test_agent({args}):\n    {body}\n"
    return suite(project, marked)


def test_six_runs_that_hold_are_enough_of_twenty(project):
    result = run(repeated(project, "agent()"), "-v", "-s", "--junitxml=out.xml")

    result.assert_outcomes(passed=1)
    assert result.stdout.str().count("this is run ") == 6
    result.stdout.fnmatch_lines(
        [
            "*= MLflow trace rates =*",
            "test_it.py::test_agent: held in 6 of 6 runs, 20 at most: tells 90 % from 54.5 % with 95 % confidence",
            "mlflow traces: 6 traces of 1 test, 12 spans",
        ]
    )
    xml = (project.path / "out.xml").read_text()
    assert xml.count("<testcase") == 1
    assert 'name="mlflow_traces.runs" value="held in 6 of 6 runs, 20 at most: tells ' in xml


def test_a_test_that_fails_now_and_then_is_green_where_it_does_so_seldom_enough(project):
    result = run(repeated(project, "agent(bad={2})"))

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_it.py::test_agent: held in 9 of 10 runs, 20 at most: *"])


def test_a_test_that_is_red_shows_one_failure_and_what_all_came_to(project):
    result = run(repeated(project, "agent(bad={2, 4, 6, 8})"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "trace 'agent' does not match: 1 missing",
            "-*guardrail*missing",
            "*- runs of this test -*",
            "held in 3 of 6 runs; expected at least 90 %",
            "  stopped after 6 of at most 20 runs: that tells 90 % from 54.5 % with 95 % confidence",
            "  in the 3 runs that failed:",
            "    3x shape.missing at agent: expected span('guardrail')",
            "  above is run 2",
            "run 2 is bad",
            "trace 'agent'  OK *",
            "FAILED test_it.py::test_agent - held in 3 of 6 runs; expected at least 90 %*",
        ]
    )
    assert "run 4 is bad" not in result.stdout.str()
    assert "this is run 1." not in result.stdout.str()


def test_the_failure_that_is_shown_is_the_one_that_most_runs_had(project):
    body = """\
run = agent()
    if run == 2:
        raise ValueError("once")
    assert run == 1 or mlflow_traces.one() == span("other")"""
    result = run(repeated(project, body, TWENTY, args="mlflow_traces"))

    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "name: expected 'other', got 'agent'" in text
    assert "E       ValueError: once" not in text
    result.stdout.fnmatch_lines(
        [
            "    2x shape.different at agent: *",
            "    1x test.failed at test_it.py:*: got ValueError: once",
            "  above is run 3",
        ]
    )


def test_each_run_has_fixtures_of_its_own_and_those_of_wider_scope_stay(project):
    suite(
        project,
        f"""
@pytest.fixture(scope="module")
def wide():
    print("wide up")
    yield
    print("wide down")


@pytest.fixture
def narrow(wide, tmp_path, request):
    print("narrow up", len(list(tmp_path.parent.glob("*"))))
    request.addfinalizer(lambda: print("narrow down"))
    return tmp_path


class TestAgent:
    def setup_method(self):
        print("set up")
        self.seen = []

    @pytest.mark.parametrize("way", ["one", "two"])
    @pytest.mark.mlflow_traces({TWENTY}, count=1)
    def test_agent(self, narrow, way, mlflow_traces, request):
        request.node.user_properties.append(("way", way))
        assert not self.seen and not list(narrow.iterdir()) and not mlflow_traces
        self.seen.append(agent())
        (narrow / "file").touch()


def test_after(wide):
    print("after")
""",
    )
    result = run(project, "-s", "-p", "no:randomly", "--junitxml=out.xml")

    result.assert_outcomes(passed=3)
    text = result.stdout.str()
    assert [text.count(each) for each in ("wide up", "narrow up", "set up", "narrow down", "wide down")] == [
        1,
        12,
        12,
        12,
        1,
    ]
    assert text.index("wide down") > text.index("after")
    assert (project.path / "out.xml").read_text().count('<property name="way"') == 2


def test_the_wider_fixtures_of_the_last_test_are_torn_down(project):
    fixture = "@pytest.fixture(scope='session')\ndef wide():\n    yield\n    print('wide down')\n"

    result = run(repeated(project, "agent()", args="wide", before=fixture), "-s")

    result.assert_outcomes(passed=1)
    assert result.stdout.str().count("wide down") == 1


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("repeat=20", "has 'repeat' without at_least: say at which rate it is to hold, such as 0.9"),
        ("at_least=0.9", "has 'at_least' without repeat: say how often it runs at most"),
        ("confidence=0.9", "has 'confidence' without repeat: say how often it runs at most"),
        (
            "repeat=3, at_least=0.9",
            "repeat=3, at_least=0.9: 3 runs cannot tell 90 % from 45 % with 95 % confidence: 14 can",
        ),
        ("repeat=0, at_least=0.9", "repeat=0, at_least=0.9: repeat is a whole number of runs, 1 or more; got 0"),
        (
            "repeat=20, at_least=90",
            "repeat=20, at_least=90: at_least is a rate above 0 and up to 1, such as 0.9; got 90",
        ),
        (
            f"{TWENTY}, confidence=1",
            "repeat=20, at_least=0.9, confidence=1: confidence is between 0 and 1, both excluded, such as 0.95; got 1",
        ),
    ],
)
def test_what_could_not_tell_anything_is_a_usage_error_at_collection(project, marker, says):
    result = run(repeated(project, "agent()", marker))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"test_it.py::test_agent: @pytest.mark.mlflow_traces {says}" in result.stderr.str()


@pytest.mark.parametrize(
    ("test", "says"),
    [
        (
            "import unittest\nclass TestIt(unittest.TestCase):\n    @MARKED\n    def test_it(self):\n        agent()\n",
            "repeat is for test functions and methods, not for a TestCaseFunction",
        ),
        (
            "@pytest.mark.flaky(reruns=2)\n@MARKED\ndef test_it():\n    agent()\n",
            "repeat and @pytest.mark.flaky contradict each other: what is tried again is no rate",
        ),
        (
            "@pytest.fixture\ndef subtests():\n    pass\n@MARKED\ndef test_it(subtests):\n    agent()\n",
            "repeat cannot count subtests: assert in the test itself",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(project, test, says):
    result = run(suite(project, f"MARKED = pytest.mark.mlflow_traces({TWENTY})\n{test}"))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert says in result.stderr.str()


def test_the_closest_marker_says_each_thing_first(project):
    suite(
        project,
        f"""
@pytest.mark.mlflow_traces(at_least=0.5, repeat=60, confidence=0.9)
class TestAgent:
    @pytest.mark.mlflow_traces({TWENTY})
    def test_agent(self):
        agent()
""",
    )
    run(project).stdout.fnmatch_lines(["*: held in 6 of 6 runs, 20 at most: tells 90 % from 61 % with 90 % confidence"])


def test_a_test_that_skips_is_skipped_and_one_that_skips_later_has_failed(project):
    run(repeated(project, "pytest.skip('no key')")).assert_outcomes(skipped=1)

    result = run(repeated(project, "if agent() > 1: pytest.skip('too slow')", TWENTY))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["given up in run 2: Skipped: too slow", "    3x test.failed at test_it.py:*: got Failed: given up in run 2: *"]
    )


def test_an_expected_failure_is_expected_of_the_rate(project):
    bad = set(range(2, 100, 2))
    xfail = "@pytest.mark.xfail(strict=True)"

    run(repeated(project, f"agent(bad={bad})", before=xfail)).assert_outcomes(xfailed=1)
    strict = run(repeated(project, "agent(bad={2})", before=xfail))
    strict.assert_outcomes(failed=1)
    strict.stdout.fnmatch_lines(["*XPASS(strict)*"])
    run(repeated(project, "agent(bad={2})", before="@pytest.mark.xfail")).assert_outcomes(xpassed=1)


def test_a_fixture_that_fails_ends_the_test_as_an_error(project):
    fixture = """
@pytest.fixture(scope="module")
def wide():
    yield
    print("wide down")


@pytest.fixture
def breaks(wide, runs=[]):
    runs.append(1)
    if len(runs) == {up}:
        raise OSError("no server")
    yield
    if len(runs) == {down}:
        raise OSError("still there")
"""
    for up, down, says in ((3, 0, "no server"), (0, 3, "still there")):
        body = fixture.format(up=up, down=down)
        result = run(repeated(project, "agent()", args="breaks", before=body), "-s", "--mlflow-traces-save=t.jsonl")

        result.assert_outcomes(errors=1)
        assert f"OSError: {says}" in result.stdout.str()
        assert result.stdout.str().count("wide down") == 1
        assert len((project.path / "t.jsonl").read_text().splitlines()) == (2 if up else 3)


def test_what_is_traced_in_all_runs_is_kept(project):
    pytest.importorskip("jinja2")
    result = run(
        repeated(project, "agent(bad={2, 3, 4})"),
        *("--mlflow-traces-save=t.jsonl", "--mlflow-traces-html=page.html", "--mlflow-traces-summary=sum.md"),
    )

    result.assert_outcomes(failed=1)
    lines = (project.path / "t.jsonl").read_text().splitlines()
    ids = [json.loads(line)["info"]["trace_id"] for line in lines]
    assert len(set(ids)) == 4
    page = (project.path / "page.html").read_text()
    assert all(each in page for each in ids)
    assert "held in 1 of 4 runs; expected at least 90 %" in page
    assert "held in 1 of 4 runs; expected at least 90 %" in (project.path / "sum.md").read_text()


def test_many_runs_are_no_deep_recursion():
    last = Result()
    for _ in range(5_000):
        run = Result()
        run.before, last = last, run

    assert len(last.runs()) == 5_001
    assert last.all_traces == ()


def test_a_contract_of_the_suite_is_asked_of_each_run(project):
    project.makeini(f"{INI}mlflow_traces_contract = rules:SAFE\n")
    rules = "from pytest_mlflow_traces import Contract, span\nSAFE = Contract('safe', span('agent')[span('guardrail')])"
    suite(
        project, f"@pytest.mark.mlflow_traces({TWENTY})\ndef test_agent():\n    agent(bad={{1, 2, 3}})\n", rules=rules
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["held in 0 of 2 runs; *", "    2x shape.missing at agent: *"])


def test_each_run_is_compared_with_the_baseline(project):
    # the second section is for a way that few runs take
    body = """\
run = agent(bad={3})
    assert mlflow_traces.one() == (trace_baseline("bare") if run == 3 else trace_baseline)"""
    repeated(project, body, TWENTY, args="mlflow_traces, trace_baseline")

    run(project).assert_outcomes(failed=1)
    run(project, "--mlflow-traces-update").assert_outcomes(passed=1)
    again = run(project)

    again.assert_outcomes(passed=1)
    assert "unused" not in again.stdout.str()


def test_an_async_test_is_repeated(project):
    result = run(
        suite(
            project, f"@pytest.mark.asyncio\n@pytest.mark.mlflow_traces({TWENTY})\nasync def test_it():\n    agent()\n"
        )
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*held in 6 of 6 runs*"])


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=str)
def test_workers_repeat_and_nothing_runs_again(project, workers):
    pytest.importorskip("pytest_rerunfailures")
    repeated(project, "agent(bad={1, 2})")

    result = project.runpytest_subprocess("-p", "pytest_rerunfailures", "--reruns=3", "--junitxml=out.xml", *workers)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["held in 0 of 2 runs; *", "test_it.py::test_agent: held in 0 of 2 runs, 20 at most: *"]
    )
    assert "rerun" not in (project.path / "out.xml").read_text()


def test_a_marker_that_comes_too_late_does_not_pass_for_a_rate(project):
    fixture = f"@pytest.fixture\ndef late(request):\n    request.node.add_marker(pytest.mark.mlflow_traces({TWENTY}))\n"

    result = run(repeated(project, "agent()", "count=1", args="late", before=fixture))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*repeat=20 has not been repeated: the marker came when the test was running, or *"])


def test_where_another_plugin_runs_the_test_it_does_not_pass_for_a_rate(project):
    project.makeconftest(
        """
        import pytest
        from _pytest.runner import runtestprotocol


        class Runner:
            @pytest.hookimpl(tryfirst=True)
            def pytest_runtest_protocol(self, item, nextitem):
                runtestprotocol(item, nextitem=nextitem)
                return True


        def pytest_collection_finish(session):
            session.config.pluginmanager.register(Runner())
        """
    )
    result = run(repeated(project, "agent()"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*has not been repeated: *"])


def test_an_interrupt_ends_the_run(project):
    result = repeated(project, "if agent() > 2: pytest.exit('enough')").runpytest_subprocess("-s")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "this is run 3." in result.stdout.str()
    assert "this is run 4." not in result.stdout.str()


def test_fixtures_alone_are_set_up_once(project):
    result = run(repeated(project, "agent()"), "--setup-only")

    result.assert_outcomes()
    assert "held in" not in result.stdout.str()
