"""Run the tests that a page or a docstring shows, with the fixtures that they ask for."""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces import capture_traces
from pytest_mlflow_traces.clock import virtual_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# in this order, as pytest would: virtual time stands around what it rules
FIXTURES = {"virtual_time": virtual_time, "mlflow_traces": capture_traces}


def run_tests(namespace: Mapping[str, Any], names: Iterable[str]) -> int:
    """Call each test of these names that needs no other fixtures than ours; return how many those were."""
    called = 0
    for name in names:
        test = namespace[name]
        asked = set(inspect.signature(test).parameters) if name.startswith("test_") and callable(test) else set()
        if asked and asked <= set(FIXTURES):
            with ExitStack() as stack:
                given = {each: stack.enter_context(FIXTURES[each]()) for each in FIXTURES if each in asked}
                test(**given)
            called += 1
    return called
