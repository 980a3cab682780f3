"""Random traces for mutants, with all that a mutant can change, and an oracle of what is the same trace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.patterns.recorded import recorded
from pytest_mlflow_traces.core.spans import convert
from pytest_mlflow_traces.core.spans.usage import SPAN_COST, SPAN_TOKEN_USAGE
from tests.support.building import Record, Status, trace_of

if TYPE_CHECKING:
    from random import Random

    from pytest_mlflow_traces.core.trace import Trace

NAMES = ("agent", "plan", "search", "search", "answer", "task-12345", "task-67890", "renamed", None)
TYPES = ("AGENT", "TOOL", "TOOL", "CHAT_MODEL", "UNKNOWN", "RETYPED")
VALUES = (None, "", "changed", 0, 1.5, float("nan"), 1e300, True, [], {}, ["a", "b"], {"q": [{"a": None}, {"a": 2}]})


def random_trace(random: Random, spans: int) -> Trace:
    """Make a trace of one root; siblings run one after the other, overlap, take no time, or took turns."""
    made = [_span(random, 0, None, 0)]
    until = [0] * spans  # when the last child of each span ended
    for i in range(1, spans):
        above = random.randrange(max(0, i - 4), i)
        start = max(made[above].start_time_ns, until[above] + random.choice((0, 1, 2, -3)))
        made.append(_span(random, i, str(above), start))
        until[above] = max(until[above], made[i].end_time_ns or 0)
    for i in range(spans - 1, 0, -1):
        above = int(made[i].parent_id or 0)
        made[above].end_time_ns = max(made[above].end_time_ns or 0, made[i].end_time_ns or 0)
    tokens = sum(each.attributes.get(SPAN_TOKEN_USAGE, {}).get("total_tokens", 0) for each in made)
    trace = trace_of(
        made,
        tags={key: random.choice(("a", "changed", "")) for key in ("team", "env") if random.random() < 0.5},
        metadata={convert.TOKEN_USAGE: json.dumps({"total_tokens": tokens})} if tokens else {},
    )
    trace.table.turns = {str(i): random.randrange(2) for i in range(spans) if random.random() < 0.2}
    return trace


def _span(random: Random, i: int, parent: str | None, start: int) -> Record:
    name, kind = random.choice(NAMES), random.choice(TYPES)
    status = Status(random.choice(("OK", "OK", "OK", "UNSET", "ERROR")))
    attributes: dict[str, Any] = {"mlflow.spanType": kind}
    if random.random() < 0.3:
        attributes["domain"] = random.choice(VALUES)
    if kind == "CHAT_MODEL":
        attributes[SPAN_TOKEN_USAGE] = {"total_tokens": random.choice((0, 7))}
        attributes[SPAN_COST] = {"total_cost": random.choice((0.0, 0.25))}
    end = start + random.choice((0, 1, 4))
    values = {field: random.choice(VALUES) for field in ("inputs", "outputs") if random.random() < 0.3}
    return Record(name, str(i), parent, kind, start, end, status, attributes=attributes, **values)  # type: ignore[arg-type]  # some have no name


class Oracle:
    """What a trace is compared with: the pattern that it is recorded as, or all that it says."""

    def __init__(self, trace: Trace) -> None:
        self._pattern = recorded(trace.table)
        self._dump = dump(trace)

    def is_same_shape(self, other: Trace) -> bool:
        """Return whether another trace is recorded as the same."""
        return other == self._pattern

    def is_same(self, other: Trace) -> bool:
        """Return whether another trace says the same, all in all."""
        return dump(other) == self._dump


def dump(trace: Trace) -> str:
    """Return all that a trace says, as text: not a number is then equal to itself."""
    spans = [
        (s.path, s.type, s.status, s.start_ns, s.end_ns, s.inputs, s.outputs, s.attributes, s.events, s.error)
        for s in trace.spans
    ]
    return repr((spans, trace.status, trace.tags, trace.metadata))
