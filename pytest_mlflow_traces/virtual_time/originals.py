"""The functions of `time` as they are before any test runs: the plugin loads this at its start.

The rest is loaded by the first test that asks for it, which may have put a stub in the place of one by then.
"""

from __future__ import annotations

from time import monotonic, monotonic_ns, perf_counter, perf_counter_ns, sleep

__all__ = ["monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"]
