"""Which findings became more frequent: held against every way in which chance could have dealt them."""

from __future__ import annotations

import itertools
import math
from random import Random

import pytest

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.judgements import Judgement
from pytest_mlflow_traces.core.rates.more_frequent import Runs, Stratum, chance, changes, could_show, holm

HOLDS = Judgement("holds", "")


def failing(*rules):
    return Judgement("fails", "", tuple(Finding(rule, "agent") for rule in rules))


def runs(**tests):
    side = Runs(["c"])
    for test, judgements in tests.items():
        for judgement in judgements:
            side.add(test, "c", judgement)
    return side


def dealt(strata):
    """Return how often as many of the new runs, or more, have a finding, of all ways to deal it out."""
    least = sum(stratum.new for stratum in strata)
    ways = []
    for old, old_runs, new, new_runs in strata:
        everyone = range(old_runs + new_runs)
        ways.append([sum(run < new_runs for run in having) for having in itertools.combinations(everyone, old + new)])
    deals = list(itertools.product(*ways))
    return (
        sum(sum(deal) >= least for deal in deals) / len(deals),
        sum(sum(deal) == max(map(sum, deals)) for deal in deals) / len(deals),
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_chance_is_the_share_of_all_ways_to_deal_it_out(seed):
    random = Random(seed)
    strata = []
    for _ in range(random.randint(1, 2)):
        old_runs, new_runs = random.randint(0, 5), random.randint(0, 4)
        strata.append(Stratum(random.randint(0, old_runs), old_runs, random.randint(0, new_runs), new_runs))

    assert chance(strata) == pytest.approx(dealt(strata))


def test_of_one_test_it_is_fishers_lady_with_her_tea():
    assert chance([Stratum(1, 4, 3, 4)])[0] == pytest.approx(17 / 70)
    assert chance([Stratum(0, 4, 4, 4)])[0] == pytest.approx(1 / 70)


def test_tests_that_fail_at_different_rates_are_not_taken_for_a_difference():
    # the old side ran the good test often, the new one the bad test; neither became worse
    strata = [Stratum(0, 40, 0, 4), Stratum(4, 4, 40, 40)]

    assert chance(strata)[0] == 1
    assert chance([Stratum(4, 44, 40, 44)])[0] < 1e-9


def test_holms_correction():
    assert holm([0.01, 0.02, 0.03, 0.9]) == pytest.approx([0.04, 0.06, 0.06, 0.9])
    assert holm([0.01, 0.01, 0.9]) == pytest.approx([0.03, 0.03, 0.9])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_what_became_more_frequent_comes_first():
    old = runs(t=[HOLDS] * 18 + [failing("a")] + [failing("b")])
    new = runs(t=[HOLDS] * 4 + [failing("a")] * 13 + [failing("b", "b", "rare")] + [failing("b")] * 2)

    found = changes(old, new, 0.95)

    assert [(each.finding.rule, each.seen.old, each.seen.new, each.is_shown) for each in found] == [
        ("contract.fails", 2, 16, True),
        ("a", 1, 13, True),
        ("b", 1, 3, False),
        ("rare", 0, 1, False),
    ]
    assert [each.p is None for each in found] == [False, False, True, True]
    assert found[0].p == pytest.approx(2 * found[0].chance)  # of two that could be shown


def test_what_became_less_frequent_is_not_shown():
    found = changes(runs(t=[failing("a")] * 20), runs(t=[HOLDS] * 20), 0.95)

    assert [each.is_shown for each in found] == [False, False]
    assert [each.chance for each in found] == pytest.approx([1, 1])


def test_what_a_contract_does_not_apply_to_is_not_a_run_and_what_is_not_judged_is_told():
    side = runs(t=[HOLDS, Judgement("not applicable", ""), Judgement("not judged", "not judged: it has no spans")])

    assert side.counts == {"c": {"t": 1}}
    assert side.not_judged == {"not judged: it has no spans": 1}


@pytest.mark.parametrize(("many", "is_enough"), [(2, False), (3, True)])
def test_too_few_runs_cannot_show_anything(many, is_enough):
    side = runs(t=[HOLDS] * many)

    assert could_show(side, side, "c", 0.94) is is_enough
    assert could_show(side, runs(other=[HOLDS] * 9), "c", 0.94) is False


def test_of_versions_that_are_the_same_few_comparisons_find_anything():
    random, comparisons, wrong = Random(3), 400, 0
    rates = {"a": 0.3, "b": 0.5, "c": 0.1, "d": 0.02, "e": 0.8}

    def sample():
        return [
            failing(*found) if found else HOLDS
            for found in ([r for r in rates if random.random() < rates[r]] for _ in range(20))
        ]

    for _ in range(comparisons):
        wrong += any(each.is_shown for each in changes(runs(t=sample()), runs(t=sample()), 0.9))

    assert wrong / comparisons <= 0.1 + 2 * math.sqrt(0.1 * 0.9 / comparisons)
