"""What the spans of a trace recorded of tokens and money, as far as MLflow can add it.

MLflow adds the numbers at the keys that it knows (`mlflow.tracing.utils.aggregate_usage_from_spans`). Another value
there ends the sum of the whole trace, and an empty record counts as 0: neither tells what was spent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeGuard

# the keys of `mlflow.tracing.constant.SpanAttributeKey`, and those of `TokenUsageKey` and `CostKey`
SPAN_TOKEN_USAGE = "mlflow.chat.tokenUsage"  # noqa: S105  # counts of tokens, no secret
SPAN_COST = "mlflow.llm.cost"
_CACHED = ("cache_read_input_tokens", "cache_creation_input_tokens")
_KEYS = {
    SPAN_TOKEN_USAGE: ("input_tokens", "output_tokens", "total_tokens", *_CACHED),
    SPAN_COST: ("input_cost", "output_cost", "total_cost"),
}
NAMES = {SPAN_TOKEN_USAGE: "token usage", SPAN_COST: "cost"}


def is_amount(value: object) -> TypeGuard[int | float]:
    """Return whether `value` is a finite number of zero or more: NaN exceeds no limit, and so would pass each."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def is_addable(record: object, attribute: str) -> bool:
    """Return whether MLflow can add a record, and it says something."""
    if not isinstance(record, Mapping):
        return False
    said = [record[key] for key in _KEYS[attribute] if key in record]
    return bool(said) and all(map(is_amount, said))
