"""The fixture `trace_baseline` and `--mlflow-traces-update`."""

from __future__ import annotations

import json
import re
import textwrap

import pytest

from pytest_mlflow_traces.files.baselines import safe_name

AGENT = """
import json
from pathlib import Path

import mlflow


def spans(children):
    for name, type_, below in children:
        with mlflow.start_span(name, span_type=type_) as span:
            span.set_attribute("domain", "cost")
            spans(below)


def agent(name="agent", tree="tree.json"):
    mlflow_tree = json.loads(Path(tree).read_text())
    with mlflow.start_span(name, span_type="AGENT"):
        mlflow.update_current_trace(tags={"team": "red"})
        spans(mlflow_tree)
"""
TEST = """
    from app import agent

    def test_it(mlflow_traces, trace_baseline):
        agent()
        assert mlflow_traces.one() == trace_baseline
"""
BASELINE = """\
# pytest-mlflow-traces baseline, format 1
# test_agent.py::test_it

agent AGENT OK
  plan LLM OK
  search TOOL OK
"""
PLAN, SEARCH = ["plan", "LLM", []], ["search", "TOOL", []]
FILE = "__traces__/test_agent/test_it.trace"
UPDATE = "--mlflow-traces-update"


@pytest.fixture
def suite(project):
    """A project whose agent makes the tree in `tree.json`."""
    project.makepyfile(app=AGENT)
    project.makepyfile(test_agent=TEST)
    makes(project, PLAN, SEARCH)
    return project


def makes(project, *children, file="tree.json"):
    import json

    (project.path / file).write_text(json.dumps(children))


def run(project, *args):
    return project.runpytest_inprocess(*args)


def read(project, file=FILE):
    return (project.path / file).read_text()


def write(project, text, file=FILE):
    path = project.path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def failure(result):
    """Return the lines of the first failure, without its `E`."""
    first, *lines = [line[8:].rstrip() for line in result.outlines if line.startswith("E")]
    margin = 2 if first.startswith("AssertionError: ") else 0  # of what explains a comparison
    return "\n".join([first, *(line[margin:] for line in lines)])


# -- what is said


def test_no_baseline_fails_and_shows_what_would_be_one_and_how_to_accept_it(suite):
    result = run(suite)

    result.assert_outcomes(failed=1)
    assert (
        failure(result)
        == f"""\
pytest_mlflow_traces.TraceAssertionError: no baseline for this trace: {FILE} does not exist
it would be:

    # pytest-mlflow-traces baseline, format 1
    # test_agent.py::test_it

    agent AGENT OK
      plan LLM OK
      search TOOL OK

to accept it: pytest --mlflow-traces-update test_agent.py::test_it"""
    )
    assert not (suite.path / "__traces__").exists()


@pytest.mark.parametrize(
    "owner", ["test_agent.py::test_old", "test_gone.py::test_it", "test_agent.py::TestOld::test_it"]
)
def test_the_baseline_of_a_test_that_is_gone_is_named_where_it_is_the_same(suite, owner):
    module, _, name = owner.partition("::")
    old = f"__traces__/{module.removesuffix('.py')}/{safe_name(name)}.trace"
    write(suite, BASELINE.replace("test_agent.py::test_it", owner), old)

    said = failure(run(suite))

    assert said.startswith(
        f"""\
pytest_mlflow_traces.TraceAssertionError: no baseline for this trace: {FILE} does not exist
the unused {old} is the same: was the test renamed?
    git mv {old} {FILE}

it would be:
"""
    )


@pytest.mark.parametrize(
    ("owner", "text"),
    [
        ("test_agent.py::test_it_too", BASELINE),  # it is there
        ("test_agent.py::test_old", BASELINE.replace("plan", "planning")),
    ],
)
def test_no_other_is(suite, owner, text):
    suite.makepyfile(test_agent=(suite.path / "test_agent.py").read_text() + "\n\ndef test_it_too(): pass\n")
    write(suite, text.replace("test_agent.py::test_it", owner), "__traces__/test_agent/test_old.trace")

    assert "git mv" not in failure(run(suite, "-k", "not too"))


def test_a_name_that_each_run_makes_anew_is_recorded_as_a_regex(suite):
    suite.makepyfile(
        test_agent="""
        import uuid

        import mlflow

        def test_it(mlflow_traces, trace_baseline):
            with mlflow.start_span(f"run {uuid.uuid4()}"), mlflow.start_span("step_1"):
                pass

            assert mlflow_traces.one() == trace_baseline
        """
    )

    result = run(suite, UPDATE)

    result.assert_outcomes(passed=1)
    assert read(suite).endswith("/run [0-9A-Fa-f-]{36}/ UNKNOWN OK\n  step_1 UNKNOWN OK\n")
    result.stdout.fnmatch_lines(
        [
            f"written: {FILE}",
            "    'run ????????-*' is recorded as /run ?0-9A-Fa-f-?{36}/: the rest is another in each run",
        ]
    )
    run(suite).assert_outcomes(passed=1)


TAKING_TURNS = """
    import json
    from pathlib import Path

    from taking_turns import agent

    def test_it(mlflow_traces, trace_baseline):
        agent(json.loads(Path("names.json").read_text()))

        assert mlflow_traces.one() == trace_baseline
"""


def test_what_takes_turns_is_recorded_in_any_order(suite):
    suite.makepyfile(test_agent=TAKING_TURNS)
    for names, option in (("ab", [UPDATE]), ("ab", []), ("ba", [])):
        (suite.path / "names.json").write_text(json.dumps([*names]))
        run(suite, *option).assert_outcomes(passed=1)

    assert read(suite).endswith("agent UNKNOWN OK\n  any order\n    a UNKNOWN OK\n    b UNKNOWN OK\n")


def test_where_the_order_was_held_it_is_said_that_it_is_none(suite):
    suite.makepyfile(test_agent=TAKING_TURNS)
    write(suite, "# pytest-mlflow-traces baseline, format 1\n# test_agent.py::test_it\n\nagent\n  a\n  b\n")
    (suite.path / "names.json").write_text(json.dumps(["b", "a"]))

    said = failure(run(suite))

    assert "\nthe order is not fixed of what ran in tasks or threads of its own: b, a\n" in said
    run(suite, UPDATE).assert_outcomes(passed=1)
    assert read(suite).endswith("agent\n  any order\n    b\n    a\n")


def test_what_is_accepted_is_written_and_then_holds(suite):
    result = run(suite, UPDATE)

    result.assert_outcomes(passed=1)
    assert read(suite) == BASELINE
    result.stdout.fnmatch_lines(["*= MLflow trace baselines =*", f"written: {FILE}"])

    result = run(suite)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*MLflow trace baselines*")


def test_what_differs_is_shown_with_the_place_and_the_command(suite):
    write(suite, BASELINE.replace("plan", "planning"))

    result = run(suite)

    result.assert_outcomes(failed=1)
    told = re.sub(r"\d+(\.\d+)? [mµ]s", "1 ms", failure(result))
    assert (
        re.sub(r"(?<=\w) {2,}", "  ", told)
        == f"""\
AssertionError: assert trace 'agent' does not match: 1 different

  agent  AGENT  1 ms
~ ├─ plan  LLM  name: expected 'planning', got 'plan'
  └─ search  TOOL

baseline: {FILE}:4
to accept it: pytest --mlflow-traces-update test_agent.py::test_it"""
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("agent AGENT OK", "line 1: expected '# pytest-mlflow-traces baseline, format 1', got 'agent AGENT OK'"),
        ("", "line 1: expected '# pytest-mlflow-traces baseline, format 1', got ''"),
        (BASELINE.replace("t 1", "t 2"), "line 1: format 2, written by a newer pytest-mlflow-traces; this one reads"),
        (BASELINE + "<<<<<<< HEAD\n", "line 7, column 1: expected an indent: a text has one pattern"),
        (BASELINE.replace("  plan", "   plan"), "line 5, column 4: expected an indent of two spaces a level"),
        (BASELINE.replace("agent A", "tags: a, b\nagent A"), "line 4, column 8: expected a space between keys"),
        (BASELINE + "\n[a]\nb\n[a]\nc\n", "line 10: a second section [a]"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("option", [[], [UPDATE]])
def test_a_file_that_cannot_be_read_is_told_by_its_line_and_left_alone(suite, text, says, option):
    write(suite, text)

    result = run(suite, *option)

    result.assert_outcomes(failed=1)
    assert f"{FILE}: {says}" in failure(result)
    assert "the file was left alone; fix it, or remove it and record it anew" in failure(result)
    assert read(suite) == text


def test_without_rewritten_asserts_it_still_fails(suite):
    suite.inline_genitems()
    result = run(suite, "--assert=plain")

    result.assert_outcomes(failed=1)
    assert "to accept it: pytest --mlflow-traces-update test_agent.py::test_it" in result.stdout.str()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("mlflow_traces == trace_baseline", "a baseline is compared with one trace, got CapturedTraces"),
        ("list(mlflow_traces) == trace_baseline", "a baseline is compared with one trace, got list"),
        ("mlflow_traces.one().root == trace_baseline", "a baseline is compared with one trace, got Span"),
        (
            "mlflow_traces.one() != trace_baseline",
            "a baseline is what a trace is to be: write `trace == trace_baseline`",
        ),
        ("trace_baseline", "a baseline has no truth value; write `assert trace == trace_baseline`"),
        ("not trace_baseline", "a baseline has no truth value; write `assert trace == trace_baseline`"),
        ("trace_baseline(tag=True)", "trace_baseline(): unknown keyword 'tag'"),
        ("trace_baseline(tags='x')", "trace_baseline(): tags is True or False, got 'x'"),
        ("trace_baseline(see_through=True)", "trace_baseline(): see_through is a pattern or several, got True"),
        ("trace_baseline(see_through='x')", "takes a pattern, not a string: write span('x')"),
        ("trace_baseline(5)", "trace_baseline(): name is a string, got 5"),
        ("trace_baseline(' ')", "trace_baseline(): the name ' ' cannot stand in a file"),
    ],
)
def test_what_cannot_be_meant_is_refused(suite, line, says):
    suite.makepyfile(test_agent=TEST.replace("mlflow_traces.one() == trace_baseline", line))

    result = run(suite, UPDATE)

    result.assert_outcomes(failed=1)
    assert says in failure(result)
    assert not (suite.path / "__traces__").exists()


@pytest.mark.parametrize(
    "line", ["pass", "for trace in mlflow_traces.where(name='x'):\n            assert trace == trace_baseline"]
)
@pytest.mark.parametrize("option", [[], [UPDATE]])
def test_a_test_that_compares_nothing_with_its_baseline_fails(suite, line, option):
    suite.makepyfile(test_agent=TEST.replace("assert mlflow_traces.one() == trace_baseline", line))

    result = run(suite, *option)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["nothing was compared with trace_baseline: write `assert trace == trace_baseline` for each trace"]
    )


def test_one_that_is_skipped_or_fails_before_keeps_its_own_outcome(suite):
    suite.makepyfile(
        test_agent="""
        import pytest

        def test_skipped(trace_baseline):
            pytest.skip("not here")

        def test_failed(trace_baseline):
            assert 1 == 2
        """
    )

    result = run(suite)

    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.no_fnmatch_line("*nothing was compared*")


# -- what an update does


LOOSE = """\
# pytest-mlflow-traces baseline, format 1
# test_agent.py::test_it

# what somebody wrote
agent AGENT
  ...
  # at most three
  search TOOL {1,3}
"""


def test_an_update_changes_what_no_longer_holds_and_nothing_else(suite):
    write(suite, LOOSE)
    makes(suite, PLAN, ["search", "RETRIEVER", []])

    result = run(suite, UPDATE)

    result.assert_outcomes(passed=1)
    assert read(suite) == LOOSE.replace("search TOOL", "search RETRIEVER")
    result.stdout.fnmatch_lines([f"updated: {FILE}", "    -  search TOOL {1,3}", "    +  search RETRIEVER {1,3}"])


def test_an_update_of_what_holds_touches_no_file(suite):
    write(suite, LOOSE.replace("\n\n", "\r\n\r\n\r\n"))
    before = (suite.path / FILE).stat().st_mtime_ns

    run(suite, UPDATE).stdout.no_fnmatch_line("*MLflow trace baselines*")

    assert (suite.path / FILE).stat().st_mtime_ns == before


def test_a_test_that_fails_updates_nothing(suite):
    write(suite, BASELINE.replace("plan", "planning"))
    suite.makepyfile(test_agent=TEST + "        assert 1 == 2\n")

    result = run(suite, UPDATE)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"left alone: {FILE}", "    the test failed"])
    assert "planning" in read(suite)


@pytest.mark.parametrize("marker", ["xfail", "xfail(strict=True)"], ids=["lax", "strict"])
def test_nor_does_one_that_is_expected_to_fail(suite, marker):
    marked = TEST.replace("def test_it", f"import pytest\n\n    @pytest.mark.{marker}\n    def test_it")
    suite.makepyfile(test_agent=f"{marked}        assert 1 == 2\n")

    run(suite, UPDATE).assert_outcomes(xfailed=1)

    assert not (suite.path / FILE).exists()


def test_a_trace_that_is_not_whole_is_never_accepted(suite):
    suite.makepyfile(
        test_agent="""
        from pytest_mlflow_traces import read_traces

        def test_it(trace_baseline):
            (trace,) = read_traces("t.jsonl")
            assert trace == trace_baseline
        """
    )
    from tests.support.storing import line

    (suite.path / "t.jsonl").write_text(line("agent @1-", ["plan @2-3"]))

    result = run(suite, UPDATE)

    result.assert_outcomes(failed=1)
    says = "the trace 'agent' is not whole: unfinished: span agent has no end time"
    assert f"TraceAssertionError: {FILE} was not updated: {says}" in failure(result)
    result.stdout.fnmatch_lines([f"left alone: {FILE}", f"    {says}"])


def test_what_was_demanded_by_hand_is_never_dropped(suite):
    write(suite, BASELINE.replace("plan LLM OK", "plan LLM OK error=ValueError"))

    result = run(suite, UPDATE)

    result.assert_outcomes(failed=1)
    says = "line 5: `error` does not hold for agent > plan; change it by hand"
    assert f"{FILE} was not updated: {says}" in failure(result)
    assert "error=ValueError" in read(suite)


def test_several_traces_of_a_test_have_a_section_each(suite):
    suite.makepyfile(
        test_agent="""
        from app import agent

        def test_it(mlflow_traces, trace_baseline):
            agent(), agent("second")
            first, second = mlflow_traces
            assert second == trace_baseline("second turn")
            assert first == trace_baseline
            assert second == trace_baseline('odd ["]')
        """
    )

    run(suite, UPDATE).assert_outcomes(passed=1)

    second = "second AGENT OK\n  plan LLM OK\n  search TOOL OK\n"
    assert read(suite) == f'{BASELINE}\n[second turn]\n{second}\n["odd [\\"]"]\n{second}'
    run(suite).assert_outcomes(passed=1)

    write(suite, read(suite).replace("[second turn]", "[turn]"))
    result = run(suite)
    result.assert_outcomes(failed=1)
    assert (
        f"no baseline for this trace: {FILE} has no section 'second turn'\nit would be:\n\n    [second turn]"
        in failure(result)
    )


def test_traces_that_differ_cannot_share_a_baseline(suite):
    suite.makepyfile(
        test_agent="""
        from app import agent

        def test_it(mlflow_traces, trace_baseline):
            agent(), agent(), agent("second")
            for trace in mlflow_traces:
                assert trace == trace_baseline
        """
    )

    result = run(suite, UPDATE)

    result.assert_outcomes(failed=1)
    assert 'with one baseline; give each its own: trace_baseline("a name")' in failure(result)
    assert not (suite.path / FILE).exists()


def test_an_update_under_xdist_changes_the_files_concerned(suite):
    suite.makepyfile(
        test_agent="""
        from pathlib import Path
        import pytest
        from app import agent

        @pytest.mark.parametrize("n", range(4))
        def test_it(mlflow_traces, trace_baseline, n):
            agent("agent" if n != 2 else Path("name").read_text())
            assert mlflow_traces.one() == trace_baseline
        """
    )
    (suite.path / "name").write_text("agent")
    run(suite, UPDATE).assert_outcomes(passed=4)
    before = {path: (path.read_text(), path.stat().st_mtime_ns) for path in suite.path.rglob("*.trace")}
    (suite.path / "name").write_text("other")

    result = suite.runpytest_subprocess(UPDATE, "-n", "2")

    result.assert_outcomes(passed=4)
    after = {path: (path.read_text(), path.stat().st_mtime_ns) for path in suite.path.rglob("*.trace")}
    changed = [path for path in before if before[path] != after[path]]
    assert [path.name.rpartition("-")[0] for path in changed] == ["test_it-2"]
    assert after[changed[0]][0] == before[changed[0]][0].replace("agent AGENT", "other AGENT")
    result.stdout.fnmatch_lines(
        ["updated: __traces__/test_agent/test_it-2-*.trace", "    -agent AGENT OK", "    +other AGENT OK"]
    )
    run(suite).assert_outcomes(passed=4)


def test_a_structural_change_under_xdist_changes_the_lines_concerned(suite):
    suite.makepyfile(
        test_agent="""
        import pytest
        from app import agent

        @pytest.mark.parametrize("n", range(4))
        def test_it(mlflow_traces, trace_baseline, n):
            agent(tree=f"tree{n}.json")
            assert mlflow_traces.one() == trace_baseline
        """
    )
    for n in range(4):
        makes(suite, PLAN, SEARCH, file=f"tree{n}.json")
    run(suite, UPDATE).assert_outcomes(passed=4)
    files = sorted(suite.path.rglob("*.trace"))
    loose = LOOSE[LOOSE.index("# what") :]
    for path in files[2:]:  # two that somebody loosened
        path.write_text(path.read_text().partition("agent AGENT")[0] + loose)
    before = [path.read_text() for path in files]
    guard, fetch = ["guard", "GUARDRAIL", []], ["search", "TOOL", [["fetch", "TOOL", []]]]
    makes(suite, PLAN, guard, fetch, file="tree1.json")
    makes(suite, guard, SEARCH, SEARCH, file="tree2.json")
    makes(suite, PLAN, SEARCH, guard, file="tree3.json")

    suite.runpytest_subprocess(UPDATE, "-n", "2").assert_outcomes(passed=4)

    after = [path.read_text() for path in files]
    assert after == [
        before[0],
        before[1].replace("  search TOOL OK\n", "  guard GUARDRAIL OK\n  search TOOL OK\n    fetch TOOL OK\n"),
        before[2],
        before[3] + "  guard GUARDRAIL OK\n",
    ]
    suite.runpytest_subprocess("-n", "2").assert_outcomes(passed=4)
    run(suite, UPDATE).assert_outcomes(passed=4)
    assert [path.read_text() for path in files] == after


def test_of_a_test_that_is_run_again_the_last_run_is_what_is_written(suite):
    suite.makepyfile(
        test_agent="""
        from pathlib import Path
        from app import agent

        def test_it(mlflow_traces, trace_baseline):
            first = not Path("again").exists()
            Path("again").touch()
            agent("first" if first else "agent")
            assert mlflow_traces.one() == trace_baseline
            assert not first
        """
    )

    result = suite.runpytest_subprocess("-p", "pytest_rerunfailures", "--reruns=1", UPDATE)

    result.assert_outcomes(passed=1)
    assert read(suite) == BASELINE
    assert [line for line in result.outlines if line.startswith(("written", "left alone"))] == [f"written: {FILE}"]


# -- options


def test_a_baseline_that_holds_though_it_must_not_is_told_as_it_is(suite):
    write(suite, BASELINE)
    suite.makepyfile(test_agent=TEST.replace("assert mlflow", "assert not mlflow"))

    assert failure(run(suite)) == f"AssertionError: assert not trace 'agent' is what the baseline holds: {FILE}:4"


def test_options_hold_keys_and_calls_too(suite):
    options = "trace_baseline(tags=True, attributes=True, calls=True)"
    suite.makepyfile(test_agent=TEST.replace("== trace_baseline", f"== {options}"))
    run(suite, UPDATE).assert_outcomes(passed=1)
    held = "tags: team\nattributes plan: domain\nattributes search: domain\ncalls search: 1\nagent"
    assert read(suite) == BASELINE.replace("agent AGENT", f"{held} AGENT")

    write(suite, read(suite).replace("tags: team", "tags: user_id").replace("search: 1", "search: 2"))
    result = run(suite)
    result.assert_outcomes(failed=1)
    assert (
        failure(result)
        == f"""\
AssertionError: assert trace 'agent' is not what the baseline holds:
baseline.tags at tags: expected the key 'user_id', got it is absent
baseline.tags at tags: expected no other key, got 'team'
baseline.calls at search: expected calls search: 2, got 1

baseline: {FILE}:4
to accept it: pytest --mlflow-traces-update test_agent.py::test_it"""
    )

    run(suite, UPDATE).assert_outcomes(passed=1)
    assert held in read(suite)


def test_what_is_to_be_held_and_is_not_is_no_success(suite):
    write(suite, BASELINE)
    suite.makepyfile(test_agent=TEST.replace("== trace_baseline", "== trace_baseline(tags=True)"))

    result = run(suite)

    result.assert_outcomes(failed=1)
    says = "baseline.tags at this baseline: expected to hold tags, got none (record them with --mlflow-traces-update)"
    assert says in failure(result)


def test_wrappers_may_be_seen_through_and_children_unordered_for_a_whole_suite(suite):
    suite.makeconftest(
        """
        import pytest
        from pytest_mlflow_traces import span

        @pytest.fixture
        def trace_baseline(trace_baseline):
            return trace_baseline(see_through=span(type="CHAIN"), unordered=[span("agent")])
        """
    )
    write(suite, BASELINE)
    makes(suite, ["RunnableSequence", "CHAIN", [PLAN, ["chain", "CHAIN", [SEARCH]]]])
    run(suite).assert_outcomes(passed=1)

    (suite.path / FILE).unlink()
    run(suite, UPDATE).assert_outcomes(passed=1)
    assert read(suite) == BASELINE.replace("  plan LLM OK\n  search", "  any order\n    plan LLM OK\n    search")


def test_a_trace_of_which_nothing_is_seen_is_no_baseline(suite):
    nothing = "trace_baseline(see_through=span(re.compile('.*')))"
    suite.makepyfile(
        test_agent="import re\nfrom pytest_mlflow_traces import span\n"
        + textwrap.dedent(TEST).replace("== trace_baseline", f"== {nothing}")
    )

    says = "there is nothing to record: the trace has no spans, or see_through leaves none"
    assert failure(run(suite)).endswith(f"no baseline for this trace: {FILE} does not exist\n{says}")
    assert failure(run(suite, UPDATE)).endswith(f"{FILE} was not updated: {says}")

    write(suite, BASELINE)
    run(suite).assert_outcomes(failed=1)


# -- names of files


def test_every_test_has_its_file_whatever_its_id(suite):
    suite.makepyfile(
        test_agent="""
        import pytest
        from app import agent

        IDS = ["../../up", "a/b", "con", "A", "a", "x" * 300, "", " ", "é", "a\\\\b", "..", "tests::x[y]", "\\n", "C:"]

        @pytest.mark.parametrize("id", IDS)
        def test_it(mlflow_traces, trace_baseline, id):
            agent("agent" + id)
            assert mlflow_traces.one() == trace_baseline

        class TestClass:
            class TestInner:
                def test_it(self, mlflow_traces, trace_baseline):
                    agent("inner")
                    assert mlflow_traces.one() == trace_baseline
        """
    )

    run(suite, UPDATE).assert_outcomes(passed=15)

    run(suite).assert_outcomes(passed=15)
    files = [path.relative_to(suite.path) for path in suite.path.rglob("*.trace")]
    assert {path.parent.as_posix() for path in files} == {"__traces__/test_agent"}
    assert len({path.name.lower() for path in files}) == 15
    assert all(re.fullmatch(r"[\w.-]{1,100}\.trace", path.name, re.ASCII) for path in files)


def test_the_same_test_has_the_same_file_in_another_order_and_from_another_folder(suite):
    run(suite, UPDATE, "--rootdir", str(suite.path.parent)).assert_outcomes(passed=1)

    run(suite, "-k", "test_it").assert_outcomes(passed=1)


def test_a_file_of_comments_alone_holds_nothing_yet_and_keeps_them(suite):
    head = BASELINE.partition("agent AGENT")[0] + "# nothing yet\n"
    write(suite, head)

    missing = run(suite)

    missing.assert_outcomes(failed=1)
    assert "no baseline for this trace" in failure(missing)
    run(suite, UPDATE).assert_outcomes(passed=1)
    assert read(suite) == head + "\n" + BASELINE[BASELINE.index("agent AGENT") :]
    run(suite).assert_outcomes(passed=1)


def test_an_update_keeps_the_line_ends_of_the_file(suite):
    write(suite, "")
    path = suite.path / FILE
    path.write_bytes(b"\xef\xbb\xbf" + BASELINE.replace("plan", "planning").replace("\n", "\r\n").encode())

    run(suite, UPDATE).assert_outcomes(passed=1)

    assert path.read_bytes() == b"\xef\xbb\xbf" + BASELINE.replace("\n", "\r\n").encode()
