"""A run in a few lines: the verdict for whoever gates on it, the totals, and what it did to baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.runs.records import total_tokens, total_tools
from pytest_mlflow_traces.core.spans.records import escaped
from pytest_mlflow_traces.core.text.counts import capped, counted
from pytest_mlflow_traces.reports.adequacy import survivor_lines
from pytest_mlflow_traces.reports.html.page import Head

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.runs.records import Run

_LINES = 20  # of one baseline file; the rest is in the diff of the version control


def verdict(run: Run) -> str:
    """Say whether the traces of a run hold; a run that traced nothing has checked nothing."""
    failed = len(run.failed)
    if not run.tests:
        return "nothing was traced"
    if failed:
        return f"{failed} of {counted(len(run.tests), 'test')} failed"
    held = sum(test.outcome in ("passed", "xfailed", "xpassed") for test in run.tests)
    if not held:
        return "every test was skipped"
    if run.exit_status or run.stopped is not None or run.uncollected:
        why = [
            *([f"{counted(run.others, 'test')} without traces failed"] if run.others else []),
            *([f"{counted(len(run.uncollected), 'module')} not collected"] if run.uncollected else []),
        ]
        ended = "failed" if run.stopped is None else "stopped early"
        why += ["and not for a trace"] if not why and run.stopped is None else []
        return f"{counted(held, 'test')} passed, but the run {ended}" + (f" ({', '.join(why)})" if why else "")
    return f"{counted(held, 'test')} passed"


def totals(run: Run) -> str:
    """Say how much was traced: `2 traces of 1 test, 18 spans, 3 tool calls, 1,204 tokens, 1 finding`."""
    traces = run.traces
    tokens = total_tokens(traces)
    calls = sum(total_tools(traces).values())
    findings = sum(len(test.findings) for test in run.tests)
    said = [
        f"{counted(len(traces), 'trace')} of {counted(len(run.tests), 'test')}",
        counted(sum(trace.spans for trace in traces), "span"),
        *([counted(calls, "tool call")] if calls else []),
        *([] if tokens is None else [counted(tokens, "token")]),
        *([counted(findings, "finding")] if findings else []),
    ]
    return ", ".join(said)


def page_head(run: Run) -> Head:
    """Return what stands at the top of a page: the verdict, the totals, and what to know before trusting it."""
    notes = []
    if run.stopped is not None:
        notes.append(f"The run stopped early: {run.stopped}.")
    if run.uncollected:
        names = ", ".join(capped(run.uncollected, _LINES, "{} more"))
        notes.append(f"Not collected, so that their tests did not run: {names}.")
    changed = [f"{change.kind} {change.file}" for change in run.baseline_changes]
    if changed:
        notes.append(f"What this run did to baselines: {', '.join(capped(changed, _LINES, '{} more'))}.")
    for chapter in run.chapters:
        notes += [f"{chapter.title}: {chapter.said}.", *capped([line.strip() for line in chapter.lines], _LINES)]
    mutants = [] if run.survivors is None else survivor_lines(run.survivors)
    failed = bool(run.failed or run.exit_status or not run.tests or run.stopped is not None)
    return Head(f"MLflow traces: {verdict(run)}", totals(run), failed, (*notes, *run.notes, *mutants))


def change_lines(run: Run) -> list[str]:
    """Return a line for each file, its changed lines below it, and what is to be known of others."""
    lines = []
    for change in run.baseline_changes:
        lines.append(f"{'left alone' if change.kind == 'refused' else change.kind}: {escaped(change.file)}")
        lines += [f"    {escaped(line)}" for line in capped(change.lines, _LINES)]
    return lines + [escaped(note) for note in run.notes]
