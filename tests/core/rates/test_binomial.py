"""The bounds of a rate are exact: held against sums of fractions and of whole numbers."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from itertools import accumulate

import pytest

from pytest_mlflow_traces.core.rates.binomial import lower_bound, upper_bound, upper_tail


def exact_tail(k: int, n: int, rate: Fraction) -> Fraction:
    return sum((math.comb(n, j) * rate**j * (1 - rate) ** (n - j) for j in range(k, n + 1)), start=Fraction(0))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 12])
@pytest.mark.parametrize("rate", [Fraction(1, 1000), Fraction(1, 3), Fraction(1, 2), Fraction(19, 20)])
def test_a_tail_is_the_sum_of_its_terms(n, rate):
    for k in range(-1, n + 2):
        assert upper_tail(k, n, float(rate)) == pytest.approx(float(exact_tail(max(k, 0), n, rate)), rel=1e-12)


@pytest.mark.parametrize(("k", "n"), [(1_100, 2_000), (10_100, 20_000), (10_300, 20_000)])
def test_a_tail_of_many_runs_is_exact(k, n):
    ways = accumulate(range(k, n), lambda ways, j: ways * (n - j) // (j + 1), initial=math.comb(n, k))
    tail = sum(ways) / 2**n

    assert upper_tail(k, n, 0.5) == pytest.approx(tail, rel=1e-10)
    assert upper_tail(n - k + 1, n, 0.5) == pytest.approx(1 - tail, rel=1e-10)


def test_half_of_a_million_runs_is_the_tail_that_stirling_gives():
    n = 1_000_000
    middle = math.sqrt(2 / (math.pi * n)) * (1 - 1 / (4 * n))

    assert upper_tail(n // 2 + 1, n, 0.5) == pytest.approx((1 - middle) / 2, rel=1e-8)
    assert upper_tail(n // 2, n, 0.5) == pytest.approx((1 + middle) / 2, rel=1e-8)


@pytest.mark.parametrize("confidence", [0.1, 0.5, 0.8, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 5, 13])
def test_a_lower_bound_is_where_the_tail_is_one_minus_the_confidence(n, confidence):
    unlikely = 1 - Fraction(confidence)
    for successes in range(1, n + 1):
        bound = Fraction(lower_bound(successes, n, confidence))

        assert exact_tail(successes, n, bound - Fraction(1, 10**12)) < unlikely
        assert exact_tail(successes, n, bound + Fraction(1, 10**12)) > unlikely


@pytest.mark.parametrize("rate", [Fraction(1, 50), Fraction(1, 2), Fraction(9, 10)])
@pytest.mark.parametrize("n", [1, 4, 20])
def test_a_lower_bound_is_above_the_rate_no_oftener_than_its_confidence_allows(n, rate):
    for confidence in (0.5, 0.8, 0.95):
        wrong = [k for k in range(n + 1) if lower_bound(k, n, confidence) > rate]
        chance = sum(exact_tail(k, n, rate) - exact_tail(k + 1, n, rate) for k in wrong)

        assert chance <= 1 - Fraction(confidence)


@pytest.mark.parametrize(
    ("successes", "n", "bound"),
    [
        (10, 10, 0.05**0.1),
        (59, 59, 0.05 ** (1 / 59)),
        (1_000_000, 1_000_000, 0.05**1e-6),
        (1, 1_000_000, -math.expm1(math.log(0.95) / 1_000_000)),
    ],
)
def test_where_it_has_a_closed_form_a_lower_bound_is_that(successes, n, bound):
    assert lower_bound(successes, n, 0.95) == pytest.approx(bound, rel=1e-9)


def test_no_success_and_no_run_say_nothing():
    assert lower_bound(0, 0, 0.95) == 0
    assert lower_bound(0, 9, 0.95) == 0
    assert upper_bound(0, 0, 0.95) == 1
    assert upper_bound(9, 9, 0.95) == 1


def test_an_upper_bound_of_failures_is_one_minus_the_lower_one_of_successes():
    assert upper_bound(0, 24, 0.95) == pytest.approx(1 - 0.05 ** (1 / 24))
    assert upper_bound(2, 72, 0.95) == 1 - lower_bound(70, 72, 0.95)


@pytest.mark.parametrize(("part", "n"), [(-1, 3), (4, 3), (0, -1), (1.0, 3), (True, 3), (1, "3")])
@pytest.mark.parametrize("bound", [lower_bound, upper_bound])
def test_what_is_not_a_part_of_a_number_of_runs_is_refused(bound, part, n):
    said = f"expected a number of runs, and how many of them, got {part!r} of {n!r}"

    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        bound(part, n, 0.95)


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.1, math.nan, "0.95", True])
@pytest.mark.parametrize("bound", [lower_bound, upper_bound])
def test_a_confidence_that_is_not_between_0_and_1_is_refused(bound, confidence):
    said = f"confidence is between 0 and 1, both excluded, such as 0.95; got {confidence!r}"

    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        bound(1, 3, confidence)
