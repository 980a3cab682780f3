"""What a failed assert on a trace prints, word for word."""

from __future__ import annotations

import pytest

HEAD = """
    import pytest
    from app import agent
    from pytest_mlflow_traces import assert_trace, capture_traces, span
"""
WRONG = 'span("agent", type="AGENT")[span("plan"), span("search", type="CHAIN"), span("answer")]'


def failure(project, body, *args):
    """Run a test that traces one agent run and then does `body`; return the lines that pytest marks with an E."""
    project.makepyfile(f"{HEAD}\n    def test_fails(mlflow_traces):\n        agent()\n        {body}\n")
    result = project.runpytest_inprocess("--mlflow-traces-show=none", *args)
    result.assert_outcomes(failed=1)
    lines = result.stdout.lines
    start = next(i for i, line in enumerate(lines) if line.startswith("E "))
    told = []
    for line in lines[start:]:
        if not line.startswith("E"):
            break
        told.append(line[1:].removeprefix("       ").removeprefix("AssertionError: ").rstrip())
    assert "/site-packages/pytest_mlflow_traces" not in result.stdout.str()
    assert "pytest_mlflow_traces/core" not in result.stdout.str()
    return told


def without_times(lines):
    import re

    return [re.sub(r"\s+[\d.]+ [mµ]s", " # ms", line) for line in lines]


@pytest.mark.parametrize("args", [(), ("-vv",)])
def test_a_trace_that_is_not_the_pattern(project, args):
    told = without_times(failure(project, f"assert mlflow_traces.one() == {WRONG}", *args))

    assert told == [
        "assert trace 'agent' does not match: 1 missing, 1 different",
        "",
        "    agent  AGENT # ms",
        "    ├─ plan  UNKNOWN",
        "  ~ ├─ search  TOOL   type: expected 'CHAIN', got 'TOOL'",
        "  - └─ answer         missing",
    ]


def test_the_pattern_may_stand_on_the_left(project):
    assert "does not match: 1 missing, 1 different" in failure(project, f"assert {WRONG} == mlflow_traces.one()")[0]


def test_a_trace_that_is_the_pattern_it_must_not_be(project):
    told = failure(project, 'assert mlflow_traces.one() != span("agent")')

    assert told == ["assert trace 'agent' is span('agent'), expected it not to be"]


def test_a_span_that_is_nowhere(project):
    told = without_times(failure(project, 'assert span("serch") in mlflow_traces'))

    assert told == [
        "assert trace 'agent' has no span('serch')",
        "",
        "  nearest:",
        "    agent > search  TOOL",
        "        name: expected 'serch', got 'search'",
        "  hint: no span of this trace is called 'serch'; did you mean 'search'?",
    ]


def test_a_span_that_must_not_be_there(project):
    told = without_times(failure(project, 'assert span("search", type="TOOL") not in mlflow_traces.one()'))

    assert told == [
        "assert trace 'agent' has 1 span like span('search', type='TOOL'), expected none",
        "",
        "    agent > search  TOOL # ms",
    ]


def test_of_several_traces_each_is_told(project):
    told = failure(project, 'agent(); assert span("search") not in mlflow_traces')

    assert told[0] == "assert span('search') is in 2 of 2 traces"
    assert told.count("  trace 'agent' has 1 span like span('search'), expected none") == 2


@pytest.mark.parametrize("some", ['mlflow_traces.where(name="agent")', "mlflow_traces[:1]"])
def test_of_a_selection_each_is_told_too(project, some):
    told = without_times(failure(project, f'assert span("search") not in {some}'))

    assert told == [
        "assert trace 'agent' has 1 span like span('search'), expected none",
        "",
        "    agent > search  TOOL # ms",
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('mlflow_traces.one() == span("agent")', ["assert not trace 'agent' is span('agent')"]),
        (
            'span("search") in mlflow_traces',
            ["assert not trace 'agent' has 1 span like span('search')", "", "    agent > search  TOOL # ms"],
        ),
        (
            'mlflow_traces.one().root != span("agent")[span("search"), ...]',
            [
                "assert not span agent does not match: 1 unexpected",
                "",
                "    agent  AGENT # ms",
                "  + ├─ plan  UNKNOWN  unexpected",
                "    └─ search  TOOL",
            ],
        ),
        (
            'span(type="LLM") not in mlflow_traces.one()',
            ["assert not trace 'agent' has no span(type='LLM')", "", "  its spans are agent, plan, search"],
        ),
    ],
)
def test_a_comparison_that_must_not_hold_is_told_as_it_is(project, said, told):
    lines = without_times(failure(project, f"assert not ({said})"))

    assert lines[: len(told)] == told


def test_a_comparison_that_holds_beside_one_that_does_not_is_not_called_wrong(project):
    told = failure(project, 'assert mlflow_traces.one() == span("agent") and span("x") not in mlflow_traces and 1 == 2')

    assert told[0] == "assert (trace 'agent' is span('agent') and trace 'agent' has no span('x')"
    assert told[-1].endswith(" and 1 == 2)")


def test_of_several_traces_those_are_told_that_have_it_though_they_must_not(project):
    told = failure(project, 'agent(); assert not span("search") in mlflow_traces')

    assert told[0] == "assert not span('search') is in 2 of 2 traces"
    assert told.count("  trace 'agent' has 1 span like span('search')") == 2


def test_a_percent_sign_is_only_a_percent_sign(project):
    assert "span('100%s')" in failure(project, 'assert span("100%s") in mlflow_traces')[0]


def test_a_span_compared_with_a_pattern_is_its_subtree(project):
    told = failure(project, 'assert mlflow_traces.one().root.children[1] == span("search")[span("http")]')

    assert told[0] == "assert span agent > search does not match: 1 missing"


def test_find_one_says_what_comes_near(project):
    told = failure(project, 'mlflow_traces.one().find_one(span("serch"))')

    assert told[0] == "pytest_mlflow_traces.TraceAssertionError: trace 'agent' has no span('serch')"


def test_assert_trace_says_the_same_without_rewriting(project):
    told = without_times(failure(project, f"assert_trace(mlflow_traces, {WRONG})", "--assert=plain"))

    assert told[0] == "pytest_mlflow_traces.TraceAssertionError: trace 'agent' does not match: 1 missing, 1 different"
    assert "~ ├─ search  TOOL   type: expected 'CHAIN', got 'TOOL'" in told


def test_other_comparisons_are_left_to_pytest(project):
    assert failure(project, "assert [1] == [2]")[0] == "assert [1] == [2]"
    assert failure(project, "assert mlflow_traces.one() == None")[0].startswith("assert <Trace agent OK 3 spans")


def test_a_capture_made_in_the_test_itself_is_explained_too(project):
    project.makepyfile(
        f"""{HEAD}
    def test_fails():
        with capture_traces() as traces:
            agent()
        assert traces.one() == span("agent")[span("a"), span("b"), span("c"), span("d"), span("e"), span("f")]
"""
    )

    result = project.runpytest_inprocess("--mlflow-traces-show=none")

    result.stdout.fnmatch_lines(["E * assert trace 'agent' does not match: *", "E *- └─ f * missing"])


@pytest.mark.parametrize(("when", "errors"), [("yield", {"errors": 1, "passed": 1}), ("", {"errors": 1})])
@pytest.mark.parametrize("asks", ["mlflow_traces", ""])
def test_a_fixture_that_asserts_is_told_whole_too(project, when, errors, asks):
    project.makepyfile(
        f"""{HEAD}
    @pytest.fixture
    def checked({asks}):
        with capture_traces() as traces:
            agent()
        {when}
        assert traces.one() == span("agent")[span("a"), span("b"), span("c"), span("d"), span("e"), span("f")]

    def test_passes(checked):
        pass
"""
    )

    result = project.runpytest_inprocess("--mlflow-traces-show=none")

    result.assert_outcomes(**errors)
    result.stdout.fnmatch_lines(["E * assert trace 'agent' does not match: *", "E *- └─ f * missing"])
    result.stdout.no_fnmatch_line("*Full output truncated*")


ODD_NAMES = """
    import mlflow
    from pytest_mlflow_traces import span

    def run():
        with mlflow.start_span("agent"):
            for name, kind in ((None, "TOOL"), (5, 7), (True, "x")):
                with mlflow.start_span(name, span_type=kind):
                    pass

    def test_passes(mlflow_traces):
        run()
        assert mlflow_traces.one() == span("agent")[span(type="TOOL"), span("5", type="7"), span("True")]
        assert span("anything") not in mlflow_traces
        assert span("(unnamed)") not in mlflow_traces

    def test_is_its_baseline(mlflow_traces, trace_baseline):
        run()
        assert mlflow_traces.one() == trace_baseline

    def test_fails(mlflow_traces):
        run()
        assert span("anything") in mlflow_traces.one()

    def test_leaves_one_open(mlflow_traces):
        mlflow.start_span_no_context(None)
"""


@pytest.mark.parametrize("mode", ["true", "false"])
def test_names_and_types_that_are_no_text_end_no_run(project, monkeypatch, mode):
    monkeypatch.setenv("MLFLOW_USE_DEFAULT_TRACER_PROVIDER", mode)
    project.makepyfile(ODD_NAMES)

    project.runpytest_inprocess("--mlflow-traces-update", "-k", "baseline").assert_outcomes(passed=1)
    result = project.runpytest_inprocess("--mlflow-traces-show=all", "--mlflow-traces-save=all.jsonl")

    result.assert_outcomes(passed=2, failed=2)  # a span that never ended is a warning, and here an error
    result.stdout.fnmatch_lines(["*├─ (unnamed)  TOOL*", "*├─ 5  7*", "*└─ True  x*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
