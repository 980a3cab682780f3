"""How often what was learnt flags runs that it was not learnt from, and how sure that is.

Runs of one test are alike, so the bound counts tests, not runs: those in which some run would have been flagged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.rates.binomial import upper_bound
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIDENCE = 0.95
_NOTABLE = 0.05  # what no number of false alarms could promise, of so few tests


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Of each test, which of its runs would have been flagged by what was learnt without them."""

    flagged: Mapping[str, Sequence[bool]]

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return sum(map(len, self.flagged.values()))

    @property
    def alarms(self) -> int:
        """How many of them would have been flagged."""
        return sum(map(sum, self.flagged.values()))

    @property
    def rate(self) -> float:
        """Their share."""
        return self.alarms / self.runs if self.runs else 0.0

    @property
    def bound(self) -> float:
        """What that share is at most, with a one-sided confidence of 95 %."""
        return upper_bound(sum(map(any, self.flagged.values())), len(self.flagged), CONFIDENCE) if self.flagged else 1.0

    def __str__(self) -> str:
        tests = len(self.flagged)
        if not tests:
            return "nothing was held out: nothing is known of false alarms"
        said = f"held out, {self.alarms} of {counted(self.runs, 'passing run')} in {counted(tests, 'test')} "
        said += f"would have been flagged ({100 * self.rate:.1f} %); "
        said += f"at most {_up(self.bound)} % at a confidence of {100 * CONFIDENCE:.0f} %"
        least = upper_bound(0, tests, CONFIDENCE)
        few = f"; with {counted(tests, 'test')}, even none could not promise below {_up(least)} %"
        return said + (few if least > _NOTABLE else "")


def _up(share: float) -> int:
    """Return a share in whole percents, rounded up: what is promised is not less than what is known."""
    return math.ceil(share * 100 - 1e-9)
