"""A run as Markdown, for the summary of a CI job or a comment on a pull request.

Names of spans and tests come from anywhere, so nothing of them is left to be read as Markdown, HTML or a terminal's
escape: every such character is written as an entity, in elements in which GitHub looks for no mention and no link.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.runs.records import total_tokens, total_tools
from pytest_mlflow_traces.core.spans.records import escaped, printable
from pytest_mlflow_traces.core.text.counts import capped, counted
from pytest_mlflow_traces.reports.adequacy import found_line, mutants_headline, notes_of, shape_line
from pytest_mlflow_traces.reports.headlines import totals, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.adequacy.survivors import Survivors
    from pytest_mlflow_traces.core.runs.records import Run, TracedTest

# GitHub takes a mebibyte of summary from one step, and nobody reads that
_ROWS = 300
_FAILURES = 50
_CHANGES = 50
_SURVIVORS = 50
_LINES = 60
_TOOLS = 6
_MODULES = 20
_WIDTH = 160
_HEADER = (
    "| test | outcome | traces | spans | tools | tokens | findings |",
    "|:--|:--|--:|--:|:--|--:|--:|",
)
# What stays is what a reader of the source wants to read and no Markdown wants: `_` inside of a word, `.` but for
# "1. " in front and for "www.", `-` and spaces but in front.
_MEANT = re.compile(r"\A[0-9]{1,9}\.(?!\S)|\A[ -]| \Z|(?<=[Ww]{3})\.|(?<![^\W_])_|_(?![^\W_])|[^\w ./,-]")


def summary(run: Run) -> str:
    """Return the report: the verdict, the tests, what differs, and the baselines that the run changed."""
    blocks = [f"## MLflow traces: {verdict(run)}", *_alerts(run)]
    if run.tests:
        blocks += [f"{totals(run)}.", "\n".join(_table(run))]
    failed = run.failed
    if failed:
        blocks += ["### What differs", *map(_failure, failed[:_FAILURES])]
        blocks += rest_of(failed, _FAILURES, "more failure")
    changes = run.baseline_changes
    if changes:
        blocks += [
            "### Baselines changed in this run",
            *[folded(f"{change.kind} {code(change.file)}", change.lines) for change in changes[:_CHANGES]],
        ]
        blocks += rest_of(changes, _CHANGES, "more baseline")
    if run.survivors is not None:
        blocks += _mutants(run.survivors)
    for chapter in run.chapters:
        blocks += [f"### {inert(chapter.title)}", f"{inert(chapter.said)}."]
        blocks += [folded(counted(len(chapter.lines), "line"), chapter.lines)] if chapter.lines else []
    return "\n\n".join(blocks) + "\n"


def _mutants(survivors: Survivors) -> list[str]:
    """Return the share that was noticed, of each shape too, and what nothing notices."""
    found = survivors.survivors()
    return [
        f"### Mutants: {inert(mutants_headline(survivors))}",
        *([folded("By shape", [*map(shape_line, survivors.shapes)])] if survivors.total else []),
        *(["\n".join(f"- {inert(found_line(each))}" for each in found[:_SURVIVORS])] if found else []),
        *rest_of(found, _SURVIVORS, "more survivor"),
        *map(inert, notes_of(survivors)),
    ]


def rest_of(shown: Sequence[object], most: int, what: str) -> list[str]:
    """Return a line that says how many are not shown, where some are not."""
    return [f"… {counted(len(shown) - most, what)}"] if len(shown) > most else []


def _alerts(run: Run) -> list[str]:
    said = []
    if not run.tests:
        said.append(("CAUTION", "No test of this run captured a trace, so nothing was checked."))
    if run.stopped is not None:
        said.append(("CAUTION", f"The run stopped early: {inert(run.stopped)}."))
    if run.uncollected:
        names = capped(list(map(code, run.uncollected)), _MODULES, "{} more")
        said.append(("CAUTION", f"Not collected, so that their tests did not run: {', '.join(names)}."))
    changed = [change for change in run.baseline_changes if change.kind != "refused"]
    if changed:
        text = f"This run rewrote {counted(len(changed), 'baseline')}: it shows what the agent does now, and checks no"
        said.append(("IMPORTANT", f"{text} baseline. Review the changes below, and run again without the update."))
    said += [("WARNING", inert(note)) for note in run.notes]
    return [f"> [!{kind}]\n> {text}" for kind, text in said]


def _table(run: Run) -> list[str]:
    tests = sorted(run.tests, key=lambda test: not test.is_failed)
    lines = [*_HEADER, *map(_row, tests[:_ROWS])]
    more = tests[_ROWS:]
    if more:
        failed = sum(test.is_failed for test in more)
        lines.append(f"| … {counted(len(more), 'more test')} | {f'{failed} failed' if failed else ''} | | | | | |")
    return lines


def _row(test: TracedTest) -> str:
    tools = [f"{code(name)}{f' x{count}' if count > 1 else ''}" for name, count in total_tools(test.traces).items()]
    tokens = total_tokens(test.traces)
    cells = [
        code(test.test),
        f"**{test.outcome}**" if test.is_failed else test.outcome,
        f"{len(test.traces):,}",
        f"{sum(trace.spans for trace in test.traces):,}",
        ", ".join(capped(tools, _TOOLS, "{} more")),
        "" if tokens is None else f"{tokens:,}",
        f"{len(test.findings):,}" if test.findings else "",
    ]
    return f"| {' | '.join(cells)} |"


def _failure(test: TracedTest) -> str:
    found = f": {counted(len(test.findings), 'finding')}" if test.findings else ""
    return folded(f"{code(test.test)}{found}", (test.failure or "no message").split("\n"))


def folded(title: str, lines: Sequence[str]) -> str:
    """Return lines that are there on demand, below a title that is Markdown already."""
    # an HTML block that begins with <pre> goes on to its </pre>, over blank lines, and has no Markdown in it
    shown = "\n".join(html.escape(escaped(_cut(line, 4 * _WIDTH))) for line in capped(lines, _LINES, "… {} more lines"))
    return f"<details><summary>{title}</summary>\n\n<pre>\n{shown}\n</pre>\n\n</details>"


def code(text: str) -> str:
    """Return `text` as code within a line or a cell of a table."""
    return f"<code>{inert(_cut(text, _WIDTH))}</code>"


def inert(text: str) -> str:
    """Return `text` with an entity for each character that could mean something, in Markdown or in HTML."""
    return _MEANT.sub(lambda found: "".join(f"&#{ord(char)};" for char in found[0]), printable(text))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width // 2]}…{text[-width // 2 :]}"
