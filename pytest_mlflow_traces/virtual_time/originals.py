"""The functions of `time` as they are before any test runs: the plugin loads this at its start.

The rest is loaded by the first test that asks for it, which may have put a stub in the place of one by then.
"""

from __future__ import annotations

import time
from time import monotonic as monotonic
from time import sleep as sleep
from typing import Any

# Windows has not the last two; of the clocks, those of processes and threads are no time of day, others time-machine's
_TELLING = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "clock_gettime", "clock_gettime_ns")
TELLING: dict[str, Any] = {name: getattr(time, name) for name in _TELLING if hasattr(time, name)}
_NAMES = (
    "CLOCK_MONOTONIC",
    "CLOCK_MONOTONIC_RAW",
    "CLOCK_BOOTTIME",
    "CLOCK_UPTIME_RAW",
    "CLOCK_UPTIME",
    "CLOCK_HIGHRES",
)
CLOCKS: tuple[int, ...] = tuple(getattr(time, name) for name in _NAMES if hasattr(time, name))
