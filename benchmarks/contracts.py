"""What a contract costs a trace of nine spans: its shape, its tags, its budget, and all three, by the milliseconds.

Beside it, what one would write instead of a schema: a pydantic model of plain strings, which decides less. Each check
gets a trace that was never asked before, since an answer that is remembered is not a measurement.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any, Literal

import mlflow
from pydantic import BaseModel

from pytest_mlflow_traces import Budget, Contract, Trace, any_order, capture_traces, repeat, span
from pytest_mlflow_traces.core.tags.portability import portability
from reference_agent.contract import HealthMonitorTags

if TYPE_CHECKING:
    from collections.abc import Callable

BAR_MS = 1.0
ROUNDS = 2_000
TAGS = {
    "user_id": "ada",
    "session_id": "s1",
    "environment": "dev",
    "domains": "cost,security",
    "domain_count": "2",
    "confidence": "0.85",
    "is_multi_domain": "true",
    "utility_tools_used": "",
    "source_count": "2",
    "response_length": "96",
    "has_error": "false",
}
METADATA = {"mlflow.trace.user": "ada", "mlflow.trace.session": "s1"}
SHAPE = span("agent", type="AGENT", status="OK")[
    span("load_context")[repeat(span(type="RETRIEVER"), min=1)],
    span("classify"),
    span("query_agents")[any_order(span("cost_agent"), span("security_agent"))],
    ...,
    span("save_context"),
]
BUDGET = Budget(latency="2s", calls={span(type="TOOL"): (0, 5), "cost_agent": 1})
CONTRACT = Contract("answers", SHAPE, HealthMonitorTags, BUDGET, applies_to=span("agent"))


class PlainTags(BaseModel):
    """What one would write without the toolkit."""

    user_id: str
    session_id: str
    environment: Literal["dev", "staging", "prod"]
    domains: str
    domain_count: int
    confidence: float
    is_multi_domain: bool
    utility_tools_used: str
    source_count: int
    response_length: int
    has_error: bool


def recorded() -> Any:
    """Return MLflow's own trace of nine spans."""

    def work(name: str, kind: str, *below: tuple[Any, ...]) -> None:
        with mlflow.start_span(name, span_type=kind) as one:
            one.set_inputs({"question": "Why did costs spike?"})
            for each in below:
                work(*each)

    with capture_traces() as traces:
        with mlflow.start_span("agent", span_type="AGENT"):
            work("load_context", "MEMORY", ("retrieve_short_term", "RETRIEVER"), ("retrieve_long_term", "RETRIEVER"))
            work("classify", "CLASSIFIER")
            work("query_agents", "AGENT", ("cost_agent", "AGENT"), ("security_agent", "AGENT"))
            work("save_context", "MEMORY")
            mlflow.update_current_trace(tags=TAGS, metadata=METADATA)
        return traces.one().raw


def median_ms(check: Callable[[Trace], object], raw: Any) -> float:
    """Return the median milliseconds of a check, each on a trace of its own."""
    spent = []
    for trace in [Trace.from_mlflow(raw) for _ in range(ROUNDS)]:
        began = time.perf_counter()
        check(trace)
        spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1_000


def main() -> bool:
    """Print the table; return whether the bar was met."""
    raw = recorded()
    assert len(Trace.from_mlflow(raw).spans) == 9
    assert CONTRACT.check(Trace.from_mlflow(raw)) == []
    rows: list[tuple[str, Callable[[Trace], object]]] = [
        ("a pydantic model of plain types", lambda trace: PlainTags.model_validate(trace.tags)),
        ("what no backend keeps (strict mode)", portability),
        ("the tags: HealthMonitorTags", HealthMonitorTags.check),
        ("the shape", lambda trace: trace == SHAPE),
        ("the budget", BUDGET.check),
        ("the contract of all three", CONTRACT.check),
    ]
    print("| a trace of 9 spans and 11 tags against | median ms | bar |")
    print("|---|---|---|")
    for title, check in rows:
        cost = median_ms(check, raw)
        print(f"| {title} | {cost:.3f} | {f'< {BAR_MS:g} ms' if check == CONTRACT.check else ''} |")
    return cost < BAR_MS


if __name__ == "__main__":
    sys.exit(not main())
