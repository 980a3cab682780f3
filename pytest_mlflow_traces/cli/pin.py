"""One stored trace as a test: found by its id, and written with its baseline and its inputs."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.pinning import pinned, unfit
from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.text.counts import counted
from pytest_mlflow_traces.files.pins import PinError, write_pin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces.core.pinning import Pin
    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.files.pins import PinnedTest
    from pytest_mlflow_traces.files.traces import StoredTrace

_LISTED = 5


def found(traces: Iterable[StoredTrace], trace_id: str) -> Trace:
    """Return the trace of this id.

    Raises:
        PinError: where none of the traces has it, naming the nearest; or two different ones have.
    """
    ids: list[str] = []
    same: list[Trace] = []
    for stored in traces:
        ids.append(stored.trace.id)
        if stored.trace.id == trace_id:
            same.append(stored.trace)
    if len(same) > 1:
        raise PinError(f"{len(same)} traces have the id {trace_id!r}: name a source with one of them")
    if not same:
        near = ", ".join(map(visible, get_close_matches(trace_id, ids, _LISTED, 0.8) or ids[:_LISTED]))
        there = f"; there is {near}{', ...' if len(ids) > _LISTED else ''}" if ids else ""
        raise PinError(f"no trace has the id {trace_id!r} among {counted(len(ids), 'trace')}{there}")
    return same[0]


def pin_trace(trace: Trace, target: str) -> tuple[Pin, PinnedTest]:
    """Write the test of a trace into the module `target`, or under the name that `module::name` says.

    Raises:
        PinError: for a trace that nothing can be held against, and a module that cannot take the test.
        OSError: for what cannot be written.
    """
    wrong = unfit(trace)
    if wrong is not None:
        raise PinError(f"nothing was pinned: {wrong}")
    module, _, name = target.partition("::")
    if name and not (name.isidentifier() and name.startswith("test")):
        raise PinError(f"{name!r} is not the name of a test: write {module}::test_something, or the module alone")
    pin = pinned(trace)
    return pin, write_pin(pin, Path(module), name or None)


def told(pin: Pin, test: PinnedTest) -> str:
    """Return what is said of a test that was pinned: its files, what was replaced in them, and what to do."""
    lines = [f"pinned trace {visible(pin.id)} as {test.module.as_posix()}::{test.name}"]
    lines += [f"  {what:<9} {path.as_posix()}" for what, path in (("baseline", test.baseline), ("inputs", test.inputs))]
    if pin.replaced:
        lines += ["", f"{counted(len(pin.replaced), 'value')} that may be personal or secret, and what stands for it:"]
        for each in pin.replaced:
            size = counted(len(each.value), "character")
            lines.append(f"  {each.placeholder} for {size}, first in {visible(each.where)}")
    lines += ["", f"now fill in the call, such as `{pin.call}`: until then the test fails"]
    return "\n".join(lines)
