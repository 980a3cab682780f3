"""A test that is run until the answer is sure: Wald's sequential test of a rate, cut off after a number of runs.

A. Wald, "Sequential tests of statistical hypotheses", Annals of Mathematical Statistics 16 (1945), 117-186. Where his
test is cut off, its error rates are no longer his: so they are computed here, exactly, by going through all numbers of
runs and of failures among them. Of all rates that such a plan could tell from the one that is asked for, it takes the
nearest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_mlflow_traces.core.rates.binomial import check_confidence, lower_bound, upper_tail
from pytest_mlflow_traces.core.text.percentages import percentage

if TYPE_CHECKING:
    from collections.abc import Iterator

_FURTHER = 1.02  # from one rate that is tried to the next, by its distance from the one that is asked for
_HALVINGS = 50
_MOST = 100_000  # runs that anybody is told to ask for


class Course(NamedTuple):
    """What comes of a plan at one rate: how probable it is to end green and red, and after how many runs on average."""

    green: float
    red: float
    runs: float


@dataclass(frozen=True)
class Plan:
    """After each number of runs, up to how many failures end it green, and from how many on they end it red.

    It tells two rates apart, with the confidence at each: `at_least`, and `below`.
    """

    at_least: float
    confidence: float
    green: tuple[int, ...]
    red: tuple[int, ...]

    @property
    def most(self) -> int:
        """The number of runs after which it is cut off."""
        return len(self.green)

    def verdict(self, held: int, failed: int) -> Literal["green", "red"] | None:
        """Return how it ends after so many runs; `None` where it goes on."""
        at = held + failed - 1
        if at < 0:
            return None
        return "green" if failed <= self.green[at] else "red" if failed >= self.red[at] else None

    def at(self, rate: float) -> Course:
        """Return what comes of it where runs hold at a rate."""
        green = red = runs = 0.0
        going = {0: 1.0}  # how probable each number of failures is, of what goes on
        for most, least in zip(self.green, self.red, strict=True):
            runs += math.fsum(going.values())
            going = _next(going, rate)
            green += math.fsum(chance for failed, chance in going.items() if failed <= most)
            red += math.fsum(chance for failed, chance in going.items() if failed >= least)
            going = {failed: chance for failed, chance in going.items() if most < failed < least}
        return Course(green, red, runs)

    @cached_property
    def below(self) -> float:
        """The rate at which, and below which, it ends red with the confidence."""
        low, high = 0.0, self.at_least
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.at(middle).green <= 1 - self.confidence else (low, middle)
        return low

    def __str__(self) -> str:
        """Say what it tells apart."""
        rates = f"{percentage(self.at_least)} from {percentage(self.below)}"
        return f"tells {rates} with {percentage(self.confidence)} confidence"


@lru_cache(maxsize=64, typed=True)  # 20.0 is not 20
def plan(at_least: float, most: int, confidence: float) -> Plan:
    """Return the plan for a rate that takes at most so many runs.

    Of runs that hold at the rate, it ends green with the confidence; of runs that hold at `below`, red. That is the
    nearest rate at which both are so, and half of the runs are enough on average, at both.

    >>> from pytest_mlflow_traces.core.rates.sequential import plan
    >>> print(plan(0.9, 20, 0.95))
    tells 90 % from 54.5 % with 95 % confidence

    Raises:
        ValueError: for what is no rate, no number of runs or no confidence above a half, or for too few runs to tell
            the rate from half of it.
    """
    _check(at_least, most, confidence)
    found = _found(at_least, most, confidence)
    if found is None:
        enough = _enough(at_least, most, confidence)
        raise ValueError(f"{most} {'run' if most == 1 else 'runs'} cannot tell {percentage(at_least)} from "
                         f"{percentage(at_least / 2)} with {percentage(confidence)} confidence: {enough}")  # fmt: skip
    return found


def _check(at_least: float, most: int, confidence: float) -> None:
    if type(at_least) not in (int, float) or not 0 < at_least <= 1:
        raise ValueError(f"at_least is a rate above 0 and up to 1, such as 0.9; got {at_least!r:.80}")
    if type(most) is not int or most < 1:
        raise ValueError(f"repeat is a whole number of runs, 1 or more; got {most!r:.80}")
    check_confidence(confidence)
    if confidence <= 0.5:
        raise ValueError(f"confidence={confidence!r}: that is no better than a coin; give one above 0.5, such as 0.95")


def _found(at_least: float, most: int, confidence: float) -> Plan | None:
    for rate in _tried(at_least, most, confidence):
        made = _certain(at_least, most, confidence) if at_least == 1 else _cut_off(at_least, rate, most, confidence)
        if made is not None and made.at(rate).green <= 1 - confidence:
            is_short = max(made.at(rate).runs, made.at(at_least).runs) <= most / 2
            if is_short or at_least == 1:
                return made
    return None


def _tried(at_least: float, most: int, confidence: float) -> Iterator[float]:
    """Yield rates below, the nearest first: from the one that all of the runs could tell, to half of the rate."""
    allowed = next((r for r in range(most + 1) if upper_tail(r, most, 1 - at_least) <= 1 - confidence), most + 1)
    distance = at_least - lower_bound(most - allowed + 1, most, confidence)
    while distance <= at_least / 2:
        yield at_least - distance
        distance *= _FURTHER


def _certain(at_least: float, most: int, confidence: float) -> Plan:
    """Return the plan for a rate of 1, which one failure disproves, and only all of the runs can speak for."""
    return Plan(at_least, confidence, (*[-1] * (most - 1), 0), (1,) * most)


def _cut_off(at_least: float, rate: float, most: int, confidence: float) -> Plan | None:
    """Return Wald's test of two rates, cut off where its errors at the higher one stay allowed; `None` for nowhere."""
    held, failed = math.log(at_least / rate), math.log((1 - rate) / (1 - at_least))  # what a run says for one of them
    sure = math.log(confidence / (1 - confidence))
    green = [math.floor((n * held - sure) / (held + failed)) for n in range(1, most + 1)]
    red = [math.ceil((n * held + sure) / (held + failed)) for n in range(1, most + 1)]
    last = _last(at_least, 1 - confidence, green, red)
    if last is None:
        return None
    # what the rest of the runs cannot change any more is decided
    green = [max(most_failed, last - 1 - (most - n)) for n, most_failed in enumerate(green, 1)]
    red = [min(least_failed, last) for least_failed in red]
    return Plan(at_least, confidence, (*green[:-1], last - 1), (*red[:-1], last))


def _last(at_least: float, allowed: float, green: list[int], red: list[int]) -> int | None:
    """Return from how many failures on all of the runs are red, the fewest that end a good test red seldom enough."""
    wrong, going = 0.0, {0: 1.0}
    for most, least in zip(green, red, strict=True):
        going = _next(going, at_least)
        wrong += math.fsum(chance for failed, chance in going.items() if failed >= least)
        going = {failed: chance for failed, chance in going.items() if most < failed < least}
    last = red[-1]
    for failed in sorted(going, reverse=True):
        if wrong + going[failed] > allowed:
            break
        wrong += going[failed]
        last = failed
    return last if wrong <= allowed else None


def _next(going: dict[int, float], rate: float) -> dict[int, float]:
    """Return how probable each number of failures is after one more run."""
    after = dict.fromkeys((*going, *(failed + 1 for failed in going)), 0.0)
    for failed, chance in going.items():
        after[failed] += chance * rate
        after[failed + 1] += chance * (1 - rate)
    return after


def _enough(at_least: float, most: int, confidence: float) -> str:
    """Say how many runs would be enough."""
    few, many = most, most * 2
    while _found(at_least, many, confidence) is None:
        few, many = many, many * 2
        if many > _MOST:
            return f"nor can {few}"
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if _found(at_least, middle, confidence) else (middle, many)
    return f"{many} can"
