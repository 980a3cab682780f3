"""What is asked of the first trace of a structure alone comes out as if it were asked of each."""

from __future__ import annotations

import os
import random

import pytest

from pytest_mlflow_traces import Budget, Contract, any_order, each, if_present, never, one_of, optional, parallel, span
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.judgements import Judge
from pytest_mlflow_traces.core.matching.matcher import PatternTooComplexError
from pytest_mlflow_traces.core.settled import left_of
from tests.support.building import Record, trace_of, tree
from tests.support.ordering import one_span, random_rule

P, Q, X = span("p"), span("q"), span("x")
IN_TIME = Budget(latency="3ns")


def drawn_pattern(rng):
    below = [
        one_span(rng, "p"),
        optional(one_span(rng, "q")),
        span("x", inputs={"k": 1}),
        any_order(Q, optional(X)),
        ...,
    ]
    inner = [item for item in below if rng.random() < 0.5]
    pattern = one_span(rng, "p")
    return pattern if rng.random() < 0.3 else span(rng.choice("pqx"))[tuple(inner)]


def drawn(rng, depth=2):
    """Draw an expectation."""
    kind = rng.choice(("rule", "rule", "pattern", "has", "budget", "contract", "contract"))
    if kind == "contract" and depth:
        parts = [drawn(rng, depth - 1) for _ in range(rng.randint(1, 3))]
        applies_to = rng.choice((None, P, span("q", status="OK"), span("p", inputs={"k": 1}), span("p", has=Q)))
        only = rng.choice((None, None, None, one_of(P, Q), span("q", inputs={"k": 1})))
        return Contract(f"level {depth}", *parts, applies_to=applies_to, only=only)
    if kind == "budget":
        return rng.choice(
            (IN_TIME, Budget(latency="3ns", calls={"q": (1, 2)}), Budget(latency_of={"q": if_present("1ns")}))
        )
    if kind == "rule":
        return random_rule(rng)[0]
    pattern = drawn_pattern(rng)
    return Has(pattern) if kind == "has" else pattern


def drawn_spans(rng):
    """Draw the spans of a trace so small that there are others with its structure."""
    spans = []
    for number in range(rng.randint(1, 3)):
        above = rng.choice(spans).span_id if spans and rng.random() < 0.9 else None
        start = rng.randint(1, 4)
        made = Record(rng.choice("pqx"), str(number), above, "T", start, start + rng.choice((-1, 0, 1, 4)))
        made.inputs = rng.choice(({"k": 1}, {"k": 2}, None))
        spans.append(made)
    return spans


def said(judge, trace):
    return judge.applies(trace), judge.applies(trace) and judge.verdicts(trace), judge.judge(trace)


@pytest.mark.parametrize("seed", range(int(os.environ.get("SETTLED_SEEDS", "12"))))
def test_it_is_what_each_trace_by_itself_comes_to(seed):
    rng = random.Random(seed)
    structures: dict[object, dict[object, object]] = {}
    judges = [(Judge(expectation), Judge(expectation)) for expectation in [drawn(rng) for _ in range(4)]]
    for number in range(40):
        spans, metadata = drawn_spans(rng), rng.choice(({}, {}, {"mlflow.trace.session": "s"}))
        alone, shared = (trace_of(spans, id=str(number), metadata=metadata) for _ in range(2))
        table = shared.table
        table.answers = structures.setdefault((*table.names, *table.statuses, *table.parents), {})
        for own, judge in judges:
            assert said(judge, shared) == said(own, alone), judge.expectation


@pytest.mark.parametrize(
    ("expectation", "left"),
    [
        (span("p")[..., Q, ...], None),
        (span("p")[Q], span("p")[Q]),
        (span("p", inputs=None), span("p", inputs=None)),
        (span("p")[parallel(Q, X)], span("p")[parallel(Q, X)]),
        (Has(Q), None),
        (never(span("gone")), None),
        (each(Q).inside(P), None),
        (each(Q).inside(P, same="inputs.k"), each(Q).inside(P, same="inputs.k")),
        (each(Q).before(X), each(Q).before(X)),
        (never(X).before(Q), never(X).before(Q)),
        (never(span("gone")).after(Q), None),
        (if_present(each(span("gone")).after(span("q", inputs=1))), None),
        (never(span("gone"), per="session"), never(span("gone"), per="session")),
        (IN_TIME, IN_TIME),
        (Budget(latency="3ns", calls={"q": 1, "gone": 0}), IN_TIME),
        (Budget(calls={"q": (1, 5)}), None),
        (Budget(calls={"q": 1, "gone": 2}), Budget(calls={"gone": 2})),
        (Budget(calls={span("q", inputs=None): 1}), ...),
        (Contract("all", Has(Q), never(span("gone"))), None),
        (Contract("some", Has(Q), IN_TIME, applies_to=P), Contract("some", IN_TIME, applies_to=P)),
        (Contract("outer", Contract("inner", Has(Q), IN_TIME)), Contract("outer", Contract("inner", IN_TIME))),
        (Contract("seen", span("p")[Q, X], only=one_of(Q, X)), None),
        (Contract("seen", span("p")[Q, X], only=span("q", inputs=None)), ...),
    ],
)
def test_what_is_left_to_ask_of_traces_with_a_structure(expectation, left):
    trace = tree("p", ["q", "x"])
    trace.table.answers = {}

    for _ in range(2):
        assert left_of(expectation, trace) == (expectation if left is ... else left)


def test_a_table_that_shares_nothing_settles_nothing():
    assert left_of(Has(Q), tree("p", ["q"])) == Has(Q)


def test_a_question_that_is_too_hard_is_left_to_whoever_asks_it(monkeypatch):
    def refuse(*_):
        raise PatternTooComplexError("too hard")

    trace = tree("p", ["q"])
    trace.table.answers = {}
    monkeypatch.setattr("pytest_mlflow_traces.core.settled.verdicts", refuse)

    assert left_of(Has(Q), trace) == Has(Q)
