"""Runs by the test that made them: by its name where it is said, and by what was asked of the agent elsewhere."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pytest_mlflow_traces.core.learning.aspects import operand_of
from pytest_mlflow_traces.core.patterns.constructors import span
from pytest_mlflow_traces.core.spans.records import UNNAMED, visible

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.patterns.operands import Operand
    from pytest_mlflow_traces.core.trace import Trace

_LONGEST = 4000  # characters of the inputs that tell tests apart


class Asked(NamedTuple):
    """What a trace begins with: its root, and the inputs of that, which may stand in a contract or not."""

    name: str
    type: str
    inputs: Operand | None

    def pattern(self) -> Pattern:
        """Return the pattern of such a root."""
        said = {} if self.inputs is None else {"inputs": self.inputs.value}
        return span(self.name, type=self.type, **said)  # type: ignore[arg-type]  # inputs are of any type


def asked_of(trace: Trace) -> Asked | None:
    """Return what a trace begins with; `None` for one that has several roots, or a nameless one."""
    if len(trace.roots) != 1 or trace.roots[0].name is UNNAMED:
        return None
    root = trace.roots[0]
    return Asked(root.name, root.type, operand_of(root.inputs, _LONGEST))


def by_test(runs: Iterable[tuple[Trace, str | None]]) -> dict[str, list[Trace]]:
    """Return the traces of each test; of one that makes several traces in a run, those that begin alike.

    A trace of no test that is known belongs with those that begin with the same inputs; without such, it stands alone.
    """
    groups: defaultdict[Hashable, list[Trace]] = defaultdict(list)
    for number, (trace, test) in enumerate(runs):
        asked = asked_of(trace)
        alone = None if asked is not None and asked.inputs is not None else number
        groups[(None, asked, alone) if test is None else (test, asked and asked[:2], None)].append(trace)
    found: dict[str, list[Trace]] = {}
    for (test, *_), traces in groups.items():  # type: ignore[misc]  # each key is a tuple of three
        for each in _parts(traces):
            name = visible(test) if test is not None else _title(each[0])
            found[_free(name, found)] = each
    return found


def _parts(traces: list[Trace]) -> list[list[Trace]]:
    """Return the traces of a test by what they begin with, where each such beginning is there several times."""
    parts: defaultdict[Asked | None, list[Trace]] = defaultdict(list)
    for trace in traces:
        parts[asked_of(trace)].append(trace)
    return [*parts.values()] if all(len(each) > 1 for each in parts.values()) else [traces]


def _title(trace: Trace) -> str:
    asked = asked_of(trace)
    inputs = "" if asked is None or asked.inputs is None else f" {asked.inputs.text:.60}"
    return visible(f"{trace.name}{inputs}")


def _free(name: str, taken: Mapping[str, object]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def told_apart(tests: Mapping[str, Sequence[Trace]]) -> dict[str, Pattern]:
    """Return the pattern of the root of each test that no other test has, of those whose runs all begin alike."""
    begins = {test: {asked_of(trace) for trace in traces} for test, traces in tests.items()}
    homes: defaultdict[Asked | None, set[str]] = defaultdict(set)
    for test, asked in begins.items():
        for each in asked:
            homes[each].add(test)
    return {
        test: each.pattern()
        for test, asked in begins.items()
        for each in asked
        if each is not None and len(asked) == 1 and len(homes[each]) == 1 and _is_told(each, begins)
    }


def _is_told(asked: Asked, begins: Mapping[str, set[Asked | None]]) -> bool:
    """Return whether what is said of a root holds of no other test's: one without inputs is like any of its name."""
    if asked.inputs is not None:
        return True
    alike = {each for those in begins.values() for each in those if each is None or each[:2] == asked[:2]}
    return alike == {asked}
