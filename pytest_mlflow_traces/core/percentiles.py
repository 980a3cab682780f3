"""Percentiles over a whole table: what of an expectation asks for them, the spans they are over, and what they come to.

An engine makes a percentile of durations, exactly and in parallel; it knows no patterns. So here the spans are found,
trace by trace, and what is said of the numbers is what `Budget(p95_of=...)` says of traces that are in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.budgets.budget import Budget, halves
from pytest_mlflow_traces.core.budgets.limits import tail
from pytest_mlflow_traces.core.contracts import Contract, parts_of, seen_by, split
from pytest_mlflow_traces.core.findings import NO_TRACE, Finding
from pytest_mlflow_traces.core.judgements import Judgement
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.durations import readable_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mlflow_traces.core.budgets.limits import Limit
    from pytest_mlflow_traces.core.trace import Span, Trace


def split_percentiles(expectation: Any) -> tuple[Any | None, Any | None]:
    """Return what of an expectation looks at traces, and what at percentiles over all of them; `None` for nothing."""
    return split(expectation, lambda each: halves(each) if isinstance(each, Budget) else (each, None))


def limits_of(together: Any) -> list[Limit]:
    """Return the limits of all percentiles that an expectation asks for, in their order."""
    return [limit for limit, _ in _asked(together, ())]


def samples(together: Any, trace: Trace) -> Iterator[tuple[int, Span]]:
    """Yield the spans of a trace that percentiles are over, each with the number of its limit."""
    for number, (limit, contracts) in enumerate(_asked(together, ())):
        shown: Trace | None = trace
        for contract in contracts:
            shown = seen_by(contract, shown) if shown is not None and contract.applies(shown) else None
        for span in () if shown is None else shown.find(limit.pattern):
            yield number, span


def _asked(expectation: Any, above: tuple[Contract, ...]) -> Iterator[tuple[Limit, tuple[Contract, ...]]]:
    if isinstance(expectation, Contract):
        for part in parts_of(expectation):
            yield from _asked(part, (*above, expectation))
    else:
        yield from ((limit, above) for limit in expectation.said["p95_of"])


def judge_percentiles(together: Any, traces: int, numbers: Sequence[Mapping[str, Any]]) -> Judgement:
    """Return what the percentiles over some traces come to; `numbers` are those of each limit.

    `count`, `p95`, the `worst` and where it was, `slowest`; how many spans go `backwards`, and the `first` of them.
    """
    if not traces:
        return Judgement("not judged", "not judged: no trace was, and a percentile of nothing is none", (NO_TRACE,))
    found: list[Finding] = []
    for limit, known in zip(limits_of(together), numbers, strict=True):
        if not known["count"] and limit.optional:
            continue
        if known["backwards"]:
            what = counted(known["backwards"], "span")
            found.append(Finding("budget.latency", known["first"], actual=f"{what} that ended before it started"))
        slow = None if known["p95"] is None else (known["p95"], limit.label)
        took = "" if slow is None else f"the slowest took {readable_duration(known['worst'])}: {known['slowest']}"
        found += tail(limit, known["count"], known["count"], slow, traces, took or None)
    name = f"contract {together.name!r}" if isinstance(together, Contract) else f"{together!r:.80}"
    if not found:
        return Judgement("holds", f"{name} holds of {counted(traces, 'trace')} together")
    text = "\n".join([f"{name}: {counted(traces, 'trace')} together:", *(f"  {each}" for each in found)])
    return Judgement("fails", text, tuple(found))
