"""Which findings became more frequent from one set of runs to another: exact tests, corrected for their number.

Given how many of the runs of a test have a finding, chance alone spreads them over the two sides by a hypergeometric
law. Over several tests those laws add up; with one test it is R. A. Fisher's exact test (1935), one-sided. S. Holm's
correction (Scandinavian Journal of Statistics 6, 1979) is over the findings that some split could show at all, as
R. E. Tarone proposed (Biometrics 46, 1990).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.rates.frequencies import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mlflow_traces.core.judgements import Judgement
    from pytest_mlflow_traces.core.rates.frequencies import Kind

ANY = "contract.fails"  # the rule of what a run has that fails for whatever reason
Counted = tuple[str, "Kind"]
"""A contract, and a kind of its findings."""


class Runs:
    """The runs of one side: how many of each test each contract is about, and in how many of them each finding is."""

    def __init__(self, contracts: Iterable[str]) -> None:
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in contracts}
        self.having: dict[Counted, Counter[str]] = defaultdict(Counter)
        self.first: dict[Counted, Finding] = {}
        self.not_judged: Counter[str] = Counter()

    def add(self, test: str, contract: str, judgement: Judgement) -> None:
        """Take in what one run came to; one that a contract does not apply to is not a run of it."""
        if judgement.verdict == "not judged":
            self.not_judged[judgement.text] += 1
        elif judgement.verdict != "not applicable":
            self.counts[contract][test] += 1
            any_of_it = [Finding(ANY, contract)] if judgement.findings else []
            for kind, finding in {kind_of(each): each for each in (*any_of_it, *judgement.findings)}.items():
                self.having[contract, kind][test] += 1
                self.first.setdefault((contract, kind), finding)


class Stratum(NamedTuple):
    """The runs of one test: how many on each side have a finding, and how many there are."""

    old: int
    old_runs: int
    new: int
    new_runs: int


@dataclass(frozen=True, slots=True)
class Change:
    """How often one finding is on either side; `p` is the corrected chance, `None` where no split could show it."""

    finding: Finding
    seen: Stratum
    chance: float
    p: float | None
    is_shown: bool


def changes(old: Runs, new: Runs, confidence: float) -> list[Change]:
    """Return every finding of either side, those that are shown to be more frequent in the new runs first."""
    allowed = 1 - confidence
    seen = {each: strata(old, new, each) for each in {**old.having, **new.having}}
    chances = {each: chance(runs) for each, runs in seen.items()}
    possible = sorted((each for each in chances if chances[each][1] <= allowed), key=lambda each: chances[each][0])
    corrected = dict(zip(possible, holm([chances[each][0] for each in possible]), strict=True))
    found = []
    for each, runs in seen.items():
        p = corrected.get(each)
        finding = new.first.get(each) or old.first[each]
        total = Stratum(*map(sum, zip(*runs, strict=True)))
        found.append(Change(finding, total, chances[each][0], p, p is not None and p <= allowed))
    return sorted(found, key=lambda each: (not each.is_shown, each.chance, -each.seen.new, each.finding.rule))


def could_show(old: Runs, new: Runs, contract: str, confidence: float) -> bool:
    """Return whether there are enough runs to show what all new ones have, and none of the old."""
    all_new = [Stratum(0, old.counts[contract][test], runs, runs) for test, runs in new.counts[contract].items()]
    return chance(all_new)[1] <= 1 - confidence


def strata(old: Runs, new: Runs, counted: Counted) -> list[Stratum]:
    """Return the runs of each test, by whether they have a finding."""
    sides = [(side.having.get(counted, Counter()), side.counts[counted[0]]) for side in (old, new)]
    (before, old_runs), (after, new_runs) = sides
    return [Stratum(before[test], old_runs[test], after[test], new_runs[test]) for test in {**old_runs, **new_runs}]


def chance(runs: Sequence[Stratum]) -> tuple[float, float]:
    """Return how probable so many new runs, or more, are by chance among those with a finding, and all that can be."""
    told = [each for each in runs if each.old + each.new and each.old_runs and each.new_runs]
    spread = reduce(_added, (_split(each) for each in told), [1.0])
    least = sum(max(0, each.old + each.new - each.old_runs) for each in told)
    new = sum(each.new for each in told)
    return min(1.0, math.fsum(spread[new - least :])), spread[-1]


def holm(sorted_chances: Sequence[float]) -> list[float]:
    """Return the chances, the smallest first, corrected for their number."""
    corrected: list[float] = []
    for left, each in zip(range(len(sorted_chances), 0, -1), sorted_chances, strict=True):
        corrected.append(max(min(1.0, each * left), *corrected[-1:], 0.0))
    return corrected


def _split(runs: Stratum) -> list[float]:
    """Return how probable each number of new runs is among those with a finding, the fewest that can be first."""
    both = runs.old + runs.new
    numbers = range(max(0, both - runs.old_runs), min(both, runs.new_runs) + 1)
    ways = _ways(runs.old_runs + runs.new_runs, both)
    return [math.exp(_ways(runs.new_runs, k) + _ways(runs.old_runs, both - k) - ways) for k in numbers]


def _ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _added(one: list[float], other: list[float]) -> list[float]:
    """Return how probable each sum of two numbers is."""
    total = [0.0] * (len(one) + len(other) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            total[i + j] += a * b
    return total
