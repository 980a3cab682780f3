"""Hypothesis strategies for patterns: any, or ones that surely match a given trace.

One that matches is made from the strict pattern of the trace by steps each of which only loosens it: a field is
dropped, a name becomes a regular expression, a run of children becomes a gap, a repetition, a group in any order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, parallel, repeat, span
from pytest_mlflow_traces.core.patterns.operands import Operand
from pytest_mlflow_traces.core.trace import Span, Trace
from pytest_mlflow_traces.strategies.drawn_traces import ERRORS, NAMES, TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Item, Pattern, SpanPattern

_DEEPEST = 6  # levels of children that a pattern speaks of; below, children are not checked
_MOST = 25  # children of one span that a pattern speaks of one by one
_NOWHERE = "no span has this name"


@st.composite
def any_patterns(draw: st.DrawFn, depth: int = 2) -> Pattern:
    """Draw a pattern of any form."""
    kind = draw(st.sampled_from(["span", "span", "optional", "repeat", "one_of", "any_order", "parallel"]))
    if kind == "span" or depth == 0:
        return draw(span_patterns(depth))
    if kind == "optional":
        return optional(draw(any_patterns(depth - 1)))
    if kind == "repeat":
        least = draw(st.integers(0, 3))
        most = draw(st.none() | st.integers(least, least + 3))
        return repeat(draw(any_patterns(depth - 1)), least, most)
    parts = draw(st.lists(any_patterns(depth - 1), min_size=1, max_size=3))
    if kind == "one_of":
        return one_of(*parts)
    gap: list[Any] = [...] if draw(st.booleans()) else []
    return any_order(*parts, *gap) if kind == "any_order" else parallel(*parts, *gap)


@st.composite
def span_patterns(draw: st.DrawFn, depth: int = 2) -> SpanPattern:
    """Draw a pattern of one span, with or without children."""
    one_spans = span_patterns(max(0, depth - 1))
    fields: dict[str, st.SearchStrategy[Any]] = {
        "name": _texts(NAMES),
        "type": _texts(TYPES),
        "status": st.sampled_from(["OK", "ERROR", "UNSET"]),
        "inputs": st.none() | st.integers(0, 3),
        "outputs": st.none() | st.just({"answer": "yes"}),
        "attributes": st.just({"domain": "cost"}),
        "error": st.booleans() | st.sampled_from(ERRORS),
        "within": st.sampled_from(["0ms", "2ms", "1s"]),
    }
    if depth:
        fields |= {"has": one_spans, "lacks": one_spans}
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True))
    said = {key: draw(fields[key]) for key in chosen}
    if said.get("status") == "ERROR" and said.get("error") is False:
        del said["error"]
    if said.get("has") is not None and said.get("has") == said.get("lacks"):
        del said["lacks"]
    made = span(**said)
    if draw(st.booleans()):
        return made
    items = st.just(...) | any_patterns(depth - 1) if depth else st.just(...)
    children = tuple(draw(st.lists(items, max_size=3)))
    return made[children] if children or not made.has else made


def _texts(words: Sequence[str]) -> st.SearchStrategy[Any]:
    plain = st.sampled_from(words)
    return plain | plain.map(lambda word: re.compile(f"{re.escape(word[:3])}.*"))


@st.composite
def matching_patterns(draw: st.DrawFn, subject: Trace | Span) -> Pattern:
    """Draw a pattern that `subject` equals."""
    if isinstance(subject, Span):
        return draw(_one(subject, 0))
    roots = [draw(_one(root, 0)) for root in subject.roots]
    if len(roots) == 1:
        return draw(_wrapped(roots[0]))
    if draw(st.booleans()):
        return repeat(one_of(*roots), draw(st.integers(0, len(roots))))
    return any_order(*draw(st.permutations(roots)))


@st.composite
def _one(draw: st.DrawFn, subject: Span, depth: int) -> SpanPattern:
    """Draw a pattern of one span that this one matches."""
    made = span(**draw(st.fixed_dictionaries({}, optional=_fields(subject))))
    children = subject.children
    if depth >= _DEEPEST or len(children) > _MOST or draw(st.integers(0, 3)) == 0:
        return made
    items = tuple(_items(draw, children, depth))
    return made[items] if items or not made.has else made


def _fields(subject: Span) -> dict[str, st.SearchStrategy[Any]]:
    """Return what a pattern can say of each field of a span that it matches."""
    error, below, end_ns = subject.error, subject.descendants()[:50], subject.end_ns
    errors = [] if error is None or not error.type else [error.type, error.type.rpartition(".")[2]]
    attributes = {key: st.just(value) for key, value in subject.attributes.items() if _is_plain(value)}
    absent = sorted({*NAMES, _NOWHERE} - {each.name for each in subject.descendants()})
    fields: dict[str, st.SearchStrategy[Any]] = {
        "name": _alike(subject.name),
        "type": _alike(subject.type),
        "status": st.just(subject.status),
        **{key: st.just(value) for key in ("inputs", "outputs") if _is_plain(value := getattr(subject, key))},
        "error": st.sampled_from([error is not None, *filter(None, errors)]),
        "lacks": st.lists(st.sampled_from(absent).map(span), min_size=1, max_size=2),
    }
    if attributes:
        fields["attributes"] = st.fixed_dictionaries({}, optional=attributes).filter(bool)
    if below:
        fields["has"] = st.sampled_from(below).flatmap(lambda each: _one(each, _DEEPEST))
    if end_ns is not None and end_ns >= subject.start_ns:
        fields["within"] = st.integers(0, 3).map(lambda ms: f"{end_ns - subject.start_ns + ms * 1_000_000}ns")
    return fields


def _alike(text: str) -> st.SearchStrategy[Any]:
    begins = st.integers(0, len(text)).map(lambda cut: re.compile(re.escape(text[:cut]) + ".*", re.DOTALL))
    return st.just(text) | begins | st.just(re.compile(re.escape(text)))


def _is_plain(value: Any) -> bool:
    """Return whether a pattern can say the value: not where it holds `nan`, or what JSON has no form for."""
    try:
        return Operand(value).equals(value)
    except (TypeError, ValueError):
        return False


def _items(draw: st.DrawFn, children: Sequence[Span], depth: int) -> list[Item]:
    """Draw a list of children that these match: they are cut into runs, and each run is loosened in one way."""
    items: list[Item] = []
    at = 0
    while at < len(children):
        size = draw(st.sampled_from([1, 1, 2, 3]))
        run = children[at : at + size]
        at += size
        items += draw(_noise())
        items += _run(draw, run, depth)
    items += draw(_noise())
    return items


def _run(draw: st.DrawFn, run: Sequence[Span], depth: int) -> list[Item]:
    way = draw(st.sampled_from(["as they are", "gap", "repeat", "any order", "parallel"]))
    if way == "gap":
        return [...]
    patterns = [draw(_one(each, depth + 1)) for each in run]
    if way == "repeat":
        most = draw(st.none() | st.integers(len(run), len(run) + 2))
        return [repeat(one_of(*patterns), draw(st.integers(0, len(run))), most)]
    if way == "any order":
        kept = patterns[: draw(st.integers(1, len(patterns)))]
        gap: list[Item] = [...] if len(kept) < len(patterns) or draw(st.booleans()) else []
        group = [optional(each) if draw(st.booleans()) else each for each in draw(st.permutations(kept))]
        return [any_order(*group, *gap)]
    overlapping = all(one.overlaps(two) for k, one in enumerate(run) for two in run[:k])
    if way == "parallel" and len(run) > 1 and overlapping:
        return [parallel(*draw(st.permutations(patterns)))]
    return [draw(_wrapped(each)) for each in patterns]


def _wrapped(pattern: Pattern) -> st.SearchStrategy[Pattern]:
    """Return how the pattern of one span can be loosened as a whole."""
    repeated = st.builds(repeat, st.just(pattern), st.integers(0, 1), st.none() | st.integers(1, 3))
    choices = span_patterns(0).flatmap(lambda other: st.permutations([pattern, other]))
    loosened: st.SearchStrategy[Pattern] = st.just(optional(pattern)) | repeated
    return st.just(pattern) | st.just(pattern) | loosened | choices.map(lambda both: one_of(*both))


def _noise() -> st.SearchStrategy[list[Any]]:
    """Return what may be absent: mostly nothing."""
    nothing: st.SearchStrategy[list[Any]] = st.just([])
    repeated = st.builds(repeat, span_patterns(0), st.just(0), st.none() | st.integers(0, 2))
    some: st.SearchStrategy[Any] = st.just(...) | span_patterns(0).map(optional) | repeated
    return nothing | some.map(lambda item: [item])
