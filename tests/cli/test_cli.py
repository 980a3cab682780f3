"""The console script."""

from __future__ import annotations

import fnmatch
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_mlflow_traces.cli import main
from tests.support.building import node
from tests.support.databricks import span_rows
from tests.support.storing import line, stored

FULL = Path("/dev/full")
AGENT = "agent AGENT", ["plan", "search TOOL"]
CONTRACTS = """
from pytest_mlflow_traces import Contract, TagSchema, each, never, span

SEARCHES = Contract("searches", span("agent")[..., span("search"), ...], applies_to=span("agent"))
OTHER = Contract("others", span("other"), applies_to=span("other"))
TAGS = TagSchema.from_mapping({"team": str})
ORDER = each(span("pay"), per="session").after(span("auth"))
CALM = Contract("calm", never(span("pay"), per="session").after(span("cancel")))
PAYING = Contract("paying", span("turn")[...], CALM)
NUMBER = 5
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "contracts.py").write_text(CONTRACTS)
    (tmp_path / "broken.py").write_text("1 / 0")
    yield tmp_path
    sys.modules.pop("contracts", None)


def write(name, *lines):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("\n".join(lines))


def run(*args, stdin=None):
    # as on a terminal: elsewhere click takes escape sequences out
    result = CliRunner().invoke(main, list(args), input=stdin, color=True)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


# -- show


def test_show_prints_the_tree_of_every_trace():
    write("t.jsonl", line(*AGENT, test="test_a.py::test_x"), line("late @5-", id="tr-2"))

    assert (
        run("show", "t.jsonl").output
        == """\
t.jsonl, line 1
test_a.py::test_x
trace 'agent'  OK  5 ms  tr-1
agent  AGENT      5 ms
├─ plan  UNKNOWN  1 ms
└─ search  TOOL   1 ms

t.jsonl, line 2
trace 'late'  OK  unfinished  tr-2
late  UNKNOWN  unfinished
problem: unfinished: span late has no end time

"""
    )


def test_show_of_one_test():
    write("t.jsonl", line(*AGENT, test="test_a"), line(*AGENT, test="test_b", id="tr-2"))

    assert "tr-1" not in run("show", "t.jsonl", "--test", "_b").output
    result = run("show", "t.jsonl", "--test", "_c")
    assert (result.exit_code, result.output) == (1, "Error: no traces of tests with '_c' in their id\n")


def test_nothing_to_show_is_a_failure():
    write("t.jsonl")

    assert (run("show", "t.jsonl").exit_code, run("show", "t.jsonl").output) == (1, "Error: no traces\n")


# -- check


def test_check_counts_what_holds():
    write("t.jsonl", line(*AGENT), line("other", id="tr-2"))

    result = run("check", "t.jsonl", "--contract", "contracts:SEARCHES", "--contract", "contracts:OTHER")

    assert (
        result.output
        == """\
2 traces: 2 hold, 0 do not
contracts:SEARCHES applies to 1 of them
contracts:OTHER applies to 1 of them
"""
    )
    assert result.exit_code == 0


def test_check_explains_what_does_not():
    write("t.jsonl", line(*AGENT), line("agent AGENT", ["plan"], id="tr-2", test="test_a"))

    result = run("check", "t.jsonl", "--contract", "contracts:SEARCHES")

    assert (
        result.output
        == """\
t.jsonl, line 2: tr-2  test_a
  contract 'searches': trace 'agent' does not match: 1 missing

    agent  AGENT      3 ms
    ├─ plan  UNKNOWN
  - └─ search         missing

2 traces: 1 hold, 1 do not
  shape.missing 1
"""
    )
    assert result.exit_code == 1


def test_check_takes_a_contract_file():
    write("t.jsonl", line("agent AGENT", ["plan"]))
    write("kept/calm.toml", "format = 1", 'name = "calm"', 'has = ["plan"]', 'never = ["delete"]')
    write("kept/wrong.toml", "format = 1", 'name = "wrong"', 'nevr = ["delete"]')

    result = run("check", "t.jsonl", "--contract", "kept/calm.toml")
    wrong = run("check", "t.jsonl", "--contract", "kept/wrong.toml")
    missing = run("check", "t.jsonl", "--contract", "calm.toml")

    assert (result.output, result.exit_code) == ("1 trace: 1 hold, 0 do not\n", 0)
    assert wrong.exit_code == missing.exit_code == 2
    assert "--contract kept/wrong.toml: kept/wrong.toml, line 3, column 1: unknown key 'nevr' (legal: " in wrong.output
    assert f"--contract calm.toml: there is no such file in {Path.cwd()}" in missing.output


def turn(*specs, session="one", **said):
    made = stored(*specs, **said)
    made["info"]["trace_metadata"] = {"mlflow.trace.session": session} if session else {}
    return json.dumps(made)


def test_check_looks_at_the_traces_of_a_session_together():
    write("t.jsonl", turn("turn @5-6", ["pay @5-6"], id="tr-2"), turn("turn @1-2", ["auth @1-2"]))

    result = run("check", "t.jsonl", "--contract", "contracts:ORDER", "--contract", "contracts:PAYING")

    assert (result.output, result.exit_code) == ("2 traces: 2 hold, 0 do not\n", 0)


def test_check_explains_what_does_not_hold_of_a_session():
    first, second = turn("turn @1-2", ["cancel @1-2"]), turn("turn @5-6", ["pay @5-6"], id="tr-2")
    write("t.jsonl", first, second, turn("turn @5-6", ["pay @5-6"], id="tr-3", session=None))

    result = run("check", "t.jsonl", "--contract", "contracts:ORDER", "--contract", "contracts:PAYING")

    assert (
        result.output
        == """\
t.jsonl, line 3: tr-3
  trace 'turn':
    order.after at turn > pay of trace tr-3: expected span('auth') to have ended before, got no span('auth') at all
          turn  UNKNOWN    0 ms to 1 ms
        > └─ pay  UNKNOWN  0 ms to 1 ms

t.jsonl, line 1: tr-1
  2 traces:
    order.after at turn > pay of trace [1] tr-2 of session 'one': expected span('auth') to have ended before, got no \
span('auth') at all
          [1] turn  UNKNOWN  4 ms to 5 ms
        > └─ pay  UNKNOWN    4 ms to 5 ms
  contract 'paying': contract 'calm': 2 traces:
    order.never at turn > pay of trace [1] tr-2 of session 'one': expected no span('pay') after span('cancel'), got \
one after [0] turn > cancel
          [0] turn  UNKNOWN   0 ms to 1 ms
          └─ cancel  UNKNOWN  0 ms to 1 ms
          [1] turn  UNKNOWN   4 ms to 5 ms
        > └─ pay  UNKNOWN     4 ms to 5 ms

3 traces: 1 hold, 2 do not
  order.after 2, order.never 1
"""
    )
    assert result.exit_code == 1


def test_check_explains_the_first_and_counts_the_others():
    write("t.jsonl", *[line("agent", id=f"tr-{number}") for number in range(5)])

    output = run("check", "t.jsonl", "--contract", "contracts:SEARCHES", "--show", "2").output

    assert [f"tr-{number}\n" in output for number in range(5)] == [True, True, False, False, False]
    assert output.endswith("... 3 more that do not hold\n\n5 traces: 0 hold, 5 do not\n  shape.missing 5\n")
    assert run("check", "t.jsonl", "--contract", "contracts:SEARCHES", "--show", "0").output.startswith("5 traces:")


def test_nothing_passes_on_absence():
    write("none.jsonl")
    write("t.jsonl", line(*AGENT))

    none = run("check", "none.jsonl", "--contract", "contracts:SEARCHES")
    assert (none.exit_code, none.output) == (1, "no traces: nothing was checked\n")

    unused = run("check", "t.jsonl", "--contract", "contracts:OTHER")
    assert unused.exit_code == 1
    said = "1 trace: 0 hold, 0 do not, 1 that nothing applies to\ncontracts:OTHER applies to none of them\n"
    assert unused.output == said


def broken(damage):
    """A trace that is not whole."""
    trace = json.loads(line(*AGENT, id="tr-2"))
    damage(trace["info"], trace["data"]["spans"])
    return json.dumps(trace)


NOT_WHOLE = {
    "it has no spans": lambda _, spans: spans.clear(),
    "it is in progress": lambda info, _: info.update(state="IN_PROGRESS"),
    "unfinished: span agent > search has no end time": lambda _, spans: spans[2].update(end_time_unix_nano=None),
    "orphan: span plan names the parent 'gone', which is not in the trace": (
        lambda _, spans: spans[1].update(parent_span_id="gone")
    ),
    "duplicate id: span search has the id * of another span": lambda _, spans: spans[2].update(
        span_id=spans[1]["span_id"]
    ),
    "orphan: span plan names the parent * which is not in the trace": lambda _, spans: spans.pop(0),
    "dropped: span agent > search lost 2 of its attributes and events before they were sent": lambda _, spans: spans[
        2
    ].update(dropped_events_count=2),
    "orphan: span search names the parent 'elsewhere', which is not in the trace": lambda info, spans: (
        info.update(state="IN_PROGRESS"),
        spans[2].update(parent_span_id="elsewhere"),
    ),
}


@pytest.mark.parametrize("reason", NOT_WHOLE)
def test_a_trace_that_is_not_whole_is_not_judged(reason):
    write("t.jsonl", line(*AGENT), broken(NOT_WHOLE[reason]))

    result = run("check", "t.jsonl", "--contract", "contracts:SEARCHES")

    kind = reason.partition(":")[0]
    said = f"""\
t.jsonl, line 2: tr-2
  not judged: {reason}

2 traces: 1 hold, 0 do not, 1 not judged
  not judged: {kind} 1
"""
    assert fnmatch.fnmatchcase(result.output, said.replace("[", "[[]"))
    assert result.exit_code == 1
    assert run("check", "t.jsonl", "--contract", "contracts:SEARCHES", "--allow-not-judged", "1").exit_code == 0


def test_where_no_trace_is_judged_nothing_holds():
    write("t.jsonl", broken(NOT_WHOLE["it has no spans"]))

    result = run("check", "t.jsonl", "--contract", "contracts:SEARCHES", "--allow-not-judged", "9", "--json")

    assert result.exit_code == 1
    first, last = map(json.loads, result.output.splitlines())
    assert first["findings"][0]["rule"] == "trace.not_judged"
    assert (last["holds"], last["not_judged"], last["failed"]) == (False, 1, 0)


def test_check_counts_what_nothing_applies_to_apart():
    write("t.jsonl", line(*AGENT), line("stray", id="tr-2"))

    said = run("check", "t.jsonl", "--contract", "contracts:SEARCHES").output
    assert said.splitlines()[0] == "2 traces: 1 hold, 0 do not, 1 that nothing applies to"
    data = json.loads(run("check", "t.jsonl", "--contract", "contracts:SEARCHES", "--json").output.splitlines()[-1])
    assert (data["traces"], data["failed"], data["unasked"]) == (2, 0, 1)


@pytest.mark.parametrize("source", ["none.jsonl", "-"])
def test_one_source_without_traces_is_no_success_of_the_others(source):
    write("none.jsonl")
    write("t.jsonl", line(*AGENT))
    name = "standard input" if source == "-" else source

    result = run("check", "t.jsonl", source, "--contract", "contracts:SEARCHES", stdin="")
    assert result.exit_code == 1
    assert result.output == f"1 trace: 1 hold, 0 do not\n{name}: no traces: nothing was checked\n"

    result = run("check", source, "t.jsonl", "--contract", "contracts:SEARCHES", "--json", stdin="")
    assert result.exit_code == 1
    assert [json.loads(result.output)[key] for key in ("holds", "empty")] == [False, [name]]


def test_spans_of_one_trace_in_several_files_are_one_trace():
    rows = [json.dumps(row) for row in span_rows(stored(*AGENT))]
    write("a.jsonl", rows[2])
    write("all/b.jsonl", *rows[:2])

    apart = run("check", "all", "--contract", "contracts:SEARCHES")
    together = run("check", "a.jsonl", "all", "--contract", "contracts:SEARCHES")
    twice = run("diff", "all", "all")

    assert (apart.exit_code, together.exit_code, twice.exit_code) == (1, 0, 0)
    assert together.output == "1 trace: 1 hold, 0 do not\n"
    assert run("show", "all", "a.jsonl").output.startswith("all/b.jsonl, line 1\ntrace 'agent'  OK  5 ms  ")


def test_nor_is_one_such_file_of_a_folder():
    write("all/none.jsonl")
    write("all/t.jsonl", line(*AGENT))

    result = run("check", "all", "--contract", "contracts:SEARCHES")

    assert result.exit_code == 1
    assert result.output.endswith("\nall/none.jsonl: no traces: nothing was checked\n")


def test_check_for_machines():
    write("t.jsonl", line(*AGENT), line("agent", id="tr-2"))

    output = run("check", "t.jsonl", "--contract", "contracts:SEARCHES", "--json").output
    *failures, conclusion = map(json.loads, output.splitlines())

    assert [(each["where"], each["trace_id"]) for each in failures] == [("t.jsonl, line 2", "tr-2")]
    assert [finding["rule"] for finding in failures[0]["findings"]] == ["shape.missing"]
    assert conclusion == {
        "holds": False,
        "traces": 2,
        "failed": 1,
        "findings": {"shape.missing": 1},
        "applied": {"contracts:SEARCHES": 2},
    }


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("contracts", "write it as module:NAME"),
        ("contracts:SEARCH", "contracts has no 'SEARCH'; did you mean 'SEARCHES'?"),
        ("none:NAME", "No module named 'none'"),
        ("broken:NAME", "ZeroDivisionError: division by zero"),
        ("contracts:NUMBER", "expected a pattern, Budget, TagSchema or Contract, got 5"),
    ],
)
def test_a_contract_that_is_none_is_a_usage_error(name, says):
    write("t.jsonl", line(*AGENT))

    result = run("check", "t.jsonl", "--contract", name)

    assert result.exit_code == 2
    assert result.output.endswith(f"Error: --contract {name}: {says}\n")


def test_a_tracking_uri_needs_its_experiment_and_a_file_none():
    write("t.jsonl", line(*AGENT))

    result = run("check", "sqlite:///x.db", "--contract", "contracts:SEARCHES")
    assert result.exit_code == 2
    assert "sqlite:///x.db is a tracking URI: say which --experiment" in result.output

    result = run("check", "t.jsonl", "--contract", "contracts:SEARCHES", "--filter", "x")
    assert result.exit_code == 2
    assert "--experiment and --filter are for a tracking URI, and there is none" in result.output


# -- check at a rate


def agents(good, bad=0):
    specs = [AGENT] * good + [("agent AGENT", ["plan"])] * bad
    return [line(*spec, id=f"tr-{number}") for number, spec in enumerate(specs)]


RATE = "--contract", "contracts:SEARCHES", "--at-least", "95%"


def test_check_passes_where_a_rate_is_shown_though_some_do_not_hold():
    write("t.jsonl", *agents(99, 1))

    result = run("check", "t.jsonl", *RATE, "--show=0")
    data = json.loads(run("check", "t.jsonl", *RATE, "--json").output.splitlines()[-1])

    assert (
        result.output
        == """\
100 traces: 99 hold, 1 do not
  shape.missing 1
contracts:SEARCHES holds in 99 of 100 runs (99 %): at least 95 %
  with 95 % confidence, at least 95.3 %
  in the 1 run that does not hold:
    1x shape.missing at agent: expected span('search')
"""
    )
    assert result.exit_code == 0
    assert data["holds"] is True
    bounds = {bound: round(data["rates"]["contracts:SEARCHES"].pop(bound), 3) for bound in ("lowest", "highest")}
    assert bounds == {"lowest": 0.953, "highest": 0.999}
    assert data["rates"]["contracts:SEARCHES"] == {
        "verdict": "holds",
        "runs": 100,
        "holds": 99,
        "fails": 1,
        "not_judged": 0,
        "not_applicable": 0,
        "at_least": 0.95,
        "confidence": 0.95,
        "needed": 93,
        "findings": [{"rule": "shape.missing", "where": "agent", "runs": 1}],
    }


@pytest.mark.parametrize(
    ("good", "bad", "verdict", "says"),
    [
        (20, 0, "not enough runs", "20 of 20 runs (100 %): not enough runs to say whether that is at least 95 %"),
        (10, 10, "fails", "10 of 20 runs (50 %): expected at least 95 %"),
    ],
)
def test_check_fails_where_a_rate_is_not_shown(good, bad, verdict, says):
    write("t.jsonl", *agents(good, bad))

    result = run("check", "t.jsonl", *RATE)
    data = json.loads(run("check", "t.jsonl", *RATE, "--json").output.splitlines()[-1])

    assert f"contracts:SEARCHES holds in {says}\n" in result.output
    assert result.exit_code == 1
    assert (data["holds"], data["rates"]["contracts:SEARCHES"]["verdict"]) == (False, verdict)


def test_check_at_a_rate_is_as_sure_as_it_is_asked_to_be():
    write("t.jsonl", *agents(20))

    assert run("check", "t.jsonl", *RATE, "--confidence=60%").exit_code == 0
    assert run("check", "t.jsonl", *RATE, "--confidence=0.7").exit_code == 1


def test_check_at_a_rate_wants_each_contract_to_hold_at_it_and_to_apply():
    write("t.jsonl", *agents(60))

    assert run("check", "t.jsonl", *RATE).exit_code == 0
    result = run("check", "t.jsonl", *RATE, "--contract", "contracts:OTHER")
    assert result.exit_code == 1
    assert "contracts:OTHER holds in 0 of 0 runs: not enough runs to say" in result.output
    assert run("check", "t.jsonl", *RATE, "--contract", "contracts:TAGS").exit_code == 1


def test_check_at_a_rate_does_not_count_what_is_not_judged_as_holding():
    write("t.jsonl", *agents(59), line("late @5-", id="tr-x"))

    result = run("check", "t.jsonl", *RATE, "--show=0")

    assert result.exit_code == 1
    assert "contracts:SEARCHES holds in 59 of 60 runs (98.3 %), 1 of them not judged: not enough runs" in result.output


def test_check_at_a_rate_finds_an_empty_file_still():
    write("t.jsonl", *agents(60))
    write("empty.jsonl")

    assert run("check", "t.jsonl", "empty.jsonl", *RATE).exit_code == 1


def test_check_at_a_rate_counts_sessions_where_a_contract_looks_at_them():
    lines = [turn("auth @1-2", session=f"s-{n}", id=f"tr-{n}") for n in range(60)]
    for n in range(3):
        lines += [
            turn("cancel @3-4", session=f"s-{n}", id=f"tr-c{n}"),
            turn("pay @5-6", session=f"s-{n}", id=f"tr-p{n}"),
        ]
    write("t.jsonl", *lines)

    result = run("check", "t.jsonl", "--contract", "contracts:CALM", "--at-least=95%", "--show=0")

    assert "contracts:CALM holds in 57 of 60 runs (95 %): not enough runs" in result.output
    assert "  in the 3 runs that do not hold:\n    3x order.never at pay of trace " in result.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--at-least=95"], "expected a rate such as 95% or 0.95, got '95'"),
        (["--at-least=0"], "expected a rate such as 95% or 0.95, got '0'"),
        (["--at-least=100%"], "no number of traces shows 100%: say what is enough, such as 99%"),
        (["--at-least=95%", "--confidence=1"], "no number of traces shows 1: say what is enough, such as 99%"),
        (["--confidence=0.9"], "--confidence is for --at-least, and there is none"),
        (["--at-least=95%", "--allow-not-judged=1"], "--allow-not-judged is not for --at-least: a trace that is not"),
    ],
)
def test_check_refuses_a_rate_that_nothing_shows(options, says):
    write("t.jsonl", *agents(60))

    result = run("check", "t.jsonl", "--contract", "contracts:SEARCHES", *options)

    assert result.exit_code == 2
    assert says in result.output.replace("\n", " ")


# -- diff


def test_the_same_is_the_same():
    write("old.jsonl", line(*AGENT, test="test_a"))

    result = run("diff", "old.jsonl", "-", stdin=line(*AGENT, test="test_a", id="tr-9"))

    assert (result.exit_code, result.output) == (0, "1 test: 1 the same\n")


def test_tests_are_matched_by_id_and_not_by_order():
    write("old.jsonl", line("a", test="test_a"), line("b", test="test_b"))
    write("new.jsonl", line("b", test="test_b"), line("a", test="test_a"))

    assert run("diff", "old.jsonl", "new.jsonl").exit_code == 0


def test_structure_is_hard_and_tags_are_soft():
    write("old.jsonl", line("a", ["b"], test="test_a", team="red"), line("c", test="test_c"))
    write("new.jsonl", line("a", ["B"], test="test_a", team="blue"))

    result = run("diff", "old.jsonl", "new.jsonl")

    assert result.exit_code == 1
    assert (
        result.output
        == """\
test_c: not comparable: only in the old traces

test_a: differs
  trace 'a' does not match: 1 different

    a  UNKNOWN     3 ms
  ~ └─ B  UNKNOWN  name: expected 'b', got 'B'
  soft: tag team: 'red' -> 'blue'

2 tests: 1 different, 1 not comparable; 1 soft difference
"""
    )


def test_folders_of_files():
    write("old/a/one.json", json.dumps(stored("a", test="test_a"), indent=2))
    write("old/two.jsonl", line("b", test="../../etc/passwd"))
    write("old/readme.txt", "no traces")
    write("new.jsonl", line("a", test="test_a"), line("b", test="../../etc/passwd"))

    assert run("diff", "old", "new.jsonl").output == "2 tests: 2 the same\n"


def test_traces_without_a_test_are_matched_by_name():
    write("old.jsonl", line("a"), line("b"))
    write("new.jsonl", line("b"), line("a"), line("a"))

    assert run("diff", "old.jsonl", "new.jsonl").output == (
        "trace a: not comparable: 1 trace(s) before, 2 now; only now: 'a'\n\n2 tests: 1 not comparable, 1 the same\n"
    )


def test_nothing_on_either_side_is_not_the_same():
    write("old.jsonl")
    write("new.jsonl")

    result = run("diff", "old.jsonl", "new.jsonl")

    assert (result.exit_code, result.output) == (1, "not comparable: there are no traces on either side\n")


def variant(name, good, bad, test="test_a"):
    specs = [AGENT] * good + [("agent AGENT", ["plan"])] * bad
    write(name, *(line(*spec, test=test, id=f"tr-{number}") for number, spec in enumerate(specs)))


DIFF = "diff", "old.jsonl", "new.jsonl", "--contract", "contracts:SEARCHES"


def test_diff_of_an_agent_that_varies_says_what_became_more_frequent():
    variant("old.jsonl", 19, 1)
    variant("new.jsonl", 12, 8)

    result = run(*DIFF)

    assert (
        result.output
        == """\
more frequent:
  contract.fails at contracts:SEARCHES: 1 of 20 before, 8 of 20 now, p = 0.02 (alone 0.0098)
  shape.missing at agent: 1 of 20 before, 8 of 20 now, p = 0.02 (alone 0.0098)

2 findings: 2 more frequent, with 95 % confidence
"""
    )
    assert result.exit_code == 1
    data = json.loads(run(*DIFF, "--json").output)
    assert (data["verdict"], data["runs"]) == ("more frequent", {"contracts:SEARCHES": {"old": 20, "new": 20}})
    assert data["findings"][1].pop("p") == pytest.approx(0.009828, abs=1e-6)
    assert data["findings"][1].pop("corrected_p") == pytest.approx(0.019656, abs=1e-6)
    assert data["findings"][1] == {
        "rule": "shape.missing",
        "where": "agent",
        "old": 1,
        "old_runs": 20,
        "new": 8,
        "new_runs": 20,
        "more_frequent": True,
    }
    assert run(*DIFF, "--markdown").output.startswith("### MLflow traces: more frequent\n\n2 findings&#58; 2 more")


def test_diff_of_an_agent_that_varies_lets_be_what_chance_explains():
    variant("old.jsonl", 19, 1)
    variant("new.jsonl", 15, 5)

    result = run(*DIFF)

    assert "  shape.missing at agent: 1 of 20 before, 5 of 20 now, p = 0.18 (alone 0.091)\n" in result.output
    assert result.output.endswith("2 findings: none shown to be more frequent, with 95 % confidence\n")
    assert result.exit_code == 0
    assert run(*DIFF, "--confidence=80%").exit_code == 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            (2, 0),
            (0, 2),
            "not enough runs: 2 and 2 would not even show what each new one has and no old one\nnot comparable\n",
        ),
        (
            (20, 0, "test_b"),
            (20, 0),
            "only in the old traces: test_b\nonly in the new traces: test_a\nnot comparable\n",
        ),
    ],
)
def test_diff_of_an_agent_that_varies_is_not_green_where_nothing_could_be_shown(old, new, says):
    variant("old.jsonl", *old)
    variant("new.jsonl", *new)

    result = run(*DIFF)

    assert (result.output, result.exit_code) == (says, 1)


def test_diff_of_an_agent_that_varies_wants_all_runs_judged_and_the_contract_to_apply():
    variant("old.jsonl", 20, 0)
    specs = [
        line("agent @5-", test="test_a", id="tr-x"),
        *(line(*AGENT, test="test_a", id=f"tr-{n}") for n in range(20)),
    ]
    write("new.jsonl", *specs)

    assert run(*DIFF).output == (
        "1 run of the new traces not judged: unfinished: span agent has no end time\nnot comparable\n"
    )
    other = run("diff", "old.jsonl", "new.jsonl", "--contract", "contracts:OTHER")
    assert "contracts:OTHER applies to none of the old traces\n" in other.output
    assert other.exit_code == 1


@pytest.mark.parametrize("options", [["--confidence=90%"], ["--contract", "contracts:SEARCHES", "--html=page.html"]])
def test_diff_refuses_what_does_not_go_together(options):
    variant("old.jsonl", 20, 0)

    assert run("diff", "old.jsonl", "old.jsonl", *options).exit_code == 2


def test_diff_for_machines():
    write("old.jsonl", line("a", test="test_a"))
    write("new.jsonl", line("b", test="test_a"))

    data = json.loads(run("diff", "old.jsonl", "new.jsonl", "--json").output)

    assert (data["verdict"], data["counts"]) == ("differs", {"differs": 1, "not comparable": 0, "same": 0})


def test_diff_for_a_summary():
    write("old.jsonl", line("a", test="test_a"))
    write("new.jsonl", line("<b>", test="test_a"))

    output = run("diff", "old.jsonl", "new.jsonl", "--markdown").output

    assert output.startswith("### MLflow traces: differs\n\n1 test&#58; 1 different\n\n<details>")
    assert "&lt;b&gt;" in output
    assert run("diff", "old.jsonl", "new.jsonl", "--markdown", "--json").exit_code == 2


# -- what is hostile


COMMANDS = "::error title=Gate passed::all good ##[error]all good"
EVIL = "\x1b[31m\x1b]0;title\x07\u202e\ud800\r\n# </pre><script>alert(1)</script>|`::add-mask::x../../../evil"
EVERY_COMMAND = pytest.mark.parametrize(
    "command",
    [
        ["show", "t.jsonl"],
        ["check", "t.jsonl", "--contract", "contracts:SEARCHES", "--contract", "contracts:TAGS"],
        ["check", "t.jsonl", "--contract", "contracts:SEARCHES", "--json"],
        ["diff", "old.jsonl", "t.jsonl"],
        ["diff", "old.jsonl", "t.jsonl", "--json"],
        ["diff", "old.jsonl", "t.jsonl", "--markdown"],
    ],
    ids=" ".join,
)


def hostile_trace(test, text):
    """Return a trace that has `text` wherever there is text in it."""
    root = node(text, inputs=text, error=text)
    trace = stored(root, [node(text, inputs=text, error=text)], test=test, id=text)
    trace["info"]["state"] = trace["info"]["tags"][text] = text
    trace["info"]["trace_metadata"] |= {"mlflow.trace.session": text, text: text}
    span = trace["data"]["spans"][1]
    span["attributes"] |= {"mlflow.spanType": json.dumps(text), text: json.dumps(text)}
    span["status"] = {"code": "STATUS_CODE_ERROR", "message": text}
    return json.dumps(trace)


def is_obeyed(text):
    """Whether a runner of GitHub takes something in a line of a log for a command."""
    return "##[" in text or text.lstrip().startswith("::")


@EVERY_COMMAND
@pytest.mark.parametrize("evil", [EVIL, COMMANDS, f"  {COMMANDS}"], ids=["terminal", "runner", "spaces"])
@pytest.mark.parametrize("is_same", [True, False], ids=["same test", "another test"])
def test_no_text_of_a_trace_is_obeyed(folder, command, is_same, evil):
    test = "test_a" if is_same else evil
    write("old.jsonl", hostile_trace("test_a", evil).replace(json.dumps("STATUS_CODE_ERROR"), '"STATUS_CODE_OK"', 1))
    write("t.jsonl", hostile_trace(test, evil))
    before = sorted(folder.rglob("*"))

    output = run(*command).output

    assert all(text.isprintable() for text in output.split("\n"))
    assert not [text for text in output.split("\n") if is_obeyed(text)]
    if "--markdown" in command:
        assert "<script" not in output
        assert not any(text.startswith("# ") for text in output.split("\n"))
    assert sorted(each for each in folder.rglob("*") if "__pycache__" not in each.parts) == before


@EVERY_COMMAND
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda said: said[:-40], "line 2: no JSON at column"),
        (lambda said: said.replace('"spans": [', '"spans": {"a": ', 1), "line 2: no JSON at column"),
        (lambda said: "[" * 100_000, "line 2: the JSON is nested too deep to be read"),
        (lambda said: "null", "line 2: not a trace"),
        (
            lambda said: said.replace('"code": "STATUS_CODE_OK"', '"code": {"\\u001b[31m": 1}'),
            "line 2: not a span: unknown status code",
        ),
        (
            lambda said: said.replace('"start_time_unix_nano": ', '"start_time_unix_nano": 1e999, "x": '),
            "line 2: not a",
        ),
    ],
    ids=["truncated", "unbalanced", "deep", "null", "code", "time"],
)
def test_what_is_no_trace_is_named_by_file_and_line_and_ends_the_command(command, damage, says):
    write("old.jsonl", line("agent", test="test_a"))
    write("t.jsonl", line(*AGENT), damage(line(*AGENT)))

    result = run(*command)

    assert result.exit_code == 2
    assert f"Error: t.jsonl, {says}" in result.output
    assert all(text.isprintable() for text in result.output.split("\n"))


@pytest.mark.parametrize("command", [["show", "t.jsonl"], ["diff", "t.jsonl", "t.jsonl"]], ids=" ".join)
def test_a_line_that_does_not_end_is_not_read_to_its_end(folder, command):
    write("t.jsonl", line(*AGENT), "")
    with (folder / "t.jsonl").open("r+b") as stream:
        stream.truncate(10 * 2**30)  # a hole: it takes no room on the disk

    result = run(*command)

    assert result.exit_code == 2
    assert "Error: t.jsonl, line 2: longer than 128 MiB, which no line of traces may be\n" in result.output


@EVERY_COMMAND
@pytest.mark.parametrize("depth", [900, 50_000])
def test_values_and_trees_of_any_depth_are_read(command, depth):
    chain = stored("agent", test="test_a")
    (span,) = chain["data"]["spans"]
    nested = "[" * depth + "]" * depth
    spans = [{**span, "span_id": f"{n:016x}", "parent_span_id": f"{n - 1:016x}" if n else None} for n in range(5_000)]
    spans[0] |= {"attributes": span["attributes"] | {"mlflow.spanInputs": nested, "depth": nested}}
    write("old.jsonl", line("agent", test="test_a"))
    write("t.jsonl", json.dumps({**chain, "data": {"spans": spans}}))

    assert run(*command).exit_code in (0, 1)


# -- what cannot be read


@pytest.mark.parametrize("command", [["show"], ["check", "--contract", "contracts:SEARCHES"], ["diff", "good.jsonl"]])
def test_what_cannot_be_read_has_the_status_of_a_wrong_question(command):
    write("good.jsonl", line(*AGENT))
    write("bad.jsonl", line(*AGENT), line(*AGENT)[:50])
    write("empty_folder/x.txt")

    bad = run(*command, "bad.jsonl")
    assert bad.exit_code == 2
    assert "Error: bad.jsonl, line 2: no JSON at column 46: " in bad.output

    assert (run(*command, "none.jsonl").exit_code, run(*command, "empty_folder").exit_code) == (2, 2)
    assert run(*command, "none.jsonl").output.endswith("Error: none.jsonl: No such file or directory\n")
    suffixes = ".json, .jsonl, .ndjson, .csv, .pb, .parquet, .arrow, .feather"
    said = f"Error: empty_folder: no file of traces ({suffixes}) in this folder\n"
    assert said in run(*command, "empty_folder").output


@pytest.mark.parametrize("command", [["show"], ["check", "--contract", "contracts:SEARCHES"], ["diff", "t.jsonl"]])
@pytest.mark.parametrize(
    ("name", "tool"), [("u.jsonl.gz", "gunzip"), ("a/u.JSON.zip", "unzip"), ("u.ndjson.zst", "unzstd")]
)
def test_a_compressed_file_in_a_folder_is_not_passed_over(command, name, tool):
    write("t.jsonl", line(*AGENT))
    write("all/t.jsonl", line(*AGENT))
    write(f"all/{name}", "")

    result = run(*command, "all")

    assert result.exit_code == 2
    assert result.output.endswith(f"Error: all/{name}: it is compressed; unpack it with {tool} first\n")


def test_a_link_to_nothing_in_a_folder_is_not_passed_over(folder):
    write("all/t.jsonl", line(*AGENT))
    (folder / "all" / "u.jsonl").symlink_to("gone.jsonl")

    result = run("show", "all")

    assert result.exit_code == 2
    assert result.output.endswith("Error: all/u.jsonl: No such file or directory\n")


def test_a_folder_may_have_other_things_in_it(folder):
    write("all/t.JSONL", line(*AGENT))
    write("all/logs.gz")
    write("all/x.tar.gz")
    (folder / "all" / "sub.jsonl").mkdir()

    assert run("show", "all").exit_code == 0


@pytest.mark.parametrize("command", ["show -", "diff t.jsonl -", "check - --contract contracts:SEARCHES"])
def test_standard_input_that_is_closed_is_no_difference(command):
    write("t.jsonl", line(*AGENT))
    shell = ["sh", "-c", f'"$0" -m pytest_mlflow_traces {command} <&-', sys.executable]

    result = subprocess.run(shell, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (2, "Error: standard input: it is closed\n")


def test_what_fails_while_it_is_read_is_no_difference(monkeypatch):
    def broken(*_):
        raise OSError(5, "Input/output error")
        yield

    write("t.jsonl", line(*AGENT))
    monkeypatch.setattr("pytest_mlflow_traces.cli.trace_sets.stored_traces", broken)

    result = run("diff", "t.jsonl", "t.jsonl")

    assert (result.exit_code, result.output) == (2, "Error: Input/output error\n")


@pytest.mark.parametrize(
    "command",
    [("show",), ("check", "--contract", "contracts:SEARCHES"), ("diff", "t.jsonl"), ("diff", "--json", "t.jsonl")],
)
@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a file that is always full")
def test_an_answer_that_cannot_be_written_is_no_difference(command, folder):
    write("t.jsonl", line(*AGENT))
    script = [sys.executable, "-m", "pytest_mlflow_traces", *command, "t.jsonl"]

    with FULL.open("wb") as full:
        ended = subprocess.run(script, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (
        2,
        "Error: the answer could not be written: No space left on device\n",
    )


FOREIGN = {
    "logs as OTLP sends them, and no spans": {"resourceLogs": []},
    "metrics as OTLP sends them, and no spans": {"resourceMetrics": []},
    "a trace as Jaeger writes it; export OTLP": {"traceID": "1", "spans": []},
    "a row of a table of traces, without the column `trace` or `spans`": {"trace_id": "tr-1", "state": "OK"},
    "a response of Databricks without a trace; ask the endpoint for one by"
    ' "databricks_options": {"return_trace": true}': {"databricks_output": {"databricks_request_id": "1"}},
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("command", [("show",), ("check", "--contract", "contracts:SEARCHES"), ("diff", "ok.jsonl")])
def test_what_is_about_traces_and_is_none_is_named_for_what_it_is(what, command):
    write("ok.jsonl", line(*AGENT))
    write("t.json", json.dumps([FOREIGN[what]]))

    result = run(*command, "t.json")

    assert (result.exit_code, result.output) == (2, f"Error: t.json, line 1, trace 1: {what}\n")


def test_only_one_side_is_standard_input():
    result = run("diff", "-", "-", stdin="")

    assert result.exit_code == 2
    assert "only one side can be standard input" in result.output


def test_the_module_is_the_script_and_loads_no_mlflow(tmp_path):
    write("t.jsonl", line(*AGENT))
    code = (
        "import sys, runpy; sys.argv[1:] = ['show', 't.jsonl']\n"
        "try: runpy.run_module('pytest_mlflow_traces', run_name='__main__')\n"
        "finally: print('mlflow' in sys.modules, 'rich' in sys.modules)"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "└─ search  TOOL" in result.stdout
    assert result.stdout.endswith("False False\n")


def test_without_the_whole_of_mlflow_a_tracking_uri_is_refused(monkeypatch):
    monkeypatch.delattr("mlflow.MlflowClient", raising=False)

    result = run("check", "sqlite:///x.db", "--experiment", "one", "--contract", "contracts:SEARCHES")

    assert result.exit_code == 2
    assert "sqlite:///x.db: mlflow-tracing alone has no client for it; `pip install mlflow`" in result.output


def test_help_is_there_for_each_command():
    for command in (), ("show",), ("check",), ("diff",):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert "Usage: " in result.output
