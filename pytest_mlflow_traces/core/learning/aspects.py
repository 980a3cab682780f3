"""What is looked at in a run: how often each kind of span succeeded, and with what inputs.

A call that failed does not count: an agent that tries again did nothing else. Roots do not count either, which say what
was asked of the agent; a pattern of a kind that roots have, too, would count them.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pytest_mlflow_traces.core.matching import matcher
from pytest_mlflow_traces.core.patterns.constructors import span
from pytest_mlflow_traces.core.patterns.operands import Operand
from pytest_mlflow_traces.core.spans.records import UNNAMED
from pytest_mlflow_traces.core.text.redaction import redacted_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.trace import Trace

LONGEST = 300  # characters of inputs that a line can hold
Calls: TypeAlias = "Mapping[Operand | None, int]"  # how many there are, by their inputs; under `None`, in all
NO_CALLS: Calls = {}


class Kind(NamedTuple):
    """A kind of span."""

    name: str
    type: str
    status: str | None = None

    def pattern(self, inputs: Operand | None = None) -> Pattern:
        """Return the pattern of such a span, with these inputs."""
        said: dict[str, Any] = {} if inputs is None else {"inputs": inputs.value}
        return span(self.name, type=self.type, status=self.status, **said)


class Aspect(NamedTuple):
    """Something that runs are compared by: how many calls of a kind there are, or also with what inputs."""

    kind: Kind
    with_inputs: bool


class Seen(NamedTuple):
    """What one run did, by kinds; those of which some inputs cannot stand in a contract, and those of its roots."""

    calls: Mapping[Kind, Calls]
    unsaid: frozenset[Kind] = frozenset()
    roots: frozenset[Kind] = frozenset()

    def value(self, aspect: Aspect) -> Calls:
        """Return what an aspect of the run is."""
        calls = self.calls.get(aspect.kind, NO_CALLS)
        return calls if aspect.with_inputs or not calls else {None: calls[None]}


def seen_in(trace: Trace, only: Sequence[Pattern] = ()) -> Seen:
    """Return what a run did; of spans that `only` names, where it names any."""
    table = trace.table
    looked_at: Any = range(len(table))
    if only:
        looked_at = sorted({i for each in only for i in matcher.find(table, each)})
    calls: dict[Kind, Counter[Operand | None]] = {}
    unsaid, roots = set(), set()
    for i in looked_at:
        if table.statuses[i] == "ERROR" or table.names[i] is UNNAMED:
            continue
        kind = Kind(table.names[i], table.types[i], table.statuses[i])
        if table.parents[i] < 0:
            roots.add(kind)
            continue
        its = calls.setdefault(kind, Counter())
        its[None] += 1
        inputs = table.inputs(i)
        said = operand_of(inputs)
        if said is not None:
            its[said] += 1
        elif inputs is not None:
            unsaid.add(kind)
    return Seen(calls, frozenset(unsaid), frozenset(roots))


def operand_of(value: object, longest: int = LONGEST) -> Operand | None:
    """Return a value as a contract can say it; `None` for nothing, for what is long, and for what looks secret."""
    if value is None:
        return None
    try:
        operand = Operand(value)
    except (TypeError, ValueError):
        return None
    is_plain = operand.is_literal and len(operand.text) <= longest
    return operand if is_plain and redacted_values(operand.value) == operand.value else None


def any_of(names: Sequence[str]) -> str | re.Pattern[str]:
    """Return what stands for each of some names of spans."""
    return names[0] if len(names) == 1 else re.compile("|".join(map(re.escape, names)))


def accepts(seen: Sequence[Calls], value: Calls) -> bool:
    """Return whether what a run did lies in the ranges of what was seen."""
    return all(low <= value.get(key, 0) <= high for key, (low, high) in ranges(seen, value).items())


def ranges(seen: Sequence[Calls], *others: Calls) -> dict[Operand | None, tuple[int, int]]:
    """Return the fewest and the most calls that were seen, in all and by their inputs, those of `others` among them."""
    keys = dict.fromkeys(key for each in (*seen, *others) for key in each)
    return {key: (min(counts), max(counts)) for key in keys for counts in [[each.get(key, 0) for each in seen]]}
