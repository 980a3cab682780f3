"""The marker `mlflow_traces`: what it may say, and what a test must then have traced."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.core.text.suggestions import listed, nearest

if TYPE_CHECKING:
    from pytest_mlflow_traces.capture.traces import CapturedTraces

MARKER = "mlflow_traces"
KEYWORDS = ("expect", "count")
TOO_LATE = (
    f"@pytest.mark.{MARKER} was added when the test was running, too late to capture its traces: add it at collection,"
    f" or let the test ask for the fixture {MARKER}"
)
_MIXED = (
    f"{MARKER} is one capture for all examples of a Hypothesis test, which mixes their traces. Open one for each"
    " example, inside the test: `with capture_traces() as traces:` (from pytest_mlflow_traces import capture_traces)"
)


@dataclass(frozen=True, slots=True)
class Demand:
    """What the markers of one test ask: how many traces, and what each must be."""

    at_least: int = 1
    at_most: int | None = None
    expectations: tuple[Any, ...] = ()

    def check(self, traces: CapturedTraces) -> None:
        """Raise a TraceAssertionError where the finished traces are not what was asked."""
        __tracebackhide__ = True
        from pytest_mlflow_traces.core.findings import Finding, TraceAssertionError

        count = len(traces)
        if not count and not self.at_least:
            traces.fail_lost(f"expected {self._counted()}")
        if count < self.at_least or (self.at_most is not None and count > self.at_most):
            expected = f"expected {self._counted()}"
            if not count:
                traces.fail_empty(expected)
            finding = Finding("capture.count", "this test", expected=self._counted(), actual=str(count))
            raise TraceAssertionError(f"{expected}, got {count}:\n{traces.listing()}", [finding])
        if self.expectations:
            from pytest_mlflow_traces.core.contracts import assert_trace

            assert_trace(list(traces), *self.expectations)

    def _counted(self) -> str:
        if self.at_least == self.at_most:
            return f"{self.at_least} trace{'' if self.at_least == 1 else 's'}"
        if self.at_most is None:
            return f"at least {self.at_least} trace{'' if self.at_least == 1 else 's'}"
        return f"{self.at_least} to {self.at_most} traces"


def demand_of(item: pytest.Item) -> Demand:
    """Return what the markers of `item` ask, the closest one first to say each thing.

    Raises:
        pytest.UsageError: for what the marker does not take, naming the test and the legal keywords.
    """
    count: Any = None
    expectations: list[Any] = []
    for marker in item.iter_markers(MARKER):
        if marker.args:
            raise _misuse(item, f"takes keywords only: {listed(KEYWORDS)}; got {marker.args[0]!r:.80}")
        for keyword in marker.kwargs:
            if keyword not in KEYWORDS:
                raise _misuse(
                    item, f"has no keyword {keyword!r} (legal: {listed(KEYWORDS)}){nearest(keyword, KEYWORDS)}"
                )
        if count is None:
            count = marker.kwargs.get("count")
        expect = marker.kwargs.get("expect")
        if "expect" in marker.kwargs:
            if isinstance(expect, list | tuple) and not expect:
                raise _misuse(item, f"expect={expect!r} checks nothing: give a pattern, or leave it out")
            expectations += expect if isinstance(expect, list | tuple) else [expect]
    at_least, at_most = _limits(item, count)
    if expectations and at_most == 0:
        raise _misuse(item, "count=0 contradicts expect: no trace is left to check")
    return Demand(at_least, at_most, _checked(item, expectations))


def open_capture(item: pytest.Item) -> None:
    """Have a test ask for the fixture: after those of wider scopes, whose traces are not its own, before all others.

    Raises:
        pytest.UsageError: for an item without fixtures.
    """
    names = getattr(item, "fixturenames", None)
    if names is None:
        raise _misuse(item, f"opens a capture by a fixture, and a {type(item).__name__} has none: nothing is captured")
    if MARKER not in names:
        known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # whatever has fixture names has it
        wider = [i for i, name in enumerate(names, 1) if known.get(name) and known[name][-1].scope != "function"]
        names.insert(max(wider, default=0), MARKER)


def refuse_examples(item: pytest.Item) -> None:
    """Refuse a Hypothesis test that asks for the fixture: one capture would mix the traces of all examples.

    One that only runs beside an autouse fixture which captures has not asked.

    Raises:
        pytest.UsageError: saying what to write instead.
    """
    if item.get_closest_marker(MARKER) is not None or MARKER in _asked(item):
        raise pytest.UsageError(f"{item.nodeid}: {_MIXED}")


def refuse_mixed(item: pytest.Item) -> None:
    """Refuse a Hypothesis test whose examples traced into the capture of a fixture that it asks for.

    Raises:
        pytest.UsageError: saying what to write instead.
    """
    known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # a Function has it
    waiting, seen = list(_asked(item)), set[str]()
    while waiting:
        name = waiting.pop()
        if name == MARKER:
            raise pytest.UsageError(f"{item.nodeid}: {_MIXED}")
        if name not in seen:
            seen.add(name)
            waiting += (needed for each in known.get(name, ()) for needed in each.argnames)


def _asked(item: pytest.Item) -> set[str]:
    asked = {name for marker in item.iter_markers("usefixtures") for name in marker.args}
    return asked.union(inspect.signature(item.obj).parameters)  # type: ignore[attr-defined]  # a Function has it


def _limits(item: pytest.Item, count: object) -> tuple[int, int | None]:
    if count is None:
        return 1, None  # a marked test that traced nothing has tested nothing
    limits = count if isinstance(count, tuple) else (count, count)
    if len(limits) != 2 or any(not isinstance(limit, int) or isinstance(limit, bool) for limit in limits):
        raise _misuse(item, f"count is a whole number or (min, max), got {count!r}")
    if limits[0] < 0 or limits[0] > limits[1]:
        raise _misuse(item, f"count={count!r}: no number of traces is that")
    return limits


def _checked(item: pytest.Item, expectations: list[Any]) -> tuple[Any, ...]:
    if not expectations:
        return ()
    from pytest_mlflow_traces.core.contracts import checked_expectation

    try:
        return tuple(checked_expectation(each) for each in expectations)
    except TypeError as error:
        raise _misuse(item, f"expect: {error}") from None


def _misuse(item: pytest.Item, text: str) -> pytest.UsageError:
    return pytest.UsageError(f"{item.nodeid}: @pytest.mark.{MARKER} {text}")
