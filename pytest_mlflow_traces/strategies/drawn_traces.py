"""Hypothesis strategies for traces: whole ones, and ones with everything wrong that a trace can have wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pytest_mlflow_traces.core.spans.convert import SESSION, TRACE_NAME, USER
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

TYPES = ("AGENT", "CHAIN", "TOOL", "LLM", "CHAT_MODEL", "RETRIEVER", "MEMORY", "UNKNOWN", "CLASSIFIER")
NAMES = ("agent", "plan", "search", "answer", "genie_query", "cost_agent", "RunnableSequence")
ERRORS = ("ValueError", "TimeoutError", "app.errors.GenieError")
_MS = 1_000_000
_EPOCH_NS = 1_700_000_000_000_000_000

_TEXTS = st.sampled_from(["", "a", "Why did costs spike?"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
)
_VALUES: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def drawn_traces(
    draw: st.DrawFn,
    names: SearchStrategy[str] | None,
    types: SearchStrategy[str] | None,
    tags: SearchStrategy[Mapping[str, Any]] | None,
    max_spans: int,
    malformed: bool,
) -> Trace:
    """Draw a trace; where it is to be malformed, `problems` says at least one thing."""
    names = st.sampled_from(NAMES) if names is None else names
    types = st.sampled_from(TYPES) if types is None else types
    count = draw(st.integers(1, max_spans))
    parents = [None if i == 0 else draw(st.integers(0, i - 1)) for i in range(count)]
    starts, ends = _times(draw, parents)
    spans = [
        SimpleNamespace(
            name=draw(names),
            span_id=f"{i:016x}",
            parent_id=None if parent is None else f"{parent:016x}",
            span_type=draw(types),
            status=SimpleNamespace(status_code="OK", description=None),
            start_time_ns=starts[i],
            end_time_ns=ends[i],
            inputs=None,
            outputs=None,
            attributes={},
            events=[],
        )
        for i, parent in enumerate(parents)
    ]
    for span in spans:
        _fill(draw, span)
    if malformed:
        _spoil(draw, spans)
    return Trace.from_mlflow(SimpleNamespace(info=_info(draw, spans, tags), data=SimpleNamespace(spans=spans)))


def _times(draw: st.DrawFn, parents: list[int | None]) -> tuple[list[int], list[int]]:
    """Draw times such that each span lies inside its parent; siblings may overlap, and may start at one moment."""
    starts, ends = [_EPOCH_NS], [0] * len(parents)
    for parent in parents[1:]:
        starts.append(starts[parent or 0] + draw(st.integers(0, 4)) * _MS)
    for i in range(len(parents) - 1, -1, -1):
        ends[i] = max(ends[i], starts[i] + draw(st.integers(0, 4)) * _MS)
        parent = parents[i]
        if parent is not None:
            ends[parent] = max(ends[parent], ends[i])
    return starts, ends


def _fill(draw: st.DrawFn, span: Any) -> None:
    """Give a span what it may have, by chance."""
    kind = draw(st.sampled_from(["plain", "plain", "full", "failed", "unset"]))
    if kind == "full":
        span.inputs, span.outputs = draw(_VALUES), draw(_VALUES)
        span.attributes = draw(
            st.dictionaries(st.sampled_from(["domain", "retry_count", "model"]), _VALUES, max_size=2)
        )
    elif kind == "failed":
        span.status = SimpleNamespace(status_code="ERROR", description=draw(st.none() | st.just("went wrong")))
        if draw(st.booleans()):
            said = {"exception.type": draw(st.sampled_from(ERRORS)), "exception.message": "went wrong"}
            span.events = [SimpleNamespace(name="exception", timestamp=span.start_time_ns, attributes=said)]
    elif kind == "unset":
        span.status = SimpleNamespace(status_code="UNSET", description=None)


def _spoil(draw: st.DrawFn, spans: list[Any]) -> None:
    """Make one to three things wrong."""
    places = st.integers(0, len(spans) - 1)
    for kind in draw(st.lists(st.sampled_from(_SPOILS), min_size=1, max_size=3, unique=True)):
        span, other = spans[draw(places)], spans[draw(places)]
        if kind == "unfinished":
            span.end_time_ns = None
        elif kind == "negative":
            span.end_time_ns = span.start_time_ns - _MS
        elif kind == "orphan":
            span.parent_id = "f" * 16
        elif kind == "cycle":
            span.parent_id = span.span_id
        elif kind == "duplicate":
            twin = SimpleNamespace(**{**vars(span), "name": other.name})
            spans.insert(draw(places), twin)
        else:  # a child before its parent
            early = SimpleNamespace(**{**vars(span), "span_id": "e" * 16, "parent_id": span.span_id})
            early.start_time_ns = span.start_time_ns - _MS
            spans.append(early)
    if draw(st.booleans()):
        spans.reverse()


_SPOILS = ("unfinished", "negative", "orphan", "cycle", "duplicate", "early")


def _info(draw: st.DrawFn, spans: list[Any], tags: SearchStrategy[Mapping[str, Any]] | None) -> Any:
    users = st.dictionaries(st.sampled_from([SESSION, USER]), st.sampled_from(["s1", "u1"]), max_size=2)
    some_tags = st.dictionaries(st.sampled_from(["team", "environment", "has_error"]), _TEXTS, max_size=2)
    failed = spans[0].status.status_code == "ERROR" if spans else False
    ends = [span.end_time_ns for span in spans if span.end_time_ns is not None]
    start_ns = min((span.start_time_ns for span in spans), default=_EPOCH_NS)
    return SimpleNamespace(
        trace_id=f"tr-{draw(st.integers(0, 2**32)):032x}",
        tags={TRACE_NAME: spans[0].name, **draw(some_tags if tags is None else tags)},
        trace_metadata=draw(users),
        state=draw(st.sampled_from(["ERROR", "OK"] if failed else ["OK", "ERROR"])),
        request_time=start_ns // _MS,
        execution_duration=max(ends, default=start_ns) // _MS - start_ns // _MS,
    )
