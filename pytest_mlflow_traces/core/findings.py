"""What an expectation says of a trace: findings, and the error that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a trace is not what was expected.

    `rule` is a stable dotted id (`shape.missing`, `tags.value`, `budget.latency`), `where` the path of the span
    concerned (or the trace's name), `expected` and `actual` texts ready to print, `hint` what to do about it.

    >>> print(Finding("shape.missing", "agent > plan", expected="span('search')"))
    shape.missing at agent > plan: expected span('search')
    """

    rule: str
    where: str
    expected: str | None = None
    actual: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        said = [
            *([f"expected {self.expected}"] if self.expected is not None else ()),
            *([f"got {self.actual}"] if self.actual is not None else ()),
        ]
        text = f"{self.rule} at {self.where}"
        if said:
            text += f": {', '.join(said)}"
        if self.hint is not None and "\n" in self.hint:
            return "\n".join([text, *(f"      {line}" for line in self.hint.splitlines())])
        return text if self.hint is None else f"{text} ({self.hint})"


NO_TRACE = Finding("capture.empty", "no trace", expected="at least one trace", actual="none")
"""What every expectation says of no trace at all: nothing passes on absence."""


class TraceAssertionError(AssertionError):
    """The error for a trace that is not what was expected; `findings` holds every difference.

    >>> error = TraceAssertionError("no trace", [Finding("capture.empty", "this test")])
    >>> error.findings[0].rule
    'capture.empty'
    """

    __module__ = "pytest_mlflow_traces"  # where users know it from; pytest prints it

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)
        self._marks: tuple[Any, ...] = ()  # where they stand in the trees, for reports


def __getattr__(name: str) -> Any:
    if name == "Expectation":  # it was documented here; it knows traces, which know findings
        from importlib import import_module

        return import_module("pytest_mlflow_traces.core.expectation").Expectation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
