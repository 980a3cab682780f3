"""The functions of `time` as they are before any test runs: the plugin loads this at its start.

The rest is loaded by the first test that asks for it, which may have put a stub in the place of one by then.
"""

from __future__ import annotations

import time
from time import monotonic, monotonic_ns, perf_counter, perf_counter_ns, sleep
from typing import Any

__all__ = [
    "CLOCKS",
    "clock_gettime",
    "clock_gettime_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "sleep",
]

# Windows has neither; of the clocks, those of processes and threads are no time of day, and others are time-machine's
clock_gettime: Any = getattr(time, "clock_gettime", None)
clock_gettime_ns: Any = getattr(time, "clock_gettime_ns", None)
_NAMES = (
    "CLOCK_MONOTONIC",
    "CLOCK_MONOTONIC_RAW",
    "CLOCK_BOOTTIME",
    "CLOCK_UPTIME_RAW",
    "CLOCK_UPTIME",
    "CLOCK_HIGHRES",
)
CLOCKS: tuple[int, ...] = tuple(getattr(time, name) for name in _NAMES if hasattr(time, name))
