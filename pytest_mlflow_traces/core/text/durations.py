"""Durations as people write them ("800ms", `timedelta`), in whole nanoseconds, and back."""

from __future__ import annotations

import re
from datetime import timedelta

__tracebackhide__ = True  # a failure points at the test, not in here

NS_PER_MS = 1_000_000
_UNITS_NS = {"ns": 1, "us": 1_000, "ms": NS_PER_MS, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_LONGEST_NS = 3_600_000_000_000 * 10**11  # above the longest timedelta
_SPELLINGS = {"µs": "us", "μs": "us"}  # the micro sign, and the Greek letter
_SIGNS = {"us": "µs"}
_TEXT = re.compile(r"\s*(\d{1,30}(?:\.\d{1,30})?)\s*([a-zµμ]+)\s*", re.ASCII)


def parse_duration(value: object, what: str) -> int:
    """Return `value` in nanoseconds; `what` names the argument in errors.

    Raises:
        TypeError: for anything but text and `timedelta`; a bare number does not say its unit.
        ValueError: for text that is not a duration, and for a negative duration.
    """
    if isinstance(value, timedelta):
        nanoseconds = (value.days * 86_400 + value.seconds) * 1_000_000_000 + value.microseconds * 1_000
        if nanoseconds < 0:
            raise ValueError(f"{what}: a duration cannot be negative, got {value!r}")
        return nanoseconds
    if not isinstance(value, str):
        raise TypeError(f"{what}: write a duration as '800ms', '2s' or a timedelta, got {value!r}")
    found = _TEXT.fullmatch(value)
    unit = _UNITS_NS.get(_SPELLINGS.get(found[2], found[2])) if found else None
    if found is None or unit is None:
        raise ValueError(
            f"{what}: {value!r} is not a duration; write a number and one of {', '.join(_UNITS_NS)}: '800ms'"
        )
    whole, _, fraction = found[1].partition(".")
    # in integers: 0.1 s is not an exact float, and a limit must not move by a rounding
    part, rest = divmod(int(fraction or 0) * unit, int("1" + "0" * len(fraction)))
    if rest:
        raise ValueError(f"{what}: {value!r} is finer than a nanosecond")
    nanoseconds = int(whole) * unit + part
    if nanoseconds > _LONGEST_NS:
        raise ValueError(f"{what}: {value!r} is longer than {_LONGEST_NS // _UNITS_NS['h']} hours")
    return nanoseconds


def exact_duration(nanoseconds: int) -> str:
    """Return the shortest text that `parse_duration` reads as exactly `nanoseconds`."""
    for unit in ("h", "m", "s", "ms", "us"):
        size = _UNITS_NS[unit]
        if nanoseconds >= size and nanoseconds % size == 0:
            return f"{nanoseconds // size}{unit}"
    return f"{nanoseconds}ns" if nanoseconds else "0ms"


def readable_duration(nanoseconds: int, *, exact: bool = False) -> str:
    """Return a duration for a person, in the unit that fits it: up to three digits, or all of them."""
    if not nanoseconds:
        return "0 ms"
    size, sign = abs(nanoseconds), "-" if nanoseconds < 0 else ""
    if size >= 59_950_000_000 and not (exact and size % 1_000_000_000):
        minutes, rest = divmod(round(size / 1_000_000_000), 60)
        return f"{sign}{minutes} min {rest} s"
    rounding = 1 if exact else 0.9995  # what would round to the next unit is shown in it
    unit = next((each for each in ("s", "ms", "us") if size >= _UNITS_NS[each] * rounding), "ns")
    whole, part = divmod(size, _UNITS_NS[unit])
    number = size / _UNITS_NS[unit]
    if exact:
        text = f"{whole}.{part:0{len(str(_UNITS_NS[unit])) - 1}}"
    else:
        text = f"{number:.{0 if number >= 99.95 else 1 if number >= 9.995 else 2}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{sign}{text} {_SIGNS.get(unit, unit)}"
