"""The traces of one test as a report section and as JUnit properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.runs.records import TraceRecord, total_tokens, total_tools
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import capped
from pytest_mlflow_traces.core.text.durations import readable_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.trace import Span, Trace

MAX_LINES = 200  # of one section; a trace of thousands of spans is for a file, not for a terminal
PREFIX = "mlflow_traces."


def section(traces: Sequence[Trace], unfinished: Sequence[Span], lost: Sequence[Finding] = ()) -> str:
    """Return the trees of a test, each under a line that says which trace it is, and what is not among them."""
    blocks = [f"{headline(trace, number, len(traces))}\n{trace.tree()}" for number, trace in enumerate(traces, 1)]
    if unfinished:
        blocks.append("never ended:\n" + _listed(unfinished))
        tops = dict.fromkeys((span, *span.ancestors())[-1] for span in unfinished)
        ended = [span for top in tops for span in (top, *top.descendants()) if span.end_ns is not None]
        if ended:
            blocks.append("ended in a trace that never did:\n" + _listed(ended))
    waits = dict.fromkeys(wait for trace in traces for waits in trace.real_waits.values() for wait in waits)
    if waits:
        blocks.append(
            "waited in real time, which virtual time leaves out:\n" + "\n".join(f"  {each}" for each in waits)
        )
    if lost:
        blocks.append("lost:\n" + "\n".join(f"  {finding}" for finding in lost))
    return "\n".join(capped("\n\n".join(blocks or ["no trace was captured"]).split("\n"), MAX_LINES))


def _listed(spans: Sequence[Span]) -> str:
    return "\n".join(f"  {span.path}  {visible(span.type)}" for span in spans)


def properties(traces: Sequence[Trace], *, with_trees: bool) -> list[tuple[str, str]]:
    """Return what a JUnit file gets of the traces of a test: facts that a CI can chart, trees where it failed."""
    records = tuple(map(TraceRecord.of, traces))
    tokens = total_tokens(records)
    facts = [
        (f"{PREFIX}trace_ids", " ".join(trace.id for trace in traces)),
        (f"{PREFIX}spans", str(sum(each.spans for each in records))),
        (f"{PREFIX}tools", _multiplied(total_tools(records))),
        (f"{PREFIX}tokens", "" if tokens is None else str(tokens)),  # none recorded is not zero
        (f"{PREFIX}ms", " ".join("" if t.duration_ms is None else f"{t.duration_ms:.3f}" for t in traces)),
    ]
    if with_trees:
        facts.append((f"{PREFIX}tree", section(traces, ())))
    return facts


def headline(trace: Trace, number: int = 1, total: int = 1) -> str:
    """Return the line above a tree: which trace it is, of how many, and how it ended."""
    duration = trace.duration_ms
    said = [
        *([f"[{number}/{total}]"] if total > 1 else []),
        f"trace {visible(trace.name)!r}",
        visible(trace.status),
        "unfinished" if duration is None else readable_duration(round(duration * 1_000_000)),
        visible(trace.id),
    ]
    if trace.session_id is not None:
        said.append(f"session {visible(str(trace.session_id))!r}")
    return "  ".join(said)


def _multiplied(counts: dict[str, int]) -> str:
    return ", ".join(visible(name) if count == 1 else f"{visible(name)} x{count}" for name, count in counts.items())
