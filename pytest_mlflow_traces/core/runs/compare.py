"""What a test traced before, and what it traces now: structure is hard, everything else is soft and listed.

What cannot be compared is not the same: a test that only one side has, another number of traces, a trace that is not
whole, token usage that only one side recorded.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.explaining.report.value_diffs import differing, shortened
from pytest_mlflow_traces.core.explanations import mismatch_of
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.patterns.recorded import overlapping, recorded
from pytest_mlflow_traces.core.spans.convert import SESSION, USER, is_system
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.durations import readable_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mlflow_traces.core.explaining.report.annotated_tree import Marks
    from pytest_mlflow_traces.core.spans.table import SpanTable
    from pytest_mlflow_traces.core.trace import Trace

SAME, DIFFERS, NOT_COMPARABLE = "same", "differs", "not comparable"
# a latency is told where it changed by both: 9 ms that became 15 ms are noise
_FAR, _MS = 0.25, 50.0
_LISTED = 30  # soft differences of one test
_WIDTH = 60
_VOLATILE = frozenset({"mlflow.traceRequestId", "mlflow.experimentId"})
# UUIDs and long hexadecimal numbers: messages, checkpoints and runs of a framework have new ones each time. A number of
# digits alone is none, so that what stands outside of strings in JSON stays what it is.
_ID = re.compile(
    r"(?<![\w.])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{16,})(?!\w)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How what one test traced compares with what it traced before."""

    test: str
    verdict: str
    reason: str | None = None  # where it is not comparable
    findings: tuple[Finding, ...] = ()
    soft: tuple[Finding, ...] = ()
    texts: tuple[str, ...] = ()  # the marked tree of each trace that differs
    marks: tuple[Marks, ...] = field(default=(), repr=False, compare=False)


def compare(test: str, old: Sequence[Trace], new: Sequence[Trace]) -> Comparison:
    """Compare the traces of one test, `old` being what is expected."""
    reason = _incomparable(old, new)
    if reason is not None:
        return Comparison(test, NOT_COMPARABLE, reason)
    findings: list[Finding] = []
    soft: list[Finding] = []
    texts = []
    marks = []
    for before, after in paired(old, new):
        pattern = recorded(before.table)
        # which of two that take turns by chance overlap is chance, too: the order is free if either run says so
        if not (after == pattern or before == recorded(after.table)):
            said = mismatch_of(after, pattern)
            findings += said.findings
            texts.append(said.text())
            marks += [] if said.marks is None else [said.marks]
        elif not after == before.to_pattern():  # noqa: SIM201  # traces have no `!=` of their own
            soft.append(
                Finding("soft.order", visible(after.name), "spans that overlap in time as before", "another order")
            )
        state = _state(before, after)
        if state is not None:
            findings.append(state)
            texts.append(f"{state.where}: status: expected {state.expected}, got {state.actual}")
        soft += _softly(before, after)
    soft += _order(test, old, new)
    soft.sort(key=lambda finding: finding.rule == "soft.attribute")  # the many must not push out the few
    if len(soft) > _LISTED:
        more = len(soft) - _LISTED
        soft = [*soft[:_LISTED], Finding("soft.more", test, actual=f"{more} more soft differences")]
    told = tuple(findings), tuple(soft), tuple(texts), tuple(marks)
    return Comparison(test, DIFFERS if findings else SAME, None, *told)


def _incomparable(old: Sequence[Trace], new: Sequence[Trace]) -> str | None:
    if not old:
        return "only in the new traces"
    if not new:
        return "only in the old traces"
    if len(old) != len(new):
        return f"{len(old)} trace(s) before, {len(new)} now{_only(old, new, 'before')}{_only(new, old, 'now')}"
    for which, traces in (("old", old), ("new", new)):
        for trace in traces:
            wrong = "it has no spans" if not len(trace.table) else next(iter(trace.problems), None)
            if wrong is not None:
                return f"the {which} trace '{visible(trace.name)}' is not whole: {wrong}"
    for before, after in paired(old, new):
        if (before.token_usage is None) is not (after.token_usage is None):
            without = "old" if before.token_usage is None else "new"
            return f"the {without} trace '{visible(after.name)}' recorded no token usage, the other did"
    return None


def _only(these: Sequence[Trace], others: Sequence[Trace], when: str) -> str:
    more = Counter(trace.name for trace in these) - Counter(trace.name for trace in others)
    names = ", ".join(repr(visible(name)) for name in more.elements())
    return f"; only {when}: {shortened(names)}" if names else ""


def paired(old: Sequence[Trace], new: Sequence[Trace]) -> Iterator[tuple[Trace, Trace]]:
    """Pair the traces by name and then by start, since those of threads start as they like, or else by start."""
    sides = [_by_start(traces) for traces in (old, new)]
    if _are_named_alike(old, new):
        sides = [sorted(traces, key=lambda trace: trace.name) for traces in sides]
    yield from zip(*sides, strict=True)


def _by_start(traces: Sequence[Trace]) -> list[Trace]:
    return sorted(traces, key=lambda trace: trace.start_ns or 0)


def _are_named_alike(old: Sequence[Trace], new: Sequence[Trace]) -> bool:
    return Counter(trace.name for trace in old) == Counter(trace.name for trace in new)


def _order(test: str, old: Sequence[Trace], new: Sequence[Trace]) -> Iterator[Finding]:
    names = [[trace.name for trace in _by_start(traces)] for traces in (old, new)]
    if names[0] != names[1] and _are_named_alike(old, new):
        told = (shortened(", ".join(map(visible, each))) for each in names)
        yield Finding("soft.order", f"the traces of {visible(test)}", *told)


def _state(before: Trace, after: Trace) -> Finding | None:
    """Return the finding on the status of the trace as a whole, which the code under test can set by itself."""
    if before.status == after.status or all(each.status == each.table.statuses[0] for each in (before, after)):
        return None  # the tree tells of the root's
    return Finding("trace.status", f"trace '{visible(after.name)}'", repr(before.status), repr(after.status))


def _softly(before: Trace, after: Trace) -> Iterator[Finding]:
    name = visible(after.name)
    if before.name != after.name and before.table.names[0] == after.table.names[0]:
        yield Finding("soft.name", "the name of the trace", repr(before.name), repr(after.name))
    yield from _changed("soft.tag", "tag", before.tags, after.tags)
    yield from _changed("soft.metadata", "metadata", *(_of_user(trace.metadata) for trace in (before, after)))
    old_tokens, new_tokens = ((trace.token_usage or {}).get("total_tokens") for trace in (before, after))
    if old_tokens != new_tokens:
        yield Finding("soft.tokens", name, f"{old_tokens} tokens", f"{new_tokens}")
    old_ms, new_ms = before.duration_ms, after.duration_ms
    if old_ms is not None and new_ms is not None and abs(new_ms - old_ms) >= max(_MS, min(old_ms, new_ms) * _FAR):
        yield Finding("soft.latency", name, *(readable_duration(round(ms * 1e6)) for ms in (old_ms, new_ms)))
    places: dict[tuple[int, str, int], int] = {}
    spans = dict(zip(_places(before.table, places), range(len(before.table)), strict=True))
    for place, i in zip(_places(after.table, places), range(len(after.table)), strict=True):
        if place in spans:
            yield from _span_softly(before.table, spans[place], after.table, i)


def _span_softly(before: SpanTable, k: int, after: SpanTable, i: int) -> Iterator[Finding]:
    errors = before.error(k), after.error(i)
    if before.statuses[k] == after.statuses[i] and errors[0] is not None and errors[1] is not None:
        sides = [(error.type, _without_ids(error.message)) for error in errors if error is not None]
        if sides[0] != sides[1]:
            yield Finding("soft.error", f"{after.path(i)}, exception", *map(_told, sides))
    events = [[event.name for event in table.events(at)] for table, at in ((before, k), (after, i))]
    if events[0] != events[1]:
        told = (shortened(", ".join(map(visible, names))) if names else "none" for names in events)
        yield Finding("soft.event", f"{after.path(i)}, events", *told)
    at_once = [_run_at_once(table, at) for table, at in ((before, k), (after, i))]
    if None not in at_once and at_once[0] != at_once[1]:
        words = ("some at the same time" if each else "one after the other" for each in at_once)
        yield Finding("soft.parallel", f"{after.path(i)}, children", *words)
    old, new = before.attributes(k), after.attributes(i)
    if old != new:
        yield from _changed("soft.attribute", f"{after.path(i)}, attribute", old, new)


def _told(error: tuple[str | None, Any]) -> str:
    return ": ".join(shortened(str(part)) for part in error if part) or "none"


def _run_at_once(table: SpanTable, i: int) -> bool | None:
    """Return whether some children overlap in time; `None` where there are not two."""
    children = table.children(i)
    return None if len(children) < 2 else len(overlapping(table, children)) < len(children)


def _of_user(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the code under test set; of MLflow's own keys these are the user and the session."""
    return {key: value for key, value in metadata.items() if not is_system(key) or key in (SESSION, USER)}


def _places(table: SpanTable, places: dict[tuple[int, str, int], int]) -> Iterator[int]:
    """Number each span by the place it has in the tree: its parent's place, its name, and which of that name it is."""
    found: list[int] = []
    seen: Counter[tuple[int, str]] = Counter()
    for parent, name in zip(table.parents, table.names, strict=True):
        above = -1 if parent < 0 else found[parent]
        seen[above, name] += 1
        found.append(places.setdefault((above, name, seen[above, name]), len(places)))
    yield from found


def _changed(rule: str, what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Finding]:
    for key in {**old, **new}:
        where = f"{what} {visible(str(key))}"
        if key in _VOLATILE:
            continue
        if key in old and key in new:
            one, two = _without_ids(old[key]), _without_ids(new[key])
            for each in differing(one, two, repr(one)):
                yield Finding(rule, f"{where}{each.place}", each.expected, each.actual)
            continue
        yield Finding(rule, where, *(_shown(side[key]) if key in side else "absent" for side in (old, new)))


def _without_ids(value: Any) -> Any:
    """Return a value with a word in place of each id that the run has made."""
    if not isinstance(value, str | list | dict):
        return value
    try:
        text = json.dumps(value)
        known = _ID.sub("<id>", text)
        return value if known == text else json.loads(known)
    except (TypeError, ValueError, RecursionError):  # it came from no JSON
        return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH // 2]}...{text[-_WIDTH // 2 :]}"
