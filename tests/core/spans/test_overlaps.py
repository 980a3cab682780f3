from __future__ import annotations

import random
from itertools import combinations

from pytest_mlflow_traces.core.spans.overlaps import OverlappingWindow, overlap, overlapping_sets


def random_times(rng):
    starts = [rng.randint(0, 6) for _ in range(rng.randint(0, 7))]
    return starts, [rng.choice((None, start - 1, start, start, start + 1, start + 2, start + 4)) for start in starts]


def pairwise(spans, starts, ends):
    return all(overlap(starts[i], ends[i], starts[k], ends[k]) for i, k in combinations(spans, 2))


def test_touching_spans_do_not_overlap_and_instants_inside_do():
    assert overlap(0, 2, 1, 3)
    assert not overlap(0, 2, 2, 3)
    assert overlap(0, None, 7, 8)
    assert not overlap(0, 7, 7, None)
    assert overlap(0, 4, 2, 2)
    assert not overlap(0, 4, 4, 4)
    assert not overlap(2, 2, 2, 2)


def test_every_overlapping_set_lies_in_one_of_at_most_as_many_as_there_are_spans():
    rng = random.Random(1)
    for _ in range(1_000):
        starts, ends = random_times(rng)
        candidates = [i for i in range(len(starts)) if rng.random() < 0.8]

        found = list(overlapping_sets(candidates, starts, ends))

        assert len(found) <= len(candidates)
        assert all(each <= set(candidates) and pairwise(each, starts, ends) for each in found)
        for size in range(1, len(candidates) + 1):
            for spans in combinations(candidates, size):
                assert not pairwise(spans, starts, ends) or any(set(spans) <= each for each in found)


def test_a_window_admits_what_overlaps_all_that_is_in_it():
    rng = random.Random(2)
    for _ in range(1_000):
        starts, ends = random_times(rng)
        window, first = OverlappingWindow(starts, ends), 0
        for k in range(len(starts)):
            while rng.random() < 0.2 and first < k:
                window.drop(first)
                first += 1
            while not window.admits(k):
                assert not pairwise(range(first, k + 1), starts, ends)
                window.drop(first)
                first += 1
            assert pairwise(range(first, k + 1), starts, ends)
            window.push(k)
