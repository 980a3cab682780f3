"""Whether a contract holds at a rate: it does, it does not, or there are not enough runs to say."""

from __future__ import annotations

import math
import re
from random import Random

import pytest

from pytest_mlflow_traces import Contract, TraceAssertionError, assert_rate, each, span
from pytest_mlflow_traces.core.rates.binomial import lower_bound, upper_bound
from pytest_mlflow_traces.core.rates.rates import Rate
from pytest_mlflow_traces.core.spans.convert import SESSION
from tests.support.building import tree

GUARDED = Contract("guarded", span("agent")[..., span("guardrail"), ...], applies_to=span("agent"))
GOOD, BAD = ["agent", ["plan", "guardrail"]], ["agent", ["plan"]]
OPEN = ["agent", ["guardrail @1-"]]
ONCE = each(span("pay"), per="session").after(span("auth"))


def runs(good=0, bad=0, unjudged=0, other=0):
    return [
        tree(*spec)
        for spec, many in ((GOOD, good), (BAD, bad), (OPEN, unjudged), (["other"], other))
        for _ in range(many)
    ]


def said_of(traces, expectation=GUARDED, **keywords):
    with pytest.raises(TraceAssertionError) as caught:
        assert_rate(traces, expectation, **keywords)
    return caught.value


def test_it_passes_where_the_bound_is_high_enough_and_not_one_run_before():
    assert_rate(runs(59), GUARDED)
    assert [each.rule for each in said_of(runs(58)).findings] == ["rate.not_enough_runs"]


def test_a_rate_that_is_too_low():
    error = said_of(runs(2, 4), at_least=0.9)

    assert (
        str(error)
        == """\
contract 'guarded' holds in 2 of 6 runs (33.3 %): expected at least 90 %
  with 95 % confidence, at most 72.9 %
  in the 4 runs that do not hold:
    4x shape.missing at agent: expected span('guardrail')

the first of them:
contract 'guarded': trace 'agent' does not match: 1 missing

  agent  UNKNOWN    3 ms
  ├─ plan  UNKNOWN
- └─ guardrail      missing"""
    )
    assert [str(each) for each in error.findings] == [
        "rate.low at contract 'guarded': expected at least 90 % of runs, got 2 of 6",
        "shape.missing at agent: expected span('guardrail')",
    ]


def test_not_enough_runs_is_not_green_and_says_how_many_would_be():
    error = said_of(runs(20))

    assert (
        str(error)
        == """\
contract 'guarded' holds in 20 of 20 runs (100 %): not enough runs to say whether that is at least 95 %
  with 95 % confidence each, at least 86 % and at most 100 %
  59 runs that all hold would show it"""
    )
    assert str(error.findings[0]) == (
        "rate.not_enough_runs at contract 'guarded': expected at least 95 % of runs, got 20 of 20"
    )


def test_a_run_that_is_not_judged_neither_raises_the_rate_nor_lowers_it():
    error = said_of(runs(59, unjudged=1))

    assert (
        str(error)
        == """\
contract 'guarded' holds in 59 of 60 runs (98.3 %), 1 of them not judged: not enough runs to say \
whether that is at least 95 %
  with 95 % confidence each, at least 92.3 % and at most 100 %
  59 runs that all hold would show it
  not judged, 1x: unfinished: span agent > guardrail has no end time"""
    )
    assert said_of(runs(unjudged=100)).findings[0].rule == "rate.not_enough_runs"
    assert said_of(runs(bad=3, unjudged=100)).findings[0].rule == "rate.not_enough_runs"


def test_what_a_contract_does_not_apply_to_is_not_a_run_of_it():
    assert_rate(runs(59, other=500), GUARDED)
    assert said_of(runs(58, other=500)).findings[0].actual == "58 of 58"


def test_nothing_passes_on_absence():
    assert [each.rule for each in said_of([]).findings] == ["capture.empty"]
    assert [each.rule for each in said_of(runs(other=100)).findings] == ["contract.unused"]


def test_of_a_rule_over_sessions_a_run_is_a_session():
    def session(number, *names):
        times = ("@0-1", "@2-3")
        facts = {"metadata": {SESSION: f"s-{number}"}}
        return [
            tree(f"{name} {time}", id=f"tr-{number}-{name}", **facts) for name, time in zip(names, times, strict=False)
        ]

    traces = [trace for number in range(29) for trace in session(number, "auth", "pay")]

    assert_rate(traces, ONCE, at_least=0.9)
    assert said_of(traces[:-2], ONCE, at_least=0.9).findings[0].actual == "28 of 28"
    error = said_of([*traces, *session(30, "pay"), *session(31, "pay")], ONCE, at_least=0.9)
    assert error.findings[0].actual == "29 of 31"
    assert "  in the 2 runs that do not hold:\n    2x order.after at pay of trace [0] tr-30-pay of " in str(error)


@pytest.mark.parametrize("at_least", [0, -1, 1.01, math.nan, "95%", True])
def test_what_is_not_a_rate_is_refused(at_least):
    said = f"at_least is a rate above 0 and below 1, such as 0.95; got {at_least!r}"

    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        assert_rate(runs(100), GUARDED, at_least=at_least)


def test_no_number_of_runs_shows_that_all_hold():
    with pytest.raises(ValueError, match=r"^at_least=1: no number of runs shows that all there will be hold: say what"):
        assert_rate(runs(100), GUARDED, at_least=1.0)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_confidence_is_between_0_and_1(confidence):
    with pytest.raises(ValueError, match=r"^confidence is between 0 and 1"):
        assert_rate(runs(100), GUARDED, confidence=confidence)


def test_what_is_no_expectation_is_refused():
    with pytest.raises(TypeError, match="expected a pattern, Budget, TagSchema or Contract, got 'agent'"):
        assert_rate(runs(100), "agent")


def test_the_verdict_is_that_of_the_two_bounds():
    random = Random(7)
    for _ in range(300):
        held, failed, unknown = (random.randrange(limit) for limit in (80, 12, 3))
        rate = Rate(held, failed, unknown, random.uniform(0.5, 0.99), random.uniform(0.5, 0.99))
        is_high = lower_bound(held, rate.runs, rate.confidence) >= rate.at_least
        is_low = upper_bound(held + unknown, rate.runs, rate.confidence) < rate.at_least - 1e-12

        assert rate.verdict == ("holds" if is_high else "fails" if is_low else "not enough runs")


@pytest.mark.parametrize(
    ("held", "failed", "needed"), [(0, 0, 59), (20, 0, 59), (97, 3, 386), (94, 6, 1_351), (19, 1, None)]
)
def test_as_many_runs_as_are_said_to_tell_do_tell(held, failed, needed):
    rate = Rate(held, failed, 0, 0.95, 0.95)

    assert rate.verdict == "not enough runs"
    assert rate.needed == needed
    if needed is not None:
        of_those = needed * held // (held + failed) if failed else needed
        assert Rate(of_those, needed - of_those, 0, 0.95, 0.95).verdict != "not enough runs"
    else:
        assert str(rate).endswith("at this rate 10,000,000 runs would not tell either")


def test_ten_kinds_of_findings_are_listed_and_the_others_counted():
    names = "abcdefghijkl"
    error = said_of([tree("agent", [name]) for name in names], span("agent")[()], at_least=0.5)

    assert str(error).count("1x shape.unexpected at agent > ") == 10
    assert "\n    ... 2 more findings\n" in str(error)
    assert len(error.findings) == 1 + len(names)
