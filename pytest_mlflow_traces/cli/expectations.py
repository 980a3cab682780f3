"""What `--contract` and `--against` name: expectations in code, contract files, baselines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_mlflow_traces.cli.answers import UnansweredError
from pytest_mlflow_traces.core.baselines.file_format import BaselineError, Section
from pytest_mlflow_traces.core.judgements import Judge
from pytest_mlflow_traces.core.patterns.nodes import Pattern
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.files import baselines
from pytest_mlflow_traces.files.expectations import loaded_expectation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_mlflow_traces.core.trace import Trace


def loaded(name: str, option: str) -> Any:
    """Return the expectation that an option names, as `module:NAME` or as a contract file."""
    # as `python -m` has it; a console script does not
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return loaded_expectation(name)
    except ValueError as error:
        raise click.UsageError(f"{option} {name}: {error}") from None


class Cover:
    """Expectations, baselines among them, of which one is to hold for each trace."""

    def __init__(self, names: Iterable[str], option: str) -> None:
        self._sections: list[tuple[Section, Pattern]] = []
        self._judges: list[Judge] = []
        for name in names:
            if Path(name).is_dir() or name.endswith(baselines.SUFFIX):
                self._sections += [(each, each.pattern) for each in _sections(name)]
            else:
                self._judges.append(Judge(loaded(name, option)))

    def covers(self, trace: Trace) -> bool:
        """Return whether something applies to a trace, and holds."""
        return any(trace == pattern and not section.findings(trace) for section, pattern in self._sections) or any(
            _holds(judge, trace) for judge in self._judges
        )


def _holds(judge: Judge, trace: Trace) -> bool:
    if isinstance(judge.expectation, Pattern):
        return trace == judge.expectation
    return judge.judge(trace).verdict == "holds"


def _sections(path: str) -> Iterator[Section]:
    """Yield what a baseline file holds, or the files anywhere in a folder."""
    files = sorted(Path(path).rglob(f"*{baselines.SUFFIX}")) if Path(path).is_dir() else [Path(path)]
    if not files:
        raise UnansweredError(f"{visible(path)}: no baseline (*{baselines.SUFFIX}) in this folder")
    for file in files:
        try:
            text = baselines.load(file)
        except BaselineError as error:
            raise UnansweredError(f"{visible(str(file))}: {error}") from None
        if text is None:
            raise UnansweredError(f"{visible(str(file))}: no such file")
        yield from (section for section in text.sections if section.text)
