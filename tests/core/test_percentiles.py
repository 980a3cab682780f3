"""Percentiles over a table: what they are over, and that they say what a budget says of the same traces in memory."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces import Budget, Contract, if_present, never, span
from pytest_mlflow_traces.core.budgets.latency import rank
from pytest_mlflow_traces.core.percentiles import judge_percentiles, limits_of, samples, split_percentiles
from tests.support.building import tree

FAST = Budget(latency="1m", p95_of={"search": "50ms", "look": if_present("1ms")})


def judged(together, traces):
    """Do with the samples what an engine does."""
    taken = defaultdict(list)
    for trace in traces:
        for number, each in samples(together, trace):
            taken[number].append((each.end_ns - each.start_ns, each.path))
    numbers = []
    for number in range(len(limits_of(together))):
        found = sorted(taken[number])
        backwards = [each for each in found if each[0] < 0]
        numbers.append(
            {
                "count": len(found),
                "p95": found[rank(95, len(found))][0] if found else None,
                "worst": found[-1][0] if found else None,
                "slowest": found[-1][1] if found else None,
                "backwards": len(backwards),
                "first": found[0][1] if found else None,
            }
        )
    return judge_percentiles(together, len(traces), numbers)


def searches(*milliseconds):
    return tree("agent", [f"search @{1}-{1 + each}" for each in milliseconds])


def test_an_expectation_is_split_into_what_looks_at_traces_and_at_percentiles():
    never_deleted = never(span("delete_table"))
    both = Contract("both", FAST, never_deleted, applies_to=span("agent"))

    assert split_percentiles(both) == (
        Contract("both", Budget(latency="1m"), never_deleted, applies_to=span("agent")),
        Contract("both", Budget(p95_of={"search": "50ms", "look": if_present("1ms")}), applies_to=span("agent")),
    )
    assert split_percentiles(never_deleted) == (never_deleted, None)


def test_samples_are_of_traces_that_the_contract_is_about_and_of_what_it_looks_at():
    inner = Contract("inner", Budget(p95_of={"search": "1s"}), applies_to=span("agent"), only=span("search"))
    together = Contract("outer", inner, Budget(p95_of={span(type="TOOL"): "1s"}))

    found = [(number, each.path) for number, each in samples(together, tree("agent", ["step", ["search TOOL"]]))]
    other = [(number, each.path) for number, each in samples(together, tree("other", ["step", ["search TOOL"]]))]

    assert found == [(0, "agent > search"), (1, "agent > step > search")]
    assert other == [(1, "other > step > search")]


@given(st.lists(st.integers(0, 100), max_size=60))
def test_what_is_said_of_a_table_is_what_a_budget_says_of_its_traces(milliseconds):
    traces = [searches(*milliseconds[:20]), searches(*milliseconds[20:])]
    budget = Budget(p95_of={"search": "50ms", "look": if_present("1ms")})

    said = judged(budget, traces)

    assert said.rules == tuple(finding.rule for finding in budget.check_all(traces))
    assert said.verdict == ("fails" if said.rules else "holds")


def test_a_percentile_that_is_too_high_names_the_slowest():
    said = judged(Contract("fast", split_percentiles(FAST)[1]), [searches(*[60] * 30, 90)])

    assert said.text == (
        "contract 'fast': 1 trace together:\n"
        "  budget.p95 at 'search': expected a p95 of at most 50 ms, got 60 ms of 31 samples (1.2 times the limit)"
        " (the slowest took 90 ms: agent > search[31])"
    )


def test_what_holds_of_all_says_so():
    assert judged(split_percentiles(FAST)[1], [searches(*[5] * 20)]).text == (
        "Budget(p95_of={'search': '50ms', 'look': if_present('1ms')}) holds of 1 trace together"
    )


def test_a_span_that_ends_before_it_starts_is_no_fast_one():
    said = judged(split_percentiles(FAST)[1], [tree("agent", ["search @9-5", *["search @1-2"] * 30])])

    assert [(f.rule, f.where, f.actual) for f in said.findings] == [
        ("budget.latency", "agent > search[31]", "1 span that ended before it started")
    ]


@pytest.mark.parametrize("budget", [FAST, Budget(p95_of={"look": if_present("1ms")})])
def test_a_percentile_of_no_trace_is_not_judged(budget):
    said = judged(split_percentiles(budget)[1], [])

    assert (said.verdict, said.rules) == ("not judged", ("capture.empty",))
