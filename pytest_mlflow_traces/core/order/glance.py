"""What can be said of most spans by a look at one other: the nearest, the first or the last of all."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces.core.order.terms import Terms
    from pytest_mlflow_traces.core.order.timeline import Timeline


def at_a_glance(
    line: Timeline, rule: Terms, spans: Sequence[int], others: Sequence[int], cuts: Sequence[int]
) -> dict[int, int | None]:
    """Return the witness, or `None` for none, of each span of which that is easy to tell; see `judging`."""
    if not others:
        return dict.fromkeys(spans)
    if rule.word == "never":
        return _never(line, spans, others, cuts, later=rule.relation == "after")
    return _after(line, spans, others, cuts) if rule.relation == "after" else _before(line, spans, others, cuts)


def _never(
    line: Timeline, spans: Sequence[int], others: Sequence[int], cuts: Sequence[int], *, later: bool
) -> dict[int, int | None]:
    starts, stops, found = line.starts, line.stops, dict[int, int | None]()
    extreme, q = (min if later else max)((starts[i], i) for i in others)
    stop = stops[q]
    for p in spans:
        stands = starts[p], p
        if stands <= (extreme, q) if later else stands >= (extreme, q):
            found[p] = None  # not even the first q (or the last) is on that side
        elif not cuts and (stop <= p or stops[p] <= q):
            found[p] = q
    return found


def _after(line: Timeline, spans: Sequence[int], others: Sequence[int], cuts: Sequence[int]) -> dict[int, int | None]:
    starts, ends, stops, found = line.starts, line.ends, line.stops, dict[int, int | None]()
    ordered = sorted(others, key=starts.__getitem__)
    times, is_clear = [starts[i] for i in ordered], _clear(line, cuts)
    for p in spans:
        at = bisect_left(times, starts[p]) - 1
        if at >= 0:
            q = ordered[at]
            end = ends[q]
            apart = end is not None and end < starts[p] and (stops[q] <= p or stops[p] <= q)
            if apart and (not cuts or is_clear(q, p)):
                found[p] = q
    return found


def _before(line: Timeline, spans: Sequence[int], others: Sequence[int], cuts: Sequence[int]) -> dict[int, int | None]:
    starts, ends, stops, found = line.starts, line.ends, line.stops, dict[int, int | None]()
    ordered = sorted(others, key=starts.__getitem__)
    times, is_clear = [starts[i] for i in ordered], _clear(line, cuts)
    for p in spans:
        end = ends[p]
        at = len(times) if end is None else bisect_right(times, end)
        if at < len(times):
            q = ordered[at]
            if (stops[q] <= p or stops[p] <= q) and (not cuts or is_clear(p, q)):
                found[p] = q
    return found


def _clear(line: Timeline, cuts: Sequence[int]) -> Callable[[int, int], bool]:
    """Return the question whether no cut but the two themselves starts from the start of one to that of the other."""
    starts, own = line.starts, set(cuts)
    times = sorted(starts[i] for i in cuts)

    def is_clear(one: int, two: int) -> bool:
        between = bisect_right(times, starts[two]) - bisect_left(times, starts[one])
        return between == (one in own) + (two in own)

    return is_clear
