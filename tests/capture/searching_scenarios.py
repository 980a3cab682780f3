"""Searches whose result must be the same in a capture as in production; see scenarios.py."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES_MS = {"first": 1_700_000_000_000, "second": 1_700_000_060_000, "third": 1_700_000_120_000}
QUERIES = [
    "",
    "tags.team = 'a'",
    "tags.team != 'a'",
    "tags.team LIKE 'A%'",
    "tags.team ILIKE 'A%'",
    "tags.`dotted.key` = 'yes'",
    "tag.missing = 'x'",
    "tag.missing != 'x'",
    "tags.flag = 'true' AND trace.status = 'OK'",
    "status = 'ERROR'",
    "status = 'OK'",
    "trace.status IN ('OK', 'ERROR')",
    "attributes.status != 'OK'",
    "name = 'second'",
    "trace.name LIKE '%ir%'",
    "name IN ('first', 'third')",
    "timestamp > 1700000000000",
    "timestamp_ms >= 1700000060000 AND timestamp_ms < 1700000120000",
    "execution_time > 500",
    "execution_time_ms <= 250",
    "end_time > 1700000060500",
    "metadata.`mlflow.trace.session` = 's1'",
    "metadata.`mlflow.trace.user` != 'u2'",
    "request_metadata.custom = 'c'",
    "client_request_id = 'request-2'",
    "tags.team = 'a' AND metadata.`mlflow.trace.session` = 's1' AND name != 'third'",
    "tags.team = 'a' OR tags.team = 'b'",
    "timestamp > '1700000000000'",
    "nonsense = 'x'",
    "trace.status LIKE 'O%'",
]
ORDERS: list[list[str] | None] = [
    None,
    ["timestamp ASC"],
    ["timestamp DESC"],
    ["timestamp_ms"],
    ["execution_time DESC"],
    ["status ASC", "timestamp DESC"],
    ["name DESC"],
    ["tags.team DESC", "timestamp ASC"],
    ["metadata.custom"],
    ["request_time"],
    ["name ASC", "name DESC"],
]


def three_traces() -> dict[str, str]:
    """Make traces at given times, of different tags, sessions, states and durations; return their names by id."""
    tags = {
        "first": {"team": "a", "dotted.key": "yes", "flag": "true"},
        "second": {"team": "b"},
        "third": {"team": "a", "flag": "true"},
    }
    metadata = {
        "first": {"mlflow.trace.session": "s1", "mlflow.trace.user": "u1", "custom": "c"},
        "second": {"mlflow.trace.session": "s2", "mlflow.trace.user": "u2"},
        "third": {"mlflow.trace.session": "s1", "mlflow.trace.user": "u1", "custom": "d"},
    }
    durations_ms = {"first": 1000, "second": 500, "third": 250}
    made = {}
    for name, start_ms in TIMES_MS.items():
        root = mlflow.start_span_no_context(
            name, tags=tags[name], metadata=metadata[name], start_time_ns=start_ms * 1_000_000, inputs={"q": name}
        )
        child = mlflow.start_span_no_context("child", parent_span=root, start_time_ns=(start_ms + 10) * 1_000_000)
        child.end(end_time_ns=(start_ms + 20) * 1_000_000)
        with mlflow.tracing.trace_manager.InMemoryTraceManager.get_instance().get_trace(root.trace_id) as live:
            live.info.client_request_id = f"request-{len(made) + 1}"
        root.end(
            status="ERROR" if name == "second" else "OK",
            outputs=[name],
            end_time_ns=(start_ms + durations_ms[name]) * 1_000_000,
        )
        made[root.trace_id] = name
    return made


def _asked(made: dict[str, str], **asked: Any) -> Any:
    """The names of the traces that a search returns, or which kind of error it raises."""
    try:
        return [made[trace.info.trace_id] for trace in mlflow.search_traces(return_type="list", **asked)]
    except MlflowException as error:
        return f"{type(error).__name__} {error.error_code}"


def searches() -> Any:
    made = three_traces()
    return {query: _asked(made, filter_string=query) for query in QUERIES}


def orders() -> Any:
    made = three_traces()
    return {json.dumps(order): _asked(made, order_by=order) for order in ORDERS}


def limits() -> Any:
    made = three_traces()
    client = mlflow.MlflowClient()
    first = client.search_traces(locations=["0"], max_results=2)
    second = client.search_traces(locations=["0"], max_results=2, page_token=first.token)
    results: dict[str, Any] = {
        "pages": [[made[trace.info.trace_id] for trace in page] for page in (first, second)],
        "is last": second.token is None,
        "one": _asked(made, max_results=1),
        "elsewhere": _asked(made, locations=["17"]),
    }
    for limit in (0, -1, 50_001):
        search = partial(client._tracing_client._search_traces, locations=["0"], max_results=limit)
        results[str(limit)] = raised_by(search)
    return results


def data_frame() -> Any:
    three_traces()
    frame = mlflow.search_traces(order_by=["timestamp ASC"])
    return {
        "columns": list(frame.columns),
        "state": [str(state) for state in frame["state"]],
        "request": [str(request) for request in frame["request"]],
        "response": [str(response) for response in frame["response"]],
        "execution_duration": [int(each) for each in frame["execution_duration"]],
        "spans": [len(each) for each in frame["spans"]],
    }


def deletion() -> Any:
    made = three_traces()
    client = mlflow.MlflowClient()
    by_id = {name: trace_id for trace_id, name in made.items()}
    results: dict[str, Any] = {
        "by id": client.delete_traces("0", trace_ids=[by_id["second"], "tr-none"]),
        "left": _asked(made, order_by=["timestamp"]),
    }
    results["by time"] = client.delete_traces("0", max_timestamp_millis=TIMES_MS["third"], max_traces=1)
    results["then left"] = _asked(made, order_by=["timestamp"])
    return results


def raised_by(call: Callable[[], Any]) -> str | None:
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return None
