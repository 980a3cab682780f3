"""The text of a contract that was learnt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces import Budget, Contract, IntTag, TagSchema, each, if_present, never, span
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.learning.learnt import Learnt, Line
from pytest_mlflow_traces.strategies import patterns

LINES = [
    Line(span("agent")[..., span("a \\ 'b'")], "1 run"),
    Line(Has(span("plan")), "2 runs"),
    Line(never(span("drop")), "3 runs"),
    Line(if_present(each(span("pay")).after(span("auth"), same="inputs.id")), "4 runs"),
    Line(Budget(latency="3s", tokens=10), "5 runs"),
    Line(Budget(calls={'q"': (1, 3)}), "6 runs"),
    Line(TagSchema.from_mapping({"env": str, "a.b": IntTag}, optional=["env"], extra="allow"), "7 runs"),
]


def test_each_line_says_what_supports_it():
    inner = Learnt("inner", LINES[2:4], applies_to=span("agent"), only=[span(type="TOOL")])
    text = Learnt("answers", LINES, [inner], about="Of an agent.", notes=["From 7 runs."]).to_toml()

    assert text == EXPECTED
    assert Contract.from_toml(text) == Contract(
        "answers",
        *(line.expectation for line in LINES[:4]),
        Budget(latency="3s", tokens=10, calls={'q"': (1, 3)}),
        LINES[-1].expectation,
        Contract(
            "inner", LINES[2].expectation, LINES[3].expectation, applies_to=span("agent"), only=[span(type="TOOL")]
        ),
        about="Of an agent.",
    )


@given(st.text(min_size=1).filter(str.strip), patterns())
def test_any_text_and_any_pattern_is_read_back(text, pattern):
    said = Learnt(text.encode("utf-8", "replace").decode(), [Line(pattern, "all")]).to_toml()

    assert Contract.from_toml(said) == Contract(text.encode("utf-8", "replace").decode(), pattern)


EXPECTED = r"""format = 1
# From 7 runs.
name = "answers"
about = "Of an agent."

shape = '''
agent
  ...
  "a \\ 'b'" ...
'''  # 1 run

has = [
  "plan",  # 2 runs
]

never = [
  "drop",  # 3 runs
]

[[order]]  # 4 runs
each = "pay"
after = "auth"
same = "inputs.id"
if_present = true

[budget]
latency = "3s"  # 5 runs
tokens = 10  # 5 runs

[budget.calls]
'"q\""' = 3  # 6 runs

[tags]
env = { type = "str", optional = true }  # 7 runs
"a.b" = "int"  # 7 runs
"*" = "str"  # 7 runs

[[contract]]
name = "inner"
applies_to = "agent"
only = ["* TOOL"]

never = [
  "drop",  # 3 runs
]

[[contract.order]]  # 4 runs
each = "pay"
after = "auth"
same = "inputs.id"
if_present = true
"""
