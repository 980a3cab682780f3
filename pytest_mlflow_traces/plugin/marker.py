"""The marker `mlflow_traces`: what it may say, and what a test must then have traced."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import TestCase

import pytest

from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.core.text.suggestions import listed, nearest
from pytest_mlflow_traces.plugin.stash import PLAN, REPEATING

if TYPE_CHECKING:
    from pytest_mlflow_traces.capture.traces import CapturedTraces
    from pytest_mlflow_traces.core.rates.sequential import Plan

MARKER = "mlflow_traces"
KEYWORDS = ("expect", "count", "repeat", "at_least", "confidence")
CONFIDENCE = 0.95
_TOO_LATE = (
    f"@pytest.mark.{MARKER} was added when the test was running, too late to capture its traces: add it at collection,"
    f" or let the test ask for the fixture {MARKER}"
)
_ONCE = (
    "has not been repeated: the marker came when the test was running, or another plugin runs the test in its own way"
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
    plan: Plan | None = None  # by which the test is repeated

    @property
    def count(self) -> str:
        """How many traces there are to be, in words."""
        if self.at_most is None or self.at_least == self.at_most:
            return f"{'at least ' if self.at_most is None else ''}{counted(self.at_least, 'trace')}"
        return f"{self.at_least} to {self.at_most} traces"


def is_captured(item: pytest.Item) -> bool:
    """Return whether a test asks for the fixture, by itself or because it is marked."""
    return MARKER in getattr(item, "fixturenames", ())


def prepare(item: pytest.Item) -> None:
    """Read what is asked of a test before any runs, and have one that is marked ask for the fixture.

    Raises:
        pytest.UsageError: for what the marker does not take, an item without fixtures, or a Hypothesis test that asks
            for the fixture: one capture would mix the traces of all examples.
    """
    demand = demand_of(item)
    if demand is not None:
        _ask_for_fixture(item)
        if demand.plan is not None:
            item.stash[PLAN] = demand.plan
    # one that only runs beside an autouse fixture which captures has not asked
    if is_captured(item) and _is_of_examples(item) and (demand is not None or MARKER in _asked(item)):
        raise pytest.UsageError(f"{item.nodeid}: {_MIXED}")


def final_demand(item: pytest.Item, traces: CapturedTraces | None) -> Demand | None:
    """Return what the markers ask of a test that has run; a fixture may have marked it meanwhile.

    Raises:
        pytest.UsageError: for what the marker does not take, for one that came when no capture could be opened any
            more, or a Hypothesis test whose examples traced into one that a fixture of it asks for.
    """
    demand = demand_of(item)
    if demand is not None and traces is None:
        raise pytest.UsageError(f"{item.nodeid}: {_TOO_LATE}")
    if demand is not None and demand.plan is not None and REPEATING not in item.stash:
        raise _misuse(item, f"repeat={demand.plan.most} {_ONCE}")
    if traces and _is_of_examples(item) and MARKER in _needed(item):
        raise pytest.UsageError(f"{item.nodeid}: {_MIXED}")
    return demand


def demand_of(item: pytest.Item) -> Demand | None:
    """Return what the markers of a test ask, the closest one first to say each thing; `None` where it has none."""
    count: Any = None
    expectations: list[Any] = []
    markers = list(item.iter_markers(MARKER))
    for marker in markers:
        _check_arguments(item, marker)
        if count is None:
            count = marker.kwargs.get("count")
        if "expect" in marker.kwargs:
            expect = marker.kwargs["expect"]
            if isinstance(expect, list | tuple) and not expect:
                raise _misuse(item, f"expect={expect!r} checks nothing: give a pattern, or leave it out")
            expectations += expect if isinstance(expect, list | tuple) else [expect]
    at_least, at_most = _limits(item, count)
    if expectations and at_most == 0:
        raise _misuse(item, "count=0 contradicts expect: no trace is left to check")
    return Demand(at_least, at_most, _checked(item, expectations), _plan(item, markers)) if markers else None


def _plan(item: pytest.Item, markers: list[pytest.Mark]) -> Plan | None:
    """Return the plan by which a test is to be repeated, the closest marker first to say each thing."""
    said: dict[str, Any] = {}
    for marker in reversed(markers):
        said.update(
            {word: marker.kwargs[word] for word in ("repeat", "at_least", "confidence") if word in marker.kwargs}
        )
    if not said:
        return None
    for word, cure in (
        ("repeat", "how often it runs at most"),
        ("at_least", "at which rate it is to hold, such as 0.9"),
    ):
        if word not in said:
            raise _misuse(item, f"has {listed(said)} without {word}: say {cure}")
    if not isinstance(item, pytest.Function) or (item.cls is not None and issubclass(item.cls, TestCase)):
        raise _misuse(item, f"repeat is for test functions and methods, not for a {type(item).__name__}")
    if item.get_closest_marker("flaky") is not None:
        raise _misuse(item, "repeat and @pytest.mark.flaky contradict each other: what is tried again is no rate")
    if "subtests" in item.fixturenames:
        raise _misuse(item, "repeat cannot count subtests: assert in the test itself")
    from pytest_mlflow_traces.core.rates.sequential import plan

    try:
        return plan(said["at_least"], said["repeat"], said.get("confidence", CONFIDENCE))
    except ValueError as error:
        raise _misuse(item, f"{', '.join(f'{word}={said[word]!r:.80}' for word in said)}: {error}") from None


def _check_arguments(item: pytest.Item, marker: pytest.Mark) -> None:
    if marker.args:
        raise _misuse(item, f"takes keywords only: {listed(KEYWORDS)}; got {marker.args[0]!r:.80}")
    for keyword in marker.kwargs:
        if keyword not in KEYWORDS:
            raise _misuse(item, f"has no keyword {keyword!r} (legal: {listed(KEYWORDS)}){nearest(keyword, KEYWORDS)}")


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
    return tuple(_one_checked(item, each) for each in expectations)


def _one_checked(item: pytest.Item, given: Any) -> Any:
    from pytest_mlflow_traces.core.expectation import checked_expectation, is_contract_file
    from pytest_mlflow_traces.files.expectations import loaded_expectation

    try:
        if is_contract_file(given):
            return loaded_expectation(given, [item.path.parent, item.config.rootpath])
        return checked_expectation(given)
    except ValueError as error:
        raise _misuse(item, f"expect={str(given)!r}: {error}") from None
    except TypeError as error:
        raise _misuse(item, f"expect: {error}") from None


def _ask_for_fixture(item: pytest.Item) -> None:
    """Have a test ask for the fixture: after those of wider scopes, whose traces are not its own, before all others."""
    names = getattr(item, "fixturenames", None)
    if names is None:
        raise _misuse(item, f"opens a capture by a fixture, and a {type(item).__name__} has none: nothing is captured")
    if MARKER not in names:
        known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # whatever has fixture names has it
        wider = [i for i, name in enumerate(names, 1) if known.get(name) and known[name][-1].scope != "function"]
        names.insert(max(wider, default=0), MARKER)


def _is_of_examples(item: pytest.Item) -> bool:
    return bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False))


def _asked(item: pytest.Item) -> set[str]:
    """Return the fixtures that a test of Hypothesis asks for itself."""
    asked = {name for marker in item.iter_markers("usefixtures") for name in marker.args}
    return asked.union(inspect.signature(item.obj).parameters)  # type: ignore[attr-defined]  # a Function has it


def _needed(item: pytest.Item) -> set[str]:
    """Return the fixtures that it asks for, and those that these ask for."""
    known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # a Function has it
    waiting, needed = list(_asked(item)), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += (inner for each in known.get(name, ()) for inner in each.argnames)
    return needed


def _misuse(item: pytest.Item, text: str) -> pytest.UsageError:
    return pytest.UsageError(f"{item.nodeid}: @pytest.mark.{MARKER} {text}")
