"""Borrowed stability: of a test is held only what the other repeated tests of its suite have shown to be stable.

What an agent does to the world is the same in each run of a test, what it reads on the way is not. Nobody need say
which is which: an aspect of runs is unstable where a run of some test is unlike all other runs of that test, and it
says little where all tests agree on it. Aspects are taken by how unstable they are for what they say, as long as the
runs that they would have flagged in the other tests are as few as was asked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.learning.aspects import Aspect, accepts

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from pytest_mlflow_traces.core.learning.aspects import Calls, Kind, Seen

_MOST_KINDS = 200  # of spans, those that most tests have; names with an id in them are no kinds
FEWEST = 10  # other tests with several runs, below which nothing is known to be stable


class Demand(NamedTuple):
    """What an aspect must have shown to be held."""

    most: float  # the share of the runs of other tests that may be unlike their siblings
    tests: int  # in how many other tests it was there at all


@dataclass(frozen=True, slots=True)
class _Column:
    """One aspect of all runs of all tests, the others than which are asked most questions."""

    aspect: Aspect
    values: Mapping[str, Sequence[Calls]]
    unstable: Mapping[str, frozenset[int]]
    counts: Mapping[str, Counter[Hashable]]
    all: Counter[Hashable]

    def power(self, test: str) -> float:
        """Return how probable it is that two runs of the others differ."""
        rest = self.all - self.counts.get(test, Counter())
        total = rest.total()
        return 1 - sum((count / total) ** 2 for count in rest.values()) if total else 0.0

    def tests(self, test: str) -> int:
        """Return in how many of the others it was there."""
        return sum(any(values) for other, values in self.values.items() if other != test)


class Stability:
    """What the repeated tests of a suite have shown to be stable, with the inputs of calls or without."""

    def __init__(self, tests: Mapping[str, Sequence[Seen]], *, inputs: bool = True) -> None:
        self._roots = {kind for runs in tests.values() for run in runs for kind in run.roots}
        self.tests = {test: runs for test, runs in tests.items() if len(runs) > 1}
        self._inputs = inputs

    @cached_property
    def _columns(self) -> list[_Column]:
        in_tests = Counter(
            kind for runs in self.tests.values() for kind in {kind for run in runs for kind in run.calls}
        )
        kinds = sorted(in_tests, key=lambda kind: (-in_tests[kind], str(kind)))
        return [self._column(aspect) for aspect in self._aspects(kinds[:_MOST_KINDS])]

    def _aspects(self, kinds: Iterable[Kind]) -> list[Aspect]:
        unsaid = {kind for runs in self.tests.values() for run in runs for kind in run.unsaid}
        with_inputs = [True] if self._inputs else []
        told = [kind for kind in kinds if kind not in self._roots]
        return [Aspect(kind, each) for kind in told for each in (False, *with_inputs) if not (each and kind in unsaid)]

    def _column(self, aspect: Aspect) -> _Column:
        values = {test: [run.value(aspect) for run in runs] for test, runs in self.tests.items()}
        unstable = {test: frozenset(_unlike(each)) for test, each in values.items()}
        counts = {test: Counter(map(_key, each)) for test, each in values.items()}
        return _Column(aspect, values, unstable, counts, sum(counts.values(), Counter()))

    def vouched(self, test: str, demand: Demand) -> list[Aspect]:
        """Return the aspects that the tests other than `test` vouch for."""
        runs = sum(len(each) for other, each in self.tests.items() if other != test)
        rated = []
        for column in self._columns:
            unstable = {(other, i) for other, each in column.unstable.items() if other != test for i in each}
            power = column.power(test)
            if power > 0 and column.tests(test) >= demand.tests:
                rated.append((len(unstable) / power, -power, column.aspect, unstable))
        taken, flagged = [], set[tuple[str, int]]()
        for _, _, aspect, unstable in sorted(rated, key=lambda each: (each[0], each[1], str(each[2]))):
            flagged |= unstable
            if len(flagged) > demand.most * runs:
                break
            taken.append(aspect)
        return taken

    def named(self) -> list[Aspect]:
        """Return all aspects: of spans that the user named, all is held."""
        kinds = {kind for runs in self.tests.values() for run in runs for kind in run.calls}
        return self._aspects(sorted(kinds, key=str))

    def held_out(self, demand: Demand | None) -> dict[str, list[bool]]:
        """Return of each run whether it would be flagged by what was learnt without it."""
        found = {}
        for test, runs in self.tests.items():
            aspects = self.named() if demand is None else self.vouched(test, demand)
            rests = ([*runs[:i], *runs[i + 1 :]] for i in range(len(runs)))
            found[test] = [
                flags(run, rest, aspects if demand is None else uncontradicted(aspects, rest))
                for run, rest in zip(runs, rests, strict=True)
            ]
        return found


def uncontradicted(aspects: Sequence[Aspect], runs: Sequence[Seen]) -> list[Aspect]:
    """Return the aspects in which each of several runs is like the others."""
    if len(runs) < 2:
        return [*aspects]
    return [aspect for aspect in aspects if not _unlike([run.value(aspect) for run in runs])]


def flags(run: Seen, others: Sequence[Seen], aspects: Sequence[Aspect]) -> bool:
    """Return whether a run is unlike others in some aspect."""
    return not all(accepts([each.value(aspect) for each in others], run.value(aspect)) for aspect in aspects)


def _unlike(values: Sequence[Calls]) -> list[int]:
    """Return the numbers of the values that lie outside of the ranges of all others."""
    if len(set(map(_key, values))) == 1:
        return []
    return [i for i, value in enumerate(values) if not accepts([*values[:i], *values[i + 1 :]], value)]


def _key(value: Calls) -> Hashable:
    return frozenset(value.items())
