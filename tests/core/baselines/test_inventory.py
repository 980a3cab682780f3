"""What a baseline holds beside the tree: keys of tags and attributes, numbers of calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.baselines.inventory import (
    ATTRIBUTES,
    CALLS,
    TAGS,
    Holding,
    check_holdings,
    is_holding,
    is_surely_holding,
    read_holding,
    recorded_holdings,
    rewritten_holdings,
)
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.notation.literals import ReadingError
from tests.support.building import node, tree
from tests.support.generating import HOSTILE, texts

ALL = (TAGS, ATTRIBUTES, CALLS)
TRACE = tree(
    "agent AGENT",
    [
        node("search TOOL", attributes={"domain": "cost", "mlflow.spanType": "TOOL"}),
        node("search TOOL", attributes={"domain": "cost", "n": 1}),
        node("fetch TOOL"),
    ],
    tags={"team": "red", "user id": "u1"},
)
RECORDED = [
    'tags: team "user id"',
    "attributes search: domain n?",
    "calls search: 2",
    "calls fetch: 1",
]


def lines(*texts):
    return [read_holding(text) for text in texts]


def checked(trace, *texts):
    return [str(finding) for finding in check_holdings(lines(*texts), trace)]


def mended(trace, *texts, kinds=()):
    return [str(line) for line in rewritten_holdings(lines(*texts), trace, kinds) if line is not None]


def test_what_is_recorded_holds():
    found = recorded_holdings(TRACE, ALL)

    assert [str(line) for line in found] == RECORDED
    assert check_holdings(found, TRACE) == []
    assert lines(*RECORDED) == found


def test_nothing_is_recorded_as_nothing():
    assert [str(line) for line in recorded_holdings(tree("a"), ALL)] == [
        "tags: none",
        "attributes: none",
        "calls: none",
    ]
    assert checked(tree("a"), "tags: none", "attributes: none", "calls: none") == []
    assert checked(tree("a TOOL", tags={"x": "1"}), "tags: none", "calls: none") == [
        "baseline.tags at tags: expected no other key, got 'x'",
        "baseline.calls at a: expected no call of this tool, got 1",
    ]


def test_keys_are_all_there_and_no_others():
    assert checked(TRACE, "tags: team owner", "attributes search: domain") == [
        "baseline.tags at tags: expected the key 'owner', got it is absent",
        "baseline.tags at tags: expected no other key, got 'user id'",
        "baseline.attributes at attributes of agent > search[2]: expected no other key, got 'n'",
    ]


def test_keys_may_be_loosened():
    assert checked(TRACE, "tags: team owner? ...", "attributes search: ...") == []


def test_an_attributes_line_without_a_span_is_a_finding():
    assert checked(TRACE, "attributes plan: a") == [
        "baseline.attributes at plan: expected attributes plan: a, got no such span"
    ]


def test_calls_are_counted():
    assert checked(TRACE, "calls search: {1,3}", "calls fetch: {1,}", "calls other: {0,1}") == []
    assert checked(TRACE, "calls search: 1") == [
        "baseline.calls at search: expected calls search: 1, got 2",
        "baseline.calls at fetch: expected no call of this tool, got 1",
    ]
    assert checked(TRACE, "calls search: 2", "calls: ...") == []


def test_an_update_changes_what_does_not_hold():
    assert mended(TRACE, "tags: owner? team gone", "calls search: 5", "calls fetch: 1") == [
        'tags: owner? team "user id"',
        "calls search: 2",
        "calls fetch: 1",
    ]
    assert mended(TRACE, "tags: owner ...") == ["tags: ..."]
    assert mended(TRACE, "attributes search: domain") == ["attributes search: domain n?"]
    assert mended(TRACE, "attributes gone: domain", "attributes search: domain n?") == ["attributes search: domain n?"]


def test_an_update_widens_a_range_and_drops_a_tool_that_is_not_called():
    assert mended(TRACE, "calls search: {3,5}", "calls fetch: {0,}", "calls gone: 1") == [
        "calls search: {2,5}",
        "calls fetch: {0,}",
    ]
    assert mended(TRACE, "calls search: {0,1}", "calls: ...") == ["calls search: {0,2}", "calls: ..."]


def test_an_update_adds_what_is_asked_for_or_already_of_its_kind():
    assert mended(TRACE, kinds=ALL) == RECORDED
    assert mended(TRACE, "calls search: 2") == ["calls search: 2", "calls fetch: 1"]
    assert mended(tree("a TOOL"), "calls: none") == ["calls a: 1"]
    assert mended(tree("a"), "calls b: 1") == ["calls: none"]
    assert mended(TRACE, "attributes: none") == ["attributes search: domain n?"]
    assert mended(tree("a"), "attributes search: x") == []
    assert mended(tree("a"), "attributes search: x", kinds=["attributes"]) == ["attributes: none"]


@given(st.sampled_from(ALL), texts, st.lists(texts, max_size=3, unique=True), st.data())
def test_every_line_is_read_as_it_was_written(kind, name, keys, data):
    if kind == CALLS:
        low = data.draw(st.integers(0, 5))
        line = Holding(CALLS, name, low=low, high=data.draw(st.sampled_from([None, low, low + 2])))
    else:
        optional = frozenset(data.draw(st.lists(st.sampled_from(keys), max_size=2))) if keys else frozenset()
        line = Holding(kind, None if kind == TAGS else name, tuple(keys), optional, data.draw(st.booleans()))

    assert is_holding(str(line))
    assert read_holding(str(line)) == line


@pytest.mark.parametrize(
    "text", [*HOSTILE, "tags ...", "calls ...", "attributes TOOL OK", "calls {2}", 'calls TOOL inputs="a: b"']
)
def test_no_line_of_a_pattern_is_taken_for_one(text):
    from pytest_mlflow_traces.core import notation
    from pytest_mlflow_traces.core.patterns.constructors import span

    assert not is_holding(notation.format(span(text)[()]))
    assert not is_holding(text) or text.startswith(("tags:", "calls ", "attributes "))


@pytest.mark.parametrize(
    ("text", "is_sure"),
    [
        ("tags: a", True),
        ("calls: ...", True),
        ("calls search: 2", True),
        ("calls ns:search: {1,}", True),
        ('attributes "a b": x', True),
        ("attributes 'a: b': x", True),
        ("calls ns:TOOL OK", False),
        ("attributes x:y", False),
        ('calls "x:"', False),
        ('calls TOOL attributes={"a": 1}', False),
        ("calls a b: 2", False),
    ],
)
def test_a_root_that_is_called_like_one_is_told_from_it(text, is_sure):
    assert is_holding(text)
    assert is_surely_holding(text) == is_sure


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("tags: a,b", 7),
        ("calls search: many", 14),
        ("calls search: {3,1}", 14),
        ("calls: search", 7),
        ('tags: "a', 6),
        ("tags: ?", 6),
        ("nothing", 0),
    ],
)
def test_what_is_none_is_refused_at_its_place(text, at):
    with pytest.raises(ReadingError) as error:
        read_holding(text)

    assert error.value.at == at


def test_a_finding_is_a_finding():
    assert check_holdings(lines("tags: none"), TRACE)[0] == Finding("baseline.tags", "tags", "no other key", "'team'")
