"""Which of many rules to keep: those of kinds that have shown to hold of tests they were not learnt from.

No rule that is kept is broken by any run, so none says of itself how safe it is. Its like do: rules of the same family
that as many tests support, and of which a single test breaks some. Had that test not been there, they would have been
kept, and its runs flagged. Such a stratum of rules is taken or left as one, those first that flagged few for what they
hold, as long as all that are flagged stay below the share that was asked.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_mlflow_traces.core.learning.facts import Rule

FEWEST = 3  # tests that support a rule
_LIMITING = {"calls", "size"}
_STEPS = (FEWEST, 5, 8, 12, 20)  # where strata begin, by the tests that support their rules


class Candidate(NamedTuple):
    """A rule, the tests in which it had something to say, those with a run that breaks it, and these runs, as bits."""

    rule: Rule
    tests: int
    breaking: int
    broken: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all rules say of all runs: each test by its bit, and the runs of each as bits."""

    candidates: Sequence[Candidate]
    runs: Sequence[int]

    @classmethod
    def gathered(cls, facts: Sequence[Mapping[Rule, bool]], tests: Sequence[int]) -> Evidence:
        """Return the evidence of runs: what rules say of each, and the number of its test."""
        applies: defaultdict[Rule, int] = defaultdict(int)
        breaking: defaultdict[Rule, int] = defaultdict(int)
        broken: defaultdict[Rule, int] = defaultdict(int)
        runs = [0] * (max(tests, default=-1) + 1)
        for number, (said, test) in enumerate(zip(facts, tests, strict=True)):
            runs[test] |= 1 << number
            for rule, kept in said.items():
                applies[rule] |= 1 << test
                if not kept:
                    breaking[rule] |= 1 << test
                    broken[rule] |= 1 << number
        found = [Candidate(rule, its, breaking[rule], broken[rule]) for rule, its in applies.items()]
        return cls([each for each in found if each.tests.bit_count() >= FEWEST], runs)

    def chosen(self, tests: int, most: float, fewest: int = FEWEST) -> list[Candidate]:
        """Return the rules to keep by what some tests say, of which at most a share of runs may be flagged.

        Args:
            tests: The tests that are asked, as bits.
            most: The share.
            fewest: How many of them a rule must have been tried in.
        """
        strata: defaultdict[tuple[str, int], list[Candidate]] = defaultdict(list)
        tightest: dict[object, Candidate] = {}  # of limits, which come from the tightest on
        flagged: defaultdict[tuple[str, int], int] = defaultdict(int)
        for each in self.candidates:
            support = (each.tests & tests).bit_count()
            odd = each.breaking & tests
            if not odd and support >= fewest:
                if each.rule.family not in _LIMITING or tightest.setdefault(each.rule[:2], each) is each:
                    strata[_stratum(each.rule, support)].append(each)
            elif odd.bit_count() == 1 and support > fewest:
                flagged[_stratum(each.rule, support - 1)] |= each.broken & self.runs[odd.bit_length() - 1]
        limit = most * self.runs_of(tests).bit_count()
        taken: list[Candidate] = []
        alarms = 0

        def risk(stratum: tuple[str, int]) -> tuple[float, int, str]:
            # that none was flagged by a few rules says less than that none was by many
            seen = flagged[stratum].bit_count() + 0.5
            return seen / math.sqrt(len(strata[stratum])), -stratum[1], stratum[0]

        for stratum in sorted(strata, key=risk):
            if (alarms | flagged[stratum]).bit_count() <= limit:
                alarms |= flagged[stratum]
                taken += strata[stratum]
        return taken

    def runs_of(self, tests: int) -> int:
        """Return the runs of some tests."""
        return sum(runs for number, runs in enumerate(self.runs) if tests >> number & 1)


def broken_by(candidates: Iterable[Candidate]) -> int:
    """Return the runs that break some of the rules."""
    broken = 0
    for each in candidates:
        broken |= each.broken
    return broken


def _stratum(rule: Rule, support: int) -> tuple[str, int]:
    return rule.family + "=" * isinstance(rule.more, str) * bool(rule.more), _STEPS[bisect_right(_STEPS, support) - 1]
