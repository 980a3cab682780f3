"""Contracts from the passing runs of a suite: one for all traces together, and one for each test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.learning.all_traces import all_traces
from pytest_mlflow_traces.core.learning.aspects import seen_in
from pytest_mlflow_traces.core.learning.learnt import Learnt
from pytest_mlflow_traces.core.learning.per_test import per_test
from pytest_mlflow_traces.core.learning.stability import FEWEST
from pytest_mlflow_traces.core.learning.suites import told_apart
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.trace import Trace


@dataclass(frozen=True, slots=True)
class Asking:
    """What is to be learnt.

    Args:
        most: The share of passing runs that may be flagged.
        only: Patterns of the spans that are looked at; all of them, where there are none.
        inputs: Whether the inputs of calls are held.
        apart: The tag that tells the tests apart.
    """

    most: float = 0.05
    only: Sequence[Pattern] = ()
    inputs: bool = True
    apart: str | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """The contracts that were learnt, and what is to be said of them."""

    together: Learnt | None
    tests: Mapping[str, Learnt]
    said: Sequence[str]

    def as_one(self, name: str) -> Learnt | None:
        """Return one contract: each test by what its root begins with; `None` where nothing was learnt."""
        known = [each for each in self.tests.values() if each.applies_to is not None]
        about = self.said[-1:] if known else []
        tests = [Learnt("each test", inside=known, notes=about)] if known else []
        inside = [*([] if self.together is None else [self.together]), *tests]
        return Learnt(name, inside=inside, notes=[f"Learnt from {self.said[0]}."]) if inside else None


def learn(tests: Mapping[str, Sequence[Trace]], asking: Asking, failing: Sequence[Trace] = ()) -> Lesson:
    """Return what the passing runs of some tests have in common, all together and those of each test."""
    runs, repeated = sum(map(len, tests.values())), sum(len(each) > 1 for each in tests.values())
    said = [f"{counted(runs, 'passing run')} of {counted(len(tests), 'test')}, {repeated} of them with several runs"]
    together = _together(tests, asking, failing, said)
    contracts = _each(tests, asking, repeated, said)
    return Lesson(together, contracts, said)


def _together(
    tests: Mapping[str, Sequence[Trace]], asking: Asking, failing: Sequence[Trace], said: list[str]
) -> Learnt | None:
    def seen(traces: Sequence[Trace]) -> list[Trace]:
        return [trace.only(*asking.only) for trace in traces] if asking.only else [*traces]

    found = all_traces(
        {test: seen(traces) for test, traces in tests.items()}, asking.most, failing=seen(failing), apart=asking.apart
    )
    if found is None:
        said.append("all traces together: nothing that holds of other tests, too, within the false alarms asked for")
        return None
    said.append(f"all traces together, {counted(len(found.lines), 'line')}: {found.held_out}")
    return Learnt("all traces", found.lines, only=asking.only, notes=[said[-1]])


def _each(tests: Mapping[str, Sequence[Trace]], asking: Asking, repeated: int, said: list[str]) -> dict[str, Learnt]:
    seen = {test: [seen_in(trace, asking.only) for trace in traces] for test, traces in tests.items()}
    found = per_test(seen, asking.most, named=bool(asking.only), inputs=asking.inputs)
    if found is None:
        few = f"not enough runs to say what is stable, for which {FEWEST + 1} tests with several runs are needed"
        said.append(f"each test: {few if repeated <= FEWEST else 'nothing is stable enough'}; no contract for a test")
        return {}
    apart = told_apart(tests)
    held = {test: lines for test, lines in found.lines.items() if lines}
    said.append(f"each test, {counted(len(held), 'contract')}: {found.held_out}")
    return {test: Learnt(test, lines, applies_to=apart.get(test)) for test, lines in held.items()}
