"""What a suite's tests do each time, as the lines of a contract for each: by borrowed stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.budgets.budget import Budget
from pytest_mlflow_traces.core.expectation import Has
from pytest_mlflow_traces.core.learning.aspects import any_of, ranges
from pytest_mlflow_traces.core.learning.held_out import HeldOut
from pytest_mlflow_traces.core.learning.learnt import Line
from pytest_mlflow_traces.core.learning.stability import FEWEST, Demand, Stability, uncontradicted
from pytest_mlflow_traces.core.order.rule import never
from pytest_mlflow_traces.core.patterns.constructors import one_of, span
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mlflow_traces.core.learning.aspects import Aspect, Kind, Seen

_VOUCHING = (1, 2, 3, 5, 8, 12, 20, 40)  # tests in which an aspect must have been there, from strict to loose


@dataclass(frozen=True, slots=True)
class PerTest:
    """The lines that each test is held to, and how often they flag runs that pass."""

    lines: Mapping[str, Sequence[Line]]
    held_out: HeldOut


def per_test(
    tests: Mapping[str, Sequence[Seen]], most: float, *, named: bool = False, inputs: bool = True
) -> PerTest | None:
    """Return what each test is held to, as strict as the share of false alarms allows.

    A test with one run is held to that, in what the repeated ones have shown to be stable.

    Args:
        tests: What each run of each test did.
        most: The share of passing runs that may be flagged, as held-out runs tell.
        named: Whether the user named the spans that are looked at: then all is held, and no other test need vouch.
        inputs: Whether the inputs of calls are held, too.

    Returns:
        `None` where there are too few other tests with several runs to say what is stable, or none is.
    """
    stability = Stability(tests, inputs=inputs)
    demands: list[Demand | None] = [None] if named and stability.tests else []
    if len(stability.tests) > FEWEST:
        demands += [Demand(share, 1) for share in dict.fromkeys((most, most / 2, 0.0))]
        demands += [Demand(0.0, fewest) for fewest in _VOUCHING[1:]]
    for demand in demands:
        held_out = HeldOut(stability.held_out(demand))
        if held_out.rate <= most:
            lines = {test: _lines(stability, test, runs, demand) for test, runs in tests.items() if runs}
            return PerTest(lines, held_out) if any(lines.values()) else None
    return None


def _lines(stability: Stability, test: str, runs: Sequence[Seen], demand: Demand | None) -> list[Line]:
    aspects = stability.named() if demand is None else uncontradicted(stability.vouched(test, demand), runs)
    support = f"{len(runs)} of {counted(len(runs), 'run')}"
    held = {aspect.kind: aspect for aspect in sorted(aspects, key=lambda each: each.with_inputs)}
    absent = [kind for kind in held if not any(run.value(held[kind]) for run in runs)]
    lines = [*_absent(absent, support)]
    for kind, aspect in sorted(held.items(), key=str):
        if kind not in absent:
            lines += [Line(each, support) for each in _present(aspect, runs)]
    return lines


def _absent(kinds: Sequence[Kind], support: str) -> Iterator[Line]:
    """Yield a line for each type and status of spans that are nowhere, their names in one regex."""
    alike: dict[tuple[str, str | None], list[str]] = {}
    for kind in sorted(kinds, key=str):
        alike.setdefault((kind.type, kind.status), []).append(kind.name)
    for (type_, status), names in alike.items():
        yield Line(never(span(any_of(names), type=type_, status=status)), support)


def _present(aspect: Aspect, runs: Sequence[Seen]) -> Iterator[Budget | Has]:
    """Yield how many calls of a kind there are, and where inputs are held, how many with which."""
    values = [run.value(aspect) for run in runs]
    kind, found = aspect.kind, ranges(values)
    low, high = found.pop(None)
    found = dict(sorted(found.items(), key=lambda each: str(each[0])))
    yield Budget(calls={kind.pattern(): (low, high)})
    for inputs, (least, most) in found.items():
        if least == most == 1:
            yield Has(kind.pattern(inputs))  # which tells of the nearest call that there was
        elif least:
            yield Budget(calls={kind.pattern(inputs): (least, most)})
    all_have_inputs = all(sum(each.values()) == 2 * each.get(None, 0) for each in values)
    if all_have_inputs and sum(least for least, _ in found.values()) < high:
        # some were there in some runs only, and none but these in any
        yield Budget(calls={one_of(*map(kind.pattern, found)): (low, high)})
