"""Sets of small numbers as the bits of one integer: unions, shifts and runs of them cost next to nothing."""

from __future__ import annotations


def members(bits: int) -> list[int]:
    """Return the numbers in the set, ascending."""
    if not bits & (bits - 1):
        return [bits.bit_length() - 1] if bits else []
    digits = bin(bits)[:1:-1]
    found = []
    k = digits.find("1")
    while k >= 0:
        found.append(k)
        k = digits.find("1", k + 1)
    return found


def lowest(bits: int) -> int:
    """Return the least number in a set that is not empty."""
    return (bits & -bits).bit_length() - 1


def between(first: int, last: int) -> int:
    """Return the set of the numbers from `first` to `last`, both included."""
    return (2 << last) - (1 << first) if first <= last else 0


class Intervals:
    """A set as a union of intervals whose firsts and lasts both ascend."""

    __slots__ = ("_bits", "_first", "_last")

    def __init__(self) -> None:
        self._bits, self._first, self._last = 0, 0, -1

    def add(self, first: int, last: int) -> None:
        """Add the numbers from `first` to `last`."""
        if first > self._last + 1:
            self._bits |= between(self._first, self._last)
            self._first = first
        self._last = last

    def bits(self) -> int:
        """Return the set."""
        return self._bits | between(self._first, self._last)
