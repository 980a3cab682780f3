"""A chain regular expression of some words: `a (b|c)+ d?`, each symbol once.

It is CRX: G. J. Bex, F. Neven, T. Schwentick and S. Vansummeren, "Inference of concise regular expressions and DTDs",
ACM Transactions on Database Systems 35 (2010). Symbols that follow each other both ways are one factor, and so are
those with the same neighbours; factors stand in the order of the words. It accepts every word, and of enough words of
such a language it is that language. Where the symbols of a factor stand once each, in whatever order, it says so.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

S = TypeVar("S", bound="Hashable")


@dataclass(frozen=True, slots=True)
class Factor(Generic[S]):
    """A part of a chain: some of the symbols, from `least` to `most` times (`None`: any number)."""

    symbols: tuple[S, ...]
    least: int
    most: int | None
    each_once: tuple[bool, ...] = ()  # in any order, each symbol once: whether it must be there


def chain(words: Iterable[Sequence[S]]) -> list[Factor[S]]:
    """Return the factors of the chain that accepts some words.

    >>> from pytest_mlflow_traces.core.learning.chains import chain
    >>> [("".join(f.symbols), f.least, f.most) for f in chain(["abbc", "ac"])]
    [('a', 1, 1), ('b', 0, None), ('c', 1, 1)]
    """
    distinct = list(dict.fromkeys(map(tuple, words)))
    symbols = list(dict.fromkeys(symbol for word in distinct for symbol in word))
    after: dict[S, set[S]] = {symbol: set() for symbol in symbols}
    for word in distinct:
        for one, other in itertools.pairwise(word):
            after[one].add(other)
    reach = _closure(after)
    classes = _classes(symbols, reach)
    return [_factor(each, distinct) for each in _ordered(_merged(classes, reach), reach, distinct)]


def _closure(after: dict[S, set[S]]) -> dict[S, set[S]]:
    """Return what stands somewhere behind each symbol."""
    reach = {symbol: set(those) for symbol, those in after.items()}
    for through in reach:
        for those in reach.values():
            if through in those:
                those |= reach[through]
    return reach


def _classes(symbols: Sequence[S], reach: dict[S, set[S]]) -> list[tuple[S, ...]]:
    """Return the symbols, those together that stand behind each other both ways."""
    classes, seen = [], set[S]()
    for symbol in symbols:
        if symbol not in seen:
            both_ways = {other for other in reach[symbol] if symbol in reach[other]} | {symbol}
            alike = tuple(other for other in symbols if other in both_ways)
            seen.update(alike)
            classes.append(alike)
    return classes


def _merged(classes: Sequence[tuple[S, ...]], reach: dict[S, set[S]]) -> list[tuple[S, ...]]:
    """Return the classes, with single symbols that have the same others before and behind them as one."""
    groups: dict[Hashable, list[S]] = {}
    merged = [each for each in classes if len(each) > 1 or each[0] in reach[each[0]]]
    for (symbol,) in (each for each in classes if each not in merged):
        before = frozenset(other for other, those in reach.items() if symbol in those)
        groups.setdefault((before, frozenset(reach[symbol])), []).append(symbol)
    return [*merged, *map(tuple, groups.values())]


def _ordered(
    classes: Sequence[tuple[S, ...]], reach: dict[S, set[S]], words: Sequence[tuple[S, ...]]
) -> list[tuple[S, ...]]:
    """Return the classes so that whatever stands behind another in some word does here; ties by their usual place."""
    place: dict[S, list[float]] = {}
    for word in words:
        for number, symbol in enumerate(word):
            place.setdefault(symbol, []).append(number / len(word))
    waiting = sorted(classes, key=lambda each: min(sum(place[one]) / len(place[one]) for one in each))
    ordered = []
    while waiting:
        first = next(
            each for each in waiting if not any(each[0] in reach[other[0]] for other in waiting if other is not each)
        )
        ordered.append(first)
        waiting.remove(first)
    return ordered


def _factor(symbols: tuple[S, ...], words: Sequence[tuple[S, ...]]) -> Factor[S]:
    counts = [Counter(symbol for symbol in word if symbol in symbols) for word in words]
    totals = [each.total() for each in counts]
    least = min(1, min(totals))
    if max(totals) <= 1:
        return Factor(symbols, least, 1)
    once = tuple(all(each[symbol] for each in counts) for symbol in symbols)
    if len(symbols) > 1 and all(most == 1 for each in counts for most in each.values()) and (any(once) or not least):
        return Factor(symbols, least, None, once)
    return Factor(symbols, least, None)
