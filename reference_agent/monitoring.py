"""Questions to ask of the traces of an agent that is in use."""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import mlflow
from mlflow import MlflowClient
from mlflow.entities import SpanStatusCode, TraceState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlflow.entities import Span, Trace

MAX_TRACES = 1000


def recent_traces(hours: float = 24) -> list[Trace]:
    """Return the traces of the active experiment's last hours, newest first.

    for trace in recent_traces(hours=1):
        print(trace.info.trace_id, trace.info.state, trace.info.execution_duration)
    """
    # Milliseconds since the epoch know no time zone, unlike a naive datetime.
    since = int((time.time() - hours * 3600) * 1000)
    found = mlflow.search_traces(
        filter_string=f"timestamp > {since}",
        order_by=["timestamp DESC"],
        max_results=MAX_TRACES,
        return_type="list",
    )
    return cast("list[Trace]", found)  # which it is, unlike the data frame that it would be by default


def compute_trace_metrics(traces: Sequence[Trace]) -> dict[str, Any]:
    """Return counts by outcome and by domain, and latencies.

    A trace counts as a success, an error, or in progress. One that is in progress has no latency yet and counts in no
    average. `p95_latency_ms` is the nearest rank: of 20 traces the 19th, not the slowest.
    """
    states = Counter(trace.info.state for trace in traces)
    latencies = sorted(
        trace.info.execution_duration or 0 for trace in traces if trace.info.state != TraceState.IN_PROGRESS
    )
    domains = Counter(
        domain for trace in traces for domain in trace.info.tags.get("domains", "").split(",") if domain != ""
    )
    return {
        "total_traces": len(traces),
        "success_count": states[TraceState.OK],
        "error_count": states[TraceState.ERROR],
        "in_progress_count": len(traces) - states[TraceState.OK] - states[TraceState.ERROR],
        "avg_latency_ms": sum(latencies) / len(latencies) if latencies else 0,
        "p95_latency_ms": latencies[math.ceil(0.95 * len(latencies)) - 1] if latencies else 0,
        "domain_distribution": dict(domains),
    }


def find_slow_spans(trace_id: str, threshold_ms: float = 1000) -> list[dict[str, Any]]:
    """Return the spans of a trace that took longer than the threshold, slowest first."""
    slow = []
    for span in MlflowClient().get_trace(trace_id).data.spans:
        if span.end_time_ns is None:
            continue
        duration_ms = (span.end_time_ns - span.start_time_ns) / 1e6
        if duration_ms > threshold_ms:
            slow.append(
                {
                    "name": span.name,
                    "type": span.span_type,
                    "duration_ms": duration_ms,
                    "attributes": span.attributes,
                }
            )
    return sorted(slow, key=lambda found: -found["duration_ms"])


def analyze_errors(traces: Iterable[Trace]) -> list[tuple[str, int]]:
    """Count the errors of failed traces as `("GenieFailedError: message", 3)`, most frequent first.

    An error counts where it arose, not again in every span that it passed on its way up.
    """
    errors: Counter[str] = Counter()
    for trace in traces:
        if trace.info.state == TraceState.ERROR:
            failed = [span for span in trace.data.spans if span.status.status_code == SpanStatusCode.ERROR]
            passed_on = {span.parent_id for span in failed}
            errors.update(_error_of(span) for span in failed if span.span_id not in passed_on)
    return errors.most_common()


def _error_of(span: Span) -> str:
    """Name a span's error by its attributes, or by the exception MLflow recorded on a span that it opened itself."""
    attributes = span.attributes
    kind, message = attributes.get("error_type"), attributes.get("error_message", "")
    if kind is None:
        event = next((event.attributes for event in span.events if event.name == "exception"), {})
        kind, message = event.get("exception.type", "unknown"), event.get("exception.message", "")
    return f"{kind}: {str(message)[:100]}"
