"""What traces took of a budget, each limit by itself: findings where that is too much, or cannot be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from pytest_mlflow_traces.core.durations import NS_PER_MS, readable_duration
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.nodes import Pattern, SpanPattern, short
from pytest_mlflow_traces.core.spans import visible
from pytest_mlflow_traces.core.statistics import ENOUGH_FOR_P95, rank
from pytest_mlflow_traces.core.timing import path_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mlflow_traces.core.tree import Span, Trace

_LISTED = 100  # findings of one limit; the rest is counted


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
    """Check the time from the start of the first root to the end of the last."""
    where, expected, duration = visible(trace.name), _at_most(most), trace.duration_ms
    if trace.status == "IN_PROGRESS" or (duration is None and trace.spans):
        yield Finding("budget.unfinished", where, expected, "a trace that never ended")
    elif duration is None:
        yield Finding("budget.absent", where, expected, "a trace without spans")
    elif not 0 <= (taken := round(duration * NS_PER_MS)) <= most:
        yield Finding("budget.latency", where, expected, _taken(taken, most), _path_hint(trace, None))


def latency_of(trace: Trace, limit: Limit) -> Iterator[Finding]:
    """Check how long each span took."""
    spans, expected = trace.find(limit.pattern), _at_most(limit.most)
    taken = {span: span.end_ns - span.start_ns for span in spans if span.end_ns is not None}
    worst = max(taken, key=taken.__getitem__, default=None)

    def checked() -> Iterator[Finding]:
        for span in spans:
            if span not in taken:
                yield Finding("budget.unfinished", span.path, expected, "a span that never ended")
            elif not 0 <= taken[span] <= limit.most:
                hint = _path_hint(trace, span) if span is worst else None  # one picture will do; the others get a line
                yield Finding("budget.latency", span.path, expected, _taken(taken[span], limit.most), hint)

    yield from _absent(trace, limit, f"{expected} for {short(limit.pattern)}", spans)
    yield from _few([*checked()], limit)


def self_time_of(trace: Trace, limit: Limit) -> Iterator[Finding]:
    """Check for how long none of the children of each span ran."""
    spans, expected = trace.find(limit.pattern), f"{_at_most(limit.most)} of its own"

    def checked() -> Iterator[Finding]:
        for span in spans:
            own_ms, whole_ms = span.self_ms, span.duration_ms
            if own_ms is None or whole_ms is None:
                yield Finding("budget.unfinished", span.path, expected, "a span that never ended")
            elif not 0 <= (own := round(own_ms * NS_PER_MS)) <= limit.most:
                of = f" of its own, of {readable_duration(round(whole_ms * NS_PER_MS))}"
                yield Finding("budget.self_time", span.path, expected, _taken(own, limit.most, of))

    yield from _absent(trace, limit, f"{expected} for {short(limit.pattern)}", spans)
    yield from _few([*checked()], limit)


def tokens(trace: Trace, most: int) -> Iterator[Finding]:
    """Check the tokens of all spans together."""
    usage = trace.token_usage or {}
    total = usage.get("total_tokens")
    if not _is_number(total) and _is_number(usage.get("input_tokens")) and _is_number(usage.get("output_tokens")):
        total = usage["input_tokens"] + usage["output_tokens"]
    where, expected = visible(trace.name), f"at most {most:,} tokens"
    if not _is_number(total):
        cure = (
            "MLflow sums the span attribute mlflow.chat.tokenUsage, which autologging sets where a model reports usage"
        )
        yield Finding("budget.unrecorded", where, expected, "no token usage recorded", cure)
    elif total > most:
        yield Finding("budget.tokens", where, expected, f"{total:,}{_ratio(total, most)}")


def cost(trace: Trace, most: float) -> Iterator[Finding]:
    """Check the cost of all spans together."""
    total = (trace.cost or {}).get("total_cost")
    where, expected = visible(trace.name), f"at most ${most:g}"
    if not _is_number(total):
        cure = "MLflow computes it from the usage and the model name, where it has a price for the model"
        yield Finding("budget.unrecorded", where, expected, "no cost recorded", cure)
    elif total > most:
        yield Finding("budget.cost", where, expected, f"${total:g}{_ratio(total, most)}")


def calls(trace: Trace, limit: Limit) -> Iterator[Finding]:
    """Check how many spans there are."""
    spans, what = trace.find(limit.pattern), short(limit.pattern)
    if limit.least <= 1:
        expected = f"at most {_counted(limit.most, 'call')} of {what}" if limit.most else f"no call of {what}"
    else:
        low = "exactly" if limit.least == limit.most else f"{limit.least:,} to"
        expected = f"{low} {_counted(limit.most, 'call')} of {what}"
    if not spans and limit.least > 0:
        yield from _absent(trace, limit, expected, spans)
    elif spans and not limit.least <= len(spans) <= limit.most:
        ratio = _ratio(len(spans), limit.most) if len(spans) > limit.most else ""
        shown = [*(span.path for span in spans[:8]), *(["..."] if len(spans) > 8 else [])]
        yield Finding(
            "budget.calls", visible(trace.name), expected, f"{len(spans):,}{ratio}", "\n".join(["at", *shown])
        )


def p95(traces: Sequence[Trace], limit: Limit) -> Iterator[Finding]:
    """Check the 95th percentile, by nearest rank, of how long the spans of all traces took."""
    homes = {span: number for number, trace in enumerate(traces) for span in trace.find(limit.pattern)}
    where = {span: f"[{number}] {span.path}" if len(traces) > 1 else span.path for span, number in homes.items()}
    taken = {span: span.end_ns - span.start_ns for span in homes if span.end_ns is not None}
    what, expected = short(limit.pattern), f"a p95 of {_at_most(limit.most)}"
    unfinished = [span for span in homes if span not in taken]
    yield from _few(
        [Finding("budget.unfinished", where[span], expected, "a span that never ended") for span in unfinished], limit
    )
    if not homes:
        if not limit.optional:
            yield Finding("budget.absent", what, expected, f"no such span in {_counted(len(traces), 'trace')}")
    elif len(taken) < ENOUGH_FOR_P95:
        few = f"{len(taken)} in {_counted(len(traces), 'trace')}"
        cure = "of fewer it is the maximum: run it more often, or limit each span by latency_of"
        yield Finding("budget.samples", what, f"at least {ENOUGH_FOR_P95} samples for a p95", few, cure)
    else:
        at = sorted(taken, key=taken.__getitem__)[rank(95, len(taken))]
        if not 0 <= taken[at] <= limit.most:
            actual = _taken(taken[at], limit.most, f" of {len(taken)} samples")
            yield Finding("budget.p95", where[at], expected, actual, _path_hint(traces[homes[at]], at))


def _at_most(most: int) -> str:
    return f"at most {readable_duration(most)}"


def _taken(taken: int, most: int, of: str = "") -> str:
    shown = readable_duration(taken)
    if shown == readable_duration(most):  # they differ in a digit that is not shown
        shown = f"{taken / NS_PER_MS:.6f}".rstrip("0").rstrip(".") + " ms"
    return f"{shown}{of}{', it ends before it starts' if taken < 0 else _ratio(taken, most)}"


def _ratio(taken: float, most: float) -> str:
    if not most:
        return ""
    digits = next((n for n in (3, 6, 9) if f"{taken / most:.{n}g}" != "1"), 12)
    return f" ({taken / most:.{digits}g} times the limit)"


def _path_hint(trace: Trace, span: Span | None) -> str | None:
    lines = path_lines(trace.forest, None if span is None else span._position)
    return "\n".join(["critical path, and what each took of it by itself:", *lines]) if len(lines) > 1 else None


def _absent(trace: Trace, limit: Limit, expected: str, spans: Sequence[Span]) -> list[Finding]:
    if spans or limit.optional:
        return []
    return [Finding("budget.absent", visible(trace.name), expected, "no such span")]


def _few(found: list[Finding], limit: Limit) -> list[Finding]:
    if len(found) <= _LISTED:
        return found
    rest = Finding(found[-1].rule, short(limit.pattern), found[-1].expected, f"{len(found) - _LISTED:,} more like this")
    return [*found[:_LISTED], rest]


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
