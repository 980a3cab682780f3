"""The finding that a duration in virtual time is not all the time that passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.text.durations import readable_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces.core.spans.real_waits import RealWait

_LISTED = 3


def unseen(waits: Iterable[RealWait], where: str, expected: str, taken: int) -> list[Finding]:
    """Return the finding that a duration in virtual time is not all the time that passed, if it is not."""
    known = list(dict.fromkeys(waits))
    if not known:
        return []
    total = readable_duration(sum(wait.nanoseconds for wait in known))
    more = [f"... {len(known) - _LISTED} more"] if len(known) > _LISTED else []
    hint = [
        "waited in real time, for",
        *(f"  {wait}" for wait in known[:_LISTED]),
        *more,
        "put a stub in its place that takes as long by time.sleep(), or limit this span outside of virtual time",
    ]
    actual = f"{readable_duration(taken)} of virtual time, and {total} of real time that it leaves out"
    return [Finding("budget.real_time", where, expected, actual, "\n".join(hint))]
