"""The plan of a test that is run until the answer is sure: its error rates are exact, and simulated gates keep them."""

from __future__ import annotations

import itertools
import math
import re
from random import Random

import pytest

from pytest_mlflow_traces.core.rates.sequential import Course, Plan, plan

PLANS = [(0.9, 20, 0.95), (0.8, 13, 0.9), (0.95, 30, 0.95), (1, 8, 0.95), (0.5, 60, 0.95)]


def ended(made, outcomes):
    """Return how a plan ends, and after how many runs."""
    held = failed = 0
    while (verdict := made.verdict(held, failed)) is None:
        is_held = next(outcomes)
        held, failed = held + is_held, failed + (not is_held)
    return verdict, held + failed


@pytest.mark.parametrize("rate", [0.2, 0.7, 0.95])
@pytest.mark.parametrize("made", [plan(0.9, 11, 0.9), plan(1, 8, 0.95)], ids=str)
def test_what_comes_of_a_plan_is_what_comes_of_every_sequence_of_runs(made, rate):
    total = Course(0, 0, 0)
    for outcomes in itertools.product((True, False), repeat=made.most):
        chance = math.prod(rate if held else 1 - rate for held in outcomes)
        verdict, runs = ended(made, iter(outcomes))
        total = Course(
            total.green + chance * (verdict == "green"),
            total.red + chance * (verdict == "red"),
            total.runs + chance * runs,
        )

    assert made.at(rate) == pytest.approx(total)


@pytest.mark.parametrize("asked", PLANS, ids=str)
def test_a_plan_ends_in_time_and_its_errors_are_as_rare_as_it_says(asked):
    made, (at_least, most, confidence) = plan(*asked), asked

    assert made.most == most
    assert made.at(at_least).red <= 1 - confidence
    assert made.at(made.below).green <= 1 - confidence
    assert made.at(made.below + 1e-6).green > 1 - confidence
    assert made.below >= at_least / 2
    for rate in (0, made.below, 0.8, at_least, 1):
        course = made.at(rate)
        assert course.green + course.red == pytest.approx(1)
        assert course.runs <= most


@pytest.mark.parametrize("asked", PLANS, ids=str)
def test_a_run_that_held_never_ends_it_red_and_one_that_failed_never_green(asked):
    made = plan(*asked)
    for runs in range(made.most):
        for failed in range(runs + 1):
            if runs == 0 or made.verdict(runs - failed, failed) is None:
                assert made.verdict(runs - failed + 1, failed) != "red"
                assert made.verdict(runs - failed, failed + 1) != "green"


@pytest.mark.parametrize("asked", [each for each in PLANS if each[0] < 1], ids=str)
def test_half_of_the_runs_are_enough_on_average_where_an_agent_is_clearly_good_or_bad(asked):
    made, (at_least, most, _) = plan(*asked), asked
    good = [at_least + (1 - at_least) * k / 10 for k in range(11)]
    bad = [made.below * k / 10 for k in range(11)]

    assert max(made.at(rate).runs for rate in good + bad) <= most / 2


@pytest.mark.parametrize("asked", PLANS[:2], ids=str)
def test_simulated_gates_keep_the_error_rates(asked):
    made, random, gates = plan(*asked), Random(5), 2_000

    def share(rate, wrong):
        ends = (ended(made, iter(lambda: random.random() < rate, None))[0] for _ in range(gates))
        return sum(end == wrong for end in ends) / gates

    noise = 3 * math.sqrt(0.1 * 0.9 / gates)
    assert share(made.at_least, "red") <= 1 - made.confidence + noise
    assert share(made.below, "green") <= 1 - made.confidence + noise


def test_the_plan_of_twenty_runs_at_nine_of_ten():
    made = plan(0.9, 20, 0.95)

    assert str(made) == "tells 90 % from 54.5 % with 95 % confidence"
    assert [made.verdict(held, 0) for held in (0, 5, 6)] == [None, None, "green"]
    assert [made.verdict(0, failed) for failed in (1, 2)] == [None, "red"]
    assert [made.verdict(15, 5), made.verdict(16, 4)] == ["red", "green"]


@pytest.mark.parametrize(
    ("most", "below", "average", "shortest"),
    [(20, "54.5 %", 9.0, 6), (50, "67.9 %", 20.3, 11), (100, "75.5 %", 39.7, 17), (300, "81.6 %", 99.2, 30)],
)
def test_the_plans_that_the_documentation_tells_of(most, below, average, shortest):
    made = plan(0.9, most, 0.95)

    assert f" from {below} with" in str(made)
    assert round(made.at(0.9).runs, 1) == average
    assert made.at(1).runs == shortest


def test_one_failure_disproves_that_all_hold_and_only_all_runs_speak_for_it():
    made = plan(1, 20, 0.95)

    assert [made.verdict(19, 0), made.verdict(20, 0), made.verdict(18, 1), made.verdict(0, 1)] == [
        None,
        "green",
        "red",
        "red",
    ]
    assert made.below == pytest.approx(0.05 ** (1 / 20))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ((0.9, 1, 0.95), "1 run cannot tell 90 % from 45 % with 95 % confidence: 14 can"),
        ((0.95, 2, 0.95), "2 runs cannot tell 95 % from 47.5 % with 95 % confidence: 12 can"),
        ((1, 4, 0.95), "4 runs cannot tell 100 % from 50 % with 95 % confidence: 5 can"),
        ((0.9, 0, 0.95), "repeat is a whole number of runs, 1 or more; got 0"),
        ((0.9, 2.0, 0.95), "repeat is a whole number of runs, 1 or more; got 2.0"),
        ((0.9, True, 0.95), "repeat is a whole number of runs, 1 or more; got True"),
        ((0, 20, 0.95), "at_least is a rate above 0 and up to 1, such as 0.9; got 0"),
        ((90, 20, 0.95), "at_least is a rate above 0 and up to 1, such as 0.9; got 90"),
        ((math.nan, 20, 0.95), "at_least is a rate above 0 and up to 1, such as 0.9; got nan"),
        (("90%", 20, 0.95), "at_least is a rate above 0 and up to 1, such as 0.9; got '90%'"),
        ((0.9, 20, 1.0), "confidence is between 0 and 1, both excluded, such as 0.95; got 1.0"),
        ((0.9, 20, 0.5), "confidence=0.5: that is no better than a coin; give one above 0.5, such as 0.95"),
    ],
)
def test_what_could_not_tell_anything_is_refused(asked, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        plan(*asked)


def test_one_run_more_than_too_few_is_enough_where_it_is_said_to_be():
    assert isinstance(plan(0.9, 14, 0.95), Plan)
    with pytest.raises(ValueError, match="13 runs cannot tell"):
        plan(0.9, 13, 0.95)
