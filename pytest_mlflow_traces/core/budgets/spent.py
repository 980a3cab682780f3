"""What a trace spent of tokens and money by all that recorded it: MLflow's sum, and the spans that it leaves out.

MLflow adds up the spans that have none above them with a record of their own, so that nothing counts twice. A wrapper
that recorded less than the calls below it hides them from that sum. Here the larger of the two counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.spans.usage import SPAN_COST, SPAN_TOKEN_USAGE, is_amount

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mlflow_traces.core.trace import Trace


def tokens_spent(trace: Trace, sum_of_all: Mapping[str, Any]) -> tuple[float, str | None]:
    """Return the tokens of a trace, of which MLflow's sum is known, and what of the records contradicts them."""
    return _larger(trace, SPAN_TOKEN_USAGE, tokens_of, sum_of_all, lambda amount: f"{amount:,} tokens")


def cost_spent(trace: Trace, sum_of_all: Mapping[str, Any]) -> tuple[float, str | None]:
    """Return the cost of a trace in US dollars, likewise."""
    return _larger(trace, SPAN_COST, _cost_of, sum_of_all, lambda amount: f"${amount:g}")


def tokens_of(usage: Mapping[str, Any]) -> float:
    """Return the most that a record of usage tells of.

    Most providers count what was cached among the input. More of it than there is input was not, and comes on top.
    """
    into, out = _amount(usage, "input_tokens"), _amount(usage, "output_tokens")
    cached = _amount(usage, "cache_read_input_tokens") + _amount(usage, "cache_creation_input_tokens")
    return max(_amount(usage, "total_tokens"), into + out + (cached if cached > into else 0))


def _cost_of(cost: Mapping[str, Any]) -> float:
    return max(_amount(cost, "total_cost"), _amount(cost, "input_cost") + _amount(cost, "output_cost"))


def _larger(
    trace: Trace,
    attribute: str,
    amount_of: Callable[[Mapping[str, Any]], float],
    sum_of_all: Mapping[str, Any],
    shown: Callable[[float], str],
) -> tuple[float, str | None]:
    table, known = trace.table, amount_of(sum_of_all)
    below: list[float] = [0] * (len(table) + 1)  # by parent; that of the roots, at -1, comes last
    hiding: tuple[int, float] | None = None
    for i in range(len(table) - 1, -1, -1):
        recorded = table.attribute(i, attribute)
        own = amount_of(recorded) if isinstance(recorded, Mapping) else 0
        if recorded is not None and _exceeds(below[i], own):
            hiding = i, own
        below[table.parents[i]] += max(own, below[i])
    if not _exceeds(below[-1], known):
        return known, None
    if hiding is None:
        return below[-1], f"MLflow's sum is {shown(known)}, that of the spans {shown(below[-1])}"
    i, own = hiding
    why = f"{table.path(i)} recorded {shown(own)}, and the spans below it {shown(below[i])}"
    return below[-1], f"MLflow's sum is {shown(known)}: {why}"


def _exceeds(one: float, other: float) -> bool:
    return one > other and not math.isclose(one, other, rel_tol=1e-9)  # costs are sums of fractions


def _amount(record: Mapping[str, Any], key: str) -> float:
    value = record.get(key)
    return value if is_amount(value) else 0
