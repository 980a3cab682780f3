"""How rules of order are written, which are refused, and where they are taken."""

from __future__ import annotations

import pickle

import pytest

from pytest_mlflow_traces import Budget, Contract, TraceAssertionError, assert_trace, each, if_present, never, span
from pytest_mlflow_traces.core.contracts import check
from tests.support.building import node, tree
from tests.support.messages import exactly

PAY, AUTH, LOGOUT = span("pay"), span("auth"), span("logout")
RULE = each(PAY).after(AUTH)
GOOD = tree("agent", ["auth", "pay"])
BAD = tree("agent", ["pay", "auth", "pay"])
SESSION = "mlflow.trace.session"


def turn(*specs, session="one"):
    return tree(*specs, metadata={} if session is None else {SESSION: session})


def rules(traces, *expectations):
    return [finding.rule for finding in check(traces, *expectations)]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (RULE, "each(span('pay')).after(span('auth'))"),
        (each(PAY).after(AUTH, since=LOGOUT), "each(span('pay')).after(span('auth'), since=span('logout'))"),
        (each(PAY).before(AUTH, until=PAY), "each(span('pay')).before(span('auth'), until=span('pay'))"),
        (each(PAY).inside(AUTH | LOGOUT), "each(span('pay')).inside(one_of(span('auth'), span('logout')))"),
        (never(PAY), "never(span('pay'))"),
        (never(PAY, per="session"), "never(span('pay'), per='session')"),
        (each(PAY).after(AUTH, same="inputs.o"), "each(span('pay')).after(span('auth'), same='inputs.o')"),
        (
            never(PAY).after(AUTH, same=("inputs.o", "attributes[a.b]")),
            "never(span('pay')).after(span('auth'), same=('inputs.o', 'attributes[a.b]'))",
        ),
        (
            each(PAY).inside(AUTH, same={"inputs.o": "outputs.0.id"}),
            "each(span('pay')).inside(span('auth'), same={'inputs.o': 'outputs.0.id'})",
        ),
        (if_present(RULE), "if_present(each(span('pay')).after(span('auth')))"),
    ],
    ids=repr,
)
def test_a_rule_prints_as_the_code_that_makes_it(rule, code):
    names = {"each": each, "never": never, "span": span, "one_of": lambda *p: p[0] | p[1], "if_present": if_present}

    assert repr(rule) == code
    assert eval(code, names) == rule  # our own words
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert len({rule, pickle.loads(pickle.dumps(rule)), never(span("other"))}) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: each("pay"), "each() takes a pattern, not a string: write span('pay')"),
        (lambda: never(5), "never() takes a pattern such as span('name'), got 5"),
        (lambda: each(PAY).after("auth"), "each(...).after() takes a pattern, not a string: write span('auth')"),
        (
            lambda: each(RULE),
            f"each() takes a pattern, not an expectation: write assert_trace(trace, {RULE!r})",
        ),
        (
            lambda: each(PAY).after(AUTH, since="logout"),
            "each(...).after(): since takes a pattern, not a string: write span('logout')",
        ),
        (
            lambda: each(PAY, since=LOGOUT),
            "each() takes no since: write .after(q, since=r); the other end of .before(q) is until",
        ),
        (
            lambda: never(PAY).before(AUTH, since=LOGOUT),
            "never(...).before() takes no since: write .after(q, since=r); the other end of .before(q) is until",
        ),
        (
            lambda: each(PAY).after(AUTH, until=LOGOUT),
            "each(...).after() takes no until: write .before(q, until=r); the other end of .after(q) is since",
        ),
        (
            lambda: each(PAY).inside(AUTH, until=LOGOUT),
            "each(...).inside() takes no until: write .before(q, until=r); the other end of .after(q) is since",
        ),
        (
            lambda: each(PAY).after(AUTH, per="session"),
            "each(...).after() takes no per: write each(p, per='session') or never(p, per='session')",
        ),
        (
            lambda: each(PAY).after(AUTH, sinc=LOGOUT),
            "each(...).after(): unknown keyword 'sinc' (legal: 'since', 'same'); did you mean 'since'?",
        ),
        (lambda: each(PAY, per=1), "each(): per is one of 'trace', 'session', got 1"),
        (
            lambda: if_present(never(PAY)),
            "if_present() takes no never(), which holds without such a span: write never(span('pay'))",
        ),
        (lambda: bool(RULE), f"{RULE!r} has no truth value: write assert_trace(trace, {RULE!r})"),
        (
            lambda: each(PAY).after(AUTH, same=5),
            (
                "each(...).after(): same is a path such as 'inputs.order_id', a tuple of paths, or a mapping from one "
                "span's path to the other's, got 5"
            ),
        ),
        (
            lambda: each(PAY).after(AUTH, same=("inputs.o", 5)),
            "each(...).after(): same takes paths such as 'inputs.order_id', got 5",
        ),
    ],
)
def test_what_is_no_rule_is_a_type_error_with_the_cure(make, message):
    with pytest.raises(TypeError, match=exactly(message)):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: each(PAY, per="sesion"),
            "each(): unknown per 'sesion' (legal: 'trace', 'session'); did you mean 'session'?",
        ),
        (
            lambda: RULE.before(LOGOUT),
            f"{RULE!r} has its relation already: what else holds is a rule of its own",
        ),
        (
            lambda: each(PAY).after(AUTH, same="input.o"),
            (
                "each(...).after(): same: 'input.o' begins with none of 'inputs', 'outputs', 'attributes'; "
                "did you mean 'inputs'?"
            ),
        ),
        (
            lambda: each(PAY).after(AUTH, same="inputs..o"),
            (
                "each(...).after(): same: 'inputs..o' is no path from '..o' on: write 'inputs.order.id', "
                "'inputs.items.0' or 'attributes[a.key.with.dots]'"
            ),
        ),
        (
            lambda: each(PAY).after(AUTH, same="attributes"),
            "each(...).after(): same: 'attributes' are those of all sorts; name one: 'attributes.order_id'",
        ),
        (
            lambda: each(PAY).after(AUTH, same=()),
            "each(...).after(): same=() compares nothing; name a path, or leave it out",
        ),
    ],
)
def test_a_rule_that_cannot_be_is_a_value_error_with_the_cure(make, message):
    with pytest.raises(ValueError, match=exactly(message)):
        make()


def test_each_alone_says_nothing():
    message = exactly("each(span('pay')) says nothing: go on with .after(...), .before(...) or .inside(...)")

    for use in (
        lambda: assert_trace(GOOD, each(PAY)),
        lambda: each(PAY).check(GOOD),
        lambda: Contract("empty", each(PAY)),
        lambda: if_present(each(PAY)),
    ):
        with pytest.raises(ValueError, match=message):
            use()


def test_a_rule_is_checked_and_not_compared():
    for compare in (lambda: GOOD == RULE, lambda: GOOD != RULE, lambda: RULE == GOOD, lambda: GOOD.root == RULE):
        with pytest.raises(
            TypeError, match=exactly(f"a rule of order is checked, not compared: write assert_trace(trace, {RULE!r})")
        ):
            compare()
    with pytest.raises(
        TypeError, match=exactly(f"`in` takes a pattern, not an expectation: write assert_trace(trace, {RULE!r})")
    ):
        _ = RULE in GOOD


def test_it_is_taken_wherever_an_expectation_is():
    contract = Contract("paying", RULE, Budget(calls={"pay": 2}), applies_to=PAY)

    assert_trace(GOOD, RULE, contract)
    assert rules([GOOD, BAD], RULE, contract) == ["order.after", "order.after"]
    assert Contract("paying", RULE) == Contract("paying", each(PAY).after(AUTH))
    assert Budget(calls={"pay": 2}) != RULE


def test_each_trace_is_named_where_there_are_several():
    with pytest.raises(TraceAssertionError) as caught:
        assert_trace([GOOD, BAD], RULE)

    assert str(caught.value) == (
        "trace 'agent':\n"
        "  order.after at agent > pay: expected span('auth') to have ended before, got only agent > auth, "
        "which is after it\n"
        "        agent  UNKNOWN    0 ms to 7 ms\n"
        "      > ├─ pay  UNKNOWN   1 ms to 2 ms\n"
        "        └─ auth  UNKNOWN  3 ms to 4 ms"
    )


def test_nothing_passes_on_absence():
    empty = tree()

    assert rules(tree("agent"), RULE) == ["order.absent"]
    assert rules(tree("agent"), if_present(RULE)) == []
    assert rules(tree("agent", ["pay"]), if_present(RULE)) == ["order.after"]
    assert rules(empty, never(PAY)) == rules(empty, if_present(RULE)) == ["order.absent"]
    assert [finding.rule for finding in RULE.check_all([])] == ["capture.empty"]


def test_a_session_is_looked_at_as_one():
    first, second = turn("turn @0-5", ["auth @1-2"]), turn("turn @10-15", ["pay @11-12"])
    rule = each(PAY, per="session").after(AUTH)

    assert rules([second, first], rule) == []  # in the order of their starts
    assert rules([first, turn("turn @10-15", ["pay @11-12"], session="two")], rule) == ["order.absent", "order.after"]
    assert rules([turn("a @0-5", ["auth @1-2"], session=None), turn("b @6-9", ["pay @7-8"], session=None)], rule) == [
        "order.absent",
        "order.after",
    ]
    assert rules([first, second], never(PAY, per="session").after(AUTH)) == ["order.never"]
    assert rules([first, second], never(PAY).after(AUTH)) == []
    assert rules([first, second], Contract("paying", rule)) == []


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("inputs.o", True),
        ("inputs.deep.x", True),
        ("inputs.items.1.id", True),
        ("inputs.items[1].id", True),
        ("inputs.items.7.id", False),
        ('inputs["a.b"]', True),
        ("inputs['a.b']", True),
        ("inputs[a.b]", True),
        ("inputs.[a.b]", True),
        ("inputs.a.b", False),
        ("inputs.none", True),
        ("inputs", True),
        ("outputs", False),
        ("attributes.k", True),
    ],
)
def test_a_path_leads_into_what_was_recorded(path, there):
    inputs = {"o": 1, "deep": {"x": {"y": [1]}}, "items": [{}, {"id": 7}], "a.b": 2, "none": None}
    trace = tree(
        "agent", [node("auth", inputs=inputs, attributes={"k": 1}), node("pay", inputs=inputs, attributes={"k": 1})]
    )

    assert rules(trace, each(PAY).after(AUTH, same=path)) == ([] if there else ["order.key"])


def test_values_compare_as_python_does():
    class Odd:
        __hash__ = None

        def __eq__(self, other):
            return isinstance(other, Odd)

    def holds(one, other):
        trace = tree("agent", [node("auth", inputs={"k": one}), node("pay", inputs={"k": other})])
        return rules(trace, each(PAY).after(AUTH, same="inputs.k")) == []

    assert holds(1, 1.0)
    assert holds([1, {"a": None}], (1, {"a": None}))
    assert holds(Odd(), Odd())
    assert not holds(1, "1")
    assert not holds({"a": 1}, {"a": 2})
    assert not holds(float("nan"), float("nan"))
    assert not holds([], {})


def test_many_findings_are_counted():
    trace = tree(*["pay"] * 150)

    found = check(trace, never(PAY))

    assert len(found) == 101
    assert str(found[-1]) == "order.never at span('pay'): expected no span('pay'), got 50 more like this"
