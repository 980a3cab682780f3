"""One test of a page as three texts of JSON: what the list of tests shows, the spans, and what these recorded.

They are apart because a page has a limit: of a large run, the values of tests that passed go first, then their spans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.explaining.report.paths import Paths
from pytest_mlflow_traces.core.spans.convert import is_system
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.reports.html.trace_rows import (
    Texts,
    located_row,
    marked_rows,
    span_columns,
    span_values,
    trace_facts,
)
from pytest_mlflow_traces.reports.html.values import encoded, shown_line, shown_text, shown_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.explaining.report.annotated_tree import Marks
    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.trace import Trace

OLD = "old"  # the label of a trace that others are compared with
VALUES = 2_000_000  # characters of what the spans of one test recorded
_FINDINGS = 200
_MESSAGE = 20_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One test of a page, or what else has traces: of stored ones, how they were judged is the outcome."""

    name: str
    outcome: str
    traces: Sequence[Trace]
    failed: bool = False
    labels: Sequence[str] = ()  # of the traces, such as "before" and "now"
    findings: Sequence[Finding] = ()
    marks: Sequence[Marks] = ()
    message: str | None = None
    source: tuple[str, str] | None = None  # where the assertion stands, and what it says
    baseline: str | None = None
    accept: str | None = None

    def parts(self) -> tuple[str, str, str]:
        """Return the entry of the list, the spans and the values, each as JSON."""
        texts = Texts()
        findings = list(self.findings[:_FINDINGS])
        numbers = {id(finding): k for k, finding in enumerate(findings)}
        marks = [marked_rows(trace, self.marks, numbers) for trace in self.traces]
        self._locate(findings, marks)
        spans = [
            {**span_columns(trace.table, trace.start_ns or 0, texts), "marks": rows}
            for trace, rows in zip(self.traces, marks, strict=True)
        ]
        said = [_finding(finding, k, marks) for k, finding in enumerate(findings)]
        labels = [*self.labels, *[""] * (len(self.traces) - len(self.labels))]
        head = {
            "name": shown_line(self.name, 1_000),
            "outcome": self.outcome,
            "failed": self.failed,
            "findings": said,
            "more": len(self.findings) - len(findings),
            "message": None if self.message is None else shown_text(self.message, _MESSAGE),
            "source": None if self.source is None else [shown_line(each, 1_000) for each in self.source],
            "baseline": None if self.baseline is None else shown_line(self.baseline),
            "accept": None if self.accept is None else shown_line(self.accept, 1_000),
            "traces": [trace_facts(trace, label) for trace, label in zip(self.traces, labels, strict=True)],
            "texts": texts.shown(),
            "names": sorted({each for columns in spans for each in columns["name"]}),
        }
        values = _values(self.traces, marks)
        return encoded(head), encoded(spans), encoded(values)

    def _locate(self, findings: Sequence[Finding], marks: list[list[dict[str, Any]]]) -> None:
        """Mark the spans that findings without marks name by their paths, each in the first trace that has it."""
        told = {row["finding"] for rows in marks for row in rows}
        left = {k: finding for k, finding in enumerate(findings) if k not in told}
        known = dict(enumerate(self.labels))
        for number in sorted(range(len(marks)), key=lambda k: known.get(k) == OLD):
            trace, rows = self.traces[number], marks[number]
            if not left:
                return
            paths = Paths(trace.table)
            places: dict[str, int] = {}
            for i in range(len(trace.table)):
                places.setdefault(paths.of(i), i)
            for name in (trace.name, f"trace '{visible(trace.name)}'") if places else ():
                places.setdefault(name, 0)
            for k, finding in list(left.items()):
                # a rule over values may say more than the path: "agent > plan, attribute model"
                where = finding.where.removeprefix(f"[{number}] ")  # which of several traces
                place = places.get(where, places.get(where.partition(", ")[0]))
                if place is not None:
                    rows.append(located_row(left.pop(k), k, place))


def _finding(finding: Finding, k: int, marks: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """Return a finding with the trace and the row that it is about: of two, the one where something is to be seen."""
    sides = {"expected": finding.expected, "actual": finding.actual, "hint": finding.hint}
    place = next((number for number, rows in enumerate(marks) for row in rows if row["finding"] == k), None)
    return {
        "rule": shown_line(finding.rule),
        "where": shown_line(finding.where, 1_000),
        **{word: shown_text(text) for word, text in sides.items() if text is not None},
        **({} if place is None else {"trace": place}),
    }


def _values(traces: Sequence[Trace], marks: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what spans recorded, those with findings and errors first, up to a limit; `cut` are the others."""
    left = VALUES
    found = []
    for trace, rows in zip(traces, marks, strict=True):
        table = trace.table
        first = {row["at"] for row in rows if "at" in row}
        order = sorted(range(len(table)), key=lambda i: (i not in first, table.error(i) is None))
        spans: dict[int, dict[str, str]] = {}
        cut: list[int] = []
        for i in order:
            said = span_values(table, i) if left > 0 else {}
            left -= sum(map(len, said.values()))
            if left <= 0:
                cut.append(i)
            elif said:
                spans[i] = said
        metadata = {key: value for key, value in trace.metadata.items() if not is_system(key)}
        texts = {what: shown_value(dict(said)) for what, said in (("tags", trace.tags), ("metadata", metadata)) if said}
        found.append({"spans": spans, "cut": cut, **texts})
    return found
