"""Runs of the airline agent of tau-bench as MLflow traces.

The file has, of each run, its calls of tools in their order, with the turn of the conversation that each belongs to.
Times are made up here, in that order: a second for what the user says, for each call, and for the answer.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = Path(__file__).parent / "airline.jsonl.gz"

_SECOND = 1_000_000_000
_A_DAY_AGO = "2024-05-14T15:00:00"  # the policy begins with the time that it is: 2024-05-15 15:00
_AT_MOST = {"certificate": 1, "credit_card": 1, "gift_card": 3}  # in one booking


def read_runs(path: Path = RUNS) -> Iterator[dict[str, Any]]:
    """Yield the runs of a file of JSON Lines, which may be compressed."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def as_mlflow(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run as MLflow writes a trace: a span for each turn, and in it one for each call of a tool."""
    spans = _Spans()
    with_calls = spans.add("airline_agent", "AGENT")
    for turn in range(1, run["turns"] + 1):
        inside = spans.add("turn", "CHAIN", with_calls)
        spans.add("user", "UNKNOWN", inside)
        for call in run["calls"]:
            if call["turn"] == turn:
                spans.call(call, inside)
        spans.add("answer", "LLM", inside)
        spans.end(inside)
    spans.end(with_calls)
    tags = {"task": str(run["task"]), "passed": str(run["passed"]).lower()}
    info = {"trace_id": run["id"], "state": "OK", "request_time": "2024-05-15T15:00:00Z", "tags": tags}
    return {"info": info, "data": {"spans": spans.made}}


def _asked(call: dict[str, Any]) -> dict[str, Any]:
    """Return what the policies ask of a call, as attributes: a contract compares values, and does not count or add."""
    args, facts = call["args"], call.get("facts", {})
    asked = {key: facts[key] for key in ("insurance", "membership") if key in facts}
    if "cabin" in args or "cabin" in facts:
        asked["cabin"] = args.get("cabin", facts.get("cabin"))
    if "created_at" in facts:
        asked["booked_today"] = facts["created_at"] >= _A_DAY_AGO
    if "payment_methods" in args:
        kinds = Counter(each["payment_id"].rsplit("_", 1)[0] for each in args["payment_methods"])
        asked["too_many_payments"] = any(kinds[kind] > most for kind, most in _AT_MOST.items())
    return asked


class _Spans:
    """The spans of one trace, and the clock that gives each its time."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self._now = 0

    def add(self, name: str, kind: str, above: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
        """Add a span of a second; one that others stand inside of ends with `end()`."""
        attributes["mlflow.spanType"] = kind
        begun, self._now = self._now, self._now + _SECOND
        span = {
            "name": name,
            "span_id": base64.b64encode((len(self.made) + 1).to_bytes(8, "big")).decode(),
            "parent_span_id": above and above["span_id"],
            "start_time_unix_nano": begun,
            "end_time_unix_nano": self._now,
            "status": {"code": "STATUS_CODE_OK"},
            "attributes": {key: json.dumps(value) for key, value in attributes.items()},
            "events": [],
        }
        self.made.append(span)
        return span

    def call(self, call: dict[str, Any], above: dict[str, Any]) -> None:
        """Add a call of a tool, with what it was given and what came back."""
        said = {"mlflow.spanInputs": call["args"], "mlflow.spanOutputs": call.get("facts", {})}
        span = self.add(call["name"], "TOOL", above, **said, **_asked(call))
        if call.get("error"):
            span["status"] = {"code": "STATUS_CODE_ERROR"}

    def end(self, span: dict[str, Any]) -> None:
        """End a span now, behind what stands inside of it."""
        span["end_time_unix_nano"] = self._now
