"""What is said of a span that breaks a rule of order: the nearest miss, and a picture of the spans concerned."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import each, never, span
from tests.support.building import node, tree

PAY, AUTH, LOGOUT = span("pay"), span("auth"), span("logout")
SESSION = {"mlflow.trace.session": "one"}


def said(rule, *specs):
    """Return the findings in words, their pictures left out."""
    return [str(each).split("\n")[0] for each in rule.check(tree(*specs))]


def order(name, number):
    return node(name, inputs={"o": number})


@pytest.mark.parametrize(
    ("rule", "specs", "message"),
    [
        (
            each(PAY).after(span("auht")),
            ["agent", ["auth", "pay"]],
            (
                "order.after at agent > pay: expected span('auht') to have ended before, got no span('auht') at all; "
                "did you mean 'auth'?"
            ),
        ),
        (
            each(PAY).after(AUTH),
            ["agent @0-90", ["auth @1-25", "pay @20-30"]],
            (
                "order.after at agent > pay: expected span('auth') to have ended before, got only agent > auth, "
                "which overlaps it by 5 ms"
            ),
        ),
        (
            each(PAY).after(AUTH),
            ["agent @0-90", ["auth @1-", "pay @20-30"]],
            (
                "order.after at agent > pay: expected span('auth') to have ended before, got only agent > auth, "
                "which never ended"
            ),
        ),
        (
            each(PAY).after(AUTH),
            ["agent", ["pay", "auth"]],
            (
                "order.after at agent > pay: expected span('auth') to have ended before, got only agent > auth, "
                "which is after it"
            ),
        ),
        (
            each(PAY).after(AUTH),
            ["auth", ["pay"]],
            (
                "order.after at auth > pay: expected span('auth') to have ended before, got only auth, "
                "which it is inside of"
            ),
        ),
        (
            each(PAY).after(AUTH),
            ["pay", ["auth"]],
            (
                "order.after at pay: expected span('auth') to have ended before, got only pay > auth, "
                "which is inside of it"
            ),
        ),
        (
            each(PAY).after(PAY, same="inputs.o"),
            [order("pay", 1)],
            "order.after at pay: expected span('pay') of the same inputs.o 1 to have ended before, got only itself",
        ),
        (
            each(PAY).after(AUTH, same="inputs.o"),
            ["agent", [order("auth", 8), order("pay", 7)]],
            (
                "order.after at agent > pay: expected span('auth') of the same inputs.o 7 to have ended before, "
                "got only agent > auth, of inputs.o 8"
            ),
        ),
        (
            each(PAY).after(AUTH, same={"inputs.o": "outputs.o"}),
            ["agent", ["auth", order("pay", "x" * 99)]],
            (
                f"order.after at agent > pay: expected span('auth') of the same inputs.o '{'x' * 55} ... "
                "to have ended before, got only agent > auth, of no outputs.o"
            ),
        ),
        (
            each(PAY).after(AUTH, since=LOGOUT),
            ["agent", ["auth", "logout", "pay"]],
            (
                "order.after at agent > pay: expected span('auth') to have ended before, with no span('logout') "
                "between, got agent > auth, but agent > logout between"
            ),
        ),
        (
            each(AUTH).before(PAY, until=LOGOUT),
            ["agent", ["auth", "logout", "pay"]],
            (
                "order.before at agent > auth: expected span('pay') to start after its end, with no span('logout') "
                "between, got agent > pay, but agent > logout between"
            ),
        ),
        (
            each(AUTH).before(PAY),
            ["agent", ["pay", "auth"]],
            (
                "order.before at agent > auth: expected span('pay') to start after its end, got only agent > pay, "
                "which is before it"
            ),
        ),
        (
            each(AUTH).before(PAY),
            ["agent @0-9", ["auth @1-", "pay @2-3"]],
            (
                "order.before at agent > auth: expected span('pay') to start after its end, "
                "got a span that never ended itself"
            ),
        ),
        (
            each(AUTH).before(PAY),
            ["agent @0-9", ["auth @1-4", "pay @2-"]],
            (
                "order.before at agent > auth: expected span('pay') to start after its end, got only agent > pay, "
                "which overlaps it by 2 ms"
            ),
        ),
        (
            each(PAY).inside(AUTH),
            ["agent", ["auth", "pay"]],
            (
                "order.inside at agent > pay: expected span('auth') above it, got only agent > auth, "
                "which it is not inside of"
            ),
        ),
        (
            each(PAY).inside(AUTH, same="inputs.o"),
            [order("auth", 1), [order("pay", 2)]],
            (
                "order.inside at auth > pay: expected span('auth') of the same inputs.o 2 above it, got only auth, "
                "of inputs.o 1"
            ),
        ),
        (
            each(PAY).inside(AUTH),
            ["pay", ["auth"]],
            "order.inside at pay: expected span('auth') above it, got only pay > auth, which is inside of it",
        ),
        (never(PAY), ["agent", ["pay"]], "order.never at agent > pay: expected no span('pay'), got one"),
        (
            never(PAY).after(LOGOUT, since=AUTH),
            ["agent", ["logout", "pay"]],
            (
                "order.never at agent > pay: expected no span('pay') after span('logout'), unless span('auth') "
                "between, got one after agent > logout"
            ),
        ),
        (
            never(PAY).before(AUTH),
            ["agent @0-9", ["pay @1-4", "auth @2-5"]],
            (
                "order.never at agent > pay: expected no span('pay') before span('auth'), got one before agent > auth, "
                "which overlaps it by 2 ms"
            ),
        ),
        (
            never(PAY).inside(span("dry_run"), same="inputs.o"),
            ["dry_run", [order("pay", 1)]],
            (
                "order.never at dry_run > pay: expected no span('pay') inside span('dry_run') of the same inputs.o 1, "
                "got one inside dry_run, which has no inputs.o"
            ),
        ),
        (
            each(PAY).after(AUTH, same=("inputs.o", "outputs.x")),
            ["agent", ["pay"]],
            "order.key at agent > pay: expected a value at inputs.o, outputs.x, got none, so nothing is the same",
        ),
        (
            each(span("pya")).after(AUTH),
            ["agent", ["pay"]],
            "order.absent at agent: expected span('pya'), got no such span (did you mean 'pay'?)",
        ),
        (
            never(PAY),
            [],
            "order.absent at '': expected span('pay'), got a trace without spans",
        ),
    ],
)
def test_a_finding_names_the_nearest_miss(rule, specs, message):
    assert said(rule, *specs) == [message]


def test_the_picture_has_the_spans_concerned_in_the_order_of_time():
    trace = tree("agent AGENT @0-90", ["other @1-2", "log_in @3-9", ["auth @4-5"], "logout @20-30", "pay TOOL @40-"])

    (finding,) = each(PAY).after(AUTH, since=LOGOUT).check(trace)

    assert finding.hint == (
        "  agent  AGENT         0 ms to 90 ms\n"
        "  ├─ log_in  UNKNOWN   3 ms to 9 ms\n"
        "  │  └─ auth  UNKNOWN  4 ms to 5 ms\n"
        "  ├─ logout  UNKNOWN   20 ms to 30 ms\n"
        "> └─ pay  TOOL         40 ms, unfinished"
    )


def test_a_picture_of_deep_spans_leaves_out_what_is_nearest_above():
    def chain(name, depth):
        return [name] if not depth else [f"step_{depth}", chain(name, depth - 1)]

    (finding,) = each(PAY).after(AUTH).check(tree("agent", [*chain("pay", 20), *chain("auth", 20)]))

    lines = finding.hint.split("\n")
    assert len(lines) == 12
    assert [line for line in lines if "..." in line] == [
        "> │              └─ ... > pay  UNKNOWN  21 ms to 22 ms",
        "              └─ ... > auth  UNKNOWN    63 ms to 64 ms",
    ]


def test_a_picture_of_a_session_numbers_its_traces():
    first = tree("turn @0-5", ["auth @1-2"], metadata=SESSION)
    second = tree("turn @10-15", ["pay @11-12"], metadata=SESSION)

    (finding,) = each(AUTH, per="session").after(PAY).check_all([second, first])

    assert str(finding) == (
        "order.after at turn > auth of trace [0] tr-test of session 'one': expected span('pay') to have ended before, "
        "got only [1] turn > pay, which is after it\n"
        "        [0] turn  UNKNOWN  0 ms to 5 ms\n"
        "      > └─ auth  UNKNOWN   1 ms to 2 ms\n"
        "        [1] turn  UNKNOWN  10 ms to 15 ms\n"
        "        └─ pay  UNKNOWN    11 ms to 12 ms"
    )
    absent = each(span("cancel"), per="session").after(PAY).check_all([first, second])
    assert [str(each) for each in absent] == [
        "order.absent at session 'one': expected span('cancel'), got no such span in 2 traces"
    ]


def test_a_finding_about_all_traces_of_a_session_names_the_one_it_is_in():
    rule = never(PAY, per="session")
    said = [
        each.where
        for each in rule.check_all(
            [
                tree("turn", ["pay"], id="tr-1", metadata=SESSION),
                tree("turn", ["pay"], id="tr-2"),
                tree("turn @90-99", ["pay"], id="tr-3", metadata=SESSION),
            ]
        )
    ]

    assert said == [
        "turn > pay of trace [0] tr-1 of session 'one'",
        "turn > pay of trace [1] tr-3 of session 'one'",
        "turn > pay of trace tr-2",
    ]
    absent = each(AUTH, per="session").after(PAY)
    assert [each.where for each in absent.check(tree("turn", metadata=SESSION))] == ["session 'one'"]
    assert [each.where for each in absent.check(tree("turn"))] == ["turn"]
    (keyless,) = each(PAY, per="session").after(AUTH, same="inputs.o").check(tree("turn", ["pay"], metadata=SESSION))
    assert keyless.where == "turn > pay of trace [0] tr-test of session 'one'"


RULES = [
    each(PAY).after(AUTH, since=LOGOUT, same="inputs.o"),
    each(AUTH).before(PAY, until=LOGOUT, same="inputs.o"),
    each(PAY).inside(span("checkout"), same="inputs.o"),
    never(span("delete")),
    never(PAY).after(span("cancel"), since=span("resume"), same="inputs.o"),
    never(span("write")).inside(span("dry_run")),
]


def agent(*, auth="auth @2-3", number=1, pay="pay @11-12", between=(), inside=(), above="checkout"):
    auth, pay = node(auth, inputs={"o": 1}), node(pay, inputs={"o": number})
    checkout = node(f"{above} @10-20", inputs={"o": 1})
    return ["agent @0-100", [auth, *between, checkout, [pay, *inside], "dry_run @30-40", "write @50-60"]]


@pytest.mark.parametrize(
    ("edit", "broken"),
    [
        ({}, []),
        ({"auth": "outh @2-3"}, ["order.absent", "order.after"]),
        ({"auth": "auth @2-12"}, ["order.after", "order.before"]),
        ({"auth": "auth @21-22"}, ["order.after", "order.before"]),
        ({"between": [node("logout @4-5", inputs={"o": 1})]}, ["order.after", "order.before"]),
        ({"between": ["logout @4-5"]}, ["order.after", "order.before"]),
        ({"between": [node("logout @4-5", inputs={"o": 2})]}, []),
        ({"between": ["cancel @4-5"]}, ["order.never"]),
        ({"between": ["cancel @4-5", "resume @6-7"]}, []),
        ({"above": "basket"}, ["order.inside"]),
        ({"inside": ["delete @13-14"]}, ["order.never"]),
        ({"inside": ["dry_run @13-15", ["write @14-15"]]}, ["order.never"]),
    ],
    ids=repr,
)
def test_an_edit_that_breaks_a_rule_is_one_finding_of_it(edit, broken):
    trace = tree(*agent(**edit))
    found = [rule.check(trace) for rule in RULES]

    assert all(len(each) <= 1 for each in found)
    assert sorted(finding.rule for each in found for finding in each) == broken
