"""In how many runs each finding is: by its rule and its place, so that ten runs with one fault read as one line."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces.core.findings import Finding

_LISTED = 10
# which of several traces a finding is about: each run has others
_TRACE = re.compile(r"^\[[0-9]+\] | of trace .*", re.DOTALL)
Kind = tuple[str, str]
"""The rule of a finding, and the path of its span."""


def kind_of(finding: Finding) -> Kind:
    """Return what a finding has in common with those of other runs."""
    return finding.rule, _TRACE.sub("", finding.where)


class Frequencies:
    """The findings of many runs, counted."""

    def __init__(self) -> None:
        self._first: dict[Kind, Finding] = {}
        self._runs: Counter[Kind] = Counter()

    def add(self, findings: Iterable[Finding]) -> None:
        """Take in what was found in one run; what it has several times counts once."""
        found: dict[Kind, Finding] = {}
        for finding in findings:
            found.setdefault(kind_of(finding), finding)
        self._runs.update(found.keys())
        self._first = {**found, **self._first}

    @property
    def runs(self) -> dict[Kind, int]:
        """In how many runs each is, the most frequent first."""
        return dict(self._runs.most_common())

    @property
    def findings(self) -> list[Finding]:
        """One of each, the first that was seen, the most frequent first."""
        return [self._first[kind] for kind in self.runs]

    def lines(self) -> list[str]:
        """Say how often each was found, and what it was the first time, in a line."""
        first = [(self._runs[kind_of(each)], str(each).split("\n")[0]) for each in self.findings[:_LISTED]]
        said = [f"{runs:,}x {text}" for runs, text in first]
        more = len(self._runs) - _LISTED
        return [*said, *([f"... {more:,} more findings"] if more > 0 else [])]
