"""Where patterns and contracts are written, as far as somebody wants to know."""

from __future__ import annotations

import sys

import pytest

from pytest_mlflow_traces.core.contracts import Contract
from pytest_mlflow_traces.core.notation import parse
from pytest_mlflow_traces.core.patterns.constructors import one_of, optional, span
from pytest_mlflow_traces.core.patterns.written import NOTING, place_of, written_in

TOML = """\
format = 1
name = "quiet"
has = ["plan", "search ..."]
shape = '''
agent
  # a comment
  retry ?'''

[budget.calls]
search = 2
"""


@pytest.fixture
def noting(monkeypatch):
    monkeypatch.setattr(NOTING, "wanted", NOTING.wanted + 1)


def test_a_pattern_is_written_where_it_was_made(noting):
    line = sys._getframe().f_lineno
    inner = optional(span("b"))
    outer = span("a")[inner] | span("c")

    assert place_of(inner) == (__file__, line + 1)
    assert place_of(outer) == (__file__, line + 2)
    assert place_of(one_of(inner)) == (__file__, line + 6)


def test_nobody_asked(monkeypatch):
    monkeypatch.setattr(NOTING, "wanted", 0)

    assert place_of(span("a")) is None
    assert place_of(Contract("c", span("a"))) is None


def test_a_contract_is_written_where_it_was_made(noting):
    line = sys._getframe().f_lineno
    contract = Contract("c", span("a"))

    assert place_of(contract) == (__file__, line + 1)


def test_what_a_text_says_is_written_at_its_lines(noting):
    with written_in("some.trace", 7):
        root = parse("agent\n\n  plan\n  search ?")

    assert [place_of(each) for each in (root, *root.children)] == [("some.trace", line) for line in (7, 9, 10)]


def test_a_contract_file_has_its_own_lines(noting, tmp_path, monkeypatch):
    path = tmp_path / "quiet.toml"
    path.write_text(TOML)

    monkeypatch.chdir(tmp_path)

    contract = Contract.read("quiet.toml")

    shape, plan, search, budget = contract.expectations
    assert place_of(contract) == (str(path), 2)
    assert [place_of(each.pattern) for each in (plan, search)] == [(str(path), 3)] * 2
    assert [place_of(each) for each in (shape, shape.children[0])] == [(str(path), 5), (str(path), 7)]
    assert place_of(budget.said["calls"][0].pattern) == (str(path), 10)


def test_the_text_of_a_contract_is_written_where_it_is_read(noting):
    line = sys._getframe().f_lineno
    contract = Contract.from_toml(TOML)

    assert place_of(contract) == place_of(contract.expectations[0]) == (__file__, line + 1)
