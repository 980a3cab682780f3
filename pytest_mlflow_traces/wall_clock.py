"""Latency in real time, for when someone must: against recorded numbers, with tolerances, and measured again.

It is by itself on purpose. What a trace looks like is the same on every machine, what a wall clock says is not, so the
two never stand in one assertion: a suite that runs in CI has `Budget` and `virtual_time`, and this beside it, in tests
that a slow machine may skip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError
from pytest_mlflow_traces.core.patterns.constructors import checked_one_span, span
from pytest_mlflow_traces.core.text.durations import NS_PER_MS, parse_duration, readable_duration
from pytest_mlflow_traces.virtual_time.participants import VirtualTimeError
from pytest_mlflow_traces.virtual_time.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from pytest_mlflow_traces.core.patterns.nodes import Pattern

__all__ = ["assert_not_slower"]

__tracebackhide__ = True  # a failure points at the test, not in here


def assert_not_slower(
    run: Callable[[], object],
    *,
    recorded: Mapping[Any, str | timedelta],
    relative: float,
    absolute: str | timedelta,
    attempts: int = 3,
) -> None:
    """Assert that spans do not take longer than was recorded of them, in real time.

    A span is slower when it exceeds what was recorded by both tolerances: 9 ms that became 15 are not regression, nor
    are 100 s that became 101. What is slower is measured again, and only what is slower each time fails.

    >>> import mlflow
    >>> def answer():
    ...     with mlflow.start_span("agent"):
    ...         pass
    >>> assert_not_slower(answer, recorded={"agent": "1ms"}, relative=0.5, absolute="5s")

    Args:
        run: Does it once; its spans are captured here.
        recorded: Names or patterns of spans, and how long the slowest that matches took, which you write down by hand.
        relative: How much of that it may take more, 0.25 for a quarter.
        absolute: How much it may take more in time.
        attempts: How often it is measured before it fails, at least twice.

    Raises:
        TraceAssertionError: for spans that are slower each time, are absent, or never end.
        VirtualTimeError: inside virtual time.
        TypeError: for an argument of the wrong type.
        ValueError: for one that cannot be.
    """
    if Simulation.active is not None:
        raise VirtualTimeError("assert_not_slower() measures real time; in virtual time, assert a Budget")
    limits = _limits(recorded, _checked_share(relative), parse_duration(absolute, "absolute"))
    slower: dict[Pattern, list[int]] = {pattern: [] for pattern in limits}
    for _ in range(_checked_attempts(attempts)):
        for pattern, taken in _measured(run, list(slower)).items():
            if taken <= limits[pattern][1]:
                del slower[pattern]
            else:
                slower[pattern].append(taken)
        if not slower:
            return
    raise _regression({pattern: (*limits[pattern], slower[pattern]) for pattern in slower}, attempts)


def _checked_share(relative: object) -> float:
    if not isinstance(relative, int | float) or isinstance(relative, bool) or not 0 <= relative < 1e6:
        raise ValueError(f"relative is a share such as 0.25, a quarter more, got {relative!r}")
    return relative


def _checked_attempts(attempts: object) -> int:
    if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 2:
        raise ValueError(f"attempts is a whole number of at least 2, since a slow run is measured again: {attempts!r}")
    return attempts


def _limits(recorded: object, relative: float, absolute_ns: int) -> dict[Pattern, tuple[int, int]]:
    """Return what was recorded of each span, and the most that it may take."""
    if not isinstance(recorded, Mapping) or not recorded:
        raise TypeError(f"recorded maps names or patterns of spans to how long they took, got {recorded!r}")
    limits = {}
    for key, value in recorded.items():
        pattern = span(key) if isinstance(key, str) else checked_one_span(key, "recorded")
        taken = parse_duration(value, f"recorded[{key!r}]")
        limits[pattern] = taken, taken + max(round(taken * relative), absolute_ns)
    return limits


def _measured(run: Callable[[], object], patterns: list[Pattern]) -> dict[Pattern, int]:
    from pytest_mlflow_traces.capture import capture_traces

    with capture_traces() as traces:
        run()
    return {pattern: round(traces.latency(pattern).max * NS_PER_MS) for pattern in patterns}


def _regression(slower: dict[Pattern, tuple[int, int, list[int]]], attempts: int) -> TraceAssertionError:
    findings, best = [], []
    for pattern, (recorded, limit, taken) in slower.items():
        expected = f"at most {readable_duration(limit)} ({readable_duration(recorded)} recorded)"
        actual = ", ".join(map(readable_duration, taken))
        findings.append(Finding("budget.regression", repr(pattern), expected, actual))
        best.append(f"{pattern!r}: '{min(taken) / NS_PER_MS:.1f}ms'")
    lines = "".join(f"\n  {finding.where}: expected {finding.expected}, got {finding.actual}" for finding in findings)
    cure = f"if it may take as long, write that down: recorded={{{', '.join(best)}}}"
    return TraceAssertionError(f"slower than recorded in each of {attempts} runs:{lines}\n{cure}", findings)
