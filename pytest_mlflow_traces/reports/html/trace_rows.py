"""One trace as columns for the page: its spans in pre-order, and what is marked on them and between them.

Times are whole microseconds from the start of the trace. Names and types are numbers in the list of texts of the test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.explaining.align.subtree_hashes import in_post_order, positions_in
from pytest_mlflow_traces.core.patterns.nodes import SpanPattern, short
from pytest_mlflow_traces.core.spans.critical_path import critical_path
from pytest_mlflow_traces.reports.html.values import shown_line, shown_text, shown_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mlflow_traces.core.explaining.report.annotated_tree import Marks, Note
    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.patterns.nodes import Pattern
    from pytest_mlflow_traces.core.spans.table import SpanTable
    from pytest_mlflow_traces.core.trace import Trace

_BELOW = 50  # lines of what is missing with all that belongs below it
_RECORDED_ELSEWHERE = frozenset(("mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.traceRequestId", "mlflow.spanType"))


class Texts:
    """The texts of one test, each once, and the number of each."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Return the number of a text."""
        return self._numbers.setdefault(text, len(self._numbers))

    def shown(self) -> list[str]:
        """Return the texts by their numbers."""
        return [shown_line(text) for text in self._numbers]


def span_columns(table: SpanTable, base: int, texts: Texts) -> dict[str, Any]:
    """Return the spans of a trace, a list for each of their fields."""
    return {
        "id": [shown_line(str(record.span_id)) for record in table.records],
        "name": list(map(texts.number, table.names)),
        "type": list(map(texts.number, table.types)),
        "parent": table.parents,
        "start": [(start - base) // 1000 for start in table.starts],
        "took": [None if end is None else (end - start) // 1000 for start, end in _times(table)],
        "status": list(map(texts.number, table.statuses)),
        "error": [[i, _error(table, i)] for i in range(len(table)) if table.error(i) is not None],
        "path": [[step.position, step.own_ns // 1000] for step in critical_path(table)],
    }


def _times(table: SpanTable) -> Iterator[tuple[int, int | None]]:
    return zip(table.starts, table.ends, strict=True)


def _error(table: SpanTable, i: int) -> str:
    error = table.error(i)
    return shown_line(": ".join(str(part) for part in (error and error.type, error and error.message) if part))


def span_values(table: SpanTable, i: int) -> dict[str, str]:
    """Return what one span recorded, each as text; nothing for what it did not."""
    error = table.error(i)
    attributes = {key: value for key, value in table.attributes(i).items() if key not in _RECORDED_ELSEWHERE}
    said: dict[str, Any] = {
        "exception": None if error is None else "\n".join(str(e) for e in (error.type, error.message) if e) or "ERROR",
        "inputs": table.inputs(i),
        "outputs": table.outputs(i),
        "attributes": attributes or None,
    }
    for number, event in enumerate(table.events(i)[:100], 1):
        said[f"event {number}: {shown_line(event.name)}"] = event.attributes
    return {key: shown_value(value) for key, value in said.items() if value is not None}


def marked_rows(trace: Trace, marks: Sequence[Marks], findings: Mapping[int, int]) -> list[dict[str, Any]]:
    """Return the marks that are about a trace; `findings` are the numbers of findings by their identity."""
    table = trace.table
    places = {id(record): i for i, record in enumerate(table.records)}
    found = [
        (note, _marked(note, each.table, table, places, findings))
        for each in marks
        if len(each.table) and id(each.table.records[0]) in places
        for note in sorted(each.notes, key=lambda note: note.order)
    ]
    missing = {
        id(part): k
        for k, (note, _) in enumerate(found)
        if note.mark == "-" and note.pattern is not None
        for part in in_post_order(note.pattern)
    }
    for note, row in found:
        if note.mark == ">" and id(note.pattern) in missing:
            row["home"] = missing[id(note.pattern)]  # the mark of the missing parent
    return [row for _, row in found]


def _marked(
    note: Note, seen: SpanTable, table: SpanTable, places: Mapping[int, int], findings: Mapping[int, int]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "mark": note.mark,
        "text": [shown_line(text, 1_000) for text in note.notes],
        "finding": findings.get(id(note.finding)),
    }

    def place(i: int) -> int:
        return places[id(seen.records[i])]

    if note.span >= 0:
        row["at"] = place(note.span)
    if note.span < 0 or note.before >= 0:  # what is seen through stands between some spans and their parents
        parent = place(note.parent) if note.parent >= 0 else -1
        is_last = note.before >= (seen.stops[note.parent] if note.parent >= 0 else len(seen))
        row["before"] = (table.stops[parent] if parent >= 0 else len(table)) if is_last else place(note.before)
        row["depth"] = (table.depth(parent) + 1 if parent >= 0 else 0) if is_last else table.depth(row["before"])
    if note.span < 0:
        row["label"] = shown_line(note.label)
        is_gone = note.mark == "-" and not note.folded
        row["below"] = [[depth, shown_line(label)] for depth, label in _below(note.pattern)] if is_gone else []
    return row


def _below(pattern: Pattern | None) -> list[tuple[int, str]]:
    """Return a line for each span that belongs below what is missing, with its depth there."""
    found: list[tuple[int, str]] = []
    waiting = [] if not isinstance(pattern, SpanPattern) else [(1, each) for each in reversed([*positions_in(pattern)])]
    while waiting and len(found) < _BELOW:
        depth, each = waiting.pop()
        label = each.label if isinstance(each, SpanPattern) else None
        if label is not None or not positions_in(each):
            found.append((depth, label or short(each, 56)))
        waiting += [(depth + (label is not None), inner) for inner in reversed([*positions_in(each)])]
    return found


def located_row(finding: Finding, number: int, i: int) -> dict[str, Any]:
    """Return the mark of a finding of which is known on which span it stands, and no more."""
    sides = (("expected", finding.expected), ("got", finding.actual))
    said = ", ".join(f"{word} {text}" for word, text in sides if text is not None)
    text = shown_line(f"{finding.rule}: {said}" if said else finding.rule, 1_000)
    return {"mark": "~" if finding.rule.startswith("soft.") else "!", "text": [text], "finding": number, "at": i}


def trace_facts(trace: Trace, label: str) -> dict[str, Any]:
    """Return what is to be known of a trace before its spans are looked at."""
    return {
        "id": shown_line(trace.id),
        "name": shown_line(trace.name),
        "status": shown_line(trace.status),
        "label": label,
        "ms": trace.duration_ms,
        "count": len(trace.table),
        "session": None if trace.session_id is None else shown_line(str(trace.session_id)),
        "problems": [shown_text(text) for text in trace.problems[:20]],
    }
