"""One span of a trace, with what stands around it: what tests and checks look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.compared import Compared
from pytest_mlflow_traces.core.matching import matcher
from pytest_mlflow_traces.core.questions import note_of_span
from pytest_mlflow_traces.core.text.durations import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.records import SpanError, SpanEvent
    from pytest_mlflow_traces.core.spans.table import SpanTable

__tracebackhide__ = True  # a failure points at the test, not in here


class Spans:
    """The spans of one table by their position in its pre-order, each made once."""

    __slots__ = ("_made", "table")

    def __init__(self, table: SpanTable) -> None:
        self.table = table
        self._made: dict[int, Span] = {}

    def __getitem__(self, position: int) -> Span:
        span = self._made.get(position)
        if span is None:
            span = self._made[position] = Span(self, position)
        return span


class Span(Compared):
    """One span of a trace; two spans are equal only if they are the same one.

    Compared with a pattern, a span stands for its whole subtree.

    >>> import mlflow
    >>> from pytest_mlflow_traces import capture_traces, span
    >>> with capture_traces() as traces, mlflow.start_span("agent"), mlflow.start_span("search", span_type="TOOL"):
    ...     pass
    >>> search = traces.one().find_one(span(type="TOOL"))
    >>> search.path, search.status, search.depth
    ('agent > search', 'OK', 1)
    >>> search.parent == span("agent")[span("search")[()]]
    True
    >>> search.ancestors() == (search.parent,), search.parent.descendants() == (search,)
    (True, True)
    >>> search.overlaps(search.parent), (search.end_ns - search.start_ns) / 1e6 == search.duration_ms
    (True, True)
    """

    __slots__ = ("_position", "_spans")
    _kind = "span"

    def __init__(self, spans: Spans, position: int) -> None:
        self._spans = spans
        self._position = position

    @property
    def _table(self) -> SpanTable:
        return self._spans.table

    @property
    def name(self) -> str:
        """The name."""
        return self._table.names[self._position]

    @property
    def type(self) -> str:
        """The span type, `"UNKNOWN"` where none was given."""
        return self._table.types[self._position]

    @property
    def status(self) -> str:
        """The status: `"OK"`, `"ERROR"` or `"UNSET"`."""
        return self._table.statuses[self._position]

    @property
    def inputs(self) -> Any:
        """The recorded inputs, `None` where there are none."""
        return self._table.inputs(self._position)

    @property
    def outputs(self) -> Any:
        """The recorded outputs, `None` where there are none."""
        return self._table.outputs(self._position)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes, MLflow's own among them."""
        return self._table.attributes(self._position)

    @property
    def events(self) -> tuple[SpanEvent, ...]:
        """The events, in the order in which they were added."""
        return self._table.events(self._position)

    @property
    def error(self) -> SpanError | None:
        """The recorded exception, or `None`; an ERROR span that recorded none has an error of type `None`."""
        return self._table.error(self._position)

    @property
    def start_ns(self) -> int:
        """The start, in nanoseconds since the epoch."""
        return self._table.starts[self._position]

    @property
    def end_ns(self) -> int | None:
        """The end, in nanoseconds since the epoch; `None` where the span is unfinished."""
        return self._table.ends[self._position]

    @property
    def duration_ms(self) -> float | None:
        """The duration in milliseconds; `None` where the span is unfinished."""
        end = self.end_ns
        return None if end is None else (end - self.start_ns) / NS_PER_MS

    @property
    def self_ms(self) -> float | None:
        """The milliseconds in which no child ran; children that overlap count once. `None` where unfinished."""
        start, end = self.start_ns, self.end_ns
        if end is None:
            return None
        covered, reached = 0, start
        # lifted children stand in the place of their parent, not in the order of their start times
        for child in sorted(self.children, key=lambda child: child.start_ns):
            child_end = end if child.end_ns is None else min(child.end_ns, end)
            child_start = max(child.start_ns, reached)
            if child_end > child_start:
                covered += child_end - child_start
                reached = child_end
        return (end - start - covered) / NS_PER_MS

    @property
    def parent(self) -> Span | None:
        """The span above, `None` for a root."""
        above = self._table.parents[self._position]
        return None if above < 0 else self._spans[above]

    @property
    def children(self) -> tuple[Span, ...]:
        """The spans directly below, by start time; lifted ones stand where their parent was."""
        return tuple(self._spans[i] for i in self._table.children(self._position))

    @property
    def path(self) -> str:
        """The names from the root down to this span, as `agent > query > search[2]`."""
        return self._table.path(self._position)

    @property
    def depth(self) -> int:
        """The number of ancestors."""
        return self._table.depth(self._position)

    def ancestors(self) -> tuple[Span, ...]:
        """The spans above, from the parent up to the root."""
        found, i = [], self._table.parents[self._position]
        while i >= 0:
            found.append(self._spans[i])
            i = self._table.parents[i]
        return tuple(found)

    def descendants(self) -> tuple[Span, ...]:
        """The spans below, in pre-order."""
        i = self._position
        return tuple(self._spans[k] for k in range(i + 1, self._table.stops[i]))

    def overlaps(self, other: Span) -> bool:
        """Return whether both spans ran at some one moment; touching ends do not, an unfinished span runs on."""
        return matcher.overlap(self.start_ns, self.end_ns, other.start_ns, other.end_ns)

    def _is(self, pattern: Pattern) -> bool:
        answer = matcher.matches(self._table, pattern, [self._position])
        note_of_span(pattern, self._table, answer, (self._position,))
        return answer

    def __repr__(self) -> str:
        return f"<Span {self.path} {self.type} {self.status}>"
