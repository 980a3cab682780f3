from __future__ import annotations

import random

from pytest_mlflow_traces.core.matching.bitsets import Intervals, between, lowest, members


def test_members_ascend():
    rng = random.Random(1)
    for _ in range(300):
        numbers = sorted(rng.sample(range(rng.choice((5, 70, 900))), rng.randint(0, 5)))
        bits = sum(1 << number for number in numbers)

        assert members(bits) == numbers
        assert not numbers or lowest(bits) == numbers[0]


def test_between_includes_both_ends():
    assert members(between(2, 5)) == [2, 3, 4, 5]
    assert members(between(3, 3)) == [3]
    assert between(4, 3) == 0


def test_intervals_that_meet_or_overlap_are_one():
    found = Intervals()
    for first, last in ((1, 2), (2, 4), (5, 6), (9, 9), (9, 12)):
        found.add(first, last)

    assert members(found.bits()) == [1, 2, 3, 4, 5, 6, 9, 10, 11, 12]
    assert Intervals().bits() == 0
