"""Traces for tests, written the way they look, without MLflow.

>>> trace = tree("agent AGENT", ["plan", "search TOOL ERROR", ["attempt @3-5"], node("answer", outputs="yes")])
>>> [span.path for span in trace.spans]
['agent', 'agent > plan', 'agent > search', 'agent > search > attempt', 'agent > answer']

A string is a span: its name, then in any order a type in capitals, a status, and the time as `@start-end` in
milliseconds (`@3-` is unfinished). A list after a span is its children. Times that are not given follow a clock that
moves by a millisecond at each start and each end, so siblings do not overlap and every child lies inside its parent.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_mlflow_traces.core.spans.convert import TraceFacts
from pytest_mlflow_traces.core.spans.table import SpanTable
from pytest_mlflow_traces.core.text.durations import NS_PER_MS
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Spec: TypeAlias = "str | Record | Sequence[Any]"

_STATUSES = ("OK", "ERROR", "UNSET")
_TIME = re.compile(r"@(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)?")


@dataclass
class Status:
    """The status of a span, as MLflow's entity has it."""

    status_code: str = "OK"
    description: str | None = None


@dataclass
class Event:
    """An event of a span, as MLflow's entity has it."""

    name: str
    attributes: Mapping[str, Any]
    timestamp: int = 0


@dataclass
class Record:
    """One span with the public attributes of `mlflow.entities.Span`."""

    name: str
    span_id: str = ""
    parent_id: str | None = None
    span_type: str | None = "UNKNOWN"
    start_time_ns: int = -1
    end_time_ns: int | None = -1  # -1: by the clock
    status: Any = field(default_factory=Status)
    inputs: Any = None
    outputs: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)


def node(text: str, *, error: str | None = None, **fields: Any) -> Record:
    """Make one span of `text`, as `tree` reads it, and `fields` of `Record`; `error` records an exception so named."""
    words = text.split(" ")
    name = [words.pop(0)]
    record = Record("")
    for word in words:
        found = _TIME.fullmatch(word)
        if found:
            record.start_time_ns = round(float(found[1]) * NS_PER_MS)
            record.end_time_ns = None if found[2] is None else round(float(found[2]) * NS_PER_MS)
        elif word in _STATUSES:
            record.status = Status(word)
        elif word.isupper():
            record.span_type = word
        else:
            name.append(word)
    record.name = " ".join(name)
    if error is not None:
        record.status = Status("ERROR")
        record.events = [Event("exception", {"exception.type": error, "exception.message": "went wrong"})]
    for key, value in fields.items():
        if not hasattr(record, key):
            raise TypeError(f"a span has no {key!r}")
        setattr(record, key, value)
    return record


def records(*specs: Spec) -> list[Record]:
    """Return the spans of `specs`, which are read as by `tree`, parents before children."""
    made: list[Record] = []
    clock = itertools.count()

    def tick() -> int:
        return next(clock) * NS_PER_MS

    # what is left to read below each open span; None marks where the list of its children ends
    stack: list[tuple[str | None, list[Any], list[Record]]] = [(None, list(specs), [])]
    while stack:
        parent_id, rest, waiting = stack[-1]
        if rest and isinstance(rest[0], list | tuple):
            if not waiting:
                raise TypeError("a list of children stands after the span they belong to")
            stack.append((waiting[-1].span_id, list(rest.pop(0)), []))
            continue
        for record in waiting:
            if record.end_time_ns == -1:
                record.end_time_ns = max(tick(), record.start_time_ns)
        waiting.clear()
        if not rest:
            stack.pop()
            continue
        spec = rest.pop(0)
        record = node(spec) if isinstance(spec, str) else spec
        record.span_id, record.parent_id = str(len(made)), parent_id
        if record.start_time_ns == -1:
            record.start_time_ns = tick()
        made.append(record)
        waiting.append(record)
    return made


def trace_of(spans: Sequence[Any], **facts: Any) -> Trace:
    """Make a trace of records, in order of creation; `facts` are those of `TraceFacts`."""
    return Trace(SpanTable(spans), TraceFacts(**({"id": "tr-test"} | facts)))


def tree(*specs: Spec, **facts: Any) -> Trace:
    """Make the trace whose roots are `specs`."""
    return trace_of(records(*specs), **facts)
