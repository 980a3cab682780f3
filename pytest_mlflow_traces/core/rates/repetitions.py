"""The runs of one test that is repeated by a plan, and what they come to so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.rates.frequencies import Frequencies, kind_of
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.percentages import percentage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.rates.sequential import Plan


class Repetitions:
    """The runs of a test so far: how many held, and what was found in those that failed."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.held = 0
        self._failed: list[tuple[int, set[tuple[str, str]]]] = []  # the number of a run, from 1 on, and what it had
        self._found = Frequencies()

    def hold(self) -> None:
        """Note that one more run held."""
        self.held += 1

    def fail(self, findings: Sequence[Finding]) -> None:
        """Note that one more run failed, and for what."""
        self._found.add(findings)
        self._failed.append((self.runs + 1, set(map(kind_of, findings))))

    @property
    def runs(self) -> int:
        """How many there were."""
        return self.held + len(self._failed)

    @property
    def verdict(self) -> Literal["green", "red"] | None:
        """How it ends; `None` where the answer is not sure yet."""
        return self._plan.verdict(self.held, len(self._failed))

    @property
    def typical(self) -> int:
        """The number of the first run that failed for what most of them failed for."""
        kind = next(iter(self._found.runs))
        return next(number for number, kinds in self._failed if kind in kinds)

    @property
    def headline(self) -> str:
        """What came, and what was expected."""
        expected = f"expected at least {percentage(self._plan.at_least)}"
        return f"held in {self.held} of {counted(self.runs, 'run')}; {expected}"

    @property
    def finding(self) -> Finding:
        """The finding that it is where it ends red."""
        expected = f"at least {percentage(self._plan.at_least)} of its runs hold"
        return Finding("rate.low", "this test", expected, f"{self.held} of {self.runs}")

    @property
    def line(self) -> str:
        """What there is to know of a test that is green, too: how sure that is."""
        return f"held in {self.held} of {counted(self.runs, 'run')}, {self._plan.most} at most: {self._plan}"

    @property
    def text(self) -> str:
        """All there is to say where it ends red."""
        lines = [
            self.headline,
            f"  stopped after {self.runs} of at most {counted(self._plan.most, 'run')}: that {self._plan}",
            f"  in the {counted(len(self._failed), 'run')} that failed:",
            *(f"    {line}" for line in self._found.lines()),
        ]
        return "\n".join(lines)
