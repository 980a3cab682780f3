"""What lint says of a contract file, in its words."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces.core.contract_files.lint import lint

HEAD = 'format = 1\nname = "c"\n'
SHAPE = 'shape = """\nagent AGENT\n  plan\n  refund TOOL ?\n"""\n'


def said(text, head=HEAD):
    return [f"{each.line}:{each.column} {each.rule}: {each.text}" for each in lint(head + text)]


@pytest.mark.parametrize(
    ("text", "remarks"),
    [
        (
            'has = ["pay TOOL"]\nnever = ["pay"]',
            ["3:8 lint.never_holds: has 'pay TOOL' can never hold: never 'pay' forbids 'pay TOOL'"],
        ),
        (
            'applies_to = "pay"\nnever = ["/p.*/"]',
            ["3:1 lint.never_holds: applies_to 'pay' can never hold: never '/p.*/' forbids 'pay'"],
        ),
        (
            'has = ["pay"]\n[budget.calls]\npay = 0',
            ["3:8 lint.never_holds: has 'pay' can never hold: calls 'pay' = 0 forbids 'pay'"],
        ),
        (
            'never = ["pay"]\n[budget]\nlatency_of = { pay = "1s" }',
            ["5:16 lint.never_holds: latency_of 'pay' can never hold: never 'pay' forbids 'pay'"],
        ),
        (
            SHAPE + 'has = ["pay"]',
            ["8:8 lint.never_holds: has 'pay' can never hold: the shape has no place for 'pay'"],
        ),
        (
            SHAPE + 'never = ["agent"]',
            ["3:1 lint.never_holds: the shape's 'agent AGENT' can never hold: never 'agent' forbids 'agent AGENT'"],
        ),
        (
            SHAPE + 'never = ["pay"]',
            ["8:10 lint.never_fails: never 'pay' can never fail: the shape has no place for 'pay'"],
        ),
        (
            SHAPE
            + '[budget]\ncalls = { pay = 0, search = [0, 3] }\np95_of = { auth = { limit = "1s", if_present = true } }',
            [
                "9:11 lint.never_fails: calls 'pay' = 0 can never fail: the shape has no place for 'pay'",
                "9:20 lint.never_fails: calls 'search' can never fail: the shape has no place for 'search'",
                "10:12 lint.never_fails: p95_of 'auth' can never fail: the shape has no place for 'auth'",
            ],
        ),
        (
            SHAPE + '[[order]]\neach = "plan"\nbefore = "auth"',
            ["8:3 lint.never_holds: each 'plan' before 'auth' can never hold: the shape has no place for 'auth'"],
        ),
        (
            SHAPE + '[[order]]\neach = "refund"\nafter = "auth"\nif_present = true',
            [
                (
                    "8:3 lint.never_holds: each 'refund' after 'auth' holds only where there is no 'refund': "
                    "the shape has no place for 'auth'"
                )
            ],
        ),
        (
            SHAPE + '[[order]]\neach = "pay"\nafter = "plan"\nif_present = true',
            ["8:3 lint.never_fails: each 'pay' after 'plan' can never fail: the shape has no place for 'pay'"],
        ),
        (
            SHAPE + '[[order]]\nnever = "plan"\nafter = "cancel"',
            ["8:3 lint.never_fails: never 'plan' after 'cancel' can never fail: the shape has no place for 'cancel'"],
        ),
        (
            'never = ["cancel"]\n[[order]]\nnever = "* TOOL"\nafter = "cancel OK"',
            [
                (
                    "4:3 lint.never_fails: never '* TOOL' after 'cancel OK' can never fail: "
                    "never 'cancel' forbids 'cancel OK'"
                )
            ],
        ),
        (
            'never = ["logout"]\n[[order]]\neach = "pay"\nafter = "auth"\nsince = "logout"',
            ["7:1 lint.no_effect: since 'logout' does nothing: never 'logout' forbids 'logout'"],
        ),
        (
            '[[order]]\neach = "pay"\nafter = "pay OK"',
            [
                (
                    "3:3 lint.never_holds: each 'pay' after 'pay OK' can never hold: "
                    "every 'pay OK' is like 'pay', too, and the first of them has none before it"
                )
            ],
        ),
        (
            '[[order]]\neach = "pay"\nbefore = "pay"\nif_present = true',
            [
                (
                    "3:3 lint.never_holds: each 'pay' before 'pay' holds only where there is no 'pay': "
                    "every 'pay' is like 'pay', too, and the last of them has none after it"
                )
            ],
        ),
        (
            '[[order]]\neach = "*"\ninside = "agent"',
            [
                (
                    "3:3 lint.never_holds: each '*' inside 'agent' can never hold: "
                    "every 'agent' is like '*', too, and the outermost of them is inside none"
                )
            ],
        ),
        (
            'shape = """\nagent\n  ...\n  retry ?\n  any order\n    save\n    log {0,2}\n    ...\n"""',
            [
                "3:1 lint.no_effect: 'log {0,2}' does nothing beside '...', which takes in whatever comes",
                "3:1 lint.no_effect: 'retry ?' does nothing beside '...', which takes in whatever comes",
            ],
        ),
        (
            (
                'never = ["pay"]\n[[contract]]\nname = "inner"\nhas = ["pay OK"]\n[[contract]]\nname = "other"\n'
                'only = ["/p.*/"]\nhas = ["pay"]'
            ),
            ["6:8 lint.never_holds: has 'pay OK' can never hold: never 'pay' forbids 'pay OK'"],
        ),
        (
            'has = ["pay"]\n[[contract]]\nname = "inner"\nnever = ["pay"]',
            ["6:10 lint.never_holds: has 'pay' can never hold: never 'pay' forbids 'pay'"],
        ),
        (
            'only = ["/p.*/"]\nshape = "agent ..."\nhas = ["auth"]',
            ["5:8 lint.never_holds: has 'auth' can never hold: the shape has no place for 'auth'"],
        ),
    ],
)
def test_it_names_what_is_in_vain(text, remarks):
    assert said(text) == remarks


@pytest.mark.parametrize(
    "text",
    [
        'has = ["pay"]\nnever = ["pay TOOL"]',
        'never = ["delete_table"]\n[budget.calls]\ndelete_table = 0',
        SHAPE + 'has = ["plan"]',
        'shape = """\nagent\n  ...\n"""\nhas = ["pay"]\nnever = ["delete"]\n[[order]]\neach = "pay"\nafter = "auth"',
        'shape = """\nagent AGENT\n  retry ?\n  plan\n  ...\n"""',
        '[[order]]\neach = "pay"\nafter = "* TOOL"',
        '[[order]]\nnever = "pay"\nafter = "pay"',
        'only = ["/p.*/"]\nshape = "agent ..."\nhas = ["pay"]',
        'only = ["auth", "pay"]\nshape = "agent ..."\nhas = ["pay"]',
        'applies_to = "pay"\nonly = ["auth"]\nnever = ["pay"]',
        '[tags]\nteam = "str"',
    ],
)
def test_it_is_silent_on_what_says_something(text):
    assert said(text) == []
