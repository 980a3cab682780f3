"""A trace as an immutable tree of spans: what tests and expectations look at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.compared import Compared, FoundSpans, refuse_in_container
from pytest_mlflow_traces.core.explaining import explain
from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.matching import matcher
from pytest_mlflow_traces.core.patterns.constructors import any_order, checked_one_span
from pytest_mlflow_traces.core.patterns.nodes import Pattern, short
from pytest_mlflow_traces.core.patterns.recorded import strict
from pytest_mlflow_traces.core.patterns.shape import SHAPES
from pytest_mlflow_traces.core.questions import note, note_of_span, one_question
from pytest_mlflow_traces.core.span import Span as Span  # the two are asked for together
from pytest_mlflow_traces.core.span import Spans
from pytest_mlflow_traces.core.spans import convert, critical_path
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.spans.render import tree_lines
from pytest_mlflow_traces.core.text.durations import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_mlflow_traces.core.spans.real_waits import RealWait
    from pytest_mlflow_traces.core.spans.table import SpanTable

__tracebackhide__ = True  # a failure points at the test, not in here

_LISTED = 20  # lines of a failure's list of spans


class Trace(Compared):
    """One trace, as a tree; two traces are equal only if they are the same object.

    `trace == pattern` asks whether the roots are what the pattern says; `pattern in trace` whether some span is. A list
    of traces would ask the first for `in`, so that is an error.

    >>> import mlflow
    >>> from pytest_mlflow_traces import capture_traces, span
    >>> with capture_traces() as traces, mlflow.start_span("agent"), mlflow.start_span("search", span_type="TOOL"):
    ...     pass
    >>> trace = traces.one()
    >>> trace == span("agent")[span("search")], span("delete_table") in trace
    (True, False)
    >>> trace.to_pattern()
    span('agent', type='UNKNOWN', status='OK')[span('search', type='TOOL', status='OK')[()]]

    `raw` is MLflow's own trace, and a trace is built from one:

    >>> Trace.from_mlflow(trace.raw) == trace.to_pattern(), Trace.from_json(trace.raw.to_json()).name
    (True, 'agent')
    >>> trace.id == trace.raw.info.trace_id, [root.name for root in trace.roots]
    (True, ['agent'])
    """

    __slots__ = ("_facts", "_seen_of", "_spans", "raw", "real_waits", "table")
    _kind = "trace"

    def __init__(self, table: SpanTable, facts: convert.TraceFacts, raw: Any = None) -> None:
        self.table = table
        self.raw = raw
        self.real_waits: Mapping[str, Sequence[RealWait]] = {}  # by the ids of spans, what virtual time did not see
        self._facts = facts
        self._spans = Spans(table)
        self._seen_of: tuple[Trace, Callable[[Trace], Trace]] | None = None  # what this is a view of, and how

    @classmethod
    def from_mlflow(cls, trace: Any) -> Trace:
        """Build from an `mlflow.entities.Trace`, or any object with the same public attributes.

        Raises:
            TypeError: for an object without `.info` or `.data.spans`.
        """
        return cls(convert.forest_of(trace), convert.facts_of(trace.info), trace)

    @classmethod
    def from_json(cls, text: str | bytes) -> Trace:
        """Build from the text of MLflow's `Trace.to_json()`; `raw` is then the decoded text.

        Raises:
            ValueError: for text that is no such trace, saying what is wrong with it.
        """
        facts, table, said = convert.parse_json(text)
        return cls(table, facts, said)

    def span_at(self, position: int) -> Span:
        """Return the span at a position of the pre-order, the same object each time."""
        return self._spans[position]

    @property
    def id(self) -> str:
        """MLflow's trace id."""
        return self._facts.id

    @property
    def name(self) -> str:
        """The name of the trace: MLflow's, or else the first root's."""
        given = self._facts.system_tags.get(convert.TRACE_NAME)
        return str(given) if given else self.table.names[0] if self.table.names else ""

    @property
    def roots(self) -> tuple[Span, ...]:
        """The spans without a parent, by start time."""
        return tuple(self.span_at(i) for i in self.table.roots())

    @property
    def root(self) -> Span | None:
        """The first root, `None` where the trace has no spans."""
        return self.span_at(0) if len(self.table) else None

    @property
    def spans(self) -> tuple[Span, ...]:
        """All spans in pre-order."""
        return tuple(map(self.span_at, range(len(self.table))))

    @property
    def status(self) -> str:
        """The state of the trace: `"OK"`, `"ERROR"` or `"IN_PROGRESS"`; independent of the root's status."""
        return self._facts.status

    @property
    def tags(self) -> Mapping[str, Any]:
        """The user's tags, as the code set them; MLflow's own are in `system_tags`."""
        return self._facts.tags

    @property
    def system_tags(self) -> Mapping[str, Any]:
        """The tags in MLflow's own namespace, `mlflow.`."""
        return self._facts.system_tags

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The trace metadata, MLflow's own keys among them."""
        return self._facts.metadata

    @property
    def session_id(self) -> str | None:
        """The session, from MLflow's metadata key `mlflow.trace.session`."""
        return self._facts.metadata.get(convert.SESSION)

    @property
    def user_id(self) -> str | None:
        """The user, from MLflow's metadata key `mlflow.trace.user`."""
        return self._facts.metadata.get(convert.USER)

    @property
    def request(self) -> Any:
        """The inputs of the root.

        >>> import mlflow
        >>> from pytest_mlflow_traces import capture_traces
        >>> with capture_traces() as traces, mlflow.start_span("agent") as agent:
        ...     agent.set_inputs({"question": "why?"})
        ...     agent.set_outputs("because")
        >>> traces.one().request, traces.one().response
        ({'question': 'why?'}, 'because')
        """
        return None if self.root is None else self.root.inputs

    @property
    def response(self) -> Any:
        """The outputs of the root."""
        return None if self.root is None else self.root.outputs

    @property
    def start_ns(self) -> int | None:
        """The start of the first span, in nanoseconds since the epoch.

        >>> import mlflow
        >>> from pytest_mlflow_traces import capture_traces
        >>> with capture_traces() as traces, mlflow.start_span("agent"):
        ...     pass
        >>> traces.one().start_ns == traces.one().root.start_ns
        True
        """
        return min(self.table.starts) if len(self.table) else self._facts.start_ns

    @property
    def duration_ms(self) -> float | None:
        """The milliseconds from the first start to the last end of the roots; `None` while one is unfinished."""
        roots = self.table.roots()
        ends = [end for i in roots if (end := self.table.ends[i]) is not None]
        if not roots:
            return self._facts.duration_ms
        if len(ends) < len(roots):
            return None
        return (max(ends) - min(self.table.starts[i] for i in roots)) / NS_PER_MS

    @property
    def max_concurrency(self) -> int:
        """The most strands of work that ran at one moment; a span with a child running is not a strand of its own."""
        return critical_path.max_concurrency(self.table)

    def critical_path(self) -> tuple[Span, ...]:
        """Return the spans that decided how long the trace took, parents first and then by time.

        At each moment back from the end it is the child that kept its parent waiting; where none ran, the parent.
        """
        return tuple(self.span_at(step.position) for step in critical_path.critical_path(self.table))

    @property
    def token_usage(self) -> dict[str, int] | None:
        """The tokens of all spans as MLflow sums them; `None` where no span recorded any."""
        return convert.decoded_numbers(self.metadata, convert.TOKEN_USAGE)

    @property
    def cost(self) -> dict[str, float] | None:
        """The cost in US dollars as MLflow computes it; `None` where it has none.

        >>> import mlflow
        >>> from pytest_mlflow_traces import capture_traces
        >>> with capture_traces() as traces, mlflow.start_span("agent"):
        ...     mlflow.update_current_trace(tags={"environment": "dev"})
        >>> trace = traces.one()
        >>> trace.cost, trace.token_usage, trace.tags, "mlflow.traceName" in trace.system_tags
        (None, None, {'environment': 'dev'}, True)
        """
        return convert.decoded_numbers(self.metadata, convert.COST)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with it: several roots, orphans, duplicate ids, cycles, unfinished or early spans."""
        return self.table.problems()

    def _is(self, pattern: Pattern) -> bool:
        refuse_in_container()
        # an empty trace equals nothing, not even optional(...)
        answer = len(self.table) > 0 and matcher.matches(self.table, pattern, self.table.roots())
        note("is", pattern, [self], answer)
        return answer

    def _matched(self, other: object, compare: Callable[[object, object], Any]) -> Any:
        if type(other).__module__.partition(".")[0] == __name__.partition(".")[0]:
            return compare(other, self)  # a baseline, which notes by itself what it is asked
        with one_question():
            answer = compare(other, self)
        if isinstance(answer, bool):
            note("calls", lambda again: compare(other, again), [self], answer)
        return answer

    def __contains__(self, pattern: Pattern) -> bool:
        answer = bool(matcher.find(self.table, checked_one_span(pattern, "`in`")))
        note("in", pattern, [self], answer)
        return answer

    def __iter__(self) -> Iterator[Span]:
        raise TypeError("a trace is not a list; iterate trace.spans (pre-order) or trace.roots")

    def find(self, pattern: Pattern) -> tuple[Span, ...]:
        """Return the spans that match, in pre-order.

        Raises:
            TypeError: for anything but a pattern of one span.
        """
        found = matcher.find(self.table, checked_one_span(pattern, "find()"))
        note_of_span(pattern, self.table, bool(found))
        return FoundSpans(map(self.span_at, found))

    def find_one(self, pattern: Pattern) -> Span:
        """Return the one span that matches.

        Raises:
            TraceAssertionError: where none or several match, listing them.
        """
        found = self.find(checked_one_span(pattern, "find_one()"))
        if len(found) == 1:
            return found[0]
        if not found:
            absent = explain.absent(self.table, pattern, f"trace {visible(self.name)!r}")
            error = TraceAssertionError(absent.text(), absent.findings)
            error._marks = () if absent.marks is None else (absent.marks,)
            raise error
        listed = "".join(f"\n  {each.path}" for each in found[:_LISTED])
        listed += f"\n  ... {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        finding = Finding("shape.ambiguous", self.name, f"one {short(pattern)}", f"{len(found)} such spans")
        text = f"trace {visible(self.name)!r} has {len(found)} spans like {short(pattern)}, expected one:{listed}"
        raise TraceAssertionError(text, [finding])

    def count(self, pattern: Pattern) -> int:
        """Return how many spans match."""
        found = matcher.find(self.table, checked_one_span(pattern, "count()"))
        note_of_span(pattern, self.table, bool(found))
        return len(found)

    def without(self, *patterns: Pattern) -> Trace:
        """Return the same trace without the spans that match, their children lifted into their place.

        Raises:
            TypeError: for no patterns, or anything but patterns of one span.
        """
        if not patterns:
            raise TypeError("without() takes at least one pattern: the spans to see through")
        return self._without(self._like(patterns, "without()"), lambda trace: trace.without(*patterns))

    def only(self, *patterns: Pattern) -> Trace:
        """Return the same trace with just the roots and the spans that match, children lifted into place.

        It is the mirror of `without`. That nothing matches is no error: what must be there, a pattern says.

        >>> import mlflow
        >>> from pytest_mlflow_traces import capture_traces, span
        >>> with capture_traces() as traces, mlflow.start_span("agent"), mlflow.start_span("step"):
        ...     with mlflow.start_span("book_hotel", span_type="TOOL"):
        ...         pass
        >>> traces.one().only(span(type="TOOL")) == span("agent")[span("book_hotel")]
        True

        Raises:
            TypeError: for no patterns, or anything but patterns of one span.
        """
        if not patterns:
            raise TypeError("only() takes at least one pattern: the spans to look at")
        gone = set(range(len(self.table))) - self._like(patterns, "only()") - {*self.table.roots()}
        return self._without(gone, lambda trace: trace.only(*patterns))

    def _like(self, patterns: Sequence[Pattern], call: str) -> set[int]:
        return {i for each in patterns for i in matcher.find(self.table, checked_one_span(each, call))}

    def _without(self, gone: set[int], again: Callable[[Trace], Trace]) -> Trace:
        seen = self.edited(self.table.without(gone))
        seen._seen_of = self, again
        return seen

    @property
    def whole(self) -> Trace:
        """The trace that this is a view of, by `without` or `only`: itself, where it is none."""
        return self if self._seen_of is None else self._seen_of[0].whole

    def seen_again(self, whole: Trace) -> Trace:
        """Return the view of another trace that this one is of its own."""
        if self._seen_of is None:
            return whole
        above, again = self._seen_of
        return again(above.seen_again(whole))

    def edited(self, table: SpanTable | None = None, **facts: Any) -> Trace:
        """Return the same trace with other spans, or with other facts of the whole."""
        told = replace(self._facts, **facts) if facts else self._facts
        new = Trace(self.table if table is None else table, told, self.raw)
        new.real_waits = self.real_waits
        return new

    def tree(self) -> str:
        """Return the picture of the tree that failures and reports show."""
        return "\n".join(tree_lines(self.table))

    @property
    def shape(self) -> str:
        """A hash of what a baseline records of it: names, types, statuses and the tree; the same in every process.

        Of two traces it is the same just where that is. Siblings that overlapped in time are in any order, and ids in
        names count no more than inputs, outputs, tags and times.

        >>> import mlflow
        >>> from pytest_mlflow_traces import capture_traces
        >>> with capture_traces() as traces:
        ...     for question in ("why?", "how?"):
        ...         with mlflow.start_span("agent", span_type="AGENT") as agent:
        ...             agent.set_inputs(question)
        >>> [trace.shape for trace in traces]
        ['ef4d62e617b8bb66', 'ef4d62e617b8bb66']
        """
        return SHAPES.of(self.table)

    def to_pattern(self) -> Pattern:
        """Return the strict pattern of this trace: name, type, status and children of every span, nothing else.

        The language has no sequence of roots, so several roots become `any_order` of them.

        Raises:
            ValueError: for a trace without spans, which equals no pattern.
        """
        table = self.table
        if not len(table):
            raise ValueError(f"trace {self.id!r} has no spans: it equals no pattern")
        made: list[list[Pattern]] = [[] for _ in range(len(table) + 1)]  # by parent; the roots, at -1, come last
        for i in range(len(table) - 1, -1, -1):
            made[table.parents[i]].append(strict(table, i, tuple(reversed(made[i]))))
        roots = made[-1][::-1]
        return roots[0] if len(roots) == 1 else any_order(*roots)

    def __repr__(self) -> str:
        return f"<Trace {self.name} {self.status} {len(self.table)} spans {self.id}>"
