"""What traces took of a budget, each limit by itself: findings where that is too much, or unknown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from pytest_mlflow_traces.core.budgets.latency import ENOUGH_FOR_P95, rank
from pytest_mlflow_traces.core.budgets.spent import cost_spent, tokens_spent
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.matching.matcher import find
from pytest_mlflow_traces.core.patterns.nodes import OneOf, Pattern, SpanPattern, short
from pytest_mlflow_traces.core.spans.critical_path import path_lines
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.spans.usage import SPAN_COST, SPAN_TOKEN_USAGE, is_addable, is_amount
from pytest_mlflow_traces.core.text.counts import capped, counted
from pytest_mlflow_traces.core.text.durations import NS_PER_MS, readable_duration
from pytest_mlflow_traces.core.text.suggestions import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_mlflow_traces.core.spans.real_waits import RealWait
    from pytest_mlflow_traces.core.trace import Span, Trace

# of all types that MLflow gives to calls of a model: most integrations write LLM, and embeddings are paid for too
_MODEL_CALL = OneOf(tuple(SpanPattern(type=each) for each in ("CHAT_MODEL", "LLM", "EMBEDDING")))
# of the conventions that `mlflow.tracing.otel.translation` reads
_USAGE_ELSEWHERE = ("gen_ai.usage.", "llm.usage.", "llm.token_count.", "ai.usage.", "usage.")
_LISTED = 100  # findings of one limit; the rest is counted
_WAITS = 3


@dataclass(frozen=True, slots=True)
class Limit:
    """What the spans of one pattern may take: nanoseconds each, or `least` to `most` calls."""

    pattern: Pattern
    most: int
    least: int = 0
    optional: bool = False

    @property
    def label(self) -> str:
        """How the spans were named: by a string, or by the code of a pattern."""
        pattern = self.pattern
        if isinstance(pattern, SpanPattern) and isinstance(pattern.name, str) and pattern == SpanPattern(pattern.name):
            return repr(pattern.name)
        return repr(pattern)


def latency(trace: Trace, most: int) -> Iterator[Finding]:
    """Check the time from the first start to the last end of all spans: a child may outlive the roots."""
    if _is_within(trace, most):  # a look at nearly all stored traces: the words for the others cost more
        return
    where, expected, duration = visible(trace.name), _at_most(most), trace.duration_ms
    table = trace.table
    if trace.status == "IN_PROGRESS" or (duration is None and len(table)):
        yield Finding("budget.unfinished", where, expected, "a trace that never ended")
    elif duration is None:
        yield Finding("budget.absent", where, expected, "a trace without spans")
    elif None in table.ends:
        where = table.path(table.ends.index(None))
        yield Finding("budget.unfinished", where, expected, "a span that never ended")
    else:
        taken, late = round(duration * NS_PER_MS), None
        ends = [end for end in table.ends if end is not None]
        if ends and taken >= 0:
            roots_end = max(ends[i] for i in table.roots())
            taken = max(ends) - min(table.starts)
            if max(ends) > roots_end:
                after = readable_duration(max(ends) - roots_end)
                late = f"{table.path(ends.index(max(ends)))} ended {after} after the root"
        if not 0 <= taken <= most:
            hints = [each for each in (late, _path_hint(trace, None)) if each is not None]
            yield Finding("budget.latency", where, expected, _taken(taken, most), "\n".join(hints) or None)
        yield from _unseen((wait for waits in trace.real_waits.values() for wait in waits), where, expected, taken)


def _is_within(trace: Trace, most: int) -> bool:
    starts, ends = trace.table.starts, cast("list[int]", trace.table.ends)
    if trace.status == "IN_PROGRESS" or trace.real_waits or not ends or None in ends:
        return False
    return starts[0] <= ends[0] and max(ends) - min(starts) <= most  # so the first root has not ended before it started


def latency_of(trace: Trace, limit: Limit) -> Iterator[Finding]:
    """Check how long each span took."""
    took = {span: None if span.end_ns is None else span.end_ns - span.start_ns for span in trace.find(limit.pattern)}
    expected, worst = _at_most(limit.most), max(took, key=lambda each: took[each] or 0, default=None)

    def over(span: Span, taken: int) -> Finding:
        hint = _path_hint(trace, span) if span is worst else None  # one picture will do; the others get a line
        return Finding("budget.latency", span.path, expected, _taken(taken, limit.most), hint)

    yield from _spans(trace, limit, expected, took, over, lambda span: _waits(trace, span))


def self_time_of(trace: Trace, limit: Limit) -> Iterator[Finding]:
    """Check for how long none of the children of each span ran."""
    own_ms = {span: span.self_ms for span in trace.find(limit.pattern)}
    took = {span: None if own is None else round(own * NS_PER_MS) for span, own in own_ms.items()}
    expected = f"{_at_most(limit.most)} of its own"

    def over(span: Span, own: int) -> Finding:
        of = f" of its own, of {readable_duration(round((span.duration_ms or 0) * NS_PER_MS))}"
        return Finding("budget.self_time", span.path, expected, _taken(own, limit.most, of))

    def waits(span: Span) -> Sequence[RealWait]:
        return [wait for wait in _waits(trace, span) if _id(span) in wait.spans]

    yield from _spans(trace, limit, expected, took, over, waits)


def _spans(
    trace: Trace,
    limit: Limit,
    expected: str,
    took: Mapping[Span, int | None],
    over: Callable[[Span, int], Finding],
    waits: Callable[[Span], Sequence[RealWait]],
) -> Iterator[Finding]:
    """Check what each span took, `over` being the finding on one that took too long."""
    found: list[Finding] = []
    for span, taken in took.items():
        if taken is None:
            found.append(Finding("budget.unfinished", span.path, expected, "a span that never ended"))
            continue
        found += [over(span, taken)] if not 0 <= taken <= limit.most else []
        found += _unseen(waits(span), span.path, expected, taken)
    yield from _absent(trace, limit, f"{expected} for {short(limit.pattern)}", [*took])
    yield from _few(found, limit)


def tokens(trace: Trace, most: int) -> Iterator[Finding]:
    """Check the tokens of all spans together."""
    usage = trace.token_usage or {}
    total, *parts = (usage.get(f"{part}_tokens") for part in ("total", "input", "output"))
    said: list[object] = [total, *parts]
    if total is None and not all(map(is_amount, parts)):
        said = []  # one part is not a total
    cure = "MLflow sums the span attribute mlflow.chat.tokenUsage, which autologging sets where a model reports usage"
    expected = f"at most {most:,} tokens"
    uncounted = [*_uncounted(trace, "token usage", SPAN_TOKEN_USAGE, _has_usage, expected)]
    yield from uncounted or _unrecorded(trace, "token usage", usage, said, expected, cure)
    spent, contradiction = tokens_spent(trace, usage)
    if spent > most:
        actual = f"{spent:,}{_ratio(spent, most)}"
        yield Finding("budget.tokens", visible(trace.name), expected, actual, contradiction)


def cost(trace: Trace, most: float) -> Iterator[Finding]:
    """Check the cost of all spans together."""
    said = trace.cost or {}
    expected = f"at most ${most:g}"
    cure = "MLflow computes it from the usage and the model name, where it has a price for the model"
    uncounted = [*_uncounted(trace, "cost", SPAN_COST, _has_cost, expected)]
    yield from uncounted or _unrecorded(trace, "cost", said, [said.get("total_cost")], expected, cure)
    spent, contradiction = cost_spent(trace, said)
    if spent > most:
        actual = f"${spent:g}{_ratio(spent, most)}"
        yield Finding("budget.cost", visible(trace.name), expected, actual, contradiction)


def _unrecorded(
    trace: Trace, what: str, recorded: Mapping[str, Any], said: Sequence[object], expected: str, cure: str
) -> Iterator[Finding]:
    """Object where what was recorded tells no total."""
    known = [each for each in said if each is not None]
    if not known or not all(map(is_amount, known)):
        actual = f"a {what} of {recorded!r:.120}" if recorded else f"no {what} recorded"
        yield Finding("budget.unrecorded", visible(trace.name), expected, actual, cure)


def _uncounted(
    trace: Trace, what: str, attribute: str, has: Callable[[Span], bool], expected: str
) -> Iterator[Finding]:
    """Object to what the sum leaves out: records that MLflow cannot add, and calls of a model beside others."""
    known = set(filter(has, trace.spans))
    calls = {trace.span_at(i) for i in find(trace.table, _MODEL_CALL)}  # nothing that the test has asked

    def is_silent(span: Span) -> bool:
        record = span.attributes.get(attribute)
        if record is not None and not is_addable(record, attribute):
            return True
        # one with other calls below it is a wrapper: they are asked
        return bool(known) and span in calls and span.status != "ERROR" and calls.isdisjoint(span.descendants())

    silent = [
        span
        for span in trace.spans
        if is_silent(span) and known.isdisjoint((span, *span.ancestors(), *span.descendants()))
    ]
    if silent:
        first, more = silent[0], f" (and {len(silent) - 1:,} more)" if len(silent) > 1 else ""
        record = first.attributes.get(attribute)
        actual = f"a {what} of {record!r:.120}" if record else f"no {what} recorded"
        which = "MLflow adds numbers alone" if record else "the sum leaves this call of a model out"
        yield Finding("budget.unrecorded", first.path, expected, actual, f"{which}{more}")


def _has_usage(span: Span) -> bool:
    return is_addable(span.attributes.get(SPAN_TOKEN_USAGE), SPAN_TOKEN_USAGE) or any(
        key.startswith(_USAGE_ELSEWHERE) and "token" in key.lower() and is_amount(value)
        for key, value in span.attributes.items()
    )


def _has_cost(span: Span) -> bool:
    return is_addable(span.attributes.get(SPAN_COST), SPAN_COST)


def calls(trace: Trace, limit: Limit) -> Iterator[Finding]:
    """Check how many spans there are."""
    count = len(find(trace.table, limit.pattern))
    if limit.least <= count <= limit.most and len(trace.table):
        return
    spans = trace.find(limit.pattern)
    if not spans and (limit.least > 0 or not len(trace.table)):
        yield from _absent(trace, limit, _expected_calls(limit), spans)
    elif spans and not limit.least <= len(spans) <= limit.most:
        ratio = _ratio(len(spans), limit.most) if len(spans) > limit.most else ""
        shown = [*(span.path for span in spans[:8]), *(["..."] if len(spans) > 8 else [])]
        yield Finding(
            "budget.calls",
            visible(trace.name),
            _expected_calls(limit),
            f"{len(spans):,}{ratio}",
            "\n".join(["at", *shown]),
        )


def _expected_calls(limit: Limit) -> str:
    what = short(limit.pattern)
    if limit.least <= 1:
        return f"at most {counted(limit.most, 'call')} of {what}" if limit.most else f"no call of {what}"
    low = "exactly" if limit.least == limit.most else f"{limit.least:,} to"
    return f"{low} {counted(limit.most, 'call')} of {what}"


def p95(traces: Sequence[Trace], limit: Limit) -> Iterator[Finding]:
    """Check the 95th percentile, by nearest rank, of how long the spans of all traces took."""
    homes = {span: number for number, trace in enumerate(traces) for span in trace.find(limit.pattern)}
    where = {span: f"[{number}] {span.path}" if len(traces) > 1 else span.path for span, number in homes.items()}
    taken = {span: span.end_ns - span.start_ns for span in homes if span.end_ns is not None}
    expected = f"a p95 of {_at_most(limit.most)}"
    unfinished = [span for span in homes if span not in taken]
    yield from _few(
        [Finding("budget.unfinished", where[span], expected, "a span that never ended") for span in unfinished], limit
    )
    backwards = [span for span in taken if taken[span] < 0]
    yield from _few(
        [Finding("budget.latency", where[span], expected, _taken(taken[span], limit.most)) for span in backwards], limit
    )
    waits = {span: _waits(traces[number], span) for span, number in homes.items() if span in taken}
    yield from _few(
        [each for span in waits for each in _unseen(waits[span], where[span], expected, taken[span])], limit
    )
    if not homes and limit.optional and any(len(trace.table) for trace in traces):
        return
    at = sorted(taken, key=taken.__getitem__)[rank(95, len(taken))] if taken else None
    hint = _meant(limit, *traces) if at is None else _path_hint(traces[homes[at]], at)
    slow = None if at is None else (taken[at], where[at])
    yield from tail(limit, len(homes), len(taken), slow, len(traces), hint)


def tail(
    limit: Limit, found: int, ended: int, slow: tuple[int, str] | None, traces: int, hint: str | None = None
) -> Iterator[Finding]:
    """Check a 95th percentile, which is `slow` and where it was, of some spans that ended of those that were found."""
    what = short(limit.pattern)
    if not found:
        actual = f"no such span in {counted(traces, 'trace')}"
        yield Finding("budget.absent", what, f"a p95 of {_at_most(limit.most)}", actual, hint)
    elif ended < ENOUGH_FOR_P95:
        few = f"{ended} in {counted(traces, 'trace')}"
        cure = "of fewer it is the maximum: run it more often, or limit each span by latency_of"
        yield Finding("budget.samples", what, f"at least {ENOUGH_FOR_P95} samples for a p95", few, cure)
    elif slow is not None and slow[0] > limit.most:
        taken, where = slow
        actual = _taken(taken, limit.most, f" of {ended:,} samples")
        yield Finding("budget.p95", where, f"a p95 of {_at_most(limit.most)}", actual, hint)


def _unseen(waits: Iterable[RealWait], where: str, expected: str, taken: int) -> list[Finding]:
    """Return the finding that a duration in virtual time is not all the time that passed, if it is not."""
    known = list(dict.fromkeys(waits))
    if not known:
        return []
    total = readable_duration(sum(wait.nanoseconds for wait in known))
    hint = [
        "waited in real time, for",
        *capped([f"  {wait}" for wait in known], _WAITS, "... {} more"),
        "put a stub in its place that takes as long by time.sleep(), or limit this span outside of virtual time",
    ]
    actual = f"{readable_duration(taken)} of virtual time, and {total} of real time that it leaves out"
    return [Finding("budget.real_time", where, expected, actual, "\n".join(hint))]


def _waits(trace: Trace, span: Span) -> Sequence[RealWait]:
    return trace.real_waits.get(_id(span), ())


def _id(span: Span) -> str:
    return str(span._table.records[span._position].span_id)


@lru_cache(maxsize=256)  # of a stream of traces, each is asked the same
def _at_most(most: int) -> str:
    return f"at most {readable_duration(most, exact=True)}"


def _taken(taken: int, most: int, of: str = "") -> str:
    shown = readable_duration(taken)
    if shown == readable_duration(most):  # they differ in a digit that is not shown
        shown = readable_duration(taken, exact=True)
    return f"{shown}{of}{', it ends before it starts' if taken < 0 else _ratio(taken, most)}"


def _ratio(taken: float, most: float) -> str:
    if not most:
        return ""
    digits = next((n for n in (3, 6, 9) if f"{taken / most:.{n}g}" != "1"), 12)
    return f" ({taken / most:.{digits}g} times the limit)"


def _path_hint(trace: Trace, span: Span | None) -> str | None:
    lines = path_lines(trace.table, None if span is None else span._position)
    return "\n".join(["critical path, and what each took of it by itself:", *lines]) if len(lines) > 1 else None


def _absent(trace: Trace, limit: Limit, expected: str, spans: Sequence[Span]) -> list[Finding]:
    if not len(trace.table):  # not even a limit that no span need come under holds of nothing
        return [Finding("budget.absent", visible(trace.name), expected, "a trace without spans")]
    if spans or limit.optional:
        return []
    return [Finding("budget.absent", visible(trace.name), expected, "no such span", _meant(limit, trace))]


def _meant(limit: Limit, *traces: Trace) -> str | None:
    """Return the name of a span that may have been meant."""
    name = limit.pattern.name if isinstance(limit.pattern, SpanPattern) else None
    names = {each for trace in traces for each in trace.table.names}
    return nearest(name, names - {name}).lstrip("; ") or None if isinstance(name, str) else None


def _few(found: list[Finding], limit: Limit) -> list[Finding]:
    if len(found) <= _LISTED:
        return found
    rest = Finding(found[-1].rule, short(limit.pattern), found[-1].expected, f"{len(found) - _LISTED:,} more like this")
    return [*found[:_LISTED], rest]
