"""What explain says of a contract file: each part of the format in a sentence of its own."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces.core.contract_files.explain import explain

HEAD = 'format = 1\nname = "refunds"\n'
REST = "What none of it looks at: "


def said(text):
    """Return what is said of the parts."""
    return [line for line in explain(HEAD + text).split("\n")[1:] if line and not line.startswith(REST)]


def test_the_whole_of_a_contract():
    text = '''
format = 1
name = "refunds"
about = "A refund is checked once and made once."
applies_to = "refund TOOL"
only = ["/book_.*/ TOOL", "refund"]
shape = """
agent AGENT OK
  check_policy GUARDRAIL OK
  ...
  any order
    search TOOL {1,3}
    log ?
    ...
  one of
    refund TOOL OK
    deny ...
  retry {2}
  parallel {0,2} {0,}
    cost {1,}
    * LLM
"""
has = ["check_policy GUARDRAIL"]
never = ["delete_table"]
expect = ["my_agent.rules:RULE"]

[[order]]
each = "refund TOOL"
after = "check_policy"
since = "logout"
same = "inputs.order"

[budget]
latency = "3s"

[tags]
user_id = "str"

[[contract]]
name = "inner"
applies_to = "search"
never = ["x"]
'''

    assert explain(text) == (
        """\
Contract 'refunds'
A refund is checked once and made once.
It is about each trace that has a span 'refund' of type TOOL.
It looks only at a span of a name like /book_.*/ of type TOOL and a span 'refund', and at the roots; what stands \
between is left out.
- The tree is this, and nothing else:
  - a span 'agent' of type AGENT with status OK, and in it, in this order:
    - a span 'check_policy' of type GUARDRAIL with status OK
    - any number of any spans
    - all of these, in any order:
      - a span 'search' of type TOOL (1 to 3 times)
      - a span 'log' (may be absent)
      - any number of any spans
    - one of these:
      - a span 'refund' of type TOOL with status OK
      - a span 'deny', with anything inside
    - a span 'retry' (exactly 2 times)
    - this (any number of times):
      - all of these, running at the same time (at most 2 times):
        - a span 'cost' (at least once)
        - a span of type LLM
- There is a span 'check_policy' of type GUARDRAIL.
- There is no span 'delete_table'.
- Each span 'refund' of type TOOL starts after the end of a span 'check_policy' that has the same inputs.order, \
with no span 'logout' between. There must be one.
- The trace takes at most 3s.
- The tag 'user_id' is a text.
- There are no other tags.
- All holds that the code my_agent.rules:RULE expects.
- 1 contract inside it, below, too, for the traces that both are about.

Contract 'inner', inside 'refunds'
It is about each trace that 'refunds' is about and that has a span 'search'.
- There is no span 'x'.

What none of it looks at: tokens, cost and metadata."""
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('has = ["*"]', "- There is a span."),
        ('has = ["* TOOL ERROR"]', "- There is a span of type TOOL with status ERROR."),
        (
            'has = [\'pay inputs={"a": 1} outputs=[] attributes={"b": 2} error=ValueError within=2s\']',
            (
                "- There is a span 'pay' with inputs {'a': 1}, outputs [], the attribute b = 2, "
                "the error ValueError and a duration of at most 2s."
            ),
        ),
        ('has = ["pay error=true"]', "- There is a span 'pay' with an error."),
        ('has = ["pay error=false"]', "- There is a span 'pay' with no error."),
        ('has = ["/a.*/ /T.*/"]', "- There is a span of a name like /a.*/ of a type like /T.*/."),
        ('has = ["one of\\n  pay\\n  auth"]', "- There is a span 'pay' or span 'auth'."),
        (
            'has = ["pay ...\\n  has:\\n    auth ...\\n    log ...\\n  lacks:\\n    x ..."]',
            (
                "- There is a span 'pay' with a span 'auth' somewhere inside, a span 'log' somewhere inside "
                "and no span 'x' inside."
            ),
        ),
        (
            'has = ["pay\\n  ...\\n  log ?"]',
            (
                "- There is a span 'pay' that has in it, in this order, any number of any spans and "
                "optional(span('log')[()])."
            ),
        ),
        (
            'has = ["pay ...\\n  has:\\n    auth"]',
            "- There is a span 'pay' with a span 'auth' that has nothing inside somewhere inside.",
        ),
        (
            '[[order]]\neach = "a"\nbefore = "b"\nuntil = "c"',
            "- Each span 'a' ends before the start of a span 'b', with no span 'c' between. There must be one.",
        ),
        (
            '[[order]]\neach = "a"\ninside = "b"\nif_present = true',
            "- Each span 'a' is somewhere inside a span 'b'. There need not be one.",
        ),
        (
            '[[order]]\nnever = "a"\nafter = "b"\nsince = "c"',
            "- No span 'a' starts after the start of a span 'b', unless a span 'c' is between.",
        ),
        (
            '[[order]]\nnever = "a"\nbefore = "b"\nper = "session"',
            "- No span 'a' starts before the start of a span 'b' (over all traces of a session).",
        ),
        ('[[order]]\nnever = "a"\ninside = "b"', "- No span 'a' is anywhere inside a span 'b'."),
        ('[[order]]\nnever = "a"\nper = "session"', "- There is no span 'a' (over all traces of a session)."),
        (
            '[[order]]\neach = "a"\nafter = "b"\nsame = ["inputs.a", "inputs.b"]',
            (
                "- Each span 'a' starts after the end of a "
                "span 'b' that has the same inputs.a and inputs.b. There must be one."
            ),
        ),
        (
            '[[order]]\neach = "a"\nafter = "b"\nsame = { "inputs.a" = "outputs.b" }',
            "- Each span 'a' starts after the end of a span 'b' whose outputs.b is its inputs.a. There must be one.",
        ),
        ("[budget]\ntokens = 4000", "- The trace takes at most 4,000 tokens."),
        ("[budget]\ncost_usd = 0.5", "- The trace costs at most 0.5 US dollars."),
        ('[budget.latency_of]\na = "1s"', "- Each span 'a' takes at most 1s."),
        (
            '[budget.self_time_of]\na = { limit = "1s", if_present = true }',
            "- Each span 'a' takes at most 1s beside what is inside of it; there need not be one.",
        ),
        (
            '[budget.p95_of]\na = "1s"',
            "- Each span 'a' takes at most 1s in 95 % of all cases, over all traces together.",
        ),
        ("[budget.calls]\na = 0", "- There is no span 'a'."),
        ("[budget.calls]\na = 1", "- There is exactly 1 call of a span 'a'."),
        ("[budget.calls]\na = [0, 2]", "- There are at most 2 calls of a span 'a'."),
        (
            "[budget.calls]\na = { limit = [2, 3], if_present = true }",
            "- There are 2 to 3 calls of a span 'a'; there need not be one.",
        ),
        ('[tags]\na = ["x", "y"]', "- The tag 'a' is one of 'x', 'y'."),
        ('[tags]\na = ["x"]', "- The tag 'a' is 'x'."),
        ('[tags]\na = "list[int]"', "- The tag 'a' is a list of whole numbers."),
        (
            '[tags]\na = { type = "list", items = ["x", "y"] }',
            "- The tag 'a' is a list, each item of which is one of 'x', 'y'.",
        ),
        (
            '[tags]\na = { type = "float", gt = 0, lt = 5, multiple_of = 2 }',
            "- The tag 'a' is a number, above 0, below 5, a multiple of 2.",
        ),
        (
            '[tags]\na = { type = "str", pattern = "x+", optional = true }',
            "- The tag 'a' is a text, in which /x+/ is found, or absent.",
        ),
        ('[tags]\na = "bool"\n"*" = "str"', "- Other tags may be there."),
        ('[tags]\nschema = "my:TAGS"', "- The tags are what the code my:TAGS says."),
        ('[metadata]\n"mlflow.trace.session" = "str"', "- The metadata 'mlflow.trace.session' is a text."),
    ],
)
def test_each_part_is_a_sentence(text, sentence):
    assert sentence in said(text)


def test_where_all_is_looked_at_nothing_is_left_to_say():
    budget = '[budget]\nlatency = "1s"\ntokens = 1\ncost_usd = 1\n'

    assert REST not in explain(f'{HEAD}shape = "a"\n{budget}[tags]\na = "str"\n[metadata]\nb = "str"')
    assert REST in explain(f'{HEAD}shape = "a"\n{budget}[tags]\na = "str"')


def test_what_is_nested_deep_is_code():
    text = "a ..."
    for name in "bcdefg":
        text = f"{name} ...\n  has:\n" + "\n".join(f"    {line}" for line in text.split("\n"))

    (_, sentence) = said(f'has = ["""\n{text}"""]')

    assert sentence == (
        "- There is a span 'g' with a span 'f' with a span 'e' with a span 'd' with a span like "
        "span('c', has=span('b', has=span('a'))) somewhere inside somewhere inside somewhere inside somewhere inside."
    )
