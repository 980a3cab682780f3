"""The pattern that a trace is recorded as: what another run of the same code must make again, and no more.

Names, types, status and the tree; no ids, no times, no texts. Siblings that overlap in time, or took turns, came in an
order that the next run need not keep, so they are recorded as `any order`. Of a name with an id, the date of the run, a
long number or a placeholder of `pin` in it the rest is recorded.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.patterns.nodes import AnyOrder, Pattern, SpanPattern
from pytest_mlflow_traces.core.spans.overlaps import overlap
from pytest_mlflow_traces.core.spans.records import UNNAMED
from pytest_mlflow_traces.core.text.placeholders import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pytest_mlflow_traces.core.patterns.nodes import Item
    from pytest_mlflow_traces.core.spans.table import SpanTable

# What stands for each part in a regex. Numbers of up to four digits stay: they may count what the code does.
_KINDS = {
    "placeholder": ".+",
    "uuid": "[0-9A-Fa-f-]{36}",
    "date": "[0-9T:.,Z+ -]+",
    "hex": "[0-9A-Fa-f]{16,}",
    "number": "[0-9]{5,}",
}
_VOLATILE = re.compile(
    rf"(?P<placeholder>{PLACEHOLDER.pattern})"
    r"|(?P<uuid>\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b)"
    r"|(?P<date>(?<![0-9])[12][0-9]{3}(?P<dash>-?)[01][0-9](?P=dash)[0-3][0-9](?![0-9])"
    r"(?:[T ]?[0-2][0-9]:?[0-5][0-9][0-9:.,Z+-]*)?)"
    r"|(?P<hex>(?<![0-9A-Za-z])(?=[0-9]*[A-Fa-f])(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{16,}(?![0-9A-Za-z]))"
    r"|(?P<number>[0-9]{5,})"
)
_DAY_NS = 86_400 * 1_000_000_000


def recorded(table: SpanTable, unordered: Container[int] = ()) -> Pattern:
    """Return the pattern of a whole trace.

    Args:
        table: The spans of the trace.
        unordered: The positions of spans whose children are recorded as `any order`, overlapping or not.

    Raises:
        ValueError: for a trace without spans, which equals no pattern.
    """
    if not len(table):
        raise ValueError("a trace without spans equals no pattern")
    made = _made(table, range(len(table)), unordered)
    roots = grouped(table, table.roots(), made, everything=True)  # the language has no sequence of roots
    return roots[0]


def recorded_span(table: SpanTable, i: int, unordered: Container[int] = ()) -> Pattern:
    """Return the pattern of one span and all below it."""
    return _made(table, range(i, table.stops[i]), unordered)[i]


def _made(table: SpanTable, spans: range, unordered: Container[int]) -> dict[int, Pattern]:
    made: dict[int, Pattern] = {}
    for i in reversed(spans):
        items = grouped(table, table.children(i), made, everything=i in unordered)
        for child in table.children(i):
            del made[child]
        made[i] = renewable(table, i, items)
    return made


def strict(table: SpanTable, i: int, children: tuple[Item, ...] | None) -> SpanPattern:
    """Return what is recorded of one span: of one without a name, any name."""
    name = table.names[i] if table.names[i] is not UNNAMED else None
    return SpanPattern(name, table.types[i], table.statuses[i], children=children)


def renewable(table: SpanTable, i: int, children: tuple[Item, ...] | None) -> SpanPattern:
    """Return what is recorded of one span, its name without what the next run makes anew."""
    exact, regex = strict(table, i, children), volatile(table, i)
    return exact if regex is None else replace(exact, name=regex)


def volatile(table: SpanTable, i: int) -> re.Pattern[str] | None:
    """Return the regex of a name in which a part is of one run, `None` of any other name."""
    name, text, at = table.names[i], "", 0
    for found in _VOLATILE.finditer(name):
        # the date of a model, and of any other version, is none of the run
        if found.lastgroup != "date" or _is_of_the_day(found[0], table.starts[i]):
            text += _literal(name[at : found.start()]) + _KINDS[str(found.lastgroup)]
            at = found.end()
    return re.compile(text + _literal(name[at:])) if at else None


def is_dated(name: str) -> bool:
    """Return whether what is volatile in a name may depend on when its span started."""
    return any(found.lastgroup == "date" for found in _VOLATILE.finditer(name))


def _literal(text: str) -> str:
    return re.sub(r"\\([ -])", r"\1", re.escape(text))  # these mean nothing by themselves


def _is_of_the_day(text: str, start_ns: int) -> bool:
    try:
        day = datetime.strptime(re.sub("[^0-9]", "", text)[:8], "%Y%m%d").replace(tzinfo=timezone.utc)
    except ValueError:
        return True  # no date, and so a number
    return abs(day.timestamp() * 1e9 - start_ns) < 2 * _DAY_NS


def grouped(
    table: SpanTable, siblings: Sequence[int], made: dict[int, Pattern], *, everything: bool
) -> tuple[Pattern, ...]:
    """Return the patterns of siblings, those that overlap (or `everything`) as `any order`."""
    groups = [list(siblings)] if everything and siblings else overlapping(table, siblings)
    return tuple(made[group[0]] if len(group) == 1 else AnyOrder(tuple(made[i] for i in group)) for group in groups)


def overlapping(table: SpanTable, siblings: Sequence[int]) -> list[list[int]]:
    """Cut siblings into runs, each span of which overlaps, or took turns with, another; most runs are of one span."""
    runs: list[list[int]] = []
    low, high = 0, None  # from the first start to the last end of the run at hand
    for i in siblings:
        start, end = table.starts[i], table.ends[i]
        if runs and (overlap(low, high, start, end) or any(table.took_turns(i, k) for k in runs[-1])):
            runs[-1].append(i)
            low = min(low, start)
            high = None if high is None or end is None else max(high, end)
        else:
            runs.append([i])
            low, high = start, end
    return runs
