"""A section of a baseline file, loosened: its pattern, and what it holds of tags, attributes and calls beside that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.baselines.file_format import BaselineError
from pytest_mlflow_traces.core.baselines.inventory import (
    ATTRIBUTES,
    CALLS,
    TAGS,
    Holding,
    attributes_of,
    calls_of,
    check_holdings,
    recorded_holdings,
)
from pytest_mlflow_traces.core.variants.loosen import loosened

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from pytest_mlflow_traces.core.baselines.file_format import Section
    from pytest_mlflow_traces.core.trace import Trace


def loosened_section(
    section: Section, trace: Trace, shown: Trace, kinds: Iterable[str], unordered: Container[int]
) -> tuple[Section, list[str]]:
    """Return a section that holds of one more trace, and what was given up for that, a line for each thing.

    Args:
        section: What is held; of a new one, what the trace is.
        trace: The whole trace, for keys and calls.
        shown: What is seen of it, for the tree.
        kinds: What is to be held beside the tree.
        unordered: The positions of spans whose children are in any order.

    Raises:
        BaselineError: where something does not hold that was demanded by hand, or no least change is known.
    """
    notes: list[str] = []

    def change(text: str) -> str:
        found, given_up = loosened(text, shown.table, unordered)
        notes.extend(given_up)
        return found

    before = section.holdings
    holdings = _loosened_holdings(before, trace, kinds)
    changes = zip(before, holdings, strict=False)
    told = [f"{new or 'gone'}: it was `{old}`" for old, new in changes if old != new]
    told += [f"{new}: it is new" for new in holdings[len(before) :] if section.text]
    found = section.changed(change, holdings)
    if check_holdings(found.holdings, trace):
        said = "; ".join(map(str, check_holdings(found.holdings, trace)))
        raise BaselineError(f"what is held beside the tree does not hold: {said}; change it by hand", section.first)
    return found, [*told, *notes]


def _loosened_holdings(lines: Sequence[Holding], trace: Trace, kinds: Iterable[str]) -> list[Holding | None]:
    """Return each line as it holds of the trace, too, `None` where it is to go, and new lines after these."""
    calls = calls_of(trace)
    found = [_loosened(line, trace) for line in lines]
    known = {line.name for line in lines if line.kind == CALLS}
    if known and not any(line.is_open for line in lines if line.kind == CALLS):
        found += [Holding(CALLS, name, low=0, high=count) for name, count in calls.items() if name not in known]
    missing = {*kinds} - {line.kind for line in lines}
    found += recorded_holdings(trace, missing)
    # new lines stand among the others of their kind, so that it does not count which run came first
    named = sorted((each for each in found if each and each.kind == CALLS and each.name), key=str)
    if len(found) > len(lines):
        in_order = iter(named)
        found = [next(in_order) if each and each.kind == CALLS and each.name else each for each in found]
    return found


def _loosened(line: Holding, trace: Trace) -> Holding | None:
    if line.kind == CALLS and line.name is not None:
        count = calls_of(trace).get(line.name, 0)
        high = None if line.high is None else max(line.high, count)
        return replace(line, low=min(line.low, count), high=high)
    if line.kind == CALLS:
        return None if calls_of(trace) and not line.is_open else line
    if line.kind == ATTRIBUTES and line.name is None:
        return line
    if line.kind == TAGS:
        keys, partial = tuple(map(str, trace.tags)), frozenset[str]()
    else:
        keys, partial = attributes_of(trace).get(line.name or "", ((), frozenset()))
    new = [] if line.is_open else [key for key in keys if key not in line.keys]
    optional = {*line.optional, *new, *(key for key in line.keys if key not in keys or key in partial)}
    return replace(line, keys=tuple(sorted({*line.keys, *new})) if new else line.keys, optional=frozenset(optional))
