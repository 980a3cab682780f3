"""What lint says of names in a contract file that no trace has."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces.core.contract_files.names import unknown_names

HEAD = 'format = 1\nname = "c"\n'
SEEN = {("agent", "AGENT"), ("plan", "UNKNOWN"), ("search", "TOOL"), ("delete_table", "TOOL")}


@pytest.mark.parametrize(
    ("text", "remarks"),
    [
        ('has = ["serach"]', ["3:8 lint.unknown_name: no trace has a span of name 'serach'; did you mean 'search'?"]),
        (
            'has = ["pay", "/pay.*/"]',
            [
                "3:8 lint.unknown_name: no trace has a span of name 'pay'",
                "3:15 lint.unknown_name: no trace has a span of name /pay.*/",
            ],
        ),
        ('has = ["* TOOOL"]', ["3:8 lint.unknown_name: no trace has a span of type 'TOOOL'; did you mean 'TOOL'?"]),
        (
            'has = ["search AGENT"]',
            ["3:8 lint.unknown_name: no trace has a span of name 'search' and type 'AGENT': its type is 'TOOL'"],
        ),
        (
            'never = ["pay", "delete_tabel"]',
            ["3:17 lint.unknown_name: no trace has a span of name 'delete_tabel'; did you mean 'delete_table'?"],
        ),
        (
            'applies_to = "pay"\nonly = ["auth"]\nnever = ["log"]',
            ["3:1 lint.unknown_name: no trace has a span of name 'pay'"],
        ),
        ('never = ["search AGENT"]', []),
        (
            'shape = """\nagent AGENT\n  plna ?\n  pay ?\n  auth\n"""',
            [
                "3:1 lint.unknown_name: no trace has a span of name 'auth'",
                "3:1 lint.unknown_name: no trace has a span of name 'plna'; did you mean 'plan'?",
            ],
        ),
        (
            (
                '[[order]]\neach = "search"\nafter = "auth"\nsince = "logout"\n[[order]]\nnever = "pay"\n'
                'after = "cancel"\n[[order]]\neach = "pay"\ninside = "cancel"\nif_present = true'
            ),
            ["3:3 lint.unknown_name: no trace has a span of name 'auth'"],
        ),
        (
            '[budget]\nlatency_of = { pay = "1s" }\ncalls = { auth = 0, log = [0, 2], cancel = 1 }',
            [
                "4:1 lint.unknown_name: no trace has a span of name 'pay'",
                "5:1 lint.unknown_name: no trace has a span of name 'cancel'",
            ],
        ),
        (
            '[[contract]]\nname = "inner"\nhas = ["auth"]',
            ["5:8 lint.unknown_name: no trace has a span of name 'auth'"],
        ),
    ],
)
def test_names_that_no_trace_has(text, remarks):
    found = unknown_names(HEAD + text, SEEN)

    assert [f"{each.line}:{each.column} {each.rule}: {each.text}" for each in found] == remarks
