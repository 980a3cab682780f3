"""What a contract file says is what the same contract in Python says."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Literal

import pytest
from pydantic import Field

from pytest_mlflow_traces import (
    BoolTag,
    Budget,
    Contract,
    FloatTag,
    IntTag,
    ListTag,
    Metadata,
    TagSchema,
    TraceAssertionError,
    assert_trace,
    each,
    if_present,
    never,
    one_of,
    span,
)
from pytest_mlflow_traces.core.contracts import check, parts_of
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.references import Reference
from tests.support.building import tree
from tests.support.messages import exactly

HEAD = 'format = 1\nname = "c"\n'
WHOLE = '''
format = 1
name = "refunds"
about = "A refund is checked once and made once."
applies_to = "refund TOOL"
only = ["/check_.*/", "refund"]

shape = """
agent AGENT OK
  check_policy GUARDRAIL OK
  ...
  refund TOOL OK
"""
has = ["check_policy GUARDRAIL"]
never = ["delete_table"]
expect = ["tests.core.contract_files.test_reading:NOTHING"]

[[order]]
each = "refund TOOL"
after = "check_policy"
since = "cancel"
same = "inputs.order"

[[order]]
never = "* TOOL"
before = "begin"
until = "end"
same = ["inputs.a", "inputs.b"]
per = "session"

[[order]]
each = "refund"
inside = "agent"
same = { "inputs.order" = "outputs.order" }
if_present = true

[budget]
latency = "3s"
tokens = 4000
cost_usd = 0.5
latency_of = { search = "800ms", "* TOOL" = { limit = "2s", if_present = true } }
self_time_of = { agent = "1s" }
p95_of = { search = "500ms" }
calls = { search = [1, 3], delete_table = 0, retry = { limit = 2, if_present = true } }

[tags]
user_id = "str"
environment = ["dev", "staging", "prod"]
domain_count = { type = "int", ge = 0, le = 5 }
share = { type = "float", gt = 0, lt = 1 }
done = "bool"
domains = "list[str]"
tools = { type = "list", items = ["search", "book"], min_length = 1 }
error_type = { type = "str", min_length = 1, max_length = 9, pattern = "E", optional = true }
aborted = { values = ["true"], optional = true }

[metadata]
"mlflow.trace.session" = "str"

[[contract]]
name = "inner"
has = ["x"]
'''
NOTHING = never(span("nothing"))


def test_all_that_a_file_can_say():
    tags = TagSchema.from_mapping(
        {
            "user_id": str,
            "environment": Literal["dev", "staging", "prod"],
            "domain_count": Annotated[IntTag, Field(ge=0, le=5)],
            "share": Annotated[FloatTag, Field(gt=0, lt=1)],
            "done": BoolTag,
            "domains": ListTag[str],
            "tools": Annotated[ListTag[Literal["search", "book"]], Field(min_length=1)],
            "error_type": Annotated[str, Field(min_length=1, max_length=9, pattern="E")],
            "aborted": Literal["true"],
            "session": Annotated[str, Metadata("mlflow.trace.session")],
        },
        optional=("error_type", "aborted"),
    )
    refund, policy = span("refund", type="TOOL"), span("check_policy", type="GUARDRAIL")
    shape = span("agent", type="AGENT", status="OK")[
        span("check_policy", type="GUARDRAIL", status="OK")[()], ..., span("refund", type="TOOL", status="OK")[()]
    ]
    contract = Contract.from_toml(WHOLE)

    assert Contract("refunds", *parts_of(contract), **said(contract)) == Contract(
        "refunds",
        shape,
        Has(policy),
        never(span("delete_table")),
        each(refund).after(span("check_policy"), since=span("cancel"), same="inputs.order"),
        never(span(type="TOOL"), per="session").before(span("begin"), until=span("end"), same=("inputs.a", "inputs.b")),
        if_present(each(span("refund")).inside(span("agent"), same={"inputs.order": "outputs.order"})),
        Budget(
            latency="3s",
            tokens=4000,
            cost_usd=0.5,
            latency_of={"search": "800ms", span(type="TOOL"): if_present("2s")},
            self_time_of={"agent": "1s"},
            p95_of={"search": "500ms"},
            calls={"search": (1, 3), "delete_table": 0, "retry": if_present(2)},
        ),
        tags,
        NOTHING,
        Contract("inner", Has(span("x"))),
        applies_to=refund,
        only=[span(re.compile("check_.*")), span("refund")],
        about="A refund is checked once and made once.",
    )
    assert Contract.from_toml(contract.to_toml()) == contract


def said(contract):
    return {"applies_to": contract.applies_to, "only": contract.only, "about": contract.about}


def test_a_line_leaves_the_children_free_and_a_shape_does_not():
    contract = Contract.from_toml(f'{HEAD}has = ["plan"]\nnever = ["""\none of\n  wipe\n  drop\n"""]\n')
    shaped = Contract.from_toml(f'{HEAD}shape = "plan"\n')

    assert contract.expectations == (Has(span("plan")), never(one_of(span("wipe"), span("drop"))))
    assert shaped.expectations == (span("plan")[()],)
    assert Contract.from_toml(f'{HEAD}has = ["a\\n  b"]\n').expectations == (Has(span("a")[span("b")[()]]),)


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ('[tags]\nteam = "str"', []),
        ('[tags]\nenv = "str"', ["tags.unknown", "tags.missing"]),
        ('[tags]\n"*" = "str"\nteam = "str"', []),
        ('[metadata]\nrun = "str"', []),
        ('[metadata]\nrun = "int"', ["tags.value"]),
        ('[tags]\n[metadata]\nrun = "str"', ["tags.unknown"]),
        ('[tags]\nteam = "int"\n[metadata]\nteam = "str"', ["tags.value", "tags.missing"]),
    ],
)
def test_tags_that_nobody_names_are_findings_only_where_some_are_named(text, broken):
    trace = tree("agent", tags={"team": "red"}, metadata={"run": "one"})

    assert [finding.rule for finding in check(trace, Contract.from_toml(HEAD + text))] == broken


def test_what_has_names_is_missing_with_its_nearest_span():
    with pytest.raises(TraceAssertionError) as caught:
        assert_trace(tree("agent", ["plan", ["serach TOOL"]]), Contract.from_toml(f'{HEAD}has = ["search TOOL"]\n'))

    assert str(caught.value).startswith("contract 'c': trace 'agent' has no span('search', type='TOOL')")
    assert [finding.rule for finding in caught.value.findings] == ["shape.missing"]
    assert Contract.from_toml(f'{HEAD}has = ["serach"]\n').check(tree("agent", ["serach"])) == []


def test_what_a_line_becomes_is_an_expectation_by_itself():
    there = Has(span("a"))

    assert repr(there) == "has(span('a'))"
    assert there.check(tree("a")) == []
    assert [finding.rule for finding in there.check(tree("b"))] == ["shape.missing"]
    assert Reference(f"{__name__}:NOTHING").check(tree("nothing")) == NOTHING.check(tree("nothing"))


class TestCode:
    """Expectations that a contract names."""

    @pytest.fixture
    def module(self, tmp_path, monkeypatch):
        def write(text):
            (tmp_path / "named_code.py").write_text(text)
            return Contract.from_toml(f'{HEAD}expect = ["named_code:NAME"]\n')

        monkeypatch.syspath_prepend(str(tmp_path))
        yield write
        sys.modules.pop("named_code", None)

    def test_it_is_what_the_name_stands_for(self, module):
        contract = module(
            "from pytest_mlflow_traces import Contract, span\n"
            "NAME = Contract('d', span('agent'), applies_to=span('agent'))"
        )

        assert contract.applies(tree("agent"))
        assert not contract.applies(tree("other"))
        assert [finding.rule for finding in contract.check(tree("other", ["agent"]))] == ["shape.unexpected"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("NAM = 1", "named_code:NAME: named_code has no 'NAME'; did you mean 'NAM'?"),
            ("NAME = 5", "expected a pattern, Budget, TagSchema or Contract, got 5"),
            ("1 / 0", "named_code:NAME: ZeroDivisionError: division by zero"),
        ],
    )
    def test_what_is_wrong_with_it_is_said_when_it_is_used(self, module, text, message):
        contract = module(text)

        with pytest.raises(ValueError, match=exactly(f"contract 'c': expect: {message}")):
            contract.check(tree("agent"))

    def test_a_schema_is_one(self):
        contract = Contract.from_toml(f'{HEAD}[tags]\nschema = "tests.core.contract_files.test_reading:NOTHING"\n')

        text = (
            "contract 'c': the schema of its tags: tests.core.contract_files.test_reading:NOTHING: expected a"
            " TagSchema, got never(span('nothing')); name other expectations in expect"
        )
        with pytest.raises(ValueError, match=exactly(text)):
            contract.check(tree("agent"))
