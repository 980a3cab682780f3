"""What one pytest session learned: its tests, the facts of their traces, what was found, which baselines changed.

Workers of pytest-xdist hand each test to the controller as plain data; reports are made from all of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mlflow_traces.core.adequacy.survivors import Survivors
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


@dataclass(frozen=True, slots=True)
class BaselineChange:
    """What a run did to one baseline file; `lines` are its changed lines, each after a `-` or a `+`.

    `kind` is written, updated, loosened (`lines` say what it demands no more), removed, or refused: the update left it
    alone, and `lines` say why.
    """

    file: str
    kind: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TracedTest:
    """How one test that captured traces ended, and what was learned; of a rerun test, its last run.

    `outcome` is passed, failed, error (outside the test itself), skipped, xfailed or xpassed; `failure` is the text
    of a failure, the marked tree where it was about a trace; `source` is the path and the line of what failed, and
    `baseline` those of the section that a trace was compared with; `rate` says how the runs of a repeated test ended.
    """

    test: str
    outcome: str
    traces: tuple[TraceRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    failure: str | None = None
    changes: tuple[BaselineChange, ...] = ()
    source: str | None = None
    baseline: str | None = None
    rate: str | None = None

    @property
    def is_failed(self) -> bool:
        """Whether the test, or what belongs to it, failed."""
        return self.outcome in FAILED

    def to_dict(self) -> dict[str, Any]:
        """Return the test as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> TracedTest:
        """Read what `to_dict` returned, and what became of it as JSON, which has no tuples."""
        traces = [{**each, "tools": tuple(map(tuple, each["tools"]))} for each in said["traces"]]
        changes = [{**each, "lines": tuple(each["lines"])} for each in said["changes"]]
        return cls(
            said["test"],
            said["outcome"],
            tuple(TraceRecord(**each) for each in traces),
            tuple(Finding(**each) for each in said["findings"]),
            said["failure"],
            tuple(BaselineChange(**each) for each in changes),
            said["source"],
            said["baseline"],
            said["rate"],
        )


@dataclass(frozen=True, slots=True)
class Chapter:
    """What else a run was asked to say: a title, what it comes to in a line, and its lines."""

    title: str
    said: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """What one session learned.

    `exit_status` is pytest's; `others` counts the failed tests that captured no trace; `notes` are what else a reader
    must know before trusting a green run, as the baselines that no test used; `uncollected` are the modules whose tests
    nobody knows, and `stopped` says what ended the run before all tests had run; `survivors` are the mutants of traces
    that no test noticed, where traces were edited.
    """

    tests: tuple[TracedTest, ...] = ()
    exit_status: int = 0
    others: int = 0
    changes: tuple[BaselineChange, ...] = ()
    notes: tuple[str, ...] = ()
    uncollected: tuple[str, ...] = ()
    stopped: str | None = None
    survivors: Survivors | None = None
    chapters: tuple[Chapter, ...] = ()

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
