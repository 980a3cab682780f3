"""What one pytest session learned: its tests, the facts of their traces, what was found, which baselines changed.

Workers of pytest-xdist hand it to the controller as plain data, reports are made from it: `to_dict` and `from_dict`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mlflow_traces.core.trace import Trace

TOOL = "TOOL"
FAILED = ("failed", "error")


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """The facts of one trace; `tokens` and `ms` are `None` where the trace does not tell."""

    id: str
    name: str
    status: str
    spans: int
    tools: tuple[tuple[str, int], ...] = ()
    tokens: int | None = None
    ms: float | None = None

    @classmethod
    def of(cls, trace: Trace) -> TraceRecord:
        """Take the facts from a trace."""
        table = trace.table
        tools = Counter(name for name, type_ in zip(table.names, table.types, strict=True) if type_ == TOOL)
        total = (trace.token_usage or {}).get("total_tokens")
        tokens = total if isinstance(total, int) else None
        return cls(trace.id, trace.name, trace.status, len(table), tuple(tools.items()), tokens, trace.duration_ms)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data."""
        return _plain(self) | {"tools": [list(pair) for pair in self.tools]}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> TraceRecord:
        """Read what `to_dict` returned."""
        return cls(**{**said, "tools": tuple((name, count) for name, count in said["tools"])})


@dataclass(frozen=True, slots=True)
class BaselineChange:
    """What a run did to one baseline file; `lines` are its changed lines, each after a `-` or a `+`.

    `kind` is written, updated, removed, or refused: the update left it alone, and `lines` say why.
    """

    file: str
    kind: str
    lines: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the change as plain data."""
        return _plain(self) | {"lines": list(self.lines)}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> BaselineChange:
        """Read what `to_dict` returned."""
        return cls(said["file"], said["kind"], tuple(said["lines"]))


@dataclass(frozen=True, slots=True)
class TracedTest:
    """How one test that captured traces ended, and what was learned; of a rerun test, its last run.

    `outcome` is passed, failed, error (outside the test itself), skipped, xfailed or xpassed; `failure` is the text
    of a failure, the marked tree where it was about a trace.
    """

    test: str
    outcome: str
    traces: tuple[TraceRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    failure: str | None = None
    changes: tuple[BaselineChange, ...] = ()

    @property
    def is_failed(self) -> bool:
        """Whether the test, or what belongs to it, failed."""
        return self.outcome in FAILED

    def to_dict(self) -> dict[str, Any]:
        """Return the test as plain data."""
        return _plain(self) | {
            "traces": [each.to_dict() for each in self.traces],
            "findings": [_plain(each) for each in self.findings],
            "changes": [each.to_dict() for each in self.changes],
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> TracedTest:
        """Read what `to_dict` returned."""
        return cls(
            said["test"],
            said["outcome"],
            tuple(map(TraceRecord.from_dict, said["traces"])),
            tuple(Finding(**each) for each in said["findings"]),
            said["failure"],
            tuple(map(BaselineChange.from_dict, said["changes"])),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """What one session learned.

    `exit_status` is pytest's; `others` counts the failed tests that captured no trace; `notes` are what else a reader
    must know before trusting a green run, as the baselines that no test used; `uncollected` are the modules whose tests
    nobody knows, and `stopped` says what ended the run before all tests had run.
    """

    tests: tuple[TracedTest, ...] = ()
    exit_status: int = 0
    others: int = 0
    changes: tuple[BaselineChange, ...] = ()
    notes: tuple[str, ...] = ()
    uncollected: tuple[str, ...] = ()
    stopped: str | None = None

    @property
    def failed(self) -> tuple[TracedTest, ...]:
        """The tests with traces that failed."""
        return tuple(test for test in self.tests if test.is_failed)

    @property
    def traces(self) -> tuple[TraceRecord, ...]:
        """The facts of all traces."""
        return tuple(trace for test in self.tests for trace in test.traces)

    @property
    def baseline_changes(self) -> tuple[BaselineChange, ...]:
        """What happened to baselines: by the tests, and at the end of the run."""
        return (*(change for test in self.tests for change in test.changes), *self.changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data."""
        return _plain(self) | {
            "tests": [each.to_dict() for each in self.tests],
            "changes": [each.to_dict() for each in self.changes],
            "notes": list(self.notes),
            "uncollected": list(self.uncollected),
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Run:
        """Read what `to_dict` returned."""
        return cls(
            tuple(map(TracedTest.from_dict, said["tests"])),
            said["exit_status"],
            said["others"],
            tuple(map(BaselineChange.from_dict, said["changes"])),
            tuple(said["notes"]),
            tuple(said["uncollected"]),
            said["stopped"],
        )


def total_tokens(traces: tuple[TraceRecord, ...]) -> int | None:
    """Return the sum of the tokens that are known; `None` where none is, for that is not zero."""
    known = [trace.tokens for trace in traces if trace.tokens is not None]
    return sum(known) if known else None


def total_tools(traces: tuple[TraceRecord, ...]) -> dict[str, int]:
    """Return how often each tool was called, in the order of the first calls."""
    counts: Counter[str] = Counter()
    for trace in traces:
        counts.update(dict(trace.tools))
    return dict(counts)


def _plain(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}
