"""Two sets of traces compared: as text for a person, as plain data for a machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.runs.compare import DIFFERS, NOT_COMPARABLE, SAME
from pytest_mlflow_traces.core.spans.records import escaped
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.reports.markdown import code, folded, inert, rest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mlflow_traces.core.findings import Finding
    from pytest_mlflow_traces.core.runs.compare import Comparison

_WORST_FIRST = (DIFFERS, NOT_COMPARABLE, SAME)
_FOLDED = 100  # tests in one piece of Markdown


def overall(comparisons: Sequence[Comparison]) -> str:
    """Return the verdict on all: the same only where there is something, and all of it is the same."""
    verdicts = {each.verdict for each in comparisons} or {NOT_COMPARABLE}
    return next(verdict for verdict in _WORST_FIRST if verdict in verdicts)


def comparison_text(comparisons: Sequence[Comparison]) -> str:
    """Return what there is to say, the worst last, where a terminal stops, and the count below it."""
    blocks = [block for verdict in reversed(_WORST_FIRST) for block in _blocks(comparisons, verdict)]
    return "\n".join([*blocks, conclusion(comparisons)])


def conclusion(comparisons: Sequence[Comparison]) -> str:
    """Say in one line how many tests are how."""
    if not comparisons:
        return "not comparable: there are no traces on either side"
    counts = Counter(each.verdict for each in comparisons)
    words = {DIFFERS: "different", NOT_COMPARABLE: "not comparable", SAME: "the same"}
    said = [f"{counts[verdict]} {words[verdict]}" for verdict in _WORST_FIRST if counts[verdict]]
    soft = sum(len(each.soft) for each in comparisons)
    rest = f"; {counted(soft, 'soft difference')}" if soft else ""
    return f"{counted(len(comparisons), 'test')}: {', '.join(said)}{rest}"


def _blocks(comparisons: Sequence[Comparison], verdict: str) -> list[str]:
    found = []
    for each in comparisons:
        if each.verdict == verdict and _is_worth_a_word(each):
            headline = f"{escaped(each.test)}: {verdict}{f': {escaped(each.reason)}' if each.reason else ''}"
            found.append("\n".join([headline, *(escaped(f"  {line}".rstrip()) for line in _lines(each))]) + "\n")
    return found


def _is_worth_a_word(comparison: Comparison) -> bool:
    return bool(comparison.texts or comparison.reason or comparison.soft)


def _lines(comparison: Comparison) -> list[str]:
    lines = [line for text in comparison.texts for line in text.split("\n")]
    return lines + [_soft_line(finding) for finding in comparison.soft]


def _soft_line(finding: Finding) -> str:
    if finding.expected is None:
        return f"soft: {escaped(finding.actual or '')}"
    return f"soft: {escaped(finding.where)}: {escaped(finding.expected)} -> {escaped(finding.actual or '')}"


def comparison_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return the same for the summary of a CI job or a comment: the worst first, each behind a fold."""
    blocks = [f"### MLflow traces: {overall(comparisons)}", inert(conclusion(comparisons))]
    worst = sorted(comparisons, key=lambda each: _WORST_FIRST.index(each.verdict))
    shown = list(filter(_is_worth_a_word, worst))
    for each in shown[:_FOLDED]:
        title = f"{code(each.test)}: {each.verdict}{f': {inert(each.reason)}' if each.reason else ''}"
        blocks.append(folded(title, _lines(each)) if _lines(each) else title)
    blocks += rest_of(shown, _FOLDED, "more test")
    return "\n\n".join(blocks) + "\n"


def comparison_data(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return the same as plain data."""
    counts = Counter(each.verdict for each in comparisons)
    return {
        "verdict": overall(comparisons),
        "counts": {verdict: counts[verdict] for verdict in _WORST_FIRST},
        "tests": [_data(each) for each in comparisons],
    }


def _data(comparison: Comparison) -> dict[str, Any]:
    said = asdict(replace(comparison, marks=()))
    del said["marks"]
    return said
