"""What a number of runs says of the rate behind them: exact binomial tails, and the bounds of Clopper and Pearson.

C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
Biometrika 26 (1934), 404-413. A bound is the rate at which what was seen, or more of it, has a probability of one minus
the confidence; no approximation stands between, so it keeps its confidence for each number of runs and each rate.
"""

from __future__ import annotations

import math

_HALVINGS = 200  # far more than a float has digits for


def lower_bound(successes: int, n: int, confidence: float) -> float:
    """Return what the rate of successes is at least, with a one-sided confidence, where `n` runs had so many.

    >>> from pytest_mlflow_traces.core.rates.binomial import lower_bound
    >>> round(lower_bound(20, 20, 0.95), 3)
    0.861

    Raises:
        ValueError: for more successes than runs, numbers below zero, or a confidence that is not between 0 and 1.
    """
    check_counts(successes, n)
    check_confidence(confidence)
    unlikely = 1 - confidence
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        # the low end is a bound for sure, also where a float cannot hold the bound itself
        low, high = (middle, high) if upper_tail(successes, n, middle) <= unlikely else (low, middle)
    return low


def upper_bound(failures: int, n: int, confidence: float) -> float:
    """Return what the rate of failures is at most, with a one-sided confidence, where `n` runs had so many.

    >>> from pytest_mlflow_traces.core.rates.binomial import upper_bound
    >>> round(upper_bound(0, 24, 0.95), 3)
    0.117

    Raises:
        ValueError: for more failures than runs, numbers below zero, or a confidence that is not between 0 and 1.
    """
    check_counts(failures, n)
    return 1 - lower_bound(n - failures, n, confidence)


def upper_tail(k: int, n: int, rate: float) -> float:
    """Return how probable `k` successes or more are in `n` runs, each of which succeeds at a rate."""
    if k <= 0 or rate >= 1:
        return 1.0 if k <= n else 0.0
    if k > n or rate <= 0:
        return 0.0
    if k <= n * rate:  # of the two tails the smaller is summed, whose terms fall from the first on
        return 1 - _summed(n - k + 1, n, 1 - rate)
    return _summed(k, n, rate)


def _summed(k: int, n: int, rate: float) -> float:
    """Return the sum of the terms from `k` on, which is above the mean; of a million runs to eight digits."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = math.exp(ways + k * math.log(rate) + (n - k) * math.log1p(-rate))
    odds = rate / (1 - rate)
    total = 0.0
    while total + term > total:
        total += term
        term *= (n - k) / (k + 1) * odds
        k += 1
    return total


def check_counts(part: int, n: int) -> None:
    """Raise a ValueError for what is not a part of a number of runs."""
    if any(type(each) is not int for each in (part, n)) or not 0 <= part <= n:
        raise ValueError(f"expected a number of runs, and how many of them, got {part!r} of {n!r}")


def check_confidence(confidence: float) -> None:
    """Raise a ValueError for what is not between 0 and 1."""
    # what is between is a float: an int cannot be, and text has no place
    if type(confidence) is not float or not 0 < confidence < 1:
        raise ValueError(f"confidence is between 0 and 1, both excluded, such as 0.95; got {confidence!r}")
