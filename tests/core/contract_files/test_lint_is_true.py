"""What lint says of a contract file is true of every trace: of all small ones, at least."""

from __future__ import annotations

import itertools
import re
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces import Budget, Contract, any_order, each, if_present, never, one_of, optional, repeat, span
from pytest_mlflow_traces.core.contract_files.demands import View
from pytest_mlflow_traces.core.contract_files.lint import read_parts, remarks
from pytest_mlflow_traces.core.contracts import check
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from tests.support.building import tree


def small_traces():
    """Return all trees of up to three spans of three names, their spans one after the other, and all at once."""
    trees = {1: [[]]}
    for size in range(2, 4):
        trees[size] = forests(size - 1, trees)
    found = []
    for size, shapes in trees.items():
        for shape, names in itertools.product(shapes, itertools.product("abc", repeat=size)):
            for times in ("", " @0-9"):
                left = iter(names)
                found.append(tree(*specs([shape], left, times)))
    return found


def forests(size, trees):
    if not size:
        return [[]]
    return [
        [first, *rest] for head in range(1, size + 1) for first in trees[head] for rest in forests(size - head, trees)
    ]


def specs(forest, names, times):
    made = []
    for children in forest:
        made += [next(names) + times, specs(children, names, times)]
    return made


TRACES = small_traces()
ONE = st.sampled_from([span("a"), span("b"), span("c"), span(), span(re.compile("a|c")), span("a") | span("b")])


def shapes(depth=2):
    node = st.sampled_from("abc").map(span)
    if not depth:
        return node.map(lambda each: each[()])
    inner = shapes(depth - 1)
    item = st.one_of(
        inner,
        inner,
        st.just(...),
        inner.map(optional),
        inner.map(repeat),
        st.lists(inner, min_size=2, max_size=2).map(lambda both: one_of(*both)),
        st.tuples(inner, inner.map(optional)).map(lambda both: any_order(*both, ...)),
    )
    return st.tuples(node, st.lists(item, max_size=3)).map(lambda both: both[0][tuple(both[1])])


@st.composite
def rules(draw):
    rule = draw(st.sampled_from([each, never]))(draw(ONE))
    relation = draw(st.sampled_from(["after", "before", "inside"]))
    between = draw(st.none() | ONE) if relation != "inside" else None
    words = {} if between is None else {{"after": "since", "before": "until"}[relation]: between}
    rule = getattr(rule, relation)(draw(ONE), **words)
    return if_present(rule) if rule.terms.word == "each" and draw(st.booleans()) else rule


budgets = st.one_of(
    st.tuples(ONE, st.sampled_from([0, 1, (0, 2), (1, 2), (2, 3), if_present(1)])).map(
        lambda both: Budget(calls={both[0]: both[1]})
    ),
    st.tuples(ONE, st.sampled_from(["1s", if_present("1s")])).map(lambda both: Budget(latency_of={both[0]: both[1]})),
)


@st.composite
def contracts(draw, depth=1):
    parts = draw(st.lists(st.one_of(ONE.map(Has), ONE.map(never), rules()), min_size=1, max_size=2))
    parts = [*draw(st.lists(shapes(), max_size=1)), *parts, *draw(st.lists(budgets, max_size=1))]
    parts = sorted(parts, key=lambda each: rank(each))
    if depth and draw(st.integers(0, 2)) == 0:
        parts.append(draw(contracts(depth - 1)))
    applies_to = draw(st.none() | ONE)
    only = draw(st.none() | st.none() | st.lists(ONE, min_size=1, max_size=2))
    return Contract("c", *parts, applies_to=applies_to, only=only)


def rank(part):
    """Return where a part comes when a file is read."""
    plain = getattr(getattr(part, "terms", None), "relation", "") is None
    kinds = [isinstance(part, kind) for kind in (Pattern, Has)]
    return 0 if kinds[0] else 1 if kinds[1] else 2 if plain else 4 if isinstance(part, Budget) else 3


def chain(contract, key):
    """Return the contracts from the outermost to that of a part, and the part; `None` for what is not one."""
    found = [contract]
    while key[:1] == ("contract",):
        found.append([each for each in found[-1].expectations if isinstance(each, Contract)][key[1]])
        key = key[2:]
    said, parts, _ = read_parts(found[-1].to_toml())
    keys = dict(zip((key for key, _ in parts.keyed(said, ())), found[-1].expectations, strict=False))
    return found, keys.get(key[:2], keys.get(key[:1])), key


@cache
def holds(trace, part):
    if isinstance(part, Has):
        return part.pattern in trace
    return trace == part if isinstance(part, Pattern) else not check(trace, part)


@cache
def seen(trace, only):
    return trace.only(*only) if only else trace


def judged(chained, trace, left_out=None):
    """Return whether a chain of contracts applies to a trace, and all that they say but one part holds of it."""
    for contract in chained:
        if contract.applies_to is not None and contract.applies_to not in trace:
            return None
        trace = seen(trace, contract.only)
        for part in contract.expectations:
            if part is not left_out and not isinstance(part, Contract) and not holds(trace, part):
                return None
    return trace


@settings(deadline=None, max_examples=250)
@given(contracts())
def test_no_trace_gainsays_it(contract):
    holds.cache_clear()
    text = contract.to_toml()
    said, parts, _ = read_parts(text)
    for path, rule, what in remarks(said, parts, (), View(parts.only)):
        chained, part, key = chain(contract, path)
        for trace in TRACES:
            if "holds only where" in what:
                shown = judged(chained, trace)
                assert shown is None or part.terms.pattern not in shown, what
            elif rule == "never_holds":
                assert judged(chained, trace) is None, what
            elif rule == "never_fails":
                shown = judged(chained, trace, part)
                assert shown is None or holds(shown, part), what
            elif key[-1] in ("since", "until"):
                shown = judged(chained, trace, part)
                words = {part.terms.relation: part.terms.other}
                free = getattr({"each": each, "never": never}[part.terms.word](part.terms.pattern), part.terms.relation)
                free = free(words[part.terms.relation])
                free = if_present(free) if part.terms.optional else free
                assert shown is None or holds(shown, part) == holds(shown, free), what
