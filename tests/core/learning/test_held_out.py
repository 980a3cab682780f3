"""What held-out runs say of false alarms."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces.core.learning.held_out import HeldOut
from pytest_mlflow_traces.core.rates.binomial import upper_bound


def test_the_bound_counts_tests_and_not_runs():
    held_out = HeldOut({f"test_{i}": [i < 2, False, False] for i in range(24)})

    assert (held_out.alarms, held_out.runs, held_out.rate) == (2, 72, pytest.approx(2 / 72))
    assert held_out.bound == upper_bound(2, 24, 0.95)
    assert str(held_out) == (
        "held out, 2 of 72 passing runs in 24 tests would have been flagged (2.8 %); at most 24 % at a confidence of "
        "95 %; with 24 tests, even none could not promise below 12 %"
    )


def test_of_many_tests_nothing_more_is_said():
    assert str(HeldOut({str(i): [False] for i in range(100)})) == (
        "held out, 0 of 100 passing runs in 100 tests would have been flagged (0.0 %); at most 3 % at a confidence of "
        "95 %"
    )


def test_nothing_held_out_promises_nothing():
    assert HeldOut({}).bound == 1.0
    assert str(HeldOut({})) == "nothing was held out: nothing is known of false alarms"
