"""Durations as people write them ("800ms", `timedelta`), in whole nanoseconds, and back."""

from __future__ import annotations

import re
from datetime import timedelta

__tracebackhide__ = True  # a failure points at the test, not in here

NS_PER_MS = 1_000_000
_UNITS_NS = {"ns": 1, "us": 1_000, "ms": NS_PER_MS, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]+)\s*", re.ASCII | re.IGNORECASE)


def parse_duration(value: object, what: str) -> int:
    """Return `value` in nanoseconds; `what` names the argument in errors.

    Raises:
        TypeError: for anything but text and `timedelta`; a bare number does not say its unit.
        ValueError: for text that is no duration, and for a negative duration.
    """
    if isinstance(value, timedelta):
        nanoseconds = (value.days * 86_400 + value.seconds) * 1_000_000_000 + value.microseconds * 1_000
        if nanoseconds < 0:
            raise ValueError(f"{what}: a duration cannot be negative, got {value!r}")
        return nanoseconds
    if not isinstance(value, str):
        raise TypeError(f"{what}: write a duration as '800ms', '2s' or a timedelta, got {value!r}")
    found = _TEXT.fullmatch(value)
    unit = _UNITS_NS.get(found[2]) if found else None
    if found is None or unit is None:
        raise ValueError(f"{what}: {value!r} is no duration; write a number and one of {', '.join(_UNITS_NS)}: '800ms'")
    whole, _, fraction = found[1].partition(".")
    # in integers: 0.1 s is no exact float, and a limit must not move by a rounding
    return int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


def exact_duration(nanoseconds: int) -> str:
    """Return the shortest text that `parse_duration` reads as exactly `nanoseconds`."""
    for unit in ("h", "m", "s", "ms", "us"):
        size = _UNITS_NS[unit]
        if nanoseconds >= size and nanoseconds % size == 0:
            return f"{nanoseconds // size}{unit}"
    return f"{nanoseconds}ns" if nanoseconds else "0ms"


def readable_duration(nanoseconds: int) -> str:
    """Return a duration for a person: three significant digits, in the unit that fits it."""
    size = abs(nanoseconds)
    if size < 60_000_000_000:
        unit = "s" if size >= 1_000_000_000 else "ms"
        number = nanoseconds / _UNITS_NS[unit]
        digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
        text = f"{number:.{digits}f}"
        return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"
    minutes, rest = divmod(round(size / 1_000_000_000), 60)
    return f"{'-' if nanoseconds < 0 else ''}{minutes} min {rest} s"
