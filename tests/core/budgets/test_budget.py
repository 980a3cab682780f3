"""Budgets: what they refuse to be, what they find in a trace, and how they say it."""

from __future__ import annotations

import copy
import json
import pickle
import re
from datetime import timedelta

import pytest

from pytest_mlflow_traces.core.budgets.budget import Budget, halves, if_present
from pytest_mlflow_traces.core.budgets.spent import tokens_of
from pytest_mlflow_traces.core.contracts import Contract, assert_trace, check
from pytest_mlflow_traces.core.findings import Expectation, Finding, TraceAssertionError
from pytest_mlflow_traces.core.patterns.constructors import one_of, span
from tests.support.building import node, tree
from tests.support.messages import exactly

SLOW = ("agent AGENT @0-3000", ["plan @0-100", "search TOOL @100-2900", ["query @150-2850"]])


def found(budget, *specs, **facts):
    return budget.check(tree(*specs, **facts))


# What a budget is


def test_a_budget_is_an_expectation():
    assert isinstance(Budget(latency="2s"), Expectation)


LEGAL = "'latency', 'latency_of', 'self_time_of', 'tokens', 'cost_usd', 'calls', 'p95_of'"
UNIT = "write a duration as '800ms', '2s' or a timedelta, got"
NUMBER = "is a whole number, the most, or (min, max), got"
STANDS = "if_present() stands for limits of spans, not in"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"latensy": "2s"}, f"unknown keyword 'latensy' (legal: {LEGAL}); did you mean 'latency'?"),
        ({"latency": 2}, f"latency: {UNIT} 2"),
        ({"latency_of": {"a": 2.0}}, f"latency_of['a']: {UNIT} 2.0"),
        ({"self_time_of": {"a": True}}, f"self_time_of['a']: {UNIT} True"),
        ({"p95_of": {"a": 5}}, f"p95_of['a']: {UNIT} 5"),
        ({"latency_of": "2s"}, "latency_of maps names or patterns of spans to limits, got '2s'"),
        ({"latency_of": {5: "2s"}}, "latency_of takes a pattern such as span('name'), got 5"),
        ({"calls": {...: 2}}, "calls takes a pattern such as span('name'), got Ellipsis"),
        ({"tokens": True}, "tokens is a whole number, got True"),
        ({"tokens": 4000.0}, "tokens is a whole number, got 4000.0"),
        ({"tokens": "4000"}, "tokens is a whole number, got '4000'"),
        ({"cost_usd": "0.05"}, "cost_usd is a number of US dollars, got '0.05'"),
        ({"cost_usd": False}, "cost_usd is a number of US dollars, got False"),
        ({"calls": {"a": True}}, f"calls['a'] {NUMBER} True"),
        ({"calls": {"a": (0, True)}}, f"calls['a'] {NUMBER} (0, True)"),
        ({"calls": {"a": (1, 2, 3)}}, f"calls['a'] {NUMBER} (1, 2, 3)"),
        ({"calls": {"a": (1,)}}, f"calls['a'] {NUMBER} (1,)"),
        ({"calls": {"a": "2s"}}, f"calls['a'] {NUMBER} '2s'"),
        ({"calls": {"a": 2.0}}, f"calls['a'] {NUMBER} 2.0"),
        ({"latency": if_present("2s")}, f"{STANDS} latency: a trace has a latency"),
        ({"tokens": if_present(5)}, f"{STANDS} tokens: what was not recorded passes no budget"),
    ],
)
def test_what_cannot_be_meant_is_a_type_error(said, message):
    with pytest.raises(TypeError, match=exactly(f"Budget(): {message}")):
        Budget(**said)


@pytest.mark.parametrize("said", [{}, {"latency": None}])
def test_a_budget_limits_something(said):
    with pytest.raises(ValueError, match=exactly(f"Budget() limits nothing: give it at least one of {LEGAL}")):
        Budget(**said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"latency": "2"}, "latency: '2' is not a duration; write a number and one of ns, us, ms, s, m, h: '800ms'"),
        ({"latency": timedelta(-1)}, "latency: a duration cannot be negative, got datetime.timedelta(days=-1)"),
        ({"latency_of": {}}, "latency_of={} limits nothing; name a span, or leave it out"),
        ({"calls": {}}, "calls={} limits nothing; name a span, or leave it out"),
        ({"tokens": -1}, "tokens cannot be negative, got -1"),
        ({"cost_usd": -0.5}, "cost_usd cannot be negative, got -0.5"),
        ({"cost_usd": float("nan")}, "cost_usd is not a limit: nan"),
        ({"cost_usd": float("inf")}, "cost_usd is not a limit: inf"),
        ({"calls": {"a": -1}}, "calls['a'] cannot be negative, got -1"),
        ({"calls": {"a": (-1, 2)}}, "calls['a'] cannot be negative, got -1"),
        ({"calls": {"a": (3, 2)}}, "calls['a']: (3, 2) has its min above its max: no number is that"),
        ({"latency_of": {"a": "1s", span("a"): "2s"}}, "latency_of has two limits for span('a')"),
    ],
)
def test_what_cannot_be_is_a_value_error(said, message):
    with pytest.raises(ValueError, match=exactly(f"Budget(): {message}")):
        Budget(**said)


@pytest.mark.parametrize("limit", [None, True, 2.5, [1, 2], if_present("1s"), span("a")])
def test_if_present_takes_a_limit(limit):
    message = f"if_present() takes a duration such as '800ms', or a number of calls, got {limit!r}"

    with pytest.raises(TypeError, match=exactly(message)):
        if_present(limit)


BUDGETS = [
    "Budget(latency='2s')",
    "Budget(latency='0ms', tokens=0, cost_usd=0)",
    "Budget(latency_of={'': '1ms', 'a': if_present('1500ms'), span('b', type='TOOL'): '3m'})",
    "Budget(self_time_of={one_of(span('a'), span('b')): '1h'}, cost_usd=0.05)",
    "Budget(calls={'a': 3, 'b': (2, 3), 'c': 0, 'd': (2, 2), 'e': if_present(2), 'f': (0, 4)})",
    "Budget(p95_of={'a': '7ns'})",
]


@pytest.mark.parametrize("code", BUDGETS)
def test_the_repr_is_code_that_makes_an_equal_budget(code):
    budget = eval(code)

    assert repr(budget) == code
    assert {eval(repr(budget)): 1} == {budget: 1}
    assert pickle.loads(pickle.dumps(budget)) == budget == copy.deepcopy(budget)


def test_budgets_are_equal_by_what_they_limit():
    assert Budget(latency="2s") == Budget(latency=timedelta(seconds=2))
    assert Budget(calls={"a": 1, span("b"): 2}) == Budget(calls={"b": (1, 2), span("a"): (1, 1)})
    assert Budget(latency_of={"a": "1s"}) != Budget(latency_of={"a": if_present("1s")})
    assert Budget(latency_of={"a": "1s"}) != Budget(self_time_of={"a": "1s"})
    assert Budget(tokens=1) != Budget(cost_usd=1)
    assert Budget(tokens=1) != 1


def test_a_budget_cannot_be_changed():
    with pytest.raises(AttributeError):
        Budget(tokens=1).said = {}


def test_a_budget_does_not_change_with_the_mapping_it_was_made_of():
    limits = {"a": "1s"}
    budget = Budget(latency_of=limits)

    limits["b"] = "2s"

    assert budget == Budget(latency_of={"a": "1s"})


# Latency


@pytest.mark.parametrize("limit", ["3s", "3001ms", timedelta(seconds=3)])
def test_the_limit_is_the_last_latency_that_passes(limit):
    assert found(Budget(latency=limit, latency_of={"search": "2800ms"}, self_time_of={"search": "100ms"}), *SLOW) == []


def test_a_trace_that_is_too_slow_shows_where_the_time_went():
    assert found(Budget(latency="2s"), *SLOW) == [
        Finding(
            "budget.latency",
            "agent",
            "at most 2 s",
            "3 s (1.5 times the limit)",
            "critical path, and what each took of it by itself:\n"
            "100 ms  agent  AGENT\n"
            "100 ms    plan  UNKNOWN\n"
            "100 ms    search  TOOL\n"
            " 2.7 s      query  UNKNOWN",
        )
    ]


def test_each_span_is_limited_by_itself_and_the_slowest_shows_its_path():
    searches = ["search TOOL @0-2000", ["query @0-1500"], "search TOOL @2000-2500"]

    findings = found(
        Budget(latency_of={span(type="TOOL"): "1s"}), "agent @0-9000", [*searches, "search TOOL @3000-4500", ["query"]]
    )

    assert findings == [
        Finding(
            "budget.latency",
            "agent > search",
            "at most 1 s",
            "2 s (2 times the limit)",
            "critical path, and what each took of it by itself:\n500 ms  search  TOOL\n 1.5 s    query  UNKNOWN",
        ),
        Finding("budget.latency", "agent > search[3]", "at most 1 s", "1.5 s (1.5 times the limit)"),
    ]


def test_a_difference_in_digits_that_are_not_shown_is_shown():
    (finding,) = found(Budget(latency="2s"), "agent @0-2000.001")

    assert (finding.expected, finding.actual) == ("at most 2 s", "2.000001 s (1.0000005 times the limit)")


@pytest.mark.parametrize(
    ("limit", "told"),
    [("1ns", "1 ns"), ("2us", "2 µs"), ("1500us", "1.5 ms"), ("1.2345s", "1.2345 s"), ("60.5s", "60.5 s")],
)
def test_a_limit_is_told_as_it_was_set(limit, told):
    (finding,) = found(Budget(latency=limit), "agent @0-90000")

    assert finding.expected == f"at most {told}"


def test_a_limit_of_nothing_has_no_ratio():
    (finding,) = found(Budget(latency="0s"), "agent @0-5")

    assert (finding.expected, finding.actual, finding.hint) == ("at most 0 ms", "5 ms", None)


def test_self_time_does_not_count_what_children_took():
    assert found(Budget(self_time_of={"search": "60ms", "query": "2s"}), *SLOW) == [
        Finding(
            "budget.self_time",
            "agent > search",
            "at most 60 ms of its own",
            "100 ms of its own, of 2.8 s (1.67 times the limit)",
        ),
        Finding(
            "budget.self_time",
            "agent > search > query",
            "at most 2 s of its own",
            "2.7 s of its own, of 2.7 s (1.35 times the limit)",
        ),
    ]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(latency="2s"), Finding("budget.unfinished", "agent", "at most 2 s", "a trace that never ended")),
        (
            Budget(latency_of={"search": "2s"}),
            Finding("budget.unfinished", "agent > search", "at most 2 s", "a span that never ended"),
        ),
        (
            Budget(self_time_of={"search": "2s"}),
            Finding("budget.unfinished", "agent > search", "at most 2 s of its own", "a span that never ended"),
        ),
    ],
)
def test_what_never_ended_is_within_no_limit(budget, expected):
    assert found(budget, "agent @0-", ["search @1-"]) == [expected]


def test_a_trace_in_progress_is_within_no_limit_though_its_root_ended():
    assert [each.rule for each in found(Budget(latency="2s"), "agent @0-1", status="IN_PROGRESS")] == [
        "budget.unfinished"
    ]


def test_a_trace_without_spans_has_the_latency_that_mlflow_noted():
    assert found(Budget(latency="2s"), duration_ms=1000) == []
    assert [each.rule for each in found(Budget(latency="2s"), duration_ms=3000)] == ["budget.latency"]
    assert found(Budget(latency="2s")) == [Finding("budget.absent", "''", "at most 2 s", "a trace without spans")]


@pytest.mark.parametrize("budget", [Budget(latency="2s"), Budget(latency_of={"agent": "2s"})])
def test_a_span_that_ends_before_it_starts_is_within_no_limit(budget):
    assert found(budget, "agent @9-4") == [
        Finding("budget.latency", "agent", "at most 2 s", "-5 ms, it ends before it starts")
    ]


def test_of_very_many_findings_the_rest_is_counted():
    findings = found(Budget(latency_of={"a": "1ms"}), *[f"a @{i}-{i + 2}" for i in range(103)])

    assert len(findings) == 101
    assert findings[-1] == Finding("budget.latency", "span('a')", "at most 1 ms", "3 more like this")


# Absence


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(latency_of={"a": "2s"}), "at most 2 s for span('a')"),
        (Budget(self_time_of={span("a"): "2s"}), "at most 2 s of its own for span('a')"),
        (Budget(calls={one_of(span("a"), span("b")): 2}), "at most 2 calls of one_of(span('a'), span('b'))"),
        (Budget(calls={"a": (2, 2)}), "exactly 2 calls of span('a')"),
    ],
)
def test_a_limit_that_no_span_came_under_is_a_finding(budget, expected):
    assert found(budget, "agent") == [Finding("budget.absent", "agent", expected, "no such span")]


@pytest.mark.parametrize("limit", [{"latency_of": {"web_serch": "2s"}}, {"calls": {span("Web_Search"): 1}}])
def test_the_name_that_was_meant_is_told(limit):
    (finding,) = found(Budget(**limit), "agent", ["web_search", "search"])

    assert finding.hint == "did you mean 'web_search'?"


def test_a_name_that_is_there_was_not_misspelt():
    (finding,) = found(Budget(latency_of={span("search", type="TOOL"): "2s"}), "agent", ["search"])

    assert (finding.rule, finding.hint) == ("budget.absent", None)


@pytest.mark.parametrize(
    "budget",
    [
        Budget(latency_of={"a": if_present("2s")}),
        Budget(self_time_of={"a": if_present("2s")}),
        Budget(calls={"a": 0}),
        Budget(calls={"a": (0, 3)}),
        Budget(calls={"a": if_present((2, 3))}),
        Budget(p95_of={"a": if_present("2s")}),
    ],
)
def test_unless_it_says_that_none_may_come(budget):
    assert found(budget, "agent") == []


@pytest.mark.parametrize(
    "budget",
    [
        Budget(latency_of={"a": if_present("2s")}),
        Budget(self_time_of={"a": if_present("2s")}),
        Budget(calls={"a": 0}),
        Budget(calls={"a": (0, 3)}),
        Budget(calls={"a": if_present((2, 3))}),
        Budget(p95_of={"a": if_present("2s")}),
    ],
)
def test_but_a_trace_without_spans_passes_no_limit(budget):
    emptied = tree("agent", ["plan"]).without(span())

    assert [each.rule for each in budget.check(emptied)] == ["budget.absent"]
    assert [each.rule for each in found(budget)] == ["budget.absent"]


def test_the_latency_of_a_trace_is_that_of_all_its_spans():
    assert found(Budget(latency="1s"), "agent @0-10", ["plan @1-5", "late @2-900"]) == []
    (finding,) = found(Budget(latency="1s"), "agent @0-10", ["plan @1-5", "late @2-60010"])

    assert (finding.rule, finding.where, finding.actual) == (
        "budget.latency",
        "agent",
        "1 min 0 s (60 times the limit)",
    )
    assert finding.hint.startswith("agent > late ended 1 min 0 s after the root\ncritical path")
    assert [each.rule for each in found(Budget(latency="1s"), "agent @2000-2010", ["early @0-5"])] == ["budget.latency"]


def test_the_latency_of_a_trace_is_unknown_while_a_span_of_it_is_unfinished():
    assert found(Budget(latency="1s"), "agent @0-10", ["plan @1-5", "late @2-"]) == [
        Finding("budget.unfinished", "agent > late", "at most 1 s", "a span that never ended")
    ]


def test_if_present_still_limits_what_is_there():
    budget = Budget(latency_of={"a": if_present("2ms")}, calls={"a": if_present((2, 3))})

    assert [each.rule for each in found(budget, "a @0-3")] == ["budget.latency", "budget.calls"]


# Tokens and cost

USAGE = "mlflow.trace.tokenUsage"
COST = "mlflow.trace.cost"


@pytest.mark.parametrize(
    ("usage", "rules"),
    [
        ('{"total_tokens": 4000}', []),
        ('{"total_tokens": 0}', []),
        ('{"total_tokens": 4001}', ["budget.tokens"]),
        ('{"input_tokens": 3000, "output_tokens": 1001}', ["budget.tokens"]),
        ('{"input_tokens": 3000}', ["budget.unrecorded"]),
        ('{"total_tokens": true}', ["budget.unrecorded"]),
        ("{}", ["budget.unrecorded"]),
        ("nonsense", ["budget.unrecorded"]),
        ('{"total_tokens": NaN}', ["budget.unrecorded"]),
        ('{"total_tokens": -1}', ["budget.unrecorded"]),
        ('{"total_tokens": Infinity}', ["budget.unrecorded"]),
        ('{"total_tokens": 5, "input_tokens": NaN}', ["budget.unrecorded"]),
        ('{"input_tokens": 1, "output_tokens": "2"}', ["budget.unrecorded"]),
        ('{"total_tokens": 5, "input_tokens": 3000, "output_tokens": 1001}', ["budget.tokens"]),
        ('{"total_tokens": 5, "input_tokens": 3}', []),
        ('{"total_tokens": 4001, "input_tokens": -3}', ["budget.unrecorded", "budget.tokens"]),
    ],
)
def test_tokens_are_those_of_the_whole_trace(usage, rules):
    assert [each.rule for each in found(Budget(tokens=4000), "agent", metadata={USAGE: usage})] == rules


def test_tokens_and_cost_say_how_much_and_how_many_times_the_limit():
    metadata = {USAGE: '{"total_tokens": 5000}', COST: '{"total_cost": 0.0725}'}

    assert found(Budget(tokens=4000, cost_usd=0.05), "agent", metadata=metadata) == [
        Finding("budget.tokens", "agent", "at most 4,000 tokens", "5,000 (1.25 times the limit)"),
        Finding("budget.cost", "agent", "at most $0.05", "$0.0725 (1.45 times the limit)"),
    ]


@pytest.mark.parametrize("cost", ["NaN", "-0.1", "Infinity", "true", "null"])
def test_a_cost_that_is_no_amount_is_no_pass(cost):
    (finding,) = found(Budget(cost_usd=1), "agent", metadata={COST: f'{{"total_cost": {cost}}}'})

    assert finding.rule == "budget.unrecorded"
    assert str(finding.actual).startswith("a cost of {'total_cost': ")


def called(*calls):
    """A trace of calls of a model, each with its status and what its span has recorded."""
    attributes = {
        "usage": {"mlflow.chat.tokenUsage": {"total_tokens": 5}},
        "cost": {"mlflow.llm.cost": {"total_cost": 1}},
    }
    specs = [
        node(f"model CHAT_MODEL {status}", attributes=dict(item for each in kinds for item in attributes[each].items()))
        for status, *kinds in calls
    ]
    metadata = {
        USAGE: json.dumps({"total_tokens": 5 * sum("usage" in kinds for _, *kinds in calls)}),
        COST: json.dumps({"total_cost": sum("cost" in kinds for _, *kinds in calls)}),
    }
    return tree("agent", specs, metadata=metadata)


def test_a_sum_that_leaves_calls_of_a_model_out_is_no_pass():
    trace = called(("OK", "usage", "cost"), ("OK", "usage"), ("UNSET",), ("ERROR",))

    assert Budget(tokens=10, cost_usd=1).check(trace) == [
        Finding(
            "budget.unrecorded",
            "agent > model[3]",
            "at most 10 tokens",
            "no token usage recorded",
            "the sum leaves this call of a model out",
        ),
        Finding(
            "budget.unrecorded",
            "agent > model[2]",
            "at most $1",
            "no cost recorded",
            "the sum leaves this call of a model out (and 1 more)",
        ),
    ]


@pytest.mark.parametrize("kind", ["LLM", "EMBEDDING", "CHAT_MODEL"])
def test_each_type_of_a_call_of_a_model_is_asked(kind):
    usage = {"mlflow.chat.tokenUsage": {"total_tokens": 5}, "mlflow.llm.cost": {"total_cost": 1}}
    specs = [node("first LLM", attributes=usage), node(f"second {kind}", attributes={"mlflow.llm.cost": {}})]
    trace = tree("agent", specs, metadata={USAGE: '{"total_tokens": 5}', COST: '{"total_cost": 1}'})

    assert [(each.rule, each.where) for each in Budget(tokens=5, cost_usd=1).check(trace)] == [
        ("budget.unrecorded", "agent > second"),
        ("budget.unrecorded", "agent > second"),
    ]


def test_a_wrapper_of_that_type_is_satisfied_by_the_call_in_it():
    usage = {"mlflow.chat.tokenUsage": {"total_tokens": 5}}
    trace = tree("agent", ["chain LLM", [node("call LLM", attributes=usage)]], metadata={USAGE: '{"total_tokens": 5}'})

    assert Budget(tokens=5).check(trace) == []


def test_a_wrapper_around_a_call_that_failed_is_asked_for_nothing_itself():
    usage = {"mlflow.chat.tokenUsage": {"total_tokens": 5}}
    told = [node("classify LLM", attributes=usage), "synthesize LLM", ["chat CHAT_MODEL ERROR"]]
    metadata = {USAGE: '{"total_tokens": 5}'}

    assert Budget(tokens=5).check(tree("agent", told, metadata=metadata)) == []
    told[-1] = ["chat CHAT_MODEL"]
    (finding,) = Budget(tokens=5).check(tree("agent", told, metadata=metadata))
    assert (finding.rule, finding.where) == ("budget.unrecorded", "agent > synthesize > chat")


def spending(attribute, *specs, **metadata):
    """A trace of which each span that says a record has it as `attribute`."""
    keys = {"mlflow.chat.tokenUsage": USAGE, "mlflow.llm.cost": COST}
    made = [node(each, attributes={attribute: record}) for each, record in specs]
    nested = [made[0], [made[1], made[2]]] if len(made) == 3 else [made[0], made[1:]]
    return tree("agent", nested, metadata={keys[attribute]: json.dumps(metadata)})


def test_a_record_that_is_less_than_those_below_it_hides_none_of_them():
    # MLflow's sum has of each branch the topmost record alone
    attribute = "mlflow.chat.tokenUsage"
    calls = [("one LLM", {"total_tokens": 10_000}), ("two LLM", {"input_tokens": 15, "output_tokens": 5})]
    trace = spending(attribute, ("chain", {"total_tokens": 20}), *calls, total_tokens=20)

    assert Budget(tokens=10_020).check(trace) == []
    assert Budget(tokens=100).check(trace) == [
        Finding(
            "budget.tokens",
            "agent",
            "at most 100 tokens",
            "10,020 (100 times the limit)",
            "MLflow's sum is 20 tokens: agent > chain recorded 20 tokens, and the spans below it 10,020 tokens",
        )
    ]


def test_of_the_cost_likewise():
    calls = [("one LLM", {"total_cost": 0.5}), ("two LLM", {"input_cost": 0.25, "output_cost": 0.25})]
    trace = spending("mlflow.llm.cost", ("chain", {"total_cost": 0.1}), *calls, total_cost=0.1)

    assert Budget(cost_usd=1).check(trace) == []
    assert Budget(cost_usd=0.2).check(trace) == [
        Finding(
            "budget.cost",
            "agent",
            "at most $0.2",
            "$1 (5 times the limit)",
            "MLflow's sum is $0.1: agent > chain recorded $0.1, and the spans below it $1",
        )
    ]


def test_a_record_that_has_those_below_it_counts_once():
    calls = [("one LLM", {"total_cost": 0.1}), ("two LLM", {"total_cost": 0.2})]
    trace = spending("mlflow.llm.cost", ("chain", {"total_cost": 0.3}), *calls, total_cost=0.3)

    assert Budget(cost_usd=0.3).check(trace) == []  # 0.1 + 0.2 is a little more


def test_a_sum_that_is_less_than_that_of_the_spans_is_told():
    trace = spending("mlflow.chat.tokenUsage", ("one LLM", {"total_tokens": 50}), ("two LLM", {}), total_tokens=5)

    (finding, *_) = Budget(tokens=10).check(trace)
    assert (finding.actual, finding.hint) == (
        "50 (5 times the limit)",
        "MLflow's sum is 5 tokens, that of the spans 50 tokens",
    )


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        ({"input_tokens": 20, "output_tokens": 10, "total_tokens": 30, "cache_read_input_tokens": 9000}, 9030),
        (
            {"input_tokens": 20, "output_tokens": 10, "cache_creation_input_tokens": 15, "cache_read_input_tokens": 15},
            60,
        ),
        ({"input_tokens": 9020, "output_tokens": 10, "total_tokens": 9030, "cache_read_input_tokens": 9000}, 9030),
        ({"input_tokens": 20, "output_tokens": 10, "total_tokens": 9030, "cache_read_input_tokens": 9000}, 9030),
        ({"input_tokens": 20, "output_tokens": 10, "total_tokens": 30, "cache_read_input_tokens": 20}, 30),
        ({"total_tokens": 7, "cache_read_input_tokens": None}, 7),
        ({"total_tokens": None, "input_tokens": "x"}, 0),
    ],
)
def test_what_was_read_from_a_cache_counts_where_it_cannot_be_part_of_the_input(usage, amount):
    assert tokens_of(usage) == amount


def test_one_whose_parent_or_child_has_recorded_it_is_no_such_call():
    usage = {"mlflow.chat.tokenUsage": {"total_tokens": 5}}
    metadata = {USAGE: '{"total_tokens": 10}'}
    wrapped = tree(
        "agent",
        [node("outer CHAT_MODEL"), [node("inner CHAT_MODEL", attributes=usage)]],
        metadata=metadata,
    )
    wrapping = tree(node("chain", attributes=usage), ["model CHAT_MODEL"], metadata=metadata)

    assert Budget(tokens=10).check(wrapped) == Budget(tokens=10).check(wrapping) == []


@pytest.mark.parametrize(
    ("key", "value", "is_usage"),
    [
        ("gen_ai.usage.input_tokens", 7, True),
        ("llm.token_count.total", 0, True),
        ("gpu_usage", 0.7, False),
        ("disk.usage", 7, False),
        ("mlflow.chat.tokenUsage", None, False),
        ("mlflow.chat.tokenUsage", {}, False),
        ("mlflow.chat.tokenUsage", "none", False),
        ("usage.total_tokens", 7, True),
        ("ai.usage.promptTokens", 7, True),
        ("usage.note", "no tokens", False),
        ("usage.share", 0.5, False),
        ("gen_ai.usage.input_tokens", "unknown", False),
    ],
)
def test_what_only_looks_like_usage_hides_no_such_call(key, value, is_usage):
    recorded = {"mlflow.chat.tokenUsage": {"total_tokens": 5}}
    calls = [node("model CHAT_MODEL", attributes=each) for each in (recorded, {key: value})]

    found = Budget(tokens=5).check(tree("agent", calls, metadata={USAGE: '{"total_tokens": 5}'}))

    assert [finding.rule for finding in found] == ([] if is_usage else ["budget.unrecorded"])


@pytest.mark.parametrize(
    "usage", [{"total_tokens": None, "input_tokens": 3}, {"total_tokens": "5"}, {"total_tokens": -1}, "many", [5], 7]
)
def test_usage_that_mlflow_cannot_add_is_no_usage(usage):
    step = node("step TOOL", attributes={"mlflow.chat.tokenUsage": usage})

    assert found(Budget(tokens=9), "agent", [step]) == [
        Finding(
            "budget.unrecorded",
            "agent > step",
            "at most 9 tokens",
            f"a token usage of {usage!r}",
            "MLflow adds numbers alone",
        )
    ]


def test_an_empty_record_is_no_usage_of_nothing():
    # MLflow's sum of it is 0
    (finding,) = found(
        Budget(tokens=9),
        "agent",
        [node("model LLM", attributes={"mlflow.chat.tokenUsage": {}})],
        metadata={USAGE: '{"total_tokens": 0}'},
    )

    assert (finding.rule, finding.where, finding.actual) == (
        "budget.unrecorded",
        "agent > model",
        "no token usage recorded",
    )


def test_a_cost_said_to_be_none_is_not_recorded():
    calls = [node("model CHAT_MODEL", attributes={"mlflow.llm.cost": cost}) for cost in ({"total_cost": 1}, None)]

    found = Budget(cost_usd=1).check(tree("agent", calls, metadata={COST: '{"total_cost": 1}'}))

    assert [(finding.rule, finding.where) for finding in found] == [("budget.unrecorded", "agent > model[2]")]


def test_where_no_span_has_recorded_any_the_sum_is_all_that_is_known():
    assert Budget(tokens=5).check(called(("OK",), ("OK",))) == []


def test_the_limit_is_the_last_cost_that_passes():
    metadata = {USAGE: '{"total_tokens": 5000}', COST: '{"total_cost": 0.05}'}

    assert found(Budget(tokens=5000, cost_usd=0.05), "agent", metadata=metadata) == []


def test_what_nobody_recorded_is_no_pass():
    assert found(Budget(tokens=0, cost_usd=0), "agent") == [
        Finding(
            "budget.unrecorded",
            "agent",
            "at most 0 tokens",
            "no token usage recorded",
            "MLflow sums the span attribute mlflow.chat.tokenUsage, which autologging sets where a model reports usage",
        ),
        Finding(
            "budget.unrecorded",
            "agent",
            "at most $0",
            "no cost recorded",
            "MLflow computes it from the usage and the model name, where it has a price for the model",
        ),
    ]


# Calls


@pytest.mark.parametrize(
    ("limit", "expected", "actual"),
    [
        (1, "at most 1 call of span('a')", "2 (2 times the limit)"),
        (0, "no call of span('a')", "2"),
        ((0, 1), "at most 1 call of span('a')", "2 (2 times the limit)"),
        ((3, 4), "3 to 4 calls of span('a')", "2"),
        ((3, 3), "exactly 3 calls of span('a')", "2"),
    ],
)
def test_another_number_of_calls_names_them(limit, expected, actual):
    assert found(Budget(calls={"a": limit}), "agent", ["a", "a"]) == [
        Finding("budget.calls", "agent", expected, actual, "at\nagent > a\nagent > a[2]")
    ]


@pytest.mark.parametrize("limit", [2, 3, (1, 2), (2, 2), (0, 9)])
def test_a_number_of_calls_is_the_most_and_a_pair_the_range(limit):
    assert found(Budget(calls={"a": limit}), "agent", ["a", "a"]) == []


def test_calls_take_patterns():
    budget = Budget(calls={span(re.compile("search_.*"), status="ERROR"): 0})

    assert len(found(budget, "agent", [node("search_web ERROR"), "search_docs OK"])) == 1


# Percentiles over several traces


def runs(*milliseconds):
    return [tree("agent @0-1000", [f"search TOOL @0-{ms}", ["query @0-1"]]) for ms in milliseconds]


def test_the_p95_of_all_traces_together_is_the_nearest_rank():
    nineteen = runs(*[10] * 18, 50)

    assert check([*nineteen, *runs(60)], Budget(p95_of={"search": "50ms"})) == []
    assert check([*nineteen, *runs(60)], Budget(p95_of={"search": "40ms"})) == [
        Finding(
            "budget.p95",
            "[18] agent > search",
            "a p95 of at most 40 ms",
            "50 ms of 20 samples (1.25 times the limit)",
            "critical path, and what each took of it by itself:\n49 ms  search  TOOL\n 1 ms    query  UNKNOWN",
        )
    ]


def test_a_p95_of_too_few_samples_is_refused():
    cure = "of fewer it is the maximum: run it more often, or limit each span by latency_of"

    assert check(runs(*[10] * 19), Budget(p95_of={"search": if_present("1s")})) == [
        Finding("budget.samples", "span('search')", "at least 20 samples for a p95", "19 in 19 traces", cure)
    ]
    assert Budget(p95_of={"search": "1s"}).check(runs(10)[0]) == [
        Finding("budget.samples", "span('search')", "at least 20 samples for a p95", "1 in 1 trace", cure)
    ]


def test_a_p95_of_no_span_and_of_unfinished_ones_are_findings():
    budget = Budget(p95_of={"search": "1s"})

    assert check([tree("agent"), tree("agent")], budget) == [
        Finding("budget.absent", "span('search')", "a p95 of at most 1 s", "no such span in 2 traces")
    ]
    assert [each.rule for each in check([*runs(*[10] * 20), tree("search @0-")], budget)] == ["budget.unfinished"]


def test_a_sample_that_ends_before_it_starts_does_not_make_the_others_look_fast():
    traces = [*runs(*[10] * 20), tree("search @5-4")]

    assert check(traces, Budget(p95_of={"search": "10ms"})) == [
        Finding("budget.latency", "[20] search", "a p95 of at most 10 ms", "-1 ms, it ends before it starts")
    ]


def test_many_spans_of_one_trace_are_samples_too():
    trace = tree(*[f"a @{i}-{i + 2}" for i in range(20)])

    assert [each.where for each in Budget(p95_of={"a": "1ms"}).check(trace)] == ["a[19]"]


# In company


def test_of_several_traces_a_finding_says_which():
    traces = [tree("agent @0-1"), tree("agent @0-3"), tree("agent @0-4")]

    assert [each.where for each in check(traces, Budget(latency="2ms"))] == ["[1] agent", "[2] agent"]


def test_a_contract_puts_its_traces_to_the_budget_together():
    contract = Contract("fast", Budget(p95_of={"search": "20ms"}), applies_to=span("search"))

    assert check([*runs(*[10] * 20), tree("other")], contract) == []
    assert [each.rule for each in check([*runs(*[30] * 20), tree("other")], contract)] == ["budget.p95"]
    assert [each.rule for each in contract.check(runs(10)[0])] == ["budget.samples"]
    assert contract.check(tree("other")) == []


def test_a_failure_reads_well():
    with pytest.raises(TraceAssertionError) as raised:
        assert_trace(tree(*SLOW), Budget(latency="2s", latency_of={"plan": "50ms", "lookup": "1s"}, tokens=10))

    assert str(raised.value) == (
        "trace 'agent':\n"
        "  budget.latency at agent: expected at most 2 s, got 3 s (1.5 times the limit)\n"
        "      critical path, and what each took of it by itself:\n"
        "      100 ms  agent  AGENT\n"
        "      100 ms    plan  UNKNOWN\n"
        "      100 ms    search  TOOL\n"
        "       2.7 s      query  UNKNOWN\n"
        "  budget.latency at agent > plan: expected at most 50 ms, got 100 ms (2 times the limit)\n"
        "  budget.absent at agent: expected at most 1 s for span('lookup'), got no such span\n"
        "  budget.unrecorded at agent: expected at most 10 tokens, got no token usage recorded (MLflow sums the span"
        " attribute mlflow.chat.tokenUsage, which autologging sets where a model reports usage)"
    )


def test_a_failure_over_several_traces_is_one_text_of_bounded_length():
    with pytest.raises(TraceAssertionError) as raised:
        assert_trace([tree("agent @0-9") for _ in range(22)], Budget(latency="3ms"))

    lines = str(raised.value).splitlines()
    assert lines[:2] == [
        "22 traces:",
        "  budget.latency at [0] agent: expected at most 3 ms, got 9 ms (3 times the limit)",
    ]
    assert lines[20:] == [
        "  budget.latency at [19] agent: expected at most 3 ms, got 9 ms (3 times the limit)",
        "  ... 2 more findings",
    ]
    assert len(raised.value.findings) == 22


def test_the_halves_of_a_budget_are_what_limits_each_trace_and_what_all_of_them():
    both = Budget(latency="2s", p95_of={"a": "1s"})

    assert halves(both) == (Budget(latency="2s"), Budget(p95_of={"a": "1s"}))
    assert halves(Budget(tokens=5)) == (Budget(tokens=5), None)
    assert halves(Budget(p95_of={"a": "1s"})) == (None, Budget(p95_of={"a": "1s"}))
